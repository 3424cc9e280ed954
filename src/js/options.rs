//! Settings from a JavaScript object, under their camelCase names.

use alloc::string::String;
use alloc::vec::Vec;
use js_sys::{Array, JsString, Object, Reflect, Uint8Array};
use wasm_bindgen::{JsCast, JsValue};

use crate::error::{Error, Result};
use crate::settings::{SameSite, Settings};

/// Every setting.
const NAMES: [&str; 13] = [
    "secrets",
    "cookieAge",
    "cookieName",
    "cookieDomain",
    "cookiePath",
    "cookieSecure",
    "cookieHttpOnly",
    "cookieSameSite",
    "expireAtBrowserClose",
    "saveEveryRequest",
    "absoluteAge",
    "maxRecordBytes",
    "keyPrefix",
];

/// Reads and checks the settings. A name that is none of them is refused: it is a slip of the pen.
pub(super) fn read(options: &Object) -> Result<Settings> {
    for name in Object::keys(options).iter().filter_map(|name| name.as_string()) {
        if !NAMES.contains(&name.as_str()) {
            return Err(Error::config(format!("{name} is no setting; the settings are {}", NAMES.join(", "))));
        }
    }
    let mut settings = Settings::builder(secrets(options)?);
    if let Some(seconds) = number(options, "cookieAge")? {
        settings = settings.cookie_age(seconds);
    }
    if let Some(name) = text(options, "cookieName")? {
        settings = settings.cookie_name(name);
    }
    if let Some(domain) = text(options, "cookieDomain")? {
        settings = settings.cookie_domain(domain);
    }
    if let Some(path) = text(options, "cookiePath")? {
        settings = settings.cookie_path(path);
    }
    if let Some(secure) = flag(options, "cookieSecure")? {
        settings = settings.cookie_secure(secure);
    }
    if let Some(http_only) = flag(options, "cookieHttpOnly")? {
        settings = settings.cookie_httponly(http_only);
    }
    if let Some(text) = text(options, "cookieSameSite")? {
        let samesite =
            SameSite::parse(&text).ok_or_else(|| wrong("cookieSameSite", "\"Strict\", \"Lax\" or \"None\""))?;
        settings = settings.cookie_samesite(samesite);
    }
    if let Some(yes) = flag(options, "expireAtBrowserClose")? {
        settings = settings.expire_at_browser_close(yes);
    }
    if let Some(yes) = flag(options, "saveEveryRequest")? {
        settings = settings.save_every_request(yes);
    }
    if let Some(seconds) = number(options, "absoluteAge")? {
        settings = settings.absolute_age(seconds);
    }
    if let Some(bytes) = number(options, "maxRecordBytes")? {
        settings = settings.max_record_bytes(usize::try_from(bytes).unwrap_or_default());
    }
    if let Some(prefix) = text(options, "keyPrefix")? {
        settings = settings.key_prefix(prefix);
    }
    settings.build()
}

/// A setting's value; none where it is undefined or null.
fn value(options: &Object, name: &str) -> Option<JsValue> {
    Reflect::get(options, &name.into()).ok().filter(|value| !value.is_undefined() && !value.is_null())
}

fn text(options: &Object, name: &str) -> Result<Option<String>> {
    value(options, name).map(|value| value.as_string().ok_or_else(|| wrong(name, "a text"))).transpose()
}

fn flag(options: &Object, name: &str) -> Result<Option<bool>> {
    value(options, name).map(|value| value.as_bool().ok_or_else(|| wrong(name, "true or false"))).transpose()
}

fn number(options: &Object, name: &str) -> Result<Option<i64>> {
    let whole = |value: JsValue| value.as_f64().filter(|number| *number as i64 as f64 == *number).map(|number| number as i64);
    value(options, name).map(|value| whole(value).ok_or_else(|| wrong(name, "a whole number"))).transpose()
}

/// The secrets: texts, or bytes.
fn secrets(options: &Object) -> Result<Vec<Vec<u8>>> {
    let list = value(options, "secrets").filter(Array::is_array);
    let list = list.ok_or_else(|| wrong("secrets", "an array of texts, such as [env.SESSION_SECRET]"))?;
    let bytes = |secret: JsValue| match secret.dyn_into::<JsString>() {
        Ok(text) => Ok(String::from(text).into_bytes()),
        Err(other) => other.dyn_into::<Uint8Array>().map(|bytes| bytes.to_vec()).map_err(|_| {
            Error::config(
                "one of secrets is missing: set it with `wrangler secret put SESSION_SECRET` to at least 32 random \
                 bytes (locally, in .dev.vars)",
            )
        }),
    };
    Array::from(&list).iter().map(bytes).collect()
}

fn wrong(name: &str, wanted: &str) -> Error {
    Error::config(format!("{name} must be {wanted}"))
}

//! Settings from a Worker's variables and secrets, under Django's names.

use worker::Env;
use worker::js_sys::{Array, JSON, Object, Reflect};
use worker::wasm_bindgen::{JsCast, JsValue};

use crate::error::{Error, Result};
use crate::settings::{SameSite, Settings};

/// Every name that is read, in the README's order.
const NAMES: [&str; 14] = [
    "SESSION_SECRET",
    "SESSION_SECRET_FALLBACKS",
    "SESSION_COOKIE_AGE",
    "SESSION_COOKIE_NAME",
    "SESSION_COOKIE_DOMAIN",
    "SESSION_COOKIE_PATH",
    "SESSION_COOKIE_SECURE",
    "SESSION_COOKIE_HTTPONLY",
    "SESSION_COOKIE_SAMESITE",
    "SESSION_EXPIRE_AT_BROWSER_CLOSE",
    "SESSION_SAVE_EVERY_REQUEST",
    "SESSION_ABSOLUTE_AGE",
    "SESSION_MAX_RECORD_BYTES",
    "SESSION_KEY_PREFIX",
];

impl Settings {
    /// Reads the settings from a Worker's `[vars]` and secrets: `SESSION_SECRET`, `SESSION_SECRET_FALLBACKS` (a JSON array)
    /// and Django's names. Strings, numbers and booleans are taken alike.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`](crate::ErrorKind::Config), with the setting's name: a missing secret, a value of the wrong
    /// kind, a contradiction, or a name that begins with `SESSION_` and is none of the settings.
    pub fn from_env(env: &Env) -> Result<Self> {
        for name in Object::keys(env.unchecked_ref::<Object>()).iter().filter_map(|name| name.as_string()) {
            let value = Reflect::get(env, &JsValue::from_str(&name)).unwrap_or(JsValue::UNDEFINED);
            let is_binding = value.is_object() && !Array::is_array(&value);
            if name.starts_with("SESSION_") && !NAMES.contains(&name.as_str()) && !is_binding {
                return Err(Error::config(format!("{name} is no setting; the settings are {}", NAMES.join(", "))));
            }
        }
        read(|name| variable(env, name))
    }
}

/// A variable as text, whatever TOML made of it.
fn variable(env: &Env, name: &str) -> Result<Option<String>> {
    let value = Reflect::get(env, &JsValue::from_str(name)).unwrap_or(JsValue::UNDEFINED);
    if value.is_undefined() || value.is_null() {
        return Ok(None);
    }
    let text = value.as_string().or_else(|| JSON::stringify(&value).ok().and_then(|text| text.as_string()));
    text.map(Some).ok_or_else(|| Error::config(format!("{name} is neither a text, a number nor true or false")))
}

/// Reads the settings through `variable`, which gives the text behind a name.
fn read(variable: impl Fn(&str) -> Result<Option<String>>) -> Result<Settings> {
    let mut secrets: Vec<String> = variable("SESSION_SECRET")?.into_iter().collect();
    if secrets.is_empty() {
        return Err(Error::config(
            "SESSION_SECRET is missing: run `wrangler secret put SESSION_SECRET` with at least 32 random bytes \
             (locally, npm start writes one into .dev.vars)",
        ));
    }
    if let Some(text) = variable("SESSION_SECRET_FALLBACKS")? {
        let fallbacks: Vec<String> = serde_json::from_str(&text).map_err(|_| {
            Error::config("SESSION_SECRET_FALLBACKS must be a JSON array of texts, such as [\"the secret before\"]")
        })?;
        secrets.extend(fallbacks);
    }
    let mut settings = Settings::builder(secrets);
    let number = |name: &str| variable(name)?.map(|text| parse_number(name, &text)).transpose();
    let flag = |name: &str| variable(name)?.map(|text| parse_flag(name, &text)).transpose();
    if let Some(seconds) = number("SESSION_COOKIE_AGE")? {
        settings = settings.cookie_age(seconds);
    }
    if let Some(name) = variable("SESSION_COOKIE_NAME")? {
        settings = settings.cookie_name(name);
    }
    if let Some(domain) = variable("SESSION_COOKIE_DOMAIN")?.filter(|domain| !domain.is_empty()) {
        settings = settings.cookie_domain(domain);
    }
    if let Some(path) = variable("SESSION_COOKIE_PATH")? {
        settings = settings.cookie_path(path);
    }
    if let Some(secure) = flag("SESSION_COOKIE_SECURE")? {
        settings = settings.cookie_secure(secure);
    }
    if let Some(httponly) = flag("SESSION_COOKIE_HTTPONLY")? {
        settings = settings.cookie_httponly(httponly);
    }
    if let Some(text) = variable("SESSION_COOKIE_SAMESITE")? {
        settings = settings.cookie_samesite(SameSite::parse(&text).ok_or_else(|| {
            Error::config("SESSION_COOKIE_SAMESITE must be \"Strict\", \"Lax\" or \"None\"; it cannot be left out")
        })?);
    }
    if let Some(yes) = flag("SESSION_EXPIRE_AT_BROWSER_CLOSE")? {
        settings = settings.expire_at_browser_close(yes);
    }
    if let Some(yes) = flag("SESSION_SAVE_EVERY_REQUEST")? {
        settings = settings.save_every_request(yes);
    }
    if let Some(seconds) = number("SESSION_ABSOLUTE_AGE")? {
        settings = settings.absolute_age(seconds);
    }
    if let Some(bytes) = number("SESSION_MAX_RECORD_BYTES")? {
        settings = settings.max_record_bytes(usize::try_from(bytes).unwrap_or_default());
    }
    if let Some(yes) = flag("SESSION_CHECK_ENDED")? {
        settings = settings.check_ended(yes);
    }
    if let Some(yes) = flag("SESSION_MERGE_STALE")? {
        settings = settings.merge_stale(yes);
    }
    if let Some(prefix) = variable("SESSION_KEY_PREFIX")? {
        settings = settings.key_prefix(prefix);
    }
    settings.build()
}

fn parse_number(name: &str, text: &str) -> Result<i64> {
    text.trim().parse().map_err(|_| Error::config(format!("{name} must be a whole number")))
}

fn parse_flag(name: &str, text: &str) -> Result<bool> {
    match text.trim().to_ascii_lowercase().as_str() {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(Error::config(format!("{name} must be true or false"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: (&str, &str) = ("SESSION_SECRET", "a secret of at least thirty-two bytes");

    fn read_from(variables: &[(&str, &str)]) -> Result<Settings> {
        read(|name| Ok(variables.iter().find(|(key, _)| *key == name).map(|(_, text)| (*text).to_owned())))
    }

    #[test]
    fn every_setting_is_read() {
        let settings = read_from(&[
            SECRET,
            ("SESSION_SECRET_FALLBACKS", "[\"an older secret, of thirty-two bytes too\"]"),
            ("SESSION_COOKIE_AGE", "60"),
            ("SESSION_COOKIE_NAME", "sid"),
            ("SESSION_COOKIE_DOMAIN", "example.com"),
            ("SESSION_COOKIE_PATH", "/app"),
            ("SESSION_COOKIE_SECURE", "False"),
            ("SESSION_COOKIE_HTTPONLY", "false"),
            ("SESSION_COOKIE_SAMESITE", "strict"),
            ("SESSION_EXPIRE_AT_BROWSER_CLOSE", "true"),
            ("SESSION_SAVE_EVERY_REQUEST", "True"),
            ("SESSION_ABSOLUTE_AGE", "3600"),
            ("SESSION_MAX_RECORD_BYTES", "2048"),
            ("SESSION_KEY_PREFIX", "shop"),
        ])
        .unwrap();
        assert_eq!(settings.cookie_age, 60);
        assert_eq!(settings.cookie_name, "sid");
        assert_eq!(settings.cookie_domain.as_deref(), Some("example.com"));
        assert_eq!(settings.cookie_path, "/app");
        assert!(!settings.cookie_secure && !settings.cookie_httponly);
        assert_eq!(settings.cookie_samesite, SameSite::Strict);
        assert!(settings.expire_at_browser_close && settings.save_every_request);
        assert_eq!((settings.absolute_age, settings.max_record_bytes), (3600, 2048));
        assert_eq!(settings.key_prefix, "shop");
        assert_eq!(settings.secrets.bytes().count(), 2);
    }

    #[test]
    fn a_wrong_value_names_its_setting_and_shows_no_secret() {
        assert!(read_from(&[]).unwrap_err().to_string().contains("SESSION_SECRET is missing"));
        for (name, text) in [
            ("SESSION_SECRET_FALLBACKS", "an older secret, of thirty-two bytes too"),
            ("SESSION_SECRET_FALLBACKS", "[\"short\"]"),
            ("SESSION_COOKIE_AGE", "two weeks"),
            ("SESSION_COOKIE_AGE", "1.5"),
            ("SESSION_COOKIE_AGE", ""),
            ("SESSION_COOKIE_SECURE", "yes"),
            ("SESSION_COOKIE_SAMESITE", "false"),
            ("SESSION_MAX_RECORD_BYTES", "-1"),
        ] {
            let error = read_from(&[SECRET, (name, text)]).unwrap_err();
            assert_eq!(error.kind(), crate::ErrorKind::Config);
            assert!(error.to_string().contains(name), "{error}");
            assert!(!error.to_string().contains("older secret"), "{error}");
        }
    }
}

//! Settings from a Worker's variables and secrets, under Django's names.

use worker::Env;
use worker::js_sys::{Array, JSON, Object, Reflect};
use worker::wasm_bindgen::{JsCast, JsValue};

use crate::error::{Error, Result};
use crate::settings::{SETTINGS, SameSite, Setting, SettingKind, Settings};

/// The name of the secret that signs and verifies.
const SECRET: &str = "SESSION_SECRET";

/// The name of the older secrets, which only verify.
const SECRET_FALLBACKS: &str = "SESSION_SECRET_FALLBACKS";

/// The setting of Workers that choose their store by it, such as this repository's. It is known here, and ignored.
const ENGINE: &str = "SESSION_ENGINE";

/// Returns the names of all settings.
fn names() -> impl Iterator<Item = &'static str> {
    [SECRET, SECRET_FALLBACKS, ENGINE].into_iter().chain(SETTINGS.iter().map(|setting| setting.variable))
}

impl Settings {
    /// Reads the settings from a Worker's `[vars]` and secrets: `SESSION_SECRET`, `SESSION_SECRET_FALLBACKS` (a JSON array)
    /// and Django's names. A value may be a string, a number or a boolean.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`](crate::ErrorKind::Config), with the setting's name: a missing secret, a value of the wrong type,
    /// settings that contradict each other, or an unknown setting that begins with `SESSION_`.
    pub fn from_env(env: &Env) -> Result<Self> {
        for name in Object::keys(env.unchecked_ref::<Object>()).iter().filter_map(|name| name.as_string()) {
            let value = Reflect::get(env, &JsValue::from_str(&name)).unwrap_or(JsValue::UNDEFINED);
            let is_binding = value.is_object() && !Array::is_array(&value);
            if name.starts_with("SESSION_") && !is_binding && names().all(|known| known != name) {
                let known = Vec::from_iter(names()).join(", ");
                return Err(Error::config(format!("Unknown setting {name}. Known settings: {known}")));
            }
        }
        read(|name| variable(env, name))
    }
}

/// Returns a variable as text, regardless of its TOML type.
fn variable(env: &Env, name: &str) -> Result<Option<String>> {
    let value = Reflect::get(env, &JsValue::from_str(name)).unwrap_or(JsValue::UNDEFINED);
    if value.is_undefined() || value.is_null() {
        return Ok(None);
    }
    let text = value.as_string().or_else(|| JSON::stringify(&value).ok().and_then(|text| text.as_string()));
    text.map(Some).ok_or_else(|| Error::config(format!("{name} is neither a text, a number nor true or false")))
}

/// Reads the settings. `variable` returns the text of a name.
fn read(variable: impl Fn(&str) -> Result<Option<String>>) -> Result<Settings> {
    let mut secrets: Vec<String> = variable(SECRET)?.into_iter().collect();
    if secrets.is_empty() {
        return Err(Error::config(
            "SESSION_SECRET is missing: run `wrangler secret put SESSION_SECRET` with at least 32 random bytes \
             (locally, npm start writes one into .dev.vars)",
        ));
    }
    if let Some(text) = variable(SECRET_FALLBACKS)? {
        let fallbacks: Vec<String> = serde_json::from_str(&text).map_err(|_| {
            Error::config("SESSION_SECRET_FALLBACKS must be a JSON array of texts, such as [\"the secret before\"]")
        })?;
        secrets.extend(fallbacks);
    }
    let mut settings = Settings::builder(secrets);
    for Setting { variable: name, kind, .. } in &SETTINGS {
        let Some(text) = variable(name)? else { continue };
        match kind {
            SettingKind::Integer(set) => set(&mut settings, parse_number(name, &text)?),
            SettingKind::Flag(set) => set(&mut settings, parse_flag(name, &text)?),
            SettingKind::Text(set) => set(&mut settings, text),
            SettingKind::SameSite(set) => set(&mut settings, parse_same_site(name, &text)?),
        }
    }
    settings.build()
}

fn parse_same_site(name: &str, text: &str) -> Result<SameSite> {
    SameSite::parse(text)
        .ok_or_else(|| Error::config(format!("{name} must be \"Strict\", \"Lax\" or \"None\"; it cannot be left out")))
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

    const SIGNING: (&str, &str) = (SECRET, "a secret of at least thirty-two bytes");

    fn read_from(variables: &[(&str, &str)]) -> Result<Settings> {
        read(|name| Ok(variables.iter().find(|(key, _)| *key == name).map(|(_, text)| (*text).to_owned())))
    }

    #[test]
    fn every_setting_is_read() {
        let variables = [
            SIGNING,
            ("SESSION_SECRET_FALLBACKS", "[\"an older secret, of thirty-two bytes too\"]"),
            ("SESSION_ENGINE", "d1"),
            ("SESSION_COOKIE_AGE", "60"),
            ("SESSION_COOKIE_NAME", "sid"),
            ("SESSION_COOKIE_DOMAIN", "example.com"),
            ("SESSION_COOKIE_PATH", "/app"),
            ("SESSION_COOKIE_SECURE", "False"),
            ("SESSION_COOKIE_HTTPONLY", "false"),
            ("SESSION_COOKIE_SAMESITE", "strict"),
            ("SESSION_COOKIE_PARTITIONED", "false"),
            ("SESSION_EXPIRE_AT_BROWSER_CLOSE", "true"),
            ("SESSION_SAVE_EVERY_REQUEST", "True"),
            ("SESSION_ABSOLUTE_AGE", "3600"),
            ("SESSION_MAX_RECORD_BYTES", "2048"),
            ("SESSION_KEY_PREFIX", "shop"),
            ("SESSION_CHECK_ENDED", "false"),
            ("SESSION_MERGE_STALE", "true"),
            ("SESSION_JOURNAL_BYTES", "0"),
            ("SESSION_SEAL", "true"),
            ("SESSION_CLEAR_SITE_DATA", "true"),
        ];
        assert!(names().eq(variables.iter().map(|(name, _)| *name)), "this test sets every setting");
        let settings = read_from(&variables).unwrap();
        assert_eq!(settings.cookie_age, 60);
        assert_eq!(settings.cookie_name, "sid");
        assert_eq!(settings.cookie_domain.as_deref(), Some("example.com"));
        assert_eq!(settings.cookie_path, "/app");
        assert!(!settings.cookie_secure && !settings.cookie_httponly);
        assert_eq!(settings.cookie_samesite, SameSite::Strict);
        assert!(settings.expire_at_browser_close && settings.save_every_request);
        assert_eq!((settings.absolute_age, settings.max_record_bytes), (3600, 2048));
        assert_eq!(settings.key_prefix, "shop");
        assert!(!settings.check_ended && settings.merge_stale);
        assert_eq!(settings.journal_bytes, 0);
        assert!(settings.seal && settings.clear_site_data);
        assert!(!settings.cookie_partitioned);
        assert!(read_from(&[SIGNING, ("SESSION_COOKIE_PARTITIONED", "true")]).unwrap().cookie_partitioned);
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
            let error = read_from(&[SIGNING, (name, text)]).unwrap_err();
            assert_eq!(error.kind(), crate::ErrorKind::Config);
            assert!(error.to_string().contains(name), "{error}");
            assert!(!error.to_string().contains("older secret"), "{error}");
        }
    }
}

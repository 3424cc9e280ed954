//! The one list of settings but the secrets: the names under which a Worker's variables and JavaScript's options give them, the kinds of
//! their values, and the builder's methods that take them.

use alloc::string::String;

use super::{SameSite, SettingsBuilder};

/// One setting.
#[derive(Debug)]
pub struct Setting {
    /// The name of a Worker's variable, Django's where Django has the setting.
    pub variable: &'static str,
    /// The name of JavaScript's option.
    pub option: &'static str,
    /// The kind of its value, with the method that takes one.
    pub kind: SettingKind,
}

/// The kind of a setting's value, with the builder's method that takes one.
#[derive(Debug)]
pub enum SettingKind {
    /// A whole number.
    Integer(fn(SettingsBuilder, i64) -> SettingsBuilder),
    /// True or false.
    Flag(fn(SettingsBuilder, bool) -> SettingsBuilder),
    /// A text.
    Text(fn(SettingsBuilder, String) -> SettingsBuilder),
    /// `Strict`, `Lax` or `None`.
    SameSite(fn(SettingsBuilder, SameSite) -> SettingsBuilder),
}

/// All settings but the two secrets, in the documents' order.
///
/// ```
/// use edge_session::settings::SETTINGS;
///
/// let age = &SETTINGS[0];
/// assert_eq!((age.variable, age.option), ("SESSION_COOKIE_AGE", "cookieAge"));
/// ```
pub static SETTINGS: [Setting; 14] = {
    use SettingKind::{Flag, Integer, Text};
    [
        setting("SESSION_COOKIE_AGE", "cookieAge", Integer(SettingsBuilder::cookie_age)),
        setting("SESSION_COOKIE_NAME", "cookieName", Text(SettingsBuilder::cookie_name)),
        setting("SESSION_COOKIE_DOMAIN", "cookieDomain", Text(cookie_domain)),
        setting("SESSION_COOKIE_PATH", "cookiePath", Text(SettingsBuilder::cookie_path)),
        setting("SESSION_COOKIE_SECURE", "cookieSecure", Flag(SettingsBuilder::cookie_secure)),
        setting("SESSION_COOKIE_HTTPONLY", "cookieHttpOnly", Flag(SettingsBuilder::cookie_httponly)),
        setting("SESSION_COOKIE_SAMESITE", "cookieSameSite", SettingKind::SameSite(SettingsBuilder::cookie_samesite)),
        setting(
            "SESSION_EXPIRE_AT_BROWSER_CLOSE",
            "expireAtBrowserClose",
            Flag(SettingsBuilder::expire_at_browser_close),
        ),
        setting("SESSION_SAVE_EVERY_REQUEST", "saveEveryRequest", Flag(SettingsBuilder::save_every_request)),
        setting("SESSION_ABSOLUTE_AGE", "absoluteAge", Integer(SettingsBuilder::absolute_age)),
        setting("SESSION_MAX_RECORD_BYTES", "maxRecordBytes", Integer(max_record_bytes)),
        setting("SESSION_KEY_PREFIX", "keyPrefix", Text(SettingsBuilder::key_prefix)),
        setting("SESSION_CHECK_ENDED", "checkEnded", Flag(SettingsBuilder::check_ended)),
        setting("SESSION_MERGE_STALE", "mergeStale", Flag(SettingsBuilder::merge_stale)),
    ]
};

const fn setting(variable: &'static str, option: &'static str, kind: SettingKind) -> Setting {
    Setting { variable, option, kind }
}

/// Sets the domain; an empty text means the host itself.
fn cookie_domain(builder: SettingsBuilder, domain: String) -> SettingsBuilder {
    if domain.is_empty() { builder } else { builder.cookie_domain(domain) }
}

/// Sets the size limit; the builder refuses 0, and so what no memory holds.
fn max_record_bytes(builder: SettingsBuilder, bytes: i64) -> SettingsBuilder {
    builder.max_record_bytes(usize::try_from(bytes).unwrap_or_default())
}

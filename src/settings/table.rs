//! The one list of settings but the secrets: the names under which a Worker's variables and JavaScript's options give them, the kinds of
//! their values, and the functions that set them.

use alloc::string::String;

use super::{SameSite, SettingsBuilder};

/// One setting.
#[derive(Debug)]
pub struct Setting {
    /// The name of a Worker's variable, Django's where Django has the setting.
    pub variable: &'static str,
    /// The name of JavaScript's option.
    pub option: &'static str,
    /// The kind of its value, with the function that sets one.
    pub kind: SettingKind,
}

/// The kind of a setting's value, with the function that sets one.
#[derive(Debug)]
pub enum SettingKind {
    /// A whole number.
    Integer(fn(&mut SettingsBuilder, i64)),
    /// True or false.
    Flag(fn(&mut SettingsBuilder, bool)),
    /// A text.
    Text(fn(&mut SettingsBuilder, String)),
    /// `Strict`, `Lax` or `None`.
    SameSite(fn(&mut SettingsBuilder, SameSite)),
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
        setting("SESSION_COOKIE_AGE", "cookieAge", Integer(|builder, age| builder.draft.cookie_age = age)),
        setting("SESSION_COOKIE_NAME", "cookieName", Text(|builder, name| builder.cookie_name = Some(name))),
        setting("SESSION_COOKIE_DOMAIN", "cookieDomain", Text(cookie_domain)),
        setting("SESSION_COOKIE_PATH", "cookiePath", Text(|builder, path| builder.draft.cookie_path = path)),
        setting("SESSION_COOKIE_SECURE", "cookieSecure", Flag(|builder, is| builder.draft.cookie_secure = is)),
        setting("SESSION_COOKIE_HTTPONLY", "cookieHttpOnly", Flag(|builder, is| builder.draft.cookie_httponly = is)),
        setting(
            "SESSION_COOKIE_SAMESITE",
            "cookieSameSite",
            SettingKind::SameSite(|builder, value| builder.draft.cookie_samesite = value),
        ),
        setting(
            "SESSION_EXPIRE_AT_BROWSER_CLOSE",
            "expireAtBrowserClose",
            Flag(|builder, is| builder.draft.expire_at_browser_close = is),
        ),
        setting(
            "SESSION_SAVE_EVERY_REQUEST",
            "saveEveryRequest",
            Flag(|builder, is| builder.draft.save_every_request = is),
        ),
        setting("SESSION_ABSOLUTE_AGE", "absoluteAge", Integer(|builder, age| builder.draft.absolute_age = age)),
        setting("SESSION_MAX_RECORD_BYTES", "maxRecordBytes", Integer(max_record_bytes)),
        setting("SESSION_KEY_PREFIX", "keyPrefix", Text(|builder, prefix| builder.draft.key_prefix = prefix)),
        setting("SESSION_CHECK_ENDED", "checkEnded", Flag(|builder, is| builder.draft.check_ended = is)),
        setting("SESSION_MERGE_STALE", "mergeStale", Flag(|builder, is| builder.draft.merge_stale = is)),
    ]
};

const fn setting(variable: &'static str, option: &'static str, kind: SettingKind) -> Setting {
    Setting { variable, option, kind }
}

/// Sets the domain; an empty text means the host itself.
fn cookie_domain(builder: &mut SettingsBuilder, domain: String) {
    builder.draft.cookie_domain = Some(domain).filter(|domain| !domain.is_empty());
}

/// Sets the size limit; the builder refuses 0, and so what no memory holds.
fn max_record_bytes(builder: &mut SettingsBuilder, bytes: i64) {
    builder.draft.max_record_bytes = usize::try_from(bytes).unwrap_or_default();
}

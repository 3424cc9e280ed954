//! The table of all settings except the secrets: their names as Worker variables and JavaScript options, the kinds of their
//! values, and their setters.

use alloc::string::String;

use super::builder::SettingsBuilder;
use super::same_site::SameSite;

/// One setting.
#[derive(Debug)]
pub struct Setting {
    /// The name of the Worker variable, which is Django's name if Django has the setting.
    pub variable: &'static str,
    /// The name of the JavaScript option.
    pub option: &'static str,
    /// The kind of its value, with the setter.
    pub kind: SettingKind,
}

/// The kind of a setting's value, with the setter.
#[derive(Debug)]
pub enum SettingKind {
    /// An integer.
    Integer(fn(&mut SettingsBuilder, i64)),
    /// A boolean.
    Flag(fn(&mut SettingsBuilder, bool)),
    /// A string.
    Text(fn(&mut SettingsBuilder, String)),
    /// `Strict`, `Lax` or `None`.
    SameSite(fn(&mut SettingsBuilder, SameSite)),
}

/// All settings except the two secrets, in the order of the documentation.
///
/// ```
/// use edge_session::settings::SETTINGS;
///
/// let age = &SETTINGS[0];
/// assert_eq!((age.variable, age.option), ("SESSION_COOKIE_AGE", "cookieAge"));
/// ```
pub static SETTINGS: [Setting; 18] = {
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
            "SESSION_COOKIE_PARTITIONED",
            "cookiePartitioned",
            Flag(|builder, is| builder.draft.cookie_partitioned = is),
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
        setting("SESSION_JOURNAL_BYTES", "journalBytes", Integer(journal_bytes)),
        setting("SESSION_SEAL", "seal", Flag(|builder, is| builder.draft.seal = is)),
        setting("SESSION_CLEAR_SITE_DATA", "clearSiteData", Flag(|builder, is| builder.draft.clear_site_data = is)),
    ]
};

const fn setting(variable: &'static str, option: &'static str, kind: SettingKind) -> Setting {
    Setting { variable, option, kind }
}

/// Sets the domain. An empty string means a host-only cookie.
fn cookie_domain(builder: &mut SettingsBuilder, domain: String) {
    builder.draft.cookie_domain = Some(domain).filter(|domain| !domain.is_empty());
}

/// Sets the size limit. A value that is not a `usize` becomes 0, which the builder rejects.
fn max_record_bytes(builder: &mut SettingsBuilder, bytes: i64) {
    builder.draft.max_record_bytes = usize::try_from(bytes).unwrap_or_default();
}

/// Sets the limit of the journal. The builder refuses the value that a negative number becomes.
fn journal_bytes(builder: &mut SettingsBuilder, bytes: i64) {
    builder.draft.journal_bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
}

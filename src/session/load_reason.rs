//! Why a session is what it is after its load.

use core::fmt;

/// What the load of a session came to. [`Session::load_reason`](crate::Session::load_reason) tells it, and all but the first
/// two are [events](crate::Event) too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LoadReason {
    /// The request named no session.
    New,
    /// A record, as new as the browser knows of or newer.
    Live,
    /// The store showed an older record; what this browser saved since was put back from its cookie.
    StaleRepaired,
    /// The store showed a record that lacks what this browser knows of. It can be read; a save is refused unless
    /// `SESSION_MERGE_STALE` is set.
    Stale,
    /// The store shows nothing yet of a session that was saved a moment ago, elsewhere. It is empty, and nothing can be saved.
    NotYetVisible,
    /// A save of this browser is in no record any more: another one overwrote it.
    Lost,
    /// The session's time is over.
    Expired,
    /// Nothing is stored under the session's key.
    Unknown,
    /// Somebody logged out, or the key was cycled.
    Revoked,
    /// A concurrent request rotated the key less than 100 seconds ago, as a login does. The session reads as empty. `cycle_key`
    /// is allowed; every other save is refused.
    Superseded,
    /// The session was made under other settings: another `SESSION_KEY_PREFIX`, or a larger `SESSION_MAX_RECORD_BYTES`. It is
    /// left alone, and so is the cookie.
    OtherSettings,
    /// The cookie did not verify.
    Malformed,
    /// What is stored is no record.
    Corrupt,
    /// A newer version of this crate wrote the record.
    NewerVersion,
    /// The store did not answer.
    Unavailable,
}

impl LoadReason {
    /// The word for it, for logs and for JavaScript.
    ///
    /// ```
    /// assert_eq!(edge_session::LoadReason::NotYetVisible.as_str(), "not-yet-visible");
    /// ```
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Live => "live",
            Self::StaleRepaired => "stale-repaired",
            Self::Stale => "stale",
            Self::NotYetVisible => "not-yet-visible",
            Self::Lost => "lost",
            Self::Expired => "expired",
            Self::Unknown => "unknown",
            Self::Revoked => "revoked",
            Self::Superseded => "superseded",
            Self::OtherSettings => "other-settings",
            Self::Malformed => "malformed",
            Self::Corrupt => "corrupt",
            Self::NewerVersion => "newer-version",
            Self::Unavailable => "unavailable",
        }
    }
}

impl fmt::Display for LoadReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

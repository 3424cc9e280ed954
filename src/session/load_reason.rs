//! The outcome of a load.

use core::fmt;

/// The outcome of loading a session, from [`Session::load_reason`](crate::Session::load_reason). Every outcome except the first
/// two is also an [event](crate::Event).
///
/// docs/concepts/consistency.md lists the effect of each outcome on reads, saves and the cookie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LoadReason {
    /// The request contains no session cookie.
    New,
    /// The record contains every save that the browser knows of.
    Live,
    /// The store showed an older record. The later saves of this browser were restored from its cookie.
    StaleRepaired,
    /// The record lacks a save that the browser knows of. It can be read. A save is refused with
    /// [`Stale`](crate::ErrorKind::Stale), unless the store shows the missing save by then or `SESSION_MERGE_STALE` is set.
    Stale,
    /// The store does not show the record of a session that was saved less than 100 seconds ago at another location. The session
    /// reads as empty. A save is refused with [`Stale`](crate::ErrorKind::Stale), unless the store shows the record by then.
    NotYetVisible,
    /// Another save has overwritten a save of this browser. The session can be read and saved.
    Lost,
    /// The deadline or the absolute deadline has passed. A save creates a new session.
    Expired,
    /// Nothing is stored under the session's key. A save creates a new session.
    Unknown,
    /// The session was revoked, or its key was rotated more than 100 seconds ago. A save creates a new session.
    Revoked,
    /// A concurrent request rotated the key less than 100 seconds ago, as a login does. The session reads as empty. `cycle_key`
    /// is allowed. Every other save is refused with [`Superseded`](crate::ErrorKind::Superseded).
    Superseded,
    /// The session was created under other settings: another `SESSION_KEY_PREFIX`, or a larger `SESSION_MAX_RECORD_BYTES`. The
    /// record and the cookie are left unchanged.
    OtherSettings,
    /// The cookie does not verify, or two live sessions share one cookie name.
    Malformed,
    /// The stored value is not a record. It is left unchanged.
    Corrupt,
    /// A newer version of this crate wrote the record. The record and the cookie are left unchanged.
    NewerVersion,
    /// The store did not answer. Every use of the session fails with
    /// [`StoreUnavailable`](crate::ErrorKind::StoreUnavailable).
    Unavailable,
}

impl LoadReason {
    /// Returns the name of the outcome, for logs and for JavaScript.
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

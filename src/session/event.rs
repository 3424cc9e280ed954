//! What happened to sessions, for logs and counters.

use alloc::string::String;

use super::load_reason::LoadReason;

/// Something that happened to a session, for logs and counters: see [`Sessions::with_events`](crate::Sessions::with_events).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Event {
    /// What it was.
    pub kind: EventKind,
    /// A keyed hash of the session key, the same for all events of one key: 11 characters, from which neither the key nor
    /// its place in the store follows. Empty where there is no key.
    pub session: String,
}

/// What can happen to a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EventKind {
    /// A load that was neither of a new session nor of a live one. That a save of this browser is lost may be found out by the
    /// next save, and is told then.
    Load(LoadReason),
    /// A new session was stored.
    Created,
    /// A session was stored under a new key, and the old one ended.
    Cycled,
    /// A session was ended.
    Flushed,
    /// A save found a newer record, and was made on top of it.
    Merged,
    /// A save was made on top of a record that lacks what this browser knows of, as `SESSION_MERGE_STALE` has it.
    MergedStale,
    /// A save was refused, since the record lacks what this browser knows of.
    RefusedStale,
    /// A save was refused, since the record is gone or the session was ended.
    Interrupted,
    /// The store refused a write, and is asked once more after a second.
    Retried,
    /// The store failed, and what was to be written is not stored as far as is known.
    StoreFailed,
    /// A renewal that nobody asked for came to nothing; the session goes on with the life it had.
    RenewalFailed,
    /// The old key could not be ended after `cycle_key`.
    OldKeyRemains,
    /// The cookie had no room for all that was saved lately.
    JournalCut,
    /// A save was refused, since a concurrent request rotated the key a moment ago.
    RefusedSuperseded,
    /// The store held records of the session that were written apart from one another, and one of them was about to be lost. What
    /// this isolate wrote was put back.
    Diverged,
    /// A text given to `decode` was not signed with one of the secrets.
    BadSignature,
}

impl EventKind {
    /// The word for it, for logs and for JavaScript; of a load, its reason's.
    ///
    /// ```
    /// use edge_session::{EventKind, LoadReason};
    ///
    /// assert_eq!(EventKind::OldKeyRemains.as_str(), "old-key-remains");
    /// assert_eq!(EventKind::Load(LoadReason::Revoked).as_str(), "revoked");
    /// ```
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Load(reason) => reason.as_str(),
            Self::Created => "created",
            Self::Cycled => "cycled",
            Self::Flushed => "flushed",
            Self::Merged => "merged",
            Self::MergedStale => "merged-stale",
            Self::RefusedStale => "refused-stale",
            Self::Interrupted => "interrupted",
            Self::Retried => "retried",
            Self::StoreFailed => "store-failed",
            Self::RenewalFailed => "renewal-failed",
            Self::OldKeyRemains => "old-key-remains",
            Self::JournalCut => "journal-cut",
            Self::RefusedSuperseded => "refused-superseded",
            Self::Diverged => "diverged",
            Self::BadSignature => "bad-signature",
        }
    }
}

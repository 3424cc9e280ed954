//! What happened to sessions, for logs and counters.

use alloc::string::String;

use super::load_reason::LoadReason;

/// Something that happened to a session, for logs and counters: see [`Sessions::with_events`](crate::Sessions::with_events).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Event {
    /// The kind of event.
    pub kind: EventKind,
    /// A keyed hash of the session key, the same for all events of one key: 11 characters, from which neither the key nor
    /// its place in the store follows. Empty where there is no key.
    pub session: String,
}

/// What can happen to a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EventKind {
    /// A load with an outcome other than `New` and `Live`. The outcome `Lost` can also be reported by the next save.
    Load(LoadReason),
    /// A new session was stored.
    Created,
    /// A session was stored under a new key, and the old one ended.
    Cycled,
    /// A session was ended.
    Flushed,
    /// A save found a newer record, and was made on top of it.
    Merged,
    /// A save was made on top of a record that lacks a save which the browser knows of: with `SESSION_MERGE_STALE`, or by a second
    /// login from an anonymous session.
    MergedStale,
    /// A save was refused with [`Stale`](crate::ErrorKind::Stale): the record lacks a save which the browser knows of.
    RefusedStale,
    /// A save was refused with [`SessionInterrupted`](crate::ErrorKind::SessionInterrupted): the session has ended.
    Interrupted,
    /// The store refused a put, which is repeated after a second.
    Retried,
    /// A save or a logout failed for good. It is unknown whether the store applied the write. A logout is finished by later
    /// requests of the browser.
    StoreFailed,
    /// An automatic renewal failed. The session keeps the deadline that it had.
    RenewalFailed,
    /// After `cycle_key` the old key could not be revoked.
    OldKeyRemains,
    /// The cookie had no room for all recent saves.
    JournalCut,
    /// A save was refused with [`Superseded`](crate::ErrorKind::Superseded): a concurrent request rotated the key a moment ago.
    RefusedSuperseded,
    /// The store holds a record that was written without a save of this isolate, from outside of a request for example. What this
    /// isolate wrote was put back.
    Diverged,
    /// A text given to `decode` was not signed with one of the secrets.
    BadSignature,
}

impl EventKind {
    /// Returns the name of the event, for logs and for JavaScript. That of a load is the name of its outcome.
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

//! Events of sessions, for logs and counters.

use alloc::string::String;

use edge_session_crypto::to_base64;

use super::key_digest::KeyDigest;
use super::load_reason::LoadReason;
use crate::secret::Secrets;

/// An event of a session, for logs and counters: see [`Sessions::with_events`](crate::Sessions::with_events).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Event {
    /// The kind of event.
    pub kind: EventKind,
    /// A pseudonym of the session key, the same for all events of one key: 11 characters of a keyed hash, which reveal neither
    /// the key nor the storage key. Empty if there is no key.
    pub session: String,
}

/// The kind of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EventKind {
    /// A load with an outcome other than `New` and `Live`. The outcome `Lost` can also be reported by the next save.
    Load(LoadReason),
    /// A new session was stored.
    Created,
    /// A session was stored under a new key, and the old key was revoked.
    Cycled,
    /// A session was revoked by a flush.
    Flushed,
    /// A save found a newer record and was merged into it.
    Merged,
    /// A save was merged into a record that lacks a save which the browser knows of: with `SESSION_MERGE_STALE`, or by a second
    /// login from an anonymous session.
    MergedStale,
    /// A save was refused with [`Stale`](crate::ErrorKind::Stale): the record lacks a save which the browser knows of.
    RefusedStale,
    /// A save was refused with [`SessionInterrupted`](crate::ErrorKind::SessionInterrupted): the session was revoked or deleted.
    Interrupted,
    /// The store refused a put, which is retried after a second.
    Retried,
    /// A save or a logout failed after all retries. It is unknown whether the store applied the write. Later requests of the
    /// browser finish a logout.
    StoreFailed,
    /// An automatic renewal failed. The session keeps its deadline.
    RenewalFailed,
    /// The old key could not be revoked after `cycle_key`.
    OldKeyRemains,
    /// The cookie had no room for all recent saves.
    JournalCut,
    /// A save was refused with [`Superseded`](crate::ErrorKind::Superseded): a concurrent request rotated the key a moment ago.
    RefusedSuperseded,
    /// The store contains a record that lacks a save of this isolate, for example one written outside of a request. The save of
    /// this isolate was restored.
    Diverged,
    /// A text passed to `decode` was not signed with one of the secrets.
    BadSignature,
    /// An object of the session was changed in place, without `modified`, so the change was not saved. Only JavaScript reports it.
    UnsavedChange,
}

impl Event {
    /// Creates an event of the session with this key, if there is one.
    pub(super) fn new(kind: EventKind, key: Option<KeyDigest>, secrets: &Secrets) -> Self {
        Self { kind, session: key.map(|key| pseudonym(key, secrets)).unwrap_or_default() }
    }
}

/// Returns the log pseudonym of a key.
fn pseudonym(digest: KeyDigest, secrets: &Secrets) -> String {
    let mac = secrets.event_mac(digest.as_str().as_bytes()).unwrap_or_default();
    let [a, b, c, d, e, f, g, h, ..] = mac;
    to_base64(&[a, b, c, d, e, f, g, h])
}

impl EventKind {
    /// Returns the name of the event, for logs and for JavaScript. A load event has the name of its outcome.
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
            Self::UnsavedChange => "unsaved-change",
        }
    }
}

//! Sessions on a linearizable store: what a record says about a session key.
//!
//! The keys of a family share two records there: one of the anonymous session, and one of the login. So a rotation of a login is one
//! put, a logout one deletion, and neither leaves a key that still opens the session. The record contains the digest of the key that
//! opens it.
//!
//! A login moves the session from the anonymous record to a new one. The anonymous record then opens nothing any more. It stays for
//! some time, with its data: for a second login that was sent at the same time.

use alloc::vec::Vec;

use crate::isolate::Revocation;
use crate::session::identity::Identity;
use crate::session::load_reason::LoadReason;
use crate::session::load_state::FetchOutcome;
use crate::session::record::{self, Decoded};
use crate::session::record_header::RecordHeader;
use crate::session::session::{Session, Stored};

/// What a record says about a key of its family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Claim {
    /// The key opens it.
    Current,
    /// A request has just rotated the key.
    Superseded,
    /// Another key opens it, or none.
    Revoked,
}

/// Returns whether the key opens the record.
pub(super) fn opens(head: &RecordHeader, identity: &Identity) -> bool {
    head.owner.as_ref().is_some_and(|owner| owner.key == Some(identity.key.digest()))
}

/// Returns what a record says about a key, at a time in milliseconds of Unix time.
pub(super) fn claim(head: &RecordHeader, identity: &Identity, now: i64) -> Claim {
    let is_superseding = |at| Revocation::Cycled { at }.is_superseding(now);
    // mutation: owner-of-record
    if opens(head, identity) {
        Claim::Current
    } else if head.owner.as_ref().and_then(|owner| owner.cycled).is_some_and(is_superseding) {
        Claim::Superseded
    } else {
        Claim::Revoked
    }
}

fn claim_of(session: &Session, head: &RecordHeader, identity: &Identity, now: i64) -> Claim {
    // The token that contains the record is the one of its key.
    if session.settings.is_in_cookie() { Claim::Current } else { claim(head, identity, now) }
}

/// Evaluates the record of the session's key.
pub(super) fn evaluate(session: &mut Session, bytes: Option<Vec<u8>>) -> FetchOutcome {
    let Some(identity) = session.key.identity() else { return FetchOutcome::Nothing(LoadReason::New) };
    let length = bytes.as_ref().map(Vec::len);
    let limit = session.settings.max_record_bytes;
    let record = match bytes.map(|bytes| record::decode_within(limit, bytes)) {
        Some(Decoded::Record(record)) => record,
        Some(Decoded::TooLarge) => return FetchOutcome::Nothing(LoadReason::OtherSettings),
        Some(Decoded::Newer) => return FetchOutcome::Nothing(LoadReason::NewerVersion),
        Some(Decoded::Corrupt) => return FetchOutcome::Nothing(LoadReason::Corrupt),
        None => return FetchOutcome::Nothing(LoadReason::Unknown),
    };
    match claim_of(session, &record.head, identity, session.clock.latest_millis()) {
        Claim::Current => {}
        // Only the anonymous data: the record of a login belongs to those who know its key.
        Claim::Superseded => return FetchOutcome::Superseded(identity.is_anonymous().then_some(record)),
        Claim::Revoked => return FetchOutcome::Nothing(LoadReason::Revoked),
    }
    let end = record.head.end();
    let reason = if end.has_passed(session.now()) { LoadReason::Expired } else { LoadReason::Live };
    session.stored = Some(Stored { head: record.head, complete: true, length, merged: None, is_old: false });
    FetchOutcome::Record(reason, record.data, end)
}

/// Evaluates the two records of the family of a key without a token: the anonymous one and that of the login.
pub(super) fn evaluate_opened(session: &mut Session, values: Vec<Option<Vec<u8>>>) -> FetchOutcome {
    let Some(identity) = session.key.identity().cloned() else { return FetchOutcome::Nothing(LoadReason::Unknown) };
    let mut outcome = FetchOutcome::Nothing(LoadReason::Unknown);
    for (rotations, bytes) in (0..).zip(values) {
        if bytes.is_none() {
            continue;
        }
        let named = Identity { rotations, ..identity.clone() };
        if let Some(own) = session.key.stored_mut() {
            *own = named.clone();
        }
        session.incoming.opened = Some(named);
        outcome = evaluate(session, bytes);
        if matches!(outcome, FetchOutcome::Record(..)) {
            break;
        }
    }
    outcome
}

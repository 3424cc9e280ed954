//! Sessions on an eventually consistent store: what a record and a tombstone say about a session key.
//!
//! Either may be an older value than the last write. The isolate's memory contains this isolate's own writes, and the token the last
//! save of its browser: with both, the load detects a record that lacks a save, and a logout that is not visible yet.

use alloc::vec::Vec;

use super::freshness::{self, Freshness};
use super::revoke;
use crate::isolate::{IsolateMemory, Revocation};
use crate::session::event::EventKind;
use crate::session::load_reason::LoadReason;
use crate::session::load_state::FetchOutcome;
use crate::session::record::{self, Decoded, Record};
use crate::session::session::{Session, Stored};

/// Returns the outcome of a rotated key: a second login may still join its family, unless the first one has ended.
pub(super) fn superseded(
    session: &Session,
    memory: &IsolateMemory,
    record: Option<Record>,
    tombstone: Option<&[u8]>,
) -> FetchOutcome {
    let Some(identity) = session.key.identity() else { return FetchOutcome::Superseded(None) };
    let key = revoke::successor_tombstone(&session.settings, identity);
    match revoke::revocation(memory, &key, tombstone, session.clock.latest_millis()) {
        Some(Revocation::Ended) => FetchOutcome::Nothing(LoadReason::Revoked), // mutation: login-after-superseded
        Some(Revocation::Cycled { .. }) | None => FetchOutcome::Superseded(record),
    }
}

/// Evaluates the stored record and tombstone of the session's key.
pub(super) fn evaluate(
    session: &mut Session,
    memory: &IsolateMemory,
    bytes: Option<Vec<u8>>,
    tombstone: Option<&[u8]>,
) -> FetchOutcome {
    let Some(identity) = session.key.identity() else { return FetchOutcome::Nothing(LoadReason::New) };
    let now = session.clock.latest_millis();
    let key = session.tombstone_key(identity);
    let record_key = session.record_key(identity);
    let is_anonymous = identity.is_anonymous();
    let revocation = revoke::revocation(memory, &key, tombstone, now); // mutation: tombstone-loaded
    if revocation.is_some_and(|revocation| !revocation.is_superseding(now)) {
        return FetchOutcome::Nothing(LoadReason::Revoked);
    }
    let newest = memory.newest(&record_key, bytes, now); // mutation: memory-of-load
    let limit = newest.limit(session.settings.max_record_bytes);
    let bytes = newest.bytes;
    if revocation.is_some() {
        // mutation: superseded-record
        let record = bytes.filter(|_| is_anonymous).map(|bytes| record::decode_within(limit, bytes));
        let mut record = record.and_then(Decoded::record);
        if is_anonymous && record.is_none() && freshness::may_not_be_visible_yet(session) {
            return FetchOutcome::Nothing(LoadReason::NotYetVisible);
        }
        if let Some(record) = &mut record
            && freshness::classify(session, record) == Freshness::Stale
        {
            session.report(EventKind::MergedStale);
        }
        return FetchOutcome::Superseded(record);
    }
    if newest.merged.is_some() {
        session.report(EventKind::Diverged);
    }
    let length = bytes.as_ref().map(Vec::len);
    let mut record = match bytes.map(|bytes| record::decode_within(limit, bytes)) {
        Some(Decoded::Record(record)) => record,
        other => {
            let reason = match other {
                Some(Decoded::TooLarge) => LoadReason::OtherSettings,
                Some(Decoded::Newer) => LoadReason::NewerVersion,
                Some(Decoded::Corrupt | Decoded::Record(_)) => LoadReason::Corrupt,
                None if freshness::may_not_be_visible_yet(session) => LoadReason::NotYetVisible,
                None => LoadReason::Unknown,
            };
            return FetchOutcome::Nothing(reason);
        }
    };
    let is_over = record.head.end().has_passed(session.now());
    let reason = match freshness::classify(session, &mut record) {
        // A save that is not visible yet may have extended its deadline.
        // mutation: renewal-not-visible
        Freshness::Repaired | Freshness::Stale if is_over => return FetchOutcome::Nothing(LoadReason::NotYetVisible),
        _ if is_over => LoadReason::Expired,
        Freshness::Fresh => LoadReason::Live,
        Freshness::Repaired => LoadReason::StaleRepaired,
        Freshness::Stale => LoadReason::Stale,
        Freshness::Lost => LoadReason::Lost,
    };
    let complete = reason != LoadReason::StaleRepaired;
    let end = record.head.end();
    let is_old = session.settings.is_migrating();
    session.stored = Some(Stored { head: record.head, complete, length, merged: newest.merged, is_old });
    FetchOutcome::Record(reason, record.data, end)
}

//! Load: from the `Cookie` header to a session, with what the store holds for it.

use alloc::sync::Arc;
use alloc::vec::Vec;

use chrono::{DateTime, Utc};

use super::freshness::{self, Standing};
use super::{Reply, Step, out_of_turn, revoke};
use crate::cookie::find::find;
use crate::cookie::token;
use crate::session::contents::Fetched;
use crate::session::key::StorageKey;
use crate::session::load_reason::LoadReason;
use crate::session::record::{self, Opened};
use crate::session::session::Session;
use crate::settings::Settings;

/// The session that a request's `Cookie` header names, not read yet.
///
/// What does not verify names nobody; two different tokens that verify name nobody either.
pub(crate) fn arrive(settings: Arc<Settings>, now: DateTime<Utc>, seed: [u8; 32], cookie_header: &[u8]) -> Session {
    let found = find(cookie_header, &settings.cookie_name);
    let mut all: Vec<_> = found.values.iter().filter_map(|value| token::verify(&settings.secrets, value)).collect();
    let named = if all.len() == 1 { all.pop() } else { None };
    let (identity, sealed) = named.map(|named| ((named.identity, Some(named.position)), named.sealed)).unzip();
    Session::arrived(settings, now, seed, found.presented, identity).carrying(sealed.unwrap_or_default())
}

/// Reads the session's record, where it has one, and what would have ended it; keeps what came back.
#[derive(Debug, Default)]
pub(crate) struct Load {
    /// What the record came to, while the tombstone of a family is read that only the record names.
    waiting: Option<Outcome>,
}

/// What a load comes to.
type Outcome = (Fetched, LoadReason);

const REVOKED: Outcome = (Fetched::Revoked, LoadReason::Revoked);

impl Load {
    pub(crate) fn step(&mut self, session: &mut Session, reply: Reply) -> Step<()> {
        let settings = Arc::clone(session.settings());
        let (fetched, reason) = match (reply, self.waiting.take()) {
            (Reply::Start, _) => match session.identity() {
                None if session.presented() => (Fetched::NoKey, LoadReason::Malformed),
                None => (Fetched::NoKey, LoadReason::New),
                Some(identity) if identity.absolute.has_passed(session.now()) => {
                    (Fetched::Unknown, LoadReason::Expired)
                }
                Some(identity) if settings.check_ended => {
                    return Step::Read(revoke::record_and_tombstones(&settings, identity));
                }
                Some(identity) => return Step::Read(vec![StorageKey::record(&settings.key_prefix, &identity.key)]),
            },
            (Reply::Values(tombstones), Some(outcome)) => {
                if tombstones.iter().any(Option::is_some) {
                    REVOKED
                } else {
                    outcome
                }
            }
            (Reply::Values(mut values), None) => {
                let tombstones = values.split_off(values.len().min(1));
                let outcome = fetch(session, values.pop().flatten());
                if tombstones.iter().any(Option::is_some) {
                    REVOKED
                } else if let Some(family) = unread_family(session, &outcome.0) {
                    self.waiting = Some(outcome);
                    return Step::Read(vec![family]);
                } else {
                    outcome
                }
            }
            (Reply::Unavailable(error), _) => (Fetched::Unavailable(error), LoadReason::Unavailable),
            _ => (Fetched::Unavailable(out_of_turn()), LoadReason::Unavailable),
        };
        session.keep(fetched, reason);
        Step::Done(())
    }
}

/// What stands under the session's key.
fn fetch(session: &mut Session, bytes: Option<Vec<u8>>) -> Outcome {
    let Some(bytes) = bytes else {
        return if freshness::may_be_coming(session) {
            (Fetched::NotYetVisible, LoadReason::NotYetVisible)
        } else {
            (Fetched::Unknown, LoadReason::Unknown)
        };
    };
    match open(session.settings(), bytes) {
        Opened::Corrupt => (Fetched::Corrupt, LoadReason::Corrupt),
        Opened::Newer => (Fetched::Newer, LoadReason::NewerVersion),
        Opened::Record(mut record) => {
            let over = record.head.end().has_passed(session.now());
            let reason = match freshness::judge(session, &mut record) {
                // What is not visible yet may have given it a longer life.
                Standing::Repaired | Standing::Stale if over => {
                    return (Fetched::NotYetVisible, LoadReason::NotYetVisible);
                }
                _ if over => LoadReason::Expired,
                Standing::Fresh => LoadReason::Live,
                Standing::Repaired => LoadReason::StaleRepaired,
                Standing::Stale => LoadReason::Stale,
                Standing::Lost => LoadReason::Lost,
            };
            session.set_whole(reason != LoadReason::StaleRepaired);
            (Fetched::Record(record), reason)
        }
    }
}

/// The tombstone of the record's family, where nobody named it who named the session: its key alone says nothing about it.
fn unread_family(session: &Session, fetched: &Fetched) -> Option<StorageKey> {
    let (Fetched::Record(record), Some(identity)) = (fetched, session.identity()) else { return None };
    let family = record.head.family.filter(|family| identity.family.is_none() && *family != identity.key.digest())?;
    session.settings().check_ended.then(|| StorageKey::family(&session.settings().key_prefix, family))
}

/// What the bytes under a record's key are.
pub(super) fn open(settings: &Settings, bytes: Vec<u8>) -> Opened {
    if bytes.len() > settings.max_record_bytes { Opened::Corrupt } else { record::decode(bytes) }
}

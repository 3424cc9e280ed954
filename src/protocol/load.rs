//! Load: from the `Cookie` header to a session, with what the store holds for it.

use alloc::sync::Arc;
use alloc::vec::Vec;

use chrono::{DateTime, Utc};

use super::{Reply, Step, out_of_turn};
use crate::cookie::find::find;
use crate::cookie::token;
use crate::session::contents::Fetched;
use crate::session::identity::{Identity, Position};
use crate::session::key::StorageKey;
use crate::session::record::{self, Opened};
use crate::session::session::Session;
use crate::settings::Settings;

/// The session that a request's `Cookie` header names, not read yet.
///
/// What does not verify names nobody; two different tokens that verify name nobody either.
pub(crate) fn arrive(settings: Arc<Settings>, now: DateTime<Utc>, seed: [u8; 32], cookie_header: &[u8]) -> Session {
    let found = find(cookie_header, &settings.cookie_name);
    let mut named: Vec<(Identity, Position)> = Vec::new();
    for value in &found.values {
        named.extend(token::verify(&settings.secrets, value));
    }
    let identity = if named.len() == 1 { named.pop() } else { None };
    let identity = identity.map(|(identity, position)| (identity, Some(position)));
    Session::arrived(settings, now, seed, found.presented, identity)
}

/// Reads the session's record, where it has one, and keeps what came back.
#[derive(Debug, Default)]
pub(crate) struct Load;

impl Load {
    pub(crate) fn step(&mut self, session: &mut Session, reply: Reply) -> Step<()> {
        let fetched = match reply {
            Reply::Start => match session.identity() {
                None => Fetched::NoKey,
                Some(identity) if identity.absolute.has_passed(session.now()) => Fetched::Unknown,
                Some(identity) => {
                    return Step::Read(vec![StorageKey::record(&session.settings().key_prefix, &identity.key)]);
                }
            },
            Reply::Values(mut values) => match values.pop().flatten() {
                None => Fetched::Unknown,
                Some(bytes) => open(session.settings(), bytes),
            },
            Reply::Unavailable(error) => Fetched::Unavailable(error),
            _ => Fetched::Unavailable(out_of_turn()),
        };
        session.keep(fetched);
        Step::Done(())
    }
}

/// What the bytes under a record's key are.
pub(super) fn open(settings: &Settings, bytes: Vec<u8>) -> Fetched {
    if bytes.len() > settings.max_record_bytes {
        return Fetched::Corrupt;
    }
    match record::decode(bytes) {
        Opened::Record(record) => Fetched::Record(record),
        Opened::Newer => Fetched::Newer,
        Opened::Corrupt => Fetched::Corrupt,
    }
}

//! Sealed records (`SESSION_SEAL`): encryption between an operation and its store.
//!
//! An operation sees plain records. Its public `step` opens what was read before it goes on, and seals what is to be written, as a
//! [document](crate::session::sealed_document). The tag also authenticates the storage key. The key is derived from the secret and from
//! the session key; on a linearizable store, from the part of it that the keys of a family share. So neither the secret alone nor the
//! store opens a session.

use alloc::vec::Vec;

use super::{Reply, Step};
use crate::secret::{NONCE_BYTES, RECORD_PURPOSE};
use crate::session::identity::Identity;
use crate::session::key_state::KeyState;
use crate::session::sealed_document;
use crate::session::session::{FlushState, Session};
use crate::session::storage_key::StorageKey;
use crate::store::Op;

/// Opens the records of a reply. One that was not sealed for its key becomes an unreadable one.
pub(super) fn open(session: &mut Session, reply: Reply) -> Reply {
    let Reply::Values(values) = reply else { return reply };
    if !session.settings.seal {
        return Reply::Values(values);
    }
    let keys = core::mem::take(&mut session.last_read);
    let open = |(key, value): (&StorageKey, Option<Vec<u8>>)| match value {
        Some(value) if key.is_record(&session.settings.key_prefix) => {
            Some(opened(session, key, &value).unwrap_or_default())
        }
        other => other,
    };
    Reply::Values(keys.iter().zip(values).map(open).collect())
}

/// Seals the records of a step.
pub(super) fn seal<T>(session: &mut Session, mut step: Step<T>) -> Step<T> {
    if !session.settings.seal {
        return step;
    }
    match &mut step {
        Step::Read(keys) => session.last_read.clone_from(keys),
        Step::Write(ops) => {
            for op in ops {
                if let Op::Put { key, value, deadline, .. } = op
                    && key.is_record(&session.settings.key_prefix)
                {
                    // mutation: sealed-record
                    *value = sealed(session, key, core::mem::take(value), *deadline).unwrap_or_default();
                }
            }
        }
        Step::List { .. } | Step::Wait(_) | Step::Done(_) => {}
    }
    step
}

/// Returns the sealed record. `None` without a secret, which the settings do not allow.
fn sealed(session: &mut Session, key: &StorageKey, mut record: Vec<u8>, deadline: i64) -> Option<Vec<u8>> {
    let nonce = session.random.nonce();
    let secret_part = secret_part(session, key)?;
    let purpose = [RECORD_PURPOSE, &secret_part];
    let tag = session.settings.secrets.seal_for(&purpose, &nonce, key.as_str().as_bytes(), &mut record)?;
    Some(sealed_document::encode(deadline, nonce, &record, tag))
}

/// Returns the record in a sealed one.
fn opened(session: &Session, key: &StorageKey, value: &[u8]) -> Option<Vec<u8>> {
    let (_, mut bytes) = sealed_document::decode(value)?;
    let (nonce, text) = bytes.split_first_chunk_mut::<NONCE_BYTES>()?;
    let secret_part = secret_part(session, key)?;
    let purpose = [RECORD_PURPOSE, &secret_part];
    let (record, _) = session.settings.secrets.unseal_for(&purpose, nonce, key.as_str().as_bytes(), text)?;
    Some(record.to_vec())
}

/// Returns the part of the session key from which the key of a record is derived. `None` if the session does not know the record.
fn secret_part(session: &Session, key: &StorageKey) -> Option<Vec<u8>> {
    let superseded = match &session.key {
        KeyState::Superseded { identity, .. } => Some(identity),
        KeyState::None | KeyState::Stored(_) | KeyState::New { .. } => None,
    };
    let own = session.key.identity().into_iter().chain(session.key.origin()).chain(superseded);
    // A flush also ends sessions that have begun in this request.
    let flushed = match &session.flush {
        FlushState::Pending(identities) => identities.as_slice(),
        FlushState::NotRequested | FlushState::Done => &[],
    };
    let mut known = own.chain(session.incoming.identities()).chain(flushed);
    if !key.is_of_family() {
        let identity = known.find(|identity| session.old_record_key(identity) == *key)?;
        return Some(identity.key.as_bytes().to_vec());
    }
    // A key that was opened without a token does not show its rotations.
    let is_of = |identity: &&Identity| {
        let slot = |rotations| Identity { rotations, ..(*identity).clone() };
        [0, 1].into_iter().any(|rotations| session.record_key(&slot(rotations)) == *key)
    };
    Some(known.find(is_of)?.key.family_bytes().to_vec())
}

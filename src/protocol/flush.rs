//! Flush: the end of a session, at once and not only with the response, so that a forgotten commit leaves nobody logged in.

use super::{Op, Reply, Step, out_of_turn};
use crate::error::{Error, Result};
use crate::session::key::{SessionKey, StorageKey};
use crate::session::session::Session;
use alloc::vec::Vec;

/// Deletes the records of the session's key, of the one it had before, and of the one that the cookie named: each of them,
/// even if another one could not be deleted.
#[derive(Debug, Default)]
pub(crate) struct Flush {
    left: Vec<SessionKey>,
    at_hand: Option<SessionKey>,
    failed: Option<Error>,
}

impl Flush {
    pub(crate) fn step(&mut self, session: &mut Session, reply: Reply) -> Step<Result<()>> {
        match (reply, self.at_hand.take()) {
            (Reply::Start, _) => self.left = session.forget(),
            (Reply::Written, Some(key)) => session.ended(&key),
            (Reply::Unavailable(error), _) => self.failed = Some(error),
            _ => return Step::Done(Err(out_of_turn())),
        }
        self.at_hand = self.left.pop();
        match &self.at_hand {
            Some(key) => Step::Write(vec![Op::Delete { key: StorageKey::record(&session.settings().key_prefix, key) }]),
            None => Step::Done(self.failed.take().map_or(Ok(()), Err)),
        }
    }
}

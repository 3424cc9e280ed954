//! Flush: the end of a session, at once and not only with the response, so that a forgotten commit leaves nobody logged in.

use super::{Op, Reply, Step, out_of_turn};
use crate::error::Result;
use crate::session::key::StorageKey;
use crate::session::session::Session;

/// Deletes the records of the session's key, of the one it had before, and of the one that the cookie named.
#[derive(Debug, Default)]
pub(crate) struct Flush;

impl Flush {
    pub(crate) fn step(&mut self, session: &mut Session, reply: Reply) -> Step<Result<()>> {
        match reply {
            Reply::Start => {
                let ended = session.forget();
                let prefix = &session.settings().key_prefix;
                let ops: Vec<_> = ended.iter().map(|key| Op::Delete { key: StorageKey::record(prefix, key) }).collect();
                if ops.is_empty() { Step::Done(Ok(())) } else { Step::Write(ops) }
            }
            Reply::Written => Step::Done(Ok(())),
            Reply::Unavailable(error) => Step::Done(Err(error)),
            _ => Step::Done(Err(out_of_turn())),
        }
    }
}

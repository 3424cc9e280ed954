//! Save: one put under the session's key, then the end of the key that it had before.

use super::{OnlyIf, Op, Reply, Step, out_of_turn};
use crate::error::{Error, ErrorKind, Result};
use crate::session::key::StorageKey;
use crate::session::record::{self, Head};
use crate::session::session::Session;

/// What a save came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct Saved {
    /// After `cycle_key`: the record under the old key could not be deleted, even at a second try. Until it expires, the
    /// old cookie still opens the session as it was.
    pub old_record_remains: bool,
}

/// Writes the session; the flags stay as they are.
#[derive(Debug, Default)]
pub(crate) enum Save {
    #[default]
    Start,
    /// Looking whether the record is still there.
    Checking,
    /// Writing the record with this head.
    Writing(Head),
    /// Deleting the old key's record, the first or the second time.
    Ending { ended: StorageKey, again: bool },
}

impl Save {
    pub(crate) fn step(&mut self, session: &mut Session, reply: Reply) -> Step<Result<Saved>> {
        let next = match (core::mem::take(self), reply) {
            (Self::Start, Reply::Start) => self.start(session),
            (Self::Checking, Reply::Values(mut values)) => {
                // A record that is too large is corrupt, as for a load.
                let bytes = values.pop().flatten().filter(|bytes| bytes.len() <= session.settings().max_record_bytes);
                match bytes.and_then(record::head).filter(|head| !head.end().has_passed(session.now())) {
                    Some(head) => self.write(session, Some(&head)),
                    None => Err(Error::interrupted()),
                }
            }
            (Self::Writing(head), Reply::Written) => Ok(self.written(session, head)),
            (Self::Writing(_), Reply::Conflict) => {
                Err(Error::new(ErrorKind::KeyTaken, "a record stands under the session's new key"))
            }
            (Self::Ending { .. }, Reply::Written) => Ok(Step::Done(Ok(Saved::default()))),
            (Self::Ending { ended, again: false }, _) => {
                *self = Self::Ending { ended: ended.clone(), again: true };
                Ok(Step::Write(vec![Op::Delete { key: ended }]))
            }
            (Self::Ending { again: true, .. }, _) => Ok(Step::Done(Ok(Saved { old_record_remains: true }))),
            (_, Reply::Unavailable(error)) => Err(error),
            _ => Err(out_of_turn()),
        };
        next.unwrap_or_else(|error| Step::Done(Err(error)))
    }

    /// A stored session has to be there still; a new one is written blindly, since looking first would have KV remember
    /// that nothing was there.
    fn start(&mut self, session: &mut Session) -> Result<Step<Result<Saved>>> {
        session.check_available()?;
        if let Some(key) = session.stored_key() {
            let key = StorageKey::record(&session.settings().key_prefix, key);
            *self = Self::Checking;
            return Ok(Step::Read(vec![key]));
        }
        if session.session_key().is_none() {
            session.create();
        }
        self.write(session, None)
    }

    fn write(&mut self, session: &mut Session, newest: Option<&Head>) -> Result<Step<Result<Saved>>> {
        let (head, data) = session.next_record(newest)?;
        let value = record::encode(&head, data);
        let limit = session.settings().max_record_bytes;
        if value.len() > limit {
            let (mut has, mut may) = (itoa::Buffer::new(), itoa::Buffer::new());
            let (has, may) = (has.format(value.len()), may.format(limit));
            let message = ["the session's record has ", has, " bytes; SESSION_MAX_RECORD_BYTES allows ", may];
            return Err(Error::new(ErrorKind::TooLarge, message.concat()));
        }
        let Some(key) = session.session_key() else { return Err(out_of_turn()) };
        let key = StorageKey::record(&session.settings().key_prefix, key);
        let only_if = if session.stored_key().is_none() { OnlyIf::Absent } else { OnlyIf::Any };
        let left = head.end().seconds_from(session.now());
        let op = match u64::try_from(left) {
            Ok(ttl) if ttl > 0 => Op::Put { key, value, ttl, deadline: head.end().0, only_if },
            // It has expired before it was written: nothing is left to keep.
            _ if only_if == OnlyIf::Absent => return Ok(self.written(session, head)),
            _ => Op::Delete { key },
        };
        *self = Self::Writing(head);
        Ok(Step::Write(vec![op]))
    }

    fn written(&mut self, session: &mut Session, head: Head) -> Step<Result<Saved>> {
        match session.stored(head) {
            None => Step::Done(Ok(Saved::default())),
            Some(old) => {
                let ended = StorageKey::record(&session.settings().key_prefix, &old);
                *self = Self::Ending { ended: ended.clone(), again: false };
                Step::Write(vec![Op::Delete { key: ended }])
            }
        }
    }
}

//! Save: on top of the newest record, in one put under the session's key; then the end of the key that it had before.

use alloc::vec::Vec;

use super::freshness::{self, Standing};
use super::load::open;
use super::{OnlyIf, Op, Reply, Step, out_of_turn, revoke};
use crate::error::{Error, ErrorKind, Result};
use crate::session::event::EventKind;
use crate::session::identity::{Identity, Tag};
use crate::session::key::StorageKey;
use crate::session::load_reason::LoadReason;
use crate::session::record::{self, Head, Opened};
use crate::session::session::Session;

/// How long to wait before the store is asked once more, in milliseconds: KV takes one write a second under one key. Part of it
/// is drawn, so that two that met do not meet again.
const PAUSE: u64 = 1_000;
const SPREAD: u64 = 256;

/// What a save came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct Saved {
    /// After `cycle_key`: the old key could not be ended, even at a second try. Until it expires, the old cookie still opens
    /// the session as it was.
    pub old_record_remains: bool,
}

/// Writes the session; the flags stay as they are.
#[derive(Debug, Default)]
pub(crate) struct Save {
    state: State,
    /// Nobody asked for it: where another request has renewed meanwhile, nothing is written.
    is_renewal: bool,
    /// The mark of this save, the same at both tries.
    tag: Option<Tag>,
    /// What the first try was to write, and when: it may have been written all the same.
    tried: Option<(Head, i64)>,
    /// Whether the old key's tombstone failed once.
    old_remains: bool,
}

#[derive(Debug, Default)]
enum State {
    #[default]
    Start,
    /// Looking what is there now.
    Checking,
    /// Writing the record with this head, at this time.
    Writing(Head, i64),
    /// Waiting to write once more.
    Pausing,
    /// Ending the old key.
    Ending(Identity),
    /// Waiting to do that once more.
    EndingLater(Identity),
    /// Deleting what stands under it.
    Deleting,
}

type Next = Step<Result<Saved>>;

impl Save {
    /// The save of a session that did not change.
    pub(crate) fn renewal() -> Self {
        Self { is_renewal: true, ..Self::default() }
    }

    pub(crate) fn step(&mut self, session: &mut Session, reply: Reply) -> Next {
        let next = match (core::mem::take(&mut self.state), reply) {
            (State::Start, Reply::Start) => self.start(session),
            (State::Pausing, Reply::Waited) => {
                session.catch_up();
                self.look(session)
            }
            (State::Checking, Reply::Values(values)) => self.build_on(session, values),
            (State::Writing(head, time), Reply::Written) => Ok(self.written(session, head, time)),
            // What stands there was put at the first try: nobody else can know this key.
            (State::Writing(head, time), Reply::Conflict) if self.tried.is_some() => {
                Ok(self.written(session, head, time))
            }
            (State::Writing(..), Reply::Conflict) => {
                Err(Error::new(ErrorKind::KeyTaken, "a record stands under the session's new key"))
            }
            (State::Writing(head, time), Reply::Unavailable(_)) if self.tried.is_none() && session.is_changed() => {
                session.tell(EventKind::Retried);
                self.tried = Some((head, time));
                self.state = State::Pausing;
                Ok(self.pause())
            }
            (State::Ending(old), Reply::Written) => {
                self.old_remains = false;
                Ok(self.delete(session, &old))
            }
            (State::Ending(old), Reply::Unavailable(_)) if !self.old_remains => {
                self.old_remains = true;
                self.state = State::EndingLater(old);
                Ok(self.pause())
            }
            (State::Ending(old), Reply::Unavailable(_)) => Ok(self.delete(session, &old)),
            (State::EndingLater(old), Reply::Waited) => Ok(self.end(session, old)),
            (State::Deleting, reply) => Ok(self.deleted(session, &reply)),
            (_, Reply::Unavailable(error)) => Err(error),
            _ => Err(out_of_turn()),
        };
        next.unwrap_or_else(|error| {
            match error.kind() {
                ErrorKind::Stale => session.tell(EventKind::RefusedStale),
                ErrorKind::SessionInterrupted => session.tell(EventKind::Interrupted),
                ErrorKind::StoreUnavailable => session.tell(EventKind::StoreFailed),
                _ => {}
            }
            Step::Done(Err(error))
        })
    }

    fn start(&mut self, session: &mut Session) -> Result<Next> {
        session.check_available()?;
        if session.session_key().is_none() {
            session.create();
        }
        self.look(session)
    }

    fn pause(&self) -> Next {
        let spread = self.tag.map_or(0, |[first, ..]| u64::from(first)) % SPREAD;
        Step::Wait(PAUSE.saturating_add(spread))
    }

    /// Reads what is stored now. A new session is written blindly: looking first would have KV remember that nothing was there.
    fn look(&mut self, session: &mut Session) -> Result<Next> {
        let Some(origin) = session.origin() else { return self.write(session) };
        let keys = revoke::record_and_tombstones(session.settings(), origin);
        self.state = State::Checking;
        Ok(Step::Read(keys))
    }

    /// Puts the session's changes on top of what is stored now.
    fn build_on(&mut self, session: &mut Session, mut values: Vec<Option<Vec<u8>>>) -> Result<Next> {
        let tombstones = values.split_off(values.len().min(1));
        if tombstones.iter().any(Option::is_some) {
            // Of two logins at once from an anonymous session, the later one finds that it was left, and is a login all the same.
            let anonymous = session.origin().is_some_and(|origin| origin.family.is_none());
            let left = tombstones.iter().flatten().all(|tombstone| revoke::is_cycled(tombstone));
            let goes_on = session.is_cycling() && anonymous && left;
            return if goes_on { self.write(session) } else { Err(Error::interrupted()) };
        }
        // A record that is too large is corrupt, as for a load.
        let bytes = values.pop().flatten().filter(|bytes| bytes.len() <= session.settings().max_record_bytes);
        let head = bytes.as_deref().and_then(record::head).filter(|head| !head.end().has_passed(session.now()));
        let Some((bytes, head)) = bytes.zip(head) else { return self.without(session) };
        // The first try was written after all; what came on top of it stays there.
        let tag = self.tag;
        if let Some((written, time)) = self.tried.take_if(|_| tag.is_some_and(|tag| head.tags.contains(&tag))) {
            return Ok(self.written(session, written, time));
        }
        if !head.tags.first().is_some_and(|tag| session.has_seen(tag)) {
            let event = self.merge(session, bytes)?;
            if self.is_renewal && !session.needs_write()? {
                return Ok(Step::Done(Ok(Saved::default())));
            }
            event.into_iter().for_each(|event| session.tell(event));
        }
        self.write(session)
    }

    /// Nothing is there to build on.
    fn without(&mut self, session: &mut Session) -> Result<Next> {
        if session.reason() == LoadReason::NotYetVisible {
            Err(Error::stale())
        } else if session.is_cycling() {
            self.write(session)
        } else {
            Err(Error::interrupted())
        }
    }

    /// Puts the session's changes on top of a record that is not the one that was loaded. What comes of it is not what a first
    /// try wrote, which may still land later, and must be told from it. What is to be told once it is written.
    fn merge(&mut self, session: &mut Session, bytes: Vec<u8>) -> Result<Option<EventKind>> {
        let Opened::Record(mut record) = open(session.settings(), bytes) else { return Err(Error::interrupted()) };
        self.tag = None;
        let standing = freshness::judge(session, &mut record);
        let event = match standing {
            Standing::Stale if !session.settings().merge_stale => return Err(Error::stale()),
            Standing::Stale => Some(EventKind::MergedStale),
            Standing::Lost if session.reason() != LoadReason::Lost => Some(EventKind::Load(LoadReason::Lost)),
            _ => session.base().map(|_| EventKind::Merged),
        };
        if standing == Standing::Stale
            && let Some(journal) = session.carried().1.take()
        {
            journal.force(&mut record);
        }
        session.set_whole(standing != Standing::Repaired);
        session.merge_onto(record)?;
        Ok(event)
    }

    fn write(&mut self, session: &mut Session) -> Result<Next> {
        let newest = session.base().and_then(|base| base.tags.first());
        if session.position().map(|position| position.tag).as_ref() == newest {
            freshness::open_journal(session);
        }
        let tag = *self.tag.get_or_insert_with(|| session.tag());
        let (head, data, time) = session.next_record(tag)?;
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
            _ if only_if == OnlyIf::Absent => return Ok(self.written(session, head, time)),
            _ => Op::Delete { key },
        };
        self.state = State::Writing(head, time);
        Ok(Step::Write(vec![op]))
    }

    fn written(&mut self, session: &mut Session, head: Head, time: i64) -> Next {
        let new = session.stored_key().is_none();
        match session.stored(head, time) {
            None => {
                if new {
                    session.tell(EventKind::Created);
                }
                Step::Done(Ok(Saved::default()))
            }
            Some(old) => {
                session.tell(EventKind::Cycled);
                self.end(session, old)
            }
        }
    }

    fn end(&mut self, session: &Session, old: Identity) -> Next {
        let op = revoke::cycle(session.settings(), &old, session.now());
        self.state = State::Ending(old);
        Step::Write(vec![op])
    }

    fn delete(&mut self, session: &Session, old: &Identity) -> Next {
        self.state = State::Deleting;
        Step::Write(vec![revoke::delete(session.settings(), old)])
    }

    fn deleted(&self, session: &mut Session, reply: &Reply) -> Next {
        // Where tombstones are not read, the record is all that is looked at.
        let record_remains = !matches!(reply, Reply::Written);
        let old_record_remains = if session.settings().check_ended { self.old_remains } else { record_remains };
        if old_record_remains {
            session.tell(EventKind::OldKeyRemains);
        }
        Step::Done(Ok(Saved { old_record_remains }))
    }
}

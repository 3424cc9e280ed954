//! The end of a save: the revocation of the key that a new one replaces.

use super::{NextStep, Save, SaveOutcome, SentRecord, State};
use crate::isolate::{IsolateMemory, Revocation};
use crate::protocol::revoke;
use crate::protocol::{Reply, Step};
use crate::session::event::EventKind;
use crate::session::identity::Identity;
use crate::session::session::Session;

impl Save {
    /// Continues after the record is stored: revokes the replaced key, if there is one.
    pub(super) fn stored(&mut self, session: &mut Session, memory: &IsolateMemory, sent: SentRecord) -> NextStep {
        let is_new = session.key.is_new();
        let replaced = match sent {
            SentRecord::Alone(record) => session.record_stored(record.0, record.1),
            SentRecord::Group(group) => session.group_stored(group),
        };
        // The request that rotated the same key first may have vanished before it put the tombstone.
        let superseded = session.rotated_from().filter(|_| is_new && replaced.is_none());
        match replaced.or_else(|| superseded.cloned()) {
            None => {
                if is_new {
                    session.report(EventKind::Created);
                }
                Step::Done(Ok(SaveOutcome::default()))
            }
            Some(old) => {
                session.report(EventKind::Cycled);
                memory.release(&session.record_key(&old));
                // mutation: tombstone-of-rotation
                self.revoke(session, memory, old, false)
            }
        }
    }

    /// Puts the old key's tombstone, unless this isolate has recently put one: after another login KV would refuse a second put,
    /// and after a logout it would hide the end.
    pub(super) fn revoke(
        &mut self,
        session: &mut Session,
        memory: &IsolateMemory,
        old: Identity,
        again: bool,
    ) -> NextStep {
        let now = session.clock.latest_millis();
        let tombstone = session.tombstone_key(&old);
        if memory.is_revoked(&tombstone, now) {
            return Step::Done(Ok(SaveOutcome::default()));
        }
        let first = match memory.revocation(&tombstone, now) {
            Some(Revocation::Cycled { at }) => Some(at), // mutation: time-of-rotation
            Some(Revocation::Ended) | None => None,
        };
        if !again {
            memory.mark(&tombstone, Revocation::Cycled { at: first.unwrap_or(now) }, now); // mutation: mark-of-rotation
        }
        let op = revoke::cycled(&session.settings, &old, first, session.now());
        self.state = State::Revoking { old, again };
        Step::Write(vec![op])
    }

    /// Continues after the tombstone is stored: deletes the old record. An anonymous one stays for a concurrent second login.
    pub(super) fn revoked(&mut self, session: &mut Session, memory: &IsolateMemory, old: &Identity) -> NextStep {
        // mutation: old-record-of-login
        if old.is_anonymous() && session.settings.reads_tombstones() {
            return Step::Done(Ok(SaveOutcome::default()));
        }
        self.delete(session, memory, old, false)
    }

    pub(super) fn delete(
        &mut self,
        session: &Session,
        memory: &IsolateMemory,
        old: &Identity,
        old_remains: bool,
    ) -> NextStep {
        let op = revoke::delete(&session.settings, old);
        memory.forget(op.key());
        self.state = State::Deleting { old_remains };
        Step::Write(vec![op])
    }
}

/// Finishes the save after the deletion of the old record.
pub(super) fn deleted(session: &mut Session, old_remains: bool, reply: &Reply) -> NextStep {
    // If tombstones are not read, only the deletion ends the old key.
    let old_record_remains =
        if session.settings.reads_tombstones() { old_remains } else { !matches!(reply, Reply::Written) };
    if old_record_remains {
        session.report(EventKind::OldKeyRemains);
    }
    Step::Done(Ok(SaveOutcome { old_record_remains }))
}

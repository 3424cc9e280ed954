//! What a save stores, and what the session knows once it is stored.

use alloc::rc::Rc;

use super::data::Data;
use super::event::EventKind;
use super::expiry::{Deadline, ExpiryOptions};
use super::identity::{Identity, Position, Tag};
use super::journal::Journal;
use super::key_state::KeyState;
use super::load_reason::LoadReason;
use super::load_state::{Fetched, LoadState};
use super::record::{Head, Record};
use super::session::{Session, Stored};
use crate::error::Result;

/// How far two clocks may differ, in milliseconds.
pub(crate) const SKEW: i64 = 10_000;

/// A record that one put stores for every save that joined it.
#[derive(Clone, Debug)]
pub(crate) struct Group {
    /// The record on which it is made.
    pub(crate) base: Stored,
    pub(crate) head: Head,
    /// All data; what its members changed is marked as changed.
    pub(crate) data: Data,
    /// The time of its writes, in milliseconds of Unix time.
    pub(crate) time: i64,
}

impl Session {
    /// Whether the data or the key differ from what is stored.
    pub(crate) const fn differs_from_stored(&self) -> bool {
        self.flags.differs_from_stored
    }

    /// Whether the data were merged from two records: a save makes one of them.
    pub(crate) fn is_merged(&self) -> bool {
        self.stored.as_ref().is_some_and(|stored| stored.merged.is_some()) && self.key.origin().is_some()
    }

    /// Whether there is a record that cannot be written here, and that was never accessed.
    pub(crate) const fn is_out_of_reach(&self) -> bool {
        use LoadReason::{NewerVersion, NotYetVisible, OtherSettings, Revoked};
        match &self.state {
            LoadState::Unjudged(Fetched::Nothing(reason)) => {
                matches!(reason, NewerVersion | NotYetVisible | OtherSettings | Revoked)
            }
            LoadState::Unjudged(Fetched::Superseded(_) | Fetched::Unavailable(_)) => true,
            LoadState::Unjudged(Fetched::Record(..)) | LoadState::Judged(..) => false,
        }
    }

    /// Whether the browser's token is older than the stored record.
    pub(crate) const fn token_is_outdated(&self) -> bool {
        self.flags.token_is_outdated
    }

    /// Whether the records that the data rest on contain everything up to the save with this tag. A record that lacks what
    /// the browser knows of contains nothing for certain.
    pub(crate) fn has_seen(&self, tag: &Tag) -> bool {
        let Some(Stored { head, .. }) = &self.stored else { return false };
        let known = |position: Position| head.tags.contains(&position.tag);
        let stale = self.load_reason() == LoadReason::Stale && !self.known.position.is_some_and(known);
        // mutation: stale-knows-nothing
        !stale && head.tags.contains(tag)
    }

    /// Puts this session's changes on a newer record.
    ///
    /// # Errors
    ///
    /// As [`check_available`](Session::check_available).
    pub(crate) fn merge_onto(&mut self, newer: Record, complete: bool, merged: Option<Tag>) -> Result<()> {
        self.data()?.merge_onto(newer.data);
        self.stored = Some(Stored { head: newer.head, complete, merged });
        Ok(())
    }

    /// Whether a save would store something that is not stored: other data, another key, or a deadline that has moved by
    /// a tenth of the session's life.
    ///
    /// # Errors
    ///
    /// As [`get_expiry_age`](Session::get_expiry_age).
    pub(crate) fn needs_write(&mut self) -> Result<bool> {
        let now = self.now();
        let KeyState::Stored(Identity { absolute, .. }) = self.key else { return Ok(true) };
        // mutation: merged-needs-write
        let Some(Stored { head, merged: None, .. }) = &self.stored else { return Ok(true) };
        let stored = head.end();
        if self.flags.differs_from_stored || stored.has_passed(now) {
            return Ok(true);
        }
        let end = self.next_deadline()?.min(absolute);
        let life = end.seconds_from(now).saturating_mul(1_000_000);
        let moved = end.0.saturating_sub(stored.0).saturating_abs();
        // mutation: renewal-due
        Ok(moved >= (life / 10).max(1_000_000))
    }

    /// The deadline that a save now gives.
    fn next_deadline(&mut self) -> Result<Deadline> {
        let (lifetime, modification) = self.lifetime(ExpiryOptions::default())?;
        Ok(lifetime.deadline(modification, self.settings.cookie_age))
    }

    /// What has to be stored now: the head of the next record, made on the one that is known, the data, and the time of the
    /// save in milliseconds.
    ///
    /// # Errors
    ///
    /// As [`get_expiry_age`](Session::get_expiry_age).
    pub(crate) fn next_record(&mut self, tag: Tag) -> Result<(Head, &Data, i64)> {
        let deadline = self.next_deadline()?;
        let base = self.stored.as_ref().map(|stored| &stored.head);
        let known = self.known.position.map_or(0, |position| position.generation);
        let (rotations, absolute) =
            self.key.identity().map_or((0, Deadline::NEVER), |identity| (identity.rotations, identity.absolute));
        let is_new = self.key.is_new();
        let continued = base.filter(|_| !is_new);
        let mut head = Head {
            deadline,
            absolute,
            // mutation: generation-grows
            generation: base.map_or(0, |head| head.generation).max(known).saturating_add(1),
            tags: Head::remember(tag, continued),
            rotations,
            writes: continued.map(|head| head.writes.clone()).unwrap_or_default(),
        };
        let now = self.now().timestamp_millis();
        let time = Journal::next_time(self.known.journal.as_ref(), &head, now, SKEW); // mutation: time-of-write
        let data = self.data()?;
        // No browser carries a change that is older than the key.
        if !is_new {
            head.note_all(data, time); // mutation: writes-noted
        }
        Ok((head, &*data, time))
    }

    /// The next record as the beginning of a group.
    ///
    /// # Errors
    ///
    /// As [`next_record`](Self::next_record).
    pub(crate) fn begin_group(&mut self, base: Stored, tag: Tag) -> Result<Group> {
        let (head, data, time) = self.next_record(tag)?;
        Ok(Group { data: data.clone(), head, time, base })
    }

    /// Records that a group, and this session's changes with it, is stored. Returns the identity to revoke now.
    pub(crate) fn group_stored(&mut self, group: Rc<Group>) -> Option<Identity> {
        let Group { base, head, data, time } = Rc::unwrap_or_clone(group);
        self.stored = Some(base);
        let reason = self.load_reason();
        self.state = LoadState::Judged(reason, data);
        self.record_stored(head, time)
    }

    /// Records that a record with this head is stored since `time`. Returns the identity to revoke now.
    pub(crate) fn record_stored(&mut self, head: Head, time: i64) -> Option<Identity> {
        let tag = head.tags.first().copied().unwrap_or_default();
        let base = self.stored.take().filter(|_| !self.key.is_new());
        if let LoadState::Judged(_, data) = &mut self.state {
            let base = base.and_then(|stored| Some((*stored.head.tags.first()?, stored)));
            self.known.journal = Some(match (base, self.known.journal.take()) {
                (None, _) => Journal::at(tag, time),
                (Some((base, Stored { complete, merged, .. })), known) => {
                    let mut journal = known.unwrap_or_else(|| Journal::at(base, time));
                    journal.age(time);
                    journal.rest_on(base, complete, time); // mutation: repaired-base
                    if let Some(merged) = merged {
                        journal.rest_on(merged, false, time); // mutation: merged-branch
                    }
                    journal.add(tag, time, data);
                    journal
                }
            });
            data.settle();
        }
        self.known.position =
            Some(Position { generation: head.generation, tag, issued: self.now().timestamp_micros() });
        self.stored = Some(Stored::new(head));
        self.flags.differs_from_stored = false;
        self.flags.token_is_outdated = true; // mutation: flags-of-save
        match core::mem::take(&mut self.key) {
            KeyState::New { identity, replaces } => {
                self.key = KeyState::Stored(identity);
                replaces
            }
            other => {
                self.key = other;
                None
            }
        }
    }

    /// Reports that the cookie had no room for the whole journal, if it was cut.
    pub(crate) fn report_cut(&mut self, before: usize) {
        let after = self.known.journal.as_ref().map_or(0, |journal| journal.states.len());
        if after < before {
            self.report(EventKind::JournalCut);
        }
    }
}

//! The record of a save, and the session's state after it is stored.

use alloc::boxed::Box;
use alloc::rc::Rc;
use alloc::vec::Vec;

use super::data::Data;
use super::deadline::Deadline;
use super::event::EventKind;
use super::expiry::ExpiryOptions;
use super::identity::{Identity, Position, Tag};
use super::journal::Journal;
use super::key_state::KeyState;
use super::load_reason::LoadReason;
use super::load_state::{FetchOutcome, LoadState};
use super::record::Record;
use super::record_header::{Owner, RecordHeader};
use super::session::{Session, Stored};
use crate::error::Result;
use crate::settings::Consistency;

/// The maximum difference between two clocks, in milliseconds.
pub(crate) const SKEW: i64 = 10_000;

/// A group commit: the record of several saves, which one put stores.
#[derive(Clone, Debug)]
pub(crate) struct Group {
    /// The base of the record.
    pub(crate) base: Stored,
    pub(crate) head: RecordHeader,
    /// The data. The changes of its members are marked as changes.
    pub(crate) data: Data,
    /// The time of its writes, in milliseconds of Unix time.
    pub(crate) time: i64,
}

impl Session {
    /// Returns whether the data or the key differ from the store.
    pub(crate) const fn differs_from_stored(&self) -> bool {
        self.flags.differs_from_stored
    }

    /// Returns whether the data are merged from two records, which a save combines.
    pub(crate) fn is_merged(&self) -> bool {
        self.stored.as_ref().is_some_and(|stored| stored.merged.is_some()) && self.key.origin().is_some()
    }

    /// Returns whether the record exists but is not writable and was never accessed.
    pub(crate) const fn is_out_of_reach(&self) -> bool {
        use LoadReason::{NewerVersion, NotYetVisible, OtherSettings, Revoked};
        match &self.state {
            LoadState::Pending(FetchOutcome::Nothing(reason)) => {
                matches!(reason, NewerVersion | NotYetVisible | OtherSettings | Revoked)
            }
            LoadState::Pending(FetchOutcome::Superseded(_) | FetchOutcome::Unavailable(_)) => true,
            LoadState::Pending(FetchOutcome::Record(..)) | LoadState::Evaluated(..) => false,
        }
    }

    /// Returns whether the browser's token is older than the stored record.
    pub(crate) const fn token_is_outdated(&self) -> bool {
        self.flags.token_is_outdated
    }

    /// Returns whether the base of the data contains every save up to the one with this tag. Returns false for a base that lacks
    /// a save which the browser knows of.
    pub(crate) fn has_seen(&self, tag: &Tag) -> bool {
        let Some(Stored { head, .. }) = &self.stored else { return false };
        let known = |position: Position| head.tags.contains(&position.tag);
        let stale = self.load_reason() == LoadReason::Stale && !self.known.position.is_some_and(known);
        // mutation: stale-knows-nothing
        !stale && head.tags.contains(tag)
    }

    /// Applies this session's changes to a newer record.
    ///
    /// # Errors
    ///
    /// As [`check_available`](Session::check_available).
    pub(crate) fn merge_onto(&mut self, newer: Record, complete: bool, merged: Option<Tag>) -> Result<()> {
        self.data()?.merge_onto(newer.data);
        self.stored = Some(Stored { head: newer.head, complete, length: None, merged, is_old: false });
        Ok(())
    }

    /// Returns a copy of the record's bytes as they were loaded.
    pub(crate) fn loaded_record(&self) -> Option<Vec<u8>> {
        match &self.state {
            LoadState::Evaluated(_, data) => Some(data.record().to_vec()),
            LoadState::Pending(_) => None,
        }
    }

    /// Returns whether a save has something to store: other data, another key, or a deadline that moved by a tenth of the
    /// session's lifetime.
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

    /// Returns the deadline of a save at the present time.
    fn next_deadline(&mut self) -> Result<Deadline> {
        let (lifetime, modification) = self.lifetime(ExpiryOptions::default())?;
        Ok(lifetime.deadline(modification, self.settings.cookie_age))
    }

    /// Returns the header and the data of the next record, and the time of the save in milliseconds.
    ///
    /// # Errors
    ///
    /// As [`get_expiry_age`](Session::get_expiry_age).
    pub(crate) fn next_record(&mut self, tag: Tag) -> Result<(RecordHeader, &Data, i64)> {
        let deadline = self.next_deadline()?;
        let base = self.stored.as_ref().map(|stored| &stored.head);
        let known = self.known.position.map_or(0, |position| position.generation);
        let (rotations, absolute) =
            self.key.identity().map_or((0, Deadline::NEVER), |identity| (identity.rotations, identity.absolute));
        let is_new = self.key.is_new();
        let is_linearizable = self.settings.is_linearizable();
        let is_eventual = self.settings.consistency == Consistency::Eventual;
        let continued = base.filter(|_| !is_new && is_eventual);
        let mut head = RecordHeader {
            deadline,
            absolute,
            // mutation: generation-grows
            generation: base.map_or(0, |head| head.generation).max(known).saturating_add(1),
            tags: RecordHeader::next_tags(tag, continued),
            rotations,
            writes: continued.map(|head| head.writes.clone()).unwrap_or_default(),
            owner: None,
        };
        let now = self.now().timestamp_millis();
        if is_linearizable {
            let is_rotation = matches!(&self.key, KeyState::New { replaces: Some(_), .. });
            let before = base.and_then(|head| head.owner.as_ref()?.cycled);
            let key = self.key.identity().map(|identity| identity.key.digest());
            head.owner =
                Some(Box::new(Owner { key, cycled: if is_rotation { Some(now) } else { before }, next: None }));
        }
        let time = Journal::next_time(self.known.journal.as_ref(), &head, now, SKEW); // mutation: time-of-write
        let data = self.data()?;
        // No journal contains a change that is older than the key.
        if !is_new && is_eventual {
            head.record_writes(data, time); // mutation: writes-noted
        }
        Ok((head, &*data, time))
    }

    /// Returns the next record as the first save of a group.
    ///
    /// # Errors
    ///
    /// As [`next_record`](Self::next_record).
    pub(crate) fn begin_group(&mut self, base: Stored, tag: Tag) -> Result<Group> {
        let (head, data, time) = self.next_record(tag)?;
        Ok(Group { data: data.clone(), head, time, base })
    }

    /// Records that a group with this session's changes is stored. Returns the identity to revoke now.
    pub(crate) fn group_stored(&mut self, group: Rc<Group>) -> Option<Identity> {
        let Group { base, head, data, time } = Rc::unwrap_or_clone(group);
        self.stored = Some(base);
        let reason = self.load_reason();
        self.state = LoadState::Evaluated(reason, data);
        self.record_stored(head, time)
    }

    /// Records that a record with this header is stored since `time`. Returns the identity to revoke now.
    pub(crate) fn record_stored(&mut self, head: RecordHeader, time: i64) -> Option<Identity> {
        let tag = head.tags.first().copied().unwrap_or_default();
        let base = self.stored.take().filter(|_| !self.key.is_new());
        let limit = self.settings.journal_bytes;
        let mut is_complete = true;
        if let LoadState::Evaluated(_, data) = &mut self.state
            && self.settings.consistency != Consistency::Eventual
        {
            self.known.journal = None;
            data.mark_stored();
        } else if let LoadState::Evaluated(_, data) = &mut self.state {
            let base = base.and_then(|stored| Some((*stored.head.tags.first()?, stored)));
            self.known.journal = Some(match (base, self.known.journal.take()) {
                (None, _) => Journal::starting_at(tag, time),
                (Some((base, Stored { complete, merged, .. })), known) => {
                    let mut journal = known.unwrap_or_else(|| Journal::starting_at(base, time));
                    journal.expire(time);
                    journal.record_base(base, complete, time); // mutation: repaired-base
                    if let Some(merged) = merged {
                        journal.record_base(merged, false, time); // mutation: merged-branch
                    }
                    is_complete = journal.add(tag, time, data, limit);
                    journal
                }
            });
            data.mark_stored();
        }
        if !is_complete {
            self.report(EventKind::JournalCut);
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

    /// Reports an event if the journal had to drop entries to fit into the cookie.
    pub(crate) fn report_cut(&mut self, before: usize) {
        let after = self.known.journal.as_ref().map_or(0, |journal| journal.entries.len());
        if after < before {
            self.report(EventKind::JournalCut);
        }
    }
}

//! How a session comes, changes its key and goes: what the protocol does to it, and the calls that ask for it.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

use chrono::{DateTime, Utc};

use super::contents::{Contents, Fetched};
use super::data::Data;
use super::event::{Event, EventKind};
use super::expiry::{Deadline, ExpiryOptions};
use super::identity::{Identity, Position, Tag};
use super::journal::Journal;
use super::key::{Random, SessionKey};
use super::load_reason::LoadReason;
use super::record::{Head, Record};
use super::session::Session;
use crate::error::{Error, ErrorKind, Result};
use crate::settings::Settings;

/// How far two clocks may differ, in milliseconds.
pub(crate) const SKEW: i64 = 10_000;

/// A request that ran for longer, in milliseconds, says nothing about a cookie that may have been replaced meanwhile.
const LATE: i64 = 5_000;

impl Session {
    /// A session as a request brings it. `identity` is what its cookie proved; `presented` whether it had one at all.
    pub(crate) fn arrived(
        settings: Arc<Settings>,
        now: DateTime<Utc>,
        seed: [u8; 32],
        presented: bool,
        identity: Option<(Identity, Option<Position>)>,
    ) -> Self {
        let (identity, position) = identity.unzip();
        Self {
            settings,
            random: Random::new(seed),
            now,
            began: now,
            latest: now,
            presented,
            named: identity.clone().filter(|_| presented),
            identity,
            fresh: false,
            retired: None,
            ending: Vec::new(),
            flushed: false,
            position: position.flatten(),
            sealed: Box::default(),
            journal: None,
            base: None,
            whole: true,
            reason: LoadReason::New,
            events: Vec::new(),
            contents: Contents::Unloaded(Fetched::NoKey),
            accessed: false,
            modified: false,
            changed: false,
            unsent: false,
        }
    }

    /// Keeps what the cookie carries, as it came.
    pub(crate) fn carrying(mut self, sealed: Box<[u8]>) -> Self {
        self.sealed = sealed;
        self
    }

    /// Keeps what the store answered until somebody looks.
    pub(crate) fn keep(&mut self, fetched: Fetched, reason: LoadReason) {
        if let Fetched::Record(record) = &fetched {
            if let Some(identity) = &mut self.identity {
                identity.absolute = identity.absolute.min(record.head.absolute);
                identity.family = identity.family.or(record.head.family);
            }
            self.base = Some(record.head.clone());
        }
        self.contents = Contents::Unloaded(fetched);
        self.reason = reason;
        if !matches!(reason, LoadReason::New | LoadReason::Live) {
            self.tell(EventKind::Load(reason));
        }
    }

    /// The data, judged now if they were not before: a key that names no live record is dropped.
    pub(super) fn load(&mut self) -> Result<&mut Data> {
        self.check_available()?;
        if let Contents::Unloaded(fetched) = &mut self.contents {
            let data = match core::mem::replace(fetched, Fetched::NoKey) {
                Fetched::Record(record) if !record.head.end().has_passed(self.now) => record.data,
                Fetched::NotYetVisible => Data::default(),
                Fetched::Newer | Fetched::Revoked => {
                    // As if the request had come without a cookie.
                    self.presented = false;
                    self.drop_key();
                    Data::default()
                }
                _ => {
                    self.drop_key();
                    Data::default()
                }
            };
            self.contents = Contents::Loaded(data);
        }
        match &mut self.contents {
            Contents::Loaded(data) => Ok(data),
            Contents::Unloaded(_) => Err(Error::new(ErrorKind::StoreUnavailable, "the session was not loaded")),
        }
    }

    fn drop_key(&mut self) {
        if !self.fresh {
            self.identity = None;
            self.base = None;
            self.position = None;
        }
    }

    /// No data, without looking at what was there. Only a record that cannot be read, or that has ended, costs the session its
    /// key, since it must not be written.
    pub(super) fn empty(&mut self) {
        if matches!(self.contents, Contents::Unloaded(Fetched::Corrupt | Fetched::Newer | Fetched::Revoked)) {
            let _ = self.load();
        }
        let before = match core::mem::replace(&mut self.contents, Contents::Unloaded(Fetched::NoKey)) {
            Contents::Loaded(data) | Contents::Unloaded(Fetched::Record(Record { data, .. })) => data,
            Contents::Unloaded(_) => Data::default(),
        };
        self.contents = Contents::Loaded(before.cleared());
    }

    pub(super) const fn mark_changed(&mut self) {
        self.modified = true;
        self.changed = true;
    }

    /// Django's `create`: a new key at once, and a record under it with the next save or commit.
    ///
    /// The data come along if there are any; a session that was not looked at starts empty. The old record stays.
    ///
    /// ```
    /// # let settings = edge_session::Settings::builder(["a secret of at least thirty-two bytes"]).build()?;
    /// # let sessions = edge_session::Sessions::new(edge_session::MemoryStore::default(), settings);
    /// # let mut session = sessions.new_session()?;
    /// session.create();
    /// assert!(session.session_key().is_some());
    /// # Ok::<(), edge_session::Error>(())
    /// ```
    pub fn create(&mut self) {
        if matches!(self.contents, Contents::Unloaded(_)) {
            self.empty();
        }
        let absolute = Deadline::after(self.now, self.settings.absolute_age);
        let key = self.random.session_key();
        self.base = None;
        self.become_new(Identity { key, family: None, absolute });
    }

    /// Django's `cycle_key`, for a login: the same data under a new key, at once; the next save or commit stores them
    /// there and ends the old key.
    ///
    /// ```
    /// # let settings = edge_session::Settings::builder(["a secret of at least thirty-two bytes"]).build()?;
    /// # let sessions = edge_session::Sessions::new(edge_session::MemoryStore::default(), settings);
    /// # let mut session = sessions.new_session()?;
    /// session.set("cart", ["apple"])?;
    /// session.cycle_key()?;
    /// session.set("user", "alice")?;
    /// assert_eq!(session.keys()?, ["cart", "user"]);
    /// # Ok::<(), edge_session::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// `StoreUnavailable` where the store did not answer; then the key stays.
    pub fn cycle_key(&mut self) -> Result<()> {
        self.accessed = true;
        self.load()?;
        let key = self.random.session_key();
        let old = self.identity.take();
        let (family, absolute) = match &old {
            Some(Identity { family: Some(family), absolute, .. }) => (*family, *absolute),
            _ => (key.digest(), Deadline::after(self.now, self.settings.absolute_age)),
        };
        if let Some(old) = old.filter(|_| !self.fresh) {
            self.retired = Some(old);
        }
        self.become_new(Identity { key, family: Some(family), absolute });
        Ok(())
    }

    fn become_new(&mut self, identity: Identity) {
        self.identity = Some(identity);
        self.fresh = true;
        self.accessed = true;
        self.mark_changed();
    }

    /// Django's `flush`, as far as this object goes: no data, no key. Gives those whose keys have to end, those too that a
    /// flush before could not end.
    pub(crate) fn forget(&mut self) -> Vec<Identity> {
        self.clear();
        let own = self.identity.take().filter(|_| !self.fresh);
        for identity in [own, self.retired.take(), self.named.clone()].into_iter().flatten() {
            if !self.ending.iter().any(|other| other.key == identity.key) {
                self.ending.push(identity);
            }
        }
        self.fresh = false;
        self.flushed = true;
        // Whoever came with a cookie goes without, whatever it was good for.
        self.presented |= self.named.is_some();
        self.base = None;
        self.position = None;
        self.ending.clone()
    }

    /// Takes note that all keys that had to end did.
    pub(crate) fn all_ended(&mut self) {
        if !self.ending.is_empty() {
            self.tell(EventKind::Flushed);
        }
        self.ending.clear();
    }

    /// Takes note of what happened, to tell it once the operation is over.
    pub(crate) fn tell(&mut self, kind: EventKind) {
        let whose = self.identity.as_ref().or(self.ending.first()).or(self.named.as_ref());
        let key = whose.map(|identity| identity.key.digest());
        self.events.push((kind, key));
    }

    /// The next event that was not told yet, the oldest first.
    pub(crate) fn next_event(&mut self) -> Option<Event> {
        if self.events.is_empty() {
            return None;
        }
        let (kind, key) = self.events.remove(0);
        let session = key.map(|key| self.settings.secrets.pseudonym(key)).unwrap_or_default();
        Some(Event { kind, session })
    }

    /// Takes note of what the clock says while an operation runs.
    pub(crate) const fn tick(&mut self, latest: DateTime<Utc>) {
        self.latest = latest;
    }

    /// Makes what the clock said last the present.
    pub(crate) const fn catch_up(&mut self) {
        self.now = self.latest;
    }

    /// Whether the request has run for so long that its cookie may have been replaced.
    pub(crate) fn is_late(&self) -> bool {
        self.latest.timestamp_millis().saturating_sub(self.began.timestamp_millis()) > LATE
    }

    /// Whether a flush asked for the cookie to go.
    pub(crate) const fn is_flushed(&self) -> bool {
        self.flushed
    }

    /// Whether the session still has the key that the request's cookie named.
    pub(crate) fn is_as_named(&self) -> bool {
        let named = self.named.as_ref().map(|identity| &identity.key);
        named.is_some() && named == self.session_key()
    }

    /// The settings in force.
    pub(crate) const fn settings(&self) -> &Arc<Settings> {
        &self.settings
    }

    /// Whether the request carried a cookie of the session's name.
    pub(crate) const fn presented(&self) -> bool {
        self.presented
    }

    pub(crate) const fn identity(&self) -> Option<&Identity> {
        self.identity.as_ref()
    }

    /// The key whose record has to be there when the session is saved: none for a session that is new.
    pub(crate) fn stored_key(&self) -> Option<&SessionKey> {
        self.session_key().filter(|_| !self.fresh)
    }

    /// Whose record the next one is made of: the session's own, or the one whose key it leaves.
    pub(crate) const fn origin(&self) -> Option<&Identity> {
        if self.fresh { self.retired.as_ref() } else { self.identity.as_ref() }
    }

    /// Whether the session leaves an old key for a new one.
    pub(crate) const fn is_cycling(&self) -> bool {
        self.fresh && self.retired.is_some()
    }

    /// Why the session is what it is.
    pub(crate) const fn reason(&self) -> LoadReason {
        self.reason
    }

    /// The last save that the browser knows of.
    pub(crate) const fn position(&self) -> Option<Position> {
        self.position
    }

    /// What the stored record says, as far as it is known.
    pub(crate) const fn base(&self) -> Option<&Head> {
        self.base.as_ref()
    }

    /// Whether the record that this session's data rest on has all that was saved up to the save with this tag. None has that
    /// lacks what the browser knows of.
    pub(crate) fn has_seen(&self, tag: &Tag) -> bool {
        let Some(base) = &self.base else { return false };
        let known = |position: Position| base.tags.contains(&position.tag);
        let stale = self.reason == LoadReason::Stale && !self.position.is_some_and(known);
        !stale && base.tags.contains(tag)
    }

    /// What the cookie carries, still sealed, and the saves that the browser knows of, once somebody put them there.
    pub(crate) const fn carried(&mut self) -> (&[u8], &mut Option<Journal>) {
        (&self.sealed, &mut self.journal)
    }

    /// Whether the record that is known has all that the browser knows of without being repaired.
    pub(crate) const fn set_whole(&mut self, whole: bool) {
        self.whole = whole;
    }

    /// Whether something really differs from what is stored.
    pub(crate) const fn is_changed(&self) -> bool {
        self.changed
    }

    /// Random bytes for one seal.
    pub(crate) fn nonce(&mut self) -> [u8; crate::secret::NONCE_BYTES] {
        self.random.nonce()
    }

    /// The mark of the next save.
    pub(crate) fn tag(&mut self) -> Tag {
        self.random.tag()
    }

    /// Puts this session's changes on top of a newer record.
    ///
    /// # Errors
    ///
    /// As [`check_available`](Session::check_available).
    pub(crate) fn merge_onto(&mut self, newer: Record) -> Result<()> {
        self.load()?.merge_onto(newer.data);
        self.base = Some(newer.head);
        Ok(())
    }

    /// Fails where the store's answer decides what this session is, and there was none.
    pub(crate) fn check_available(&self) -> Result<()> {
        match &self.contents {
            Contents::Unloaded(Fetched::Unavailable(cause)) => Err(cause.clone()),
            _ => Ok(()),
        }
    }

    /// Whether there is a record that cannot be written here, and nobody looked.
    pub(crate) const fn is_out_of_reach(&self) -> bool {
        use Fetched::{Newer, NotYetVisible, Revoked, Unavailable};
        matches!(self.contents, Contents::Unloaded(Unavailable(_) | Newer | NotYetVisible | Revoked))
    }

    /// Whether the browser has to be told of a position that it does not know.
    pub(crate) const fn is_unsent(&self) -> bool {
        self.unsent
    }

    /// Whether a save would store something that is not stored: other data, another key, or a deadline that has moved by
    /// a tenth of the session's life.
    ///
    /// # Errors
    ///
    /// As [`get_expiry_age`](Session::get_expiry_age).
    pub(crate) fn needs_write(&mut self) -> Result<bool> {
        let stands = |end: &Deadline| !self.changed && self.stored_key().is_some() && !end.has_passed(self.now);
        let Some(stored) = self.base.as_ref().map(Head::end).filter(stands) else { return Ok(true) };
        let end =
            self.next_deadline()?.min(self.identity.as_ref().map_or(Deadline::NEVER, |identity| identity.absolute));
        let life = end.seconds_from(self.now).saturating_mul(1_000_000);
        let moved = end.0.saturating_sub(stored.0).saturating_abs();
        Ok(moved >= (life / 10).max(1_000_000))
    }

    /// The deadline that a save now gives.
    fn next_deadline(&mut self) -> Result<Deadline> {
        let (lifetime, modification) = self.lifetime(ExpiryOptions::default())?;
        Ok(lifetime.deadline(modification, self.settings.cookie_age))
    }

    /// What has to be stored now: the head of the next record, made on top of the one that is known, the data, and the time
    /// of the save in milliseconds.
    ///
    /// # Errors
    ///
    /// As [`get_expiry_age`](Session::get_expiry_age).
    pub(crate) fn next_record(&mut self, tag: Tag) -> Result<(Head, &Data, i64)> {
        let deadline = self.next_deadline()?;
        let base = self.base.as_ref();
        let known = self.position.map_or(0, |position| position.generation);
        let (family, absolute) = match &self.identity {
            Some(identity) => (identity.family, identity.absolute),
            None => (None, Deadline::NEVER),
        };
        let mut head = Head {
            deadline,
            absolute,
            generation: base.map_or(0, |head| head.generation).max(known).saturating_add(1),
            tags: Head::remember(tag, base.filter(|_| !self.fresh)),
            family,
            writes: base.filter(|_| !self.fresh).map(|head| head.writes.clone()).unwrap_or_default(),
        };
        let now = self.now.timestamp_millis();
        let time = Journal::next_time(self.journal.as_ref(), &head, now, SKEW);
        let fresh = self.fresh;
        let data = self.load()?;
        // Nobody carries a change that is older than the key.
        if !fresh {
            head.note_all(data, time);
        }
        Ok((head, &*data, time))
    }

    /// Takes note that `head` is stored since `time`. Gives the one whose key has to end now.
    pub(crate) fn stored(&mut self, head: Head, time: i64) -> Option<Identity> {
        let tag = head.tags.first().copied().unwrap_or_default();
        let base = self.base.as_ref().filter(|_| !self.fresh).and_then(|base| base.tags.first());
        if let Contents::Loaded(data) = &mut self.contents {
            self.journal = Some(match (base, self.journal.take()) {
                (None, _) => Journal::at(tag, time),
                (Some(base), known) => {
                    let mut journal = known.unwrap_or_else(|| Journal::at(*base, time));
                    journal.age(time);
                    journal.rest_on(*base, self.whole, time);
                    journal.add(tag, time, data);
                    journal
                }
            });
            data.settle();
        }
        self.position = Some(Position { generation: head.generation, tag, issued: self.now.timestamp_micros() });
        self.base = Some(head);
        self.whole = true;
        self.fresh = false;
        self.changed = false;
        self.unsent = true;
        self.retired.take()
    }

    /// Who the browser has to say it is from now on, where it stands, and what it carries.
    pub(crate) fn token_parts(&mut self) -> Option<(&Identity, Position, Option<&mut Journal>)> {
        Some((self.identity.as_ref()?, self.position?, self.journal.as_mut()))
    }
}

//! The key of a session and its first access: Django's `create`, `cycle_key` and `flush`, as far as this object goes.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::data::Data;
use super::expiry::Deadline;
use super::identity::Identity;
use super::key_state::KeyState;
use super::load_reason::LoadReason;
use super::load_state::{Fetched, LoadState};
use super::record::Record;
use super::session::{FlushState, Session};
use crate::error::{Error, ErrorKind, Result};

impl Session {
    /// The data. The first access judges what the load fetched: a key that names no live record is dropped.
    pub(crate) fn data(&mut self) -> Result<&mut Data> {
        self.check_available()?;
        if let LoadState::Unjudged(fetched) = &mut self.state {
            let fetched = core::mem::replace(fetched, Fetched::Nothing(LoadReason::New));
            let (reason, data) = self.judge(fetched);
            self.state = LoadState::Judged(reason, data);
        }
        match &mut self.state {
            LoadState::Judged(_, data) => Ok(data),
            LoadState::Unjudged(_) => Err(Error::new(ErrorKind::StoreUnavailable, "the session was not loaded")),
        }
    }

    fn judge(&mut self, fetched: Fetched) -> (LoadReason, Data) {
        let reason = match fetched {
            Fetched::Record(reason, record) if !record.head.end().has_passed(self.now()) => {
                return (reason, record.data);
            }
            Fetched::Superseded(record) => {
                self.incoming.leave_alone(); // mutation: superseded-cookie-stays
                self.supersede(record);
                return (LoadReason::Superseded, Data::default());
            }
            Fetched::Record(reason, _) | Fetched::Nothing(reason) => reason,
            Fetched::Unavailable(_) => LoadReason::Unavailable,
        };
        use LoadReason::{NewerVersion, NotYetVisible, OtherSettings, Revoked, Unknown};
        let is_login = self.key.identity().is_some_and(|identity| !identity.is_anonymous());
        let cookie_stays = match reason {
            NewerVersion | OtherSettings | Revoked => true, // mutation: ended-cookies-stay
            // The key may have been rotated a moment ago: the record is gone, and the tombstone not visible yet.
            Unknown => is_login, // mutation: unknown-login
            _ => false,
        };
        if cookie_stays {
            self.incoming.leave_alone();
        }
        if reason != NotYetVisible {
            self.drop_key();
        }
        (reason, Data::default())
    }

    fn supersede(&mut self, record: Option<Record>) {
        if let KeyState::Stored(identity) = core::mem::take(&mut self.key) {
            self.key = KeyState::Superseded { identity, record: record.map(Box::new) };
        }
        self.stored = None;
    }

    fn drop_key(&mut self) {
        if !self.key.is_new() {
            self.key = KeyState::None; // mutation: unknown-key
            self.stored = None;
            self.known = Default::default();
        }
    }

    /// Fails where the store's answer decides what this session is, and there was none.
    pub(crate) fn check_available(&self) -> Result<()> {
        match &self.state {
            LoadState::Unjudged(Fetched::Unavailable(cause)) => Err(cause.clone()),
            _ => Ok(()),
        }
    }

    /// Empties the data without looking at them. The key stays: whether it still names a session is the next save's question.
    pub(super) fn empty(&mut self) {
        match &self.state {
            LoadState::Unjudged(Fetched::Superseded(_)) => _ = self.data(),
            // Without a key there is nothing that the next save could look at: what the store did not answer stays unknown.
            LoadState::Unjudged(Fetched::Unavailable(_)) if self.key.identity().is_none() => return,
            LoadState::Unjudged(_) | LoadState::Judged(..) => {}
        }
        let reason = self.load_reason();
        let before = match core::mem::replace(&mut self.state, LoadState::Unjudged(Fetched::Nothing(reason))) {
            LoadState::Judged(_, data) | LoadState::Unjudged(Fetched::Record(_, Record { data, .. })) => data,
            LoadState::Unjudged(_) => Data::default(),
        };
        self.state = LoadState::Judged(reason, before.cleared());
    }

    pub(super) const fn mark_changed(&mut self) {
        self.flags.modified = true;
        self.flags.differs_from_stored = true;
    }

    /// Django's `create`: a new key at once, and a record under it with the next save or commit.
    ///
    /// The data come along if they were loaded, and with them the absolute deadline and, after a `cycle_key`, the family: a
    /// logout ends the copy, too, as does a `cycle_key` of either. A session that was not accessed starts empty. The old record
    /// stays.
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
        let is_loaded = matches!(self.state, LoadState::Judged(..));
        if !is_loaded {
            self.empty(); // mutation: data-of-copy
        }
        let absolute = self.new_absolute_deadline();
        let (copied, replaces) = match core::mem::take(&mut self.key) {
            KeyState::Stored(identity) => (Some(identity), None),
            KeyState::New { identity, replaces } => (Some(identity), replaces),
            KeyState::None => (None, None), // mutation: copy-of-superseded
            // Only `cycle_key` leads out of it: a session beside the login that superseded this one would take its cookie's place.
            superseded @ KeyState::Superseded { .. } => {
                self.key = superseded;
                self.flags.accessed = true;
                self.mark_changed();
                return;
            }
        };
        let identity = match copied.filter(|_| is_loaded) {
            Some(Identity { key, rotations, absolute: own }) if rotations > 0 => {
                // mutation: copy-of-login
                Identity { key: self.random.successor(&key), rotations, absolute: own.min(absolute) }
            }
            copied => {
                // A key that was given without a token, and has no record, does not say when it ends.
                let absolute = copied.map_or(absolute, |identity| identity.absolute.min(absolute)); // mutation: life-of-copy
                // Django's login flushes another user's session and begins a new one: that is a login's session, too.
                let rotations = u16::from(matches!(self.flush, FlushState::Done)); // mutation: login-after-flush
                Identity { key: self.random.session_key(), rotations, absolute }
            }
        };
        self.become_new(identity, replaces);
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
        self.flags.accessed = true;
        self.data()?; // mutation: data-of-rotation
        let absolute = self.new_absolute_deadline();
        let (old, replaces) = match core::mem::take(&mut self.key) {
            KeyState::Stored(identity) => (Some(identity.clone()), Some(identity)), // mutation: replaced-key
            KeyState::New { identity, replaces } => (Some(identity), replaces),
            // A second login beside the first: it belongs to the same family, so that a logout ends both. It starts from the same
            // anonymous record; the data of a login stay with the key that its rotation made.
            KeyState::Superseded { identity, record } => match record {
                Some(record) => {
                    self.data()?.merge_onto(record.data); // mutation: data-of-second-login
                    // mutation: second-login
                    (Some(identity.clone()), Some(identity))
                }
                None => (Some(identity), None),
            },
            KeyState::None => (None, None),
        };
        let identity = match old {
            Some(old) => old.successor(&mut self.random, absolute),
            None => Identity { key: self.random.session_key(), rotations: 1, absolute },
        };
        self.become_new(identity, replaces);
        Ok(())
    }

    fn new_absolute_deadline(&self) -> Deadline {
        Deadline::after(self.now(), self.settings.absolute_age)
    }

    fn become_new(&mut self, identity: Identity, replaces: Option<Identity>) {
        if replaces.is_none() {
            self.stored = None;
        }
        self.key = KeyState::New { identity, replaces };
        self.flags.accessed = true;
        self.mark_changed();
    }

    /// Django's `flush`, as far as this object goes: no data, no key. Returns the identities to revoke, those included that an
    /// earlier flush could not revoke.
    pub(crate) fn begin_flush(&mut self) -> Vec<Identity> {
        let mut pending = match core::mem::take(&mut self.flush) {
            FlushState::Pending(pending) => pending,
            FlushState::NotAsked | FlushState::Done => Vec::new(),
        };
        self.clear();
        // As Django's: outside of a request a session that has another key by now ends that one only.
        let has_key = self.session_key().is_some();
        let (own, replaced) = match core::mem::take(&mut self.key) {
            KeyState::Stored(identity) | KeyState::Superseded { identity, .. } => (Some(identity), None),
            KeyState::New { replaces, .. } => (None, replaces),
            KeyState::None => (None, None),
        };
        let opened = self.incoming.opened.iter().filter(|_| !has_key);
        let named: Vec<_> = self.incoming.proven().chain(opened).cloned().collect(); // mutation: logout-of-proven
        for identity in own.into_iter().chain(replaced).chain(named) {
            if !pending.iter().any(|other: &Identity| other.key == identity.key) {
                pending.push(identity);
            }
        }
        self.stored = None;
        self.known = Default::default();
        self.flush = FlushState::Pending(pending.clone()); // mutation: key-of-flush
        pending
    }
}

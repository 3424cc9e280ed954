//! The first access, and the key: Django's `create`, `cycle_key` and the in-memory part of `flush`.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::data::Data;
use super::deadline::Deadline;
use super::identity::Identity;
use super::key_state::KeyState;
use super::load_reason::LoadReason;
use super::load_state::{FetchOutcome, LoadState};
use super::record::Record;
use super::session::{FlushState, Session};
use crate::error::{Error, ErrorKind, Result};

impl Session {
    /// Returns the data. The first access evaluates the outcome of the load: a key without a live record is dropped.
    pub(crate) fn data(&mut self) -> Result<&mut Data> {
        self.check_available()?;
        if let LoadState::Pending(fetched) = &mut self.state {
            let fetched = core::mem::replace(fetched, FetchOutcome::Nothing(LoadReason::New));
            let (reason, data) = self.evaluate(fetched);
            self.state = LoadState::Evaluated(reason, data);
        }
        match &mut self.state {
            LoadState::Evaluated(_, data) => Ok(data),
            LoadState::Pending(_) => Err(Error::new(ErrorKind::StoreUnavailable, "the session was not loaded")),
        }
    }

    fn evaluate(&mut self, fetched: FetchOutcome) -> (LoadReason, Data) {
        let reason = match fetched {
            FetchOutcome::Record(reason, data, end) if !end.has_passed(self.now()) => {
                return (reason, data);
            }
            FetchOutcome::Superseded(record) => {
                self.incoming.leave_alone(); // mutation: superseded-cookie-stays
                self.supersede(record);
                return (LoadReason::Superseded, Data::default());
            }
            FetchOutcome::Record(reason, ..) | FetchOutcome::Nothing(reason) => reason,
            FetchOutcome::Unavailable(_) => LoadReason::Unavailable,
        };
        use LoadReason::{NewerVersion, NotYetVisible, OtherSettings, Revoked, Unknown};
        let is_login = self.key.identity().is_some_and(|identity| !identity.is_anonymous());
        let cookie_stays = match reason {
            NewerVersion | OtherSettings | Revoked => true, // mutation: ended-cookies-stay
            // The key may have been rotated a moment ago: the record is deleted and the tombstone not visible yet.
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

    /// Fails if the store did not answer the load.
    pub(crate) fn check_available(&self) -> Result<()> {
        match &self.state {
            LoadState::Pending(FetchOutcome::Unavailable(cause)) => Err(cause.clone()),
            _ => Ok(()),
        }
    }

    /// Removes all data without evaluating the load. The key stays: the next save checks whether its session is live.
    pub(super) fn empty(&mut self) {
        match &self.state {
            LoadState::Pending(FetchOutcome::Superseded(_)) => _ = self.data(),
            // Without a key the next save has nothing to check, so the outcome stays unavailable.
            LoadState::Pending(FetchOutcome::Unavailable(_)) if self.key.identity().is_none() => return,
            LoadState::Pending(_) | LoadState::Evaluated(..) => {}
        }
        let reason = self.load_reason();
        let before = match core::mem::replace(&mut self.state, LoadState::Pending(FetchOutcome::Nothing(reason))) {
            LoadState::Evaluated(_, data) | LoadState::Pending(FetchOutcome::Record(_, data, _)) => data,
            LoadState::Pending(_) => Data::default(),
        };
        self.state = LoadState::Evaluated(reason, before.cleared());
    }

    pub(super) const fn mark_changed(&mut self) {
        self.flags.modified = true;
        self.flags.differs_from_stored = true;
    }

    /// Creates a new key, whose record the next save or commit stores: Django's `create`.
    ///
    /// A session that was accessed keeps its data and its absolute deadline and, after a `cycle_key`, its family: a logout or a
    /// `cycle_key` of either session revokes both. A session that was not accessed starts empty. The old record stays.
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
        let is_loaded = matches!(self.state, LoadState::Evaluated(..));
        if !is_loaded {
            self.empty(); // mutation: data-of-copy
        }
        let absolute = self.new_absolute_deadline();
        let (copied, replaces) = match core::mem::take(&mut self.key) {
            KeyState::Stored(identity) => (Some(identity), None),
            KeyState::New { identity, replaces } => (Some(identity), replaces),
            KeyState::None => (None, None), // mutation: copy-of-superseded
            // Only `cycle_key` leaves this state: a new session's cookie would replace that of the login which superseded this
            // one.
            superseded @ KeyState::Superseded { .. } => {
                self.key = superseded;
                self.flags.accessed = true;
                self.mark_changed();
                return;
            }
        };
        let identity = match copied.filter(|_| is_loaded) {
            Some(Identity { key, rotations, absolute: own }) if rotations > 0 => {
                // On a linearizable store, the family's record belongs to the original.
                let is_linearizable = self.settings.is_linearizable();
                // mutation: copy-of-login
                let key = if is_linearizable { self.random.session_key() } else { self.random.successor(&key) };
                Identity { key, rotations, absolute: own.min(absolute) }
            }
            copied => {
                // A key that was opened without a token or a record has no absolute deadline.
                let absolute = copied.map_or(absolute, |identity| identity.absolute.min(absolute)); // mutation: life-of-copy
                // Django's login flushes another user's session and creates a new one, which is a logged-in session, too.
                let rotations = u16::from(matches!(self.flush, FlushState::Done)); // mutation: login-after-flush
                Identity { key: self.random.session_key(), rotations, absolute }
            }
        };
        self.become_new(identity, replaces);
        self.copy_link();
    }

    /// Replaces the key by a new one with the same data, for a login: Django's `cycle_key`. The next save or commit stores the
    /// data under the new key and revokes the old key.
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
    /// `StoreUnavailable` if the store did not answer. The key then stays.
    pub fn cycle_key(&mut self) -> Result<()> {
        self.flags.accessed = true;
        self.data()?; // mutation: data-of-rotation
        let absolute = self.new_absolute_deadline();
        let (old, replaces) = match core::mem::take(&mut self.key) {
            KeyState::Stored(identity) => (Some(identity.clone()), Some(identity)), // mutation: replaced-key
            KeyState::New { identity, replaces } => (Some(identity), replaces),
            // On a linearizable store, the family's record belongs to the first login.
            KeyState::Superseded { identity, record } if self.settings.is_linearizable() => {
                if let Some(record) = record {
                    self.data()?.merge_onto(record.data);
                }
                (None, Some(identity))
            }
            // A second login concurrent with the first: it joins the same family, so that a logout revokes both. It starts from
            // the same anonymous record; the data of the first login stay with its own key.
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

    /// Removes the data and the key: the in-memory part of Django's `flush`. Returns the identities to revoke, including those
    /// that an earlier flush could not revoke.
    pub(crate) fn begin_flush(&mut self) -> Vec<Identity> {
        let mut pending = match core::mem::take(&mut self.flush) {
            FlushState::Pending(pending) => pending,
            FlushState::NotRequested | FlushState::Done => Vec::new(),
        };
        self.clear();
        // As in Django: a session that was opened by key, and has another key by now, revokes only the latter.
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

//! How a session comes, changes its key and goes: what the protocol does to it, and the calls that ask for it.

use alloc::sync::Arc;
use alloc::vec::Vec;

use chrono::{DateTime, Utc};

use super::contents::{Contents, Fetched};
use super::data::Data;
use super::expiry::{Deadline, ExpiryOptions};
use super::identity::{Identity, Position};
use super::key::{Random, SessionKey};
use super::record::Head;
use super::session::Session;
use crate::error::{Error, ErrorKind, Result};
use crate::settings::Settings;

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
            presented,
            named: identity.as_ref().filter(|_| presented).map(|identity| identity.key.clone()),
            identity,
            fresh: false,
            retired: None,
            ending: Vec::new(),
            position: position.flatten(),
            base: None,
            contents: Contents::Unloaded(Fetched::NoKey),
            accessed: false,
            modified: false,
            changed: false,
            unsent: false,
        }
    }

    /// Keeps what the store answered until somebody looks.
    pub(crate) fn keep(&mut self, fetched: Fetched) {
        if let Fetched::Record(record) = &fetched {
            if let Some(identity) = &mut self.identity {
                identity.absolute = identity.absolute.min(record.head.absolute);
                identity.family = identity.family.or(record.head.family);
            }
            self.base = Some(record.head.clone());
        }
        self.contents = Contents::Unloaded(fetched);
    }

    /// The data, judged now if they were not before: a key that names no live record is dropped.
    pub(super) fn load(&mut self) -> Result<&mut Data> {
        self.check_available()?;
        if let Contents::Unloaded(fetched) = &mut self.contents {
            let data = match core::mem::replace(fetched, Fetched::NoKey) {
                Fetched::Record(record) if !record.head.end().has_passed(self.now) => record.data,
                Fetched::Newer => {
                    // As if the request had come without a cookie: it is still good where the newer version runs.
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

    /// No data, without looking at what was there. Only a record that cannot be read costs the session its key, since it
    /// must not be overwritten.
    pub(super) fn empty(&mut self) {
        if matches!(self.contents, Contents::Unloaded(Fetched::Corrupt | Fetched::Newer)) {
            let _ = self.load();
        }
        self.contents = Contents::Loaded(Data::default());
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
            self.retired = Some(old.key);
        }
        self.become_new(Identity { key, family: Some(family), absolute });
        Ok(())
    }

    fn become_new(&mut self, identity: Identity) {
        self.identity = Some(identity);
        self.fresh = true;
        self.base = None;
        self.accessed = true;
        self.mark_changed();
    }

    /// Django's `flush`, as far as this object goes: no data, no key. Gives the keys whose records have to go, those too
    /// that a flush before could not delete.
    pub(crate) fn forget(&mut self) -> Vec<SessionKey> {
        self.clear();
        let own = self.identity.take().map(|identity| identity.key).filter(|_| !self.fresh);
        for key in [own, self.retired.take(), self.named.clone()].into_iter().flatten() {
            if !self.ending.contains(&key) {
                self.ending.push(key);
            }
        }
        self.fresh = false;
        self.base = None;
        self.position = None;
        self.ending.clone()
    }

    /// Takes note that the record of `key` is gone.
    pub(crate) fn ended(&mut self, key: &SessionKey) {
        self.ending.retain(|other| other != key);
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

    /// Fails where the store's answer decides what this session is, and there was none.
    pub(crate) fn check_available(&self) -> Result<()> {
        match &self.contents {
            Contents::Unloaded(Fetched::Unavailable(cause)) => Err(cause.clone()),
            _ => Ok(()),
        }
    }

    /// Whether there is a record that cannot be read here, and nobody looked: unavailable, or of a newer version.
    pub(crate) const fn is_out_of_reach(&self) -> bool {
        matches!(self.contents, Contents::Unloaded(Fetched::Unavailable(_) | Fetched::Newer))
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

    /// What has to be stored now: the head of the next record, made on top of the newest one that is known, and the data.
    ///
    /// # Errors
    ///
    /// As [`get_expiry_age`](Session::get_expiry_age).
    pub(crate) fn next_record(&mut self, newest: Option<&Head>) -> Result<(Head, &Data)> {
        let deadline = self.next_deadline()?;
        let tag = self.random.tag();
        let newest = newest.or(self.base.as_ref());
        let known = self.position.map_or(0, |position| position.generation);
        let (family, absolute) = match &self.identity {
            Some(identity) => (identity.family, identity.absolute),
            None => (None, Deadline::NEVER),
        };
        let head = Head {
            deadline,
            absolute,
            generation: newest.map_or(0, |head| head.generation).max(known).saturating_add(1),
            tags: Head::remember(tag, newest),
            family,
        };
        let data = self.load()?;
        Ok((head, &*data))
    }

    /// Takes note that `head` is stored. Gives the key whose record has to go now.
    pub(crate) fn stored(&mut self, head: Head) -> Option<SessionKey> {
        let tag = head.tags.first().copied().unwrap_or_default();
        self.position = Some(Position { generation: head.generation, tag, issued: self.now.timestamp_micros() });
        self.base = Some(head);
        self.fresh = false;
        self.changed = false;
        self.unsent = true;
        self.retired.take()
    }

    /// Who the browser has to say it is from now on, and where it stands.
    pub(crate) fn token_parts(&self) -> Option<(&Identity, Position)> {
        Some((self.identity.as_ref()?, self.position?))
    }
}

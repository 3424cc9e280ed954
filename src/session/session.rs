//! Django's `SessionBase`: one visitor's session, its flags, its expiry and its test cookie.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use chrono::{DateTime, FixedOffset, Utc};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::data::Data;
use super::event::{Event, EventKind};
use super::expiry::{Deadline, EXPIRY_KEY, Expiry, ExpiryOptions, Lifetime};
use super::identity::{Identity, Tag};
use super::incoming::{CookieSlot, Incoming, Knowledge, SessionToken};
use super::key::{KeyDigest, Random, SessionKey};
use super::key_state::KeyState;
use super::load_reason::LoadReason;
use super::load_state::{Fetched, LoadState};
use super::record::Head;
use super::request_clock::RequestClock;
use super::{signing, value};
use crate::error::Result;
use crate::json;
use crate::settings::Settings;

/// The data key and the JSON text of Django's test cookie.
const TEST_COOKIE: (&str, &[u8]) = ("testcookie", b"\"worked\"");

/// One visitor's session during one request: Django's dictionary, flags, key and expiry.
///
/// It holds no connection: [`Sessions`](crate::Sessions) loads and commits it. It is *unloaded* until its first use;
/// only then does it matter what the store answered, and only then can a call fail with
/// [`ErrorKind::StoreUnavailable`](crate::ErrorKind::StoreUnavailable). Reading is no activity: a session that was only
/// read is not written, and its life gets no longer.
///
/// ```
/// # use edge_session::{MemoryStore, Sessions, Settings};
/// # pollster::block_on(async {
/// # let settings = Settings::builder(["a secret of at least thirty-two bytes"]).build()?;
/// # let sessions = Sessions::new(MemoryStore::default(), settings);
/// let mut session = sessions.new_session()?;
/// session.set("cart", vec!["apple", "pear"])?;
/// session.set("user", 42)?;
/// assert_eq!(session.get::<u32>("user")?, Some(42));
/// assert_eq!(session.keys()?, ["cart", "user"]);
/// assert!(session.modified());
/// # Ok::<(), edge_session::Error>(()) }).unwrap();
/// ```
pub struct Session {
    pub(crate) settings: Arc<Settings>,
    pub(crate) random: Random,
    pub(crate) clock: RequestClock,
    /// What the request brought.
    pub(crate) incoming: Incoming,
    pub(crate) key: KeyState,
    /// What the browser knows of the session's saves.
    pub(crate) known: Knowledge,
    /// The stored record on which the next save is made, as far as it is known.
    pub(crate) stored: Option<Stored>,
    pub(super) state: LoadState,
    pub(super) flags: Flags,
    /// The flush that was asked for.
    pub(crate) flush: FlushState,
    /// Events that were not reported yet, and the digest of the key that each concerns.
    pub(super) events: Vec<(EventKind, Option<KeyDigest>)>,
}

/// Django's two flags, and two of our own.
#[derive(Clone, Copy, Debug, Default)]
#[allow(clippy::struct_excessive_bools, reason = "each is a flag that can be set without the others")]
pub(super) struct Flags {
    /// Django's `accessed`.
    pub(super) accessed: bool,
    /// Django's `modified`.
    pub(super) modified: bool,
    /// Whether the data or the key differ from what is stored.
    pub(super) differs_from_stored: bool,
    /// Whether the browser's token is older than the stored record.
    pub(super) token_is_outdated: bool,
}

/// The record on which a save is made.
#[derive(Clone, Debug)]
pub(crate) struct Stored {
    pub(crate) head: Head,
    /// Whether it contains every save that this browser knows of, without being repaired from the journal.
    pub(crate) complete: bool,
    /// The save of another branch that was merged into it in memory: no record has both yet.
    pub(crate) merged: Option<Tag>,
}

impl Stored {
    pub(crate) const fn new(head: Head) -> Self {
        Self { head, complete: true, merged: None }
    }
}

/// Whether the session is to end.
#[derive(Debug, Default)]
pub(crate) enum FlushState {
    #[default]
    NotAsked,
    /// These identities are still to be revoked: a flush runs, or it failed.
    Pending(Vec<Identity>),
    /// All were revoked. The cookies go with the response.
    Done,
}

impl Session {
    /// Django's `session_key`. It can change when the session is first used: an unknown key is never taken over.
    ///
    /// ```
    /// # let settings = edge_session::Settings::builder(["a secret of at least thirty-two bytes"]).build()?;
    /// # let mut session = edge_session::Sessions::new(edge_session::MemoryStore::default(), settings).new_session()?;
    /// assert!(session.session_key().is_none());
    /// session.create();
    /// assert_eq!(session.session_key().unwrap().as_str().len(), 32);
    /// # Ok::<(), edge_session::Error>(())
    /// ```
    #[must_use]
    pub fn session_key(&self) -> Option<&SessionKey> {
        self.key.identity().map(|identity| &identity.key)
    }

    /// Whether the data were read or written.
    ///
    /// ```
    /// # let settings = edge_session::Settings::builder(["a secret of at least thirty-two bytes"]).build()?;
    /// # let mut session = edge_session::Sessions::new(edge_session::MemoryStore::default(), settings).new_session()?;
    /// assert!(!session.accessed());
    /// session.contains_key("user")?;
    /// assert!(session.accessed() && !session.modified());
    /// # Ok::<(), edge_session::Error>(())
    /// ```
    #[must_use]
    pub const fn accessed(&self) -> bool {
        self.flags.accessed
    }

    /// Sets the flag of [`accessed`](Self::accessed).
    ///
    /// ```
    /// # let settings = edge_session::Settings::builder(["a secret of at least thirty-two bytes"]).build()?;
    /// # let mut session = edge_session::Sessions::new(edge_session::MemoryStore::default(), settings).new_session()?;
    /// session.set_accessed(true);
    /// assert!(session.accessed());
    /// # Ok::<(), edge_session::Error>(())
    /// ```
    pub const fn set_accessed(&mut self, accessed: bool) {
        self.flags.accessed = accessed;
    }

    /// Whether the data were written. No save resets it.
    ///
    /// ```
    /// # let settings = edge_session::Settings::builder(["a secret of at least thirty-two bytes"]).build()?;
    /// # let mut session = edge_session::Sessions::new(edge_session::MemoryStore::default(), settings).new_session()?;
    /// session.set("visits", 1)?;
    /// assert!(session.modified());
    /// # Ok::<(), edge_session::Error>(())
    /// ```
    #[must_use]
    pub const fn modified(&self) -> bool {
        self.flags.modified
    }

    /// Sets the flag of [`modified`](Self::modified): true has the session saved, false keeps it from being saved.
    ///
    /// ```
    /// # let settings = edge_session::Settings::builder(["a secret of at least thirty-two bytes"]).build()?;
    /// # let mut session = edge_session::Sessions::new(edge_session::MemoryStore::default(), settings).new_session()?;
    /// session.set("visits", 1)?;
    /// session.set_modified(false); // nothing of this will be saved
    /// assert!(!session.modified());
    /// # Ok::<(), edge_session::Error>(())
    /// ```
    pub const fn set_modified(&mut self, modified: bool) {
        self.flags.modified = modified;
        // False keeps a commit from saving; what was changed is still to be stored by the next save.
        self.flags.differs_from_stored |= modified; // mutation: modified-set
    }

    /// The outcome of loading. Does not count as access.
    ///
    /// ```
    /// # let settings = edge_session::Settings::builder(["a secret of at least thirty-two bytes"]).build()?;
    /// # let sessions = edge_session::Sessions::new(edge_session::MemoryStore::default(), settings);
    /// # pollster::block_on(async {
    /// use edge_session::LoadReason;
    ///
    /// let session = sessions.load("__Host-sessionid=forged").await?;
    /// assert_eq!(session.load_reason(), LoadReason::Malformed);
    /// # Ok::<(), edge_session::Error>(()) })?;
    /// # Ok::<(), edge_session::Error>(())
    /// ```
    #[must_use]
    pub const fn load_reason(&self) -> LoadReason {
        self.state.reason()
    }

    /// Whether nothing is stored for this visitor yet, as far as the store answered.
    ///
    /// ```
    /// # let settings = edge_session::Settings::builder(["a secret of at least thirty-two bytes"]).build()?;
    /// # let mut session = edge_session::Sessions::new(edge_session::MemoryStore::default(), settings).new_session()?;
    /// assert!(session.is_new()?);
    /// # Ok::<(), edge_session::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// `StoreUnavailable` where the store did not answer.
    pub fn is_new(&mut self) -> Result<bool> {
        self.read()?;
        Ok(!matches!(self.key, KeyState::Stored(_)))
    }

    /// The moment that this session takes as the present; [`Sessions`](crate::Sessions) sets it when it loads and saves.
    ///
    /// ```
    /// # let settings = edge_session::Settings::builder(["a secret of at least thirty-two bytes"]).build()?;
    /// # let mut session = edge_session::Sessions::new(edge_session::MemoryStore::default(), settings).new_session()?;
    /// assert!(session.now().timestamp() > 1_700_000_000);
    /// # Ok::<(), edge_session::Error>(())
    /// ```
    #[must_use]
    pub const fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    /// Sets what [`now`](Self::now) is, for a session that is kept for longer than a request.
    ///
    /// ```
    /// # let settings = edge_session::Settings::builder(["a secret of at least thirty-two bytes"]).build()?;
    /// # let mut session = edge_session::Sessions::new(edge_session::MemoryStore::default(), settings).new_session()?;
    /// session.set_now(chrono::DateTime::from_timestamp(1_893_456_000, 0).unwrap());
    /// assert_eq!(session.get_expiry_date(Default::default())?.timestamp(), 1_893_456_000 + 1_209_600);
    /// # Ok::<(), edge_session::Error>(())
    /// ```
    pub const fn set_now(&mut self, now: DateTime<Utc>) {
        self.clock.set(now);
    }

    /// The end that no save moves, as the session's token or record has it; `None` for a session that is not stored.
    #[must_use]
    pub fn absolute_deadline(&self) -> Option<DateTime<Utc>> {
        self.key.identity()?.absolute.date()
    }

    /// When the cookie that the browser has, or gets with this response, was issued.
    #[must_use]
    pub fn cookie_issued(&self) -> Option<DateTime<Utc>> {
        DateTime::from_timestamp_micros(self.known.position?.issued)
    }

    /// The name of the cookie under which the session travels.
    #[must_use]
    pub fn cookie_name(&self) -> &str {
        self.settings.name_of(self.key.identity().map_or(CookieSlot::Anonymous, CookieSlot::of))
    }

    /// Whether the request brought a session cookie, valid or not.
    #[must_use]
    pub const fn brought_cookie(&self) -> bool {
        self.incoming.is_presented()
    }

    /// Whether the request brought a cookie with a valid signature, whatever became of its session.
    #[must_use]
    pub fn brought_token(&self) -> bool {
        self.incoming.identities().next().is_some()
    }

    /// Tells an operation that runs on the session what the clock reads, before its next reply. What it takes as the
    /// [present](Self::now) stays.
    pub const fn tick(&mut self, now: DateTime<Utc>) {
        self.clock.tick(now);
    }

    /// The settings under which the session was made.
    #[must_use]
    pub const fn settings(&self) -> &Arc<Settings> {
        &self.settings
    }

    /// Django's `set_test_cookie`: a value that shows, in a later request, that the browser sends cookies back.
    ///
    /// ```
    /// # let settings = edge_session::Settings::builder(["a secret of at least thirty-two bytes"]).build()?;
    /// # let mut session = edge_session::Sessions::new(edge_session::MemoryStore::default(), settings).new_session()?;
    /// session.set_test_cookie()?; // in one request
    /// assert!(session.test_cookie_worked()?); // in the next one
    /// session.delete_test_cookie()?;
    /// # Ok::<(), edge_session::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// `StoreUnavailable` where the store did not answer.
    pub fn set_test_cookie(&mut self) -> Result<()> {
        self.set_text(TEST_COOKIE.0, TEST_COOKIE.1)
    }

    /// Django's `test_cookie_worked`.
    ///
    /// ```
    /// # let settings = edge_session::Settings::builder(["a secret of at least thirty-two bytes"]).build()?;
    /// # let mut session = edge_session::Sessions::new(edge_session::MemoryStore::default(), settings).new_session()?;
    /// assert!(!session.test_cookie_worked()?);
    /// # Ok::<(), edge_session::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// `StoreUnavailable` where the store did not answer.
    pub fn test_cookie_worked(&mut self) -> Result<bool> {
        // mutation: test-cookie-read
        Ok(self.read()?.get(TEST_COOKIE.0) == Some(TEST_COOKIE.1))
    }

    /// Django's `delete_test_cookie`.
    ///
    /// ```
    /// # let settings = edge_session::Settings::builder(["a secret of at least thirty-two bytes"]).build()?;
    /// # let mut session = edge_session::Sessions::new(edge_session::MemoryStore::default(), settings).new_session()?;
    /// assert!(session.delete_test_cookie().is_err());
    /// # Ok::<(), edge_session::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// `MissingKey` where none was set, `StoreUnavailable` where the store did not answer.
    pub fn delete_test_cookie(&mut self) -> Result<()> {
        // mutation: test-cookie-removed
        self.remove(TEST_COOKIE.0)
    }

    /// Django's `set_expiry`.
    ///
    /// ```
    /// # let settings = edge_session::Settings::builder(["a secret of at least thirty-two bytes"]).build()?;
    /// # let mut session = edge_session::Sessions::new(edge_session::MemoryStore::default(), settings).new_session()?;
    /// use edge_session::Expiry;
    ///
    /// session.set_expiry(Expiry::Seconds(300))?;
    /// assert_eq!(session.get_expiry_age(Default::default())?, 300);
    /// session.set_expiry(Expiry::Policy)?;
    /// assert_eq!(session.get_expiry_age(Default::default())?, 1_209_600);
    /// # Ok::<(), edge_session::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// `Value` where `now` plus a duration is beyond every date, `StoreUnavailable` where the store did not answer.
    pub fn set_expiry(&mut self, expiry: Expiry) -> Result<()> {
        match Lifetime::from_expiry(expiry, self.now())?.to_json() {
            Some(text) => self.set_text(EXPIRY_KEY, text.into_bytes()),
            None => self.discard(EXPIRY_KEY).map(|_| ()), // mutation: expiry-removed
        }
    }

    /// Django's `get_expiry_age`: seconds from the modification to the end, rounded down; negative when it is over.
    ///
    /// This is the life that a save gives, not the time that is left of it.
    ///
    /// ```
    /// # let settings = edge_session::Settings::builder(["a secret of at least thirty-two bytes"]).build()?;
    /// # let mut session = edge_session::Sessions::new(edge_session::MemoryStore::default(), settings).new_session()?;
    /// use edge_session::{Expiry, ExpiryOptions};
    ///
    /// let options = ExpiryOptions { expiry: Some(Expiry::Seconds(60)), ..ExpiryOptions::default() };
    /// assert_eq!(session.get_expiry_age(options)?, 60);
    /// # Ok::<(), edge_session::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// `Value` where the session's own expiry is no expiry, `StoreUnavailable` where the store did not answer.
    pub fn get_expiry_age(&mut self, options: ExpiryOptions) -> Result<i64> {
        let (lifetime, modification) = self.lifetime(options)?;
        Ok(lifetime.age(modification, self.settings.cookie_age))
    }

    /// Django's `get_expiry_date`: the moment of the end.
    ///
    /// ```
    /// # let settings = edge_session::Settings::builder(["a secret of at least thirty-two bytes"]).build()?;
    /// # let mut session = edge_session::Sessions::new(edge_session::MemoryStore::default(), settings).new_session()?;
    /// use edge_session::{Expiry, ExpiryOptions};
    ///
    /// let modification = Some(chrono::DateTime::from_timestamp(1_893_456_000, 0).unwrap());
    /// let options = ExpiryOptions { modification, expiry: Some(Expiry::Seconds(60)) };
    /// assert_eq!(session.get_expiry_date(options)?.to_rfc3339(), "2030-01-01T00:01:00+00:00");
    /// # Ok::<(), edge_session::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`get_expiry_age`](Self::get_expiry_age), and `Value` where the end is beyond every date.
    pub fn get_expiry_date(&mut self, options: ExpiryOptions) -> Result<DateTime<FixedOffset>> {
        let (lifetime, modification) = self.lifetime(options)?;
        lifetime.date(modification, self.settings.cookie_age)
    }

    /// Django's `get_expire_at_browser_close`.
    ///
    /// ```
    /// # let settings = edge_session::Settings::builder(["a secret of at least thirty-two bytes"]).build()?;
    /// # let mut session = edge_session::Sessions::new(edge_session::MemoryStore::default(), settings).new_session()?;
    /// session.set_expiry(edge_session::Expiry::BROWSER_CLOSE)?;
    /// assert!(session.get_expire_at_browser_close()?);
    /// # Ok::<(), edge_session::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`get_expiry_age`](Self::get_expiry_age).
    pub fn get_expire_at_browser_close(&mut self) -> Result<bool> {
        Ok(match Lifetime::from_json(self.read()?.get(EXPIRY_KEY))? {
            Lifetime::Policy => self.settings.expire_at_browser_close,
            own => own == Lifetime::Seconds(0), // mutation: browser-close
        })
    }

    /// When the stored record ends: the deadline that the last save gave it, or the absolute one where that comes first.
    /// Reading moves it no more than it prolongs the session. `None` where nothing is stored.
    ///
    /// ```
    /// # let settings = edge_session::Settings::builder(["a secret of at least thirty-two bytes"]).build()?;
    /// # let sessions = edge_session::Sessions::new(edge_session::MemoryStore::default(), settings);
    /// # pollster::block_on(async {
    /// let mut session = sessions.new_session()?;
    /// session.set("user", "alice")?;
    /// assert_eq!(session.stored_deadline()?, None);
    /// let _ = sessions.save(&mut session).await?;
    /// assert!(session.stored_deadline()?.is_some_and(|deadline| deadline > session.now()));
    /// # Ok::<(), edge_session::Error>(()) })?;
    /// # Ok::<(), edge_session::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// `StoreUnavailable` where the store did not answer.
    pub fn stored_deadline(&mut self) -> Result<Option<DateTime<Utc>>> {
        self.read()?;
        let stored = self.stored.as_ref().filter(|_| !self.key.is_new());
        let end = stored.map(|stored| stored.head.end()).filter(|end| !end.has_passed(self.now()));
        Ok(end.and_then(Deadline::date))
    }

    pub(super) fn lifetime(&mut self, options: ExpiryOptions) -> Result<(Lifetime, DateTime<Utc>)> {
        let lifetime = match options.expiry {
            Some(expiry) => Lifetime::from_expiry(expiry, self.now())?, // mutation: given-expiry
            None => Lifetime::from_json(self.read()?.get(EXPIRY_KEY))?,
        };
        Ok((lifetime, options.modification.unwrap_or(self.now())))
    }

    /// Django's `encode`: `items` as Django's own engines store them, signed with the first secret.
    ///
    /// ```
    /// # let settings = edge_session::Settings::builder(["a secret of at least thirty-two bytes"]).build()?;
    /// # let mut session = edge_session::Sessions::new(edge_session::MemoryStore::default(), settings).new_session()?;
    /// let text = session.encode([("user", "alice")])?;
    /// assert_eq!(session.decode::<String>(&text), [("user".to_owned(), "alice".to_owned())]);
    /// # Ok::<(), edge_session::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// `Value`, with its path, for what JSON does not hold exactly.
    pub fn encode<K: AsRef<str>, T: Serialize>(&self, items: impl IntoIterator<Item = (K, T)>) -> Result<String> {
        let mut data = Data::default();
        for (key, value) in items {
            data.set(key.as_ref(), value::to_json(key.as_ref(), &value)?.into_bytes().into());
        }
        let mut object = String::from("{");
        for (key, json) in data.iter() {
            json::member(&key, value::text(&key, json)?, &mut object);
        }
        object.push('}');
        Ok(signing::encode(&self.settings.secrets, &object, self.now().timestamp()))
    }

    /// Django's `decode`: what a Django with one of the same secrets stored. What does not verify is empty, never an error:
    /// the event [`BadSignature`](crate::EventKind::BadSignature) reports it with the session's next operation.
    ///
    /// ```
    /// # let settings = edge_session::Settings::builder(["a secret of at least thirty-two bytes"]).build()?;
    /// # let mut session = edge_session::Sessions::new(edge_session::MemoryStore::default(), settings).new_session()?;
    /// assert!(session.decode::<String>("forged:1r31eq:signature").is_empty());
    /// # Ok::<(), edge_session::Error>(())
    /// ```
    pub fn decode<T: DeserializeOwned>(&mut self, text: &str) -> Vec<(String, T)> {
        let object = signing::decode(&self.settings.secrets, text);
        if object.is_none() {
            self.report(EventKind::BadSignature);
        }
        let object = object.unwrap_or_default();
        let members = json::members(&object).unwrap_or_default();
        let items = members.into_iter().map(|(key, text)| Some((key, serde_json::from_str(text).ok()?)));
        items.collect::<Option<_>>().unwrap_or_default()
    }
}

impl Session {
    /// A session without a key, for what a request brought.
    pub(crate) fn begin(settings: Arc<Settings>, now: DateTime<Utc>, seed: [u8; 32], incoming: Incoming) -> Self {
        Self {
            settings,
            random: Random::new(seed),
            clock: RequestClock::new(now),
            incoming,
            key: KeyState::None,
            known: Knowledge::default(),
            stored: None,
            state: LoadState::Unjudged(Fetched::Nothing(LoadReason::New)),
            flags: Flags::default(),
            flush: FlushState::NotAsked,
            events: Vec::new(),
        }
    }

    /// Takes the identity of one of the request's tokens, and what its browser knows, before the record is read.
    pub(crate) fn adopt(&mut self, place: usize) {
        let Some(SessionToken { identity, position, sealed, .. }) = self.incoming.tokens.get(place) else { return };
        self.key = KeyState::Stored(identity.clone());
        self.known = Knowledge { position: Some(*position), sealed: sealed.clone(), journal: None };
        self.stored = None;
    }

    /// Stores the outcome of the load. It counts at the first access.
    pub(crate) fn set_loaded(&mut self, fetched: Fetched) {
        if let (Fetched::Record(_, record), KeyState::Stored(identity)) = (&fetched, &mut self.key) {
            identity.absolute = identity.absolute.min(record.head.absolute); // mutation: deadline-of-record
            identity.rotations = record.head.rotations;
        }
        self.state = LoadState::Unjudged(fetched);
        let reason = self.load_reason();
        if !matches!(reason, LoadReason::New | LoadReason::Live) {
            self.report(EventKind::Load(reason));
        }
    }

    /// Queues an event, which [`next_event`](Self::next_event) returns.
    pub fn report(&mut self, kind: EventKind) {
        let pending = match &self.flush {
            FlushState::Pending(identities) => identities.first(),
            FlushState::NotAsked | FlushState::Done => None,
        };
        let identity = self.key.identity().or(pending).or_else(|| self.incoming.identities().next());
        let key = identity.map(|identity| identity.key.digest());
        self.events.push((kind, key));
    }

    /// The oldest event that was not reported yet.
    pub fn next_event(&mut self) -> Option<Event> {
        if self.events.is_empty() {
            return None;
        }
        let (kind, key) = self.events.remove(0);
        let session = key.map(|key| self.settings.secrets.pseudonym(key)).unwrap_or_default();
        Some(Event { kind, session })
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("accessed", &self.flags.accessed)
            .field("modified", &self.flags.modified)
            .finish_non_exhaustive()
    }
}

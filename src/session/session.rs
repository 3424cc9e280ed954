//! One visitor's session: Django's `SessionBase`.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::data::Data;
use super::event::{Event, EventKind};
use super::flash::Flashed;
use super::identity::{Identity, Tag};
use super::incoming::{Incoming, Knowledge, SessionToken};
use super::key::SessionKey;
use super::key_digest::KeyDigest;
use super::key_state::KeyState;
use super::listing::Listing;
use super::load_reason::LoadReason;
use super::load_state::{FetchOutcome, LoadState};
use super::random::Random;
use super::record;
use super::record_header::RecordHeader;
use super::request_clock::RequestClock;
use super::storage_key::{StorageKey, StorageKeys};
use super::{signing, value};
use crate::error::Result;
use crate::json;
use crate::settings::{CookieSlot, Settings};

/// The data key and the JSON text of Django's test cookie.
const TEST_COOKIE: (&str, &[u8]) = ("testcookie", b"\"worked\"");

/// One visitor's session during one request: Django's dictionary, flags, key and expiry.
///
/// It does no I/O: [`Sessions`](crate::Sessions) loads and commits it. It is *unloaded* until its first access, which evaluates
/// the outcome of the load; a failed load raises [`ErrorKind::StoreUnavailable`](crate::ErrorKind::StoreUnavailable) only then.
/// Reading neither writes the session nor extends its lifetime.
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
    /// The session cookies of the request.
    pub(crate) incoming: Incoming,
    pub(crate) key: KeyState,
    storage_keys: StorageKeys,
    /// The browser's knowledge of the session's saves.
    pub(crate) known: Knowledge,
    /// The base of the next save, if it is known.
    pub(crate) stored: Option<Stored>,
    pub(super) state: LoadState,
    pub(super) flags: Flags,
    /// The state of a flush.
    pub(crate) flush: FlushState,
    /// Queued events, each with the digest of its session key.
    pub(super) events: Vec<(EventKind, Option<KeyDigest>)>,
    /// The keys of the last read, if records are sealed.
    pub(crate) last_read: Vec<StorageKey>,
    /// The change of the list of a user's sessions that follows the next save.
    pub(crate) listing: Listing,
    pub(super) flashed: Vec<Flashed>,
}

/// Django's two flags, and two internal ones.
#[derive(Clone, Copy, Debug, Default)]
#[allow(clippy::struct_excessive_bools, reason = "the flags are independent")]
pub(super) struct Flags {
    /// Django's `accessed`.
    pub(super) accessed: bool,
    /// Django's `modified`.
    pub(super) modified: bool,
    /// Whether the data or the key differ from the store.
    pub(super) differs_from_stored: bool,
    /// Whether the browser's token is older than the stored record.
    pub(super) token_is_outdated: bool,
}

/// The base of a save.
#[derive(Clone, Debug)]
pub(crate) struct Stored {
    pub(crate) head: RecordHeader,
    /// Whether the stored record contains every save that this browser knows of, before journal repair.
    pub(crate) complete: bool,
    /// The length of the record in the store, in bytes, if it was loaded from there.
    pub(crate) length: Option<usize>,
    /// The save of another branch that is merged into it in memory. No stored record contains both yet.
    pub(crate) merged: Option<Tag>,
    /// Whether it was loaded from the store that was used before.
    pub(crate) is_old: bool,
}

impl Stored {
    pub(crate) const fn new(head: RecordHeader) -> Self {
        Self { head, complete: true, length: None, merged: None, is_old: false }
    }

    /// Returns whether these bytes of the store are the loaded record, by its length, its end and its tag.
    pub(crate) fn is_record(&self, bytes: &[u8]) -> bool {
        let is_last_save = |(end, tag)| end == self.head.end() && self.head.tags.first() == Some(&tag);
        self.length == Some(bytes.len()) && record::last_save(bytes).is_some_and(is_last_save)
    }
}

/// The state of a flush.
#[derive(Debug, Default)]
pub(crate) enum FlushState {
    #[default]
    NotRequested,
    /// The identities that a running or failed flush still has to revoke.
    Pending(Vec<Identity>),
    /// All identities are revoked. The response deletes the cookies.
    Done,
}

impl Session {
    /// Returns the session key: Django's `session_key`. The first access discards an unknown key.
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

    /// Returns whether the data were read or written: Django's `accessed`.
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

    /// Returns whether the data were written: Django's `modified`. A save does not reset it.
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

    /// Sets the flag of [`modified`](Self::modified): a commit saves the session if it is true.
    ///
    /// ```
    /// # let settings = edge_session::Settings::builder(["a secret of at least thirty-two bytes"]).build()?;
    /// # let mut session = edge_session::Sessions::new(edge_session::MemoryStore::default(), settings).new_session()?;
    /// session.set("visits", 1)?;
    /// session.set_modified(false); // the commit will not save it
    /// assert!(!session.modified());
    /// # Ok::<(), edge_session::Error>(())
    /// ```
    pub const fn set_modified(&mut self, modified: bool) {
        self.flags.modified = modified;
        // False prevents a commit from saving, but the next save still stores the changes.
        self.flags.differs_from_stored |= modified; // mutation: modified-set
    }

    /// Returns the outcome of loading. Does not count as access.
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

    /// Returns whether the session has no stored record.
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
    /// `StoreUnavailable` if the store did not answer.
    pub fn is_new(&mut self) -> Result<bool> {
        self.read()?;
        Ok(!matches!(self.key, KeyState::Stored(_)))
    }

    /// Returns the present time of this session, which [`Sessions`](crate::Sessions) sets when it loads and saves.
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

    /// Sets the [present time](Self::now), for a session that outlives its request.
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

    /// Returns the absolute deadline from the session's token or record; `None` for a session without a key.
    #[must_use]
    pub fn absolute_deadline(&self) -> Option<DateTime<Utc>> {
        self.key.identity()?.absolute.date()
    }

    /// Returns the time of issue of the browser's cookie, or of the cookie in this response.
    #[must_use]
    pub fn cookie_issued(&self) -> Option<DateTime<Utc>> {
        DateTime::from_timestamp_micros(self.known.position?.issued)
    }

    /// Returns the name of the session's cookie.
    #[must_use]
    pub fn cookie_name(&self) -> &str {
        self.settings.name_of(self.key.identity().map_or(CookieSlot::Anonymous, CookieSlot::of))
    }

    /// Returns whether the request contains a session cookie, valid or not.
    #[must_use]
    pub const fn brought_cookie(&self) -> bool {
        self.incoming.is_presented()
    }

    /// Returns whether the request contains a cookie with a valid signature, even if its session is revoked or expired.
    #[must_use]
    pub fn brought_token(&self) -> bool {
        self.incoming.identities().next().is_some()
    }

    /// Records a reading of the clock for the running operation, before its next reply. The [present time](Self::now) does not
    /// change.
    pub const fn tick(&mut self, now: DateTime<Utc>) {
        self.clock.tick(now);
    }

    /// Returns the settings of the session.
    #[must_use]
    pub const fn settings(&self) -> &Arc<Settings> {
        &self.settings
    }

    /// Sets a test value, which a later request finds if the browser accepts cookies: Django's `set_test_cookie`.
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
    /// `StoreUnavailable` if the store did not answer.
    pub fn set_test_cookie(&mut self) -> Result<()> {
        self.set_text(TEST_COOKIE.0, TEST_COOKIE.1)
    }

    /// Returns whether the test value is present: Django's `test_cookie_worked`.
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
    /// `StoreUnavailable` if the store did not answer.
    pub fn test_cookie_worked(&mut self) -> Result<bool> {
        // mutation: test-cookie-read
        Ok(self.read()?.get(TEST_COOKIE.0) == Some(TEST_COOKIE.1))
    }

    /// Removes the test value: Django's `delete_test_cookie`.
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
    /// `MissingKey` if it is absent, `StoreUnavailable` if the store did not answer.
    pub fn delete_test_cookie(&mut self) -> Result<()> {
        // mutation: test-cookie-removed
        self.remove(TEST_COOKIE.0)
    }

    /// Encodes `items` in the format of Django's own engines, signed with the first secret: Django's `encode`.
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
    /// `Value`, with the path, if JSON cannot represent a value exactly.
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

    /// Decodes data that Django stored with one of the same secrets: Django's `decode`. An invalid signature yields no items, and
    /// the event [`BadSignature`](crate::EventKind::BadSignature) with the session's next operation.
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
    /// Creates a session without a key, with the cookies of a request.
    pub(crate) fn begin(settings: Arc<Settings>, now: DateTime<Utc>, seed: [u8; 32], incoming: Incoming) -> Self {
        Self {
            settings,
            random: Random::new(seed),
            clock: RequestClock::new(now),
            incoming,
            key: KeyState::None,
            storage_keys: StorageKeys::default(),
            known: Knowledge::default(),
            stored: None,
            state: LoadState::Pending(FetchOutcome::Nothing(LoadReason::New)),
            flags: Flags::default(),
            flush: FlushState::NotRequested,
            events: Vec::new(),
            last_read: Vec::new(),
            listing: Listing::default(),
            flashed: Vec::new(),
        }
    }

    /// Returns the storage key of the record of an identity.
    pub(crate) fn record_key(&self, identity: &Identity) -> StorageKey {
        if self.settings.is_linearizable() {
            return StorageKey::of_family(&self.settings.key_prefix, identity.key.family(), identity.rotations);
        }
        self.storage_keys.record(&self.settings.key_prefix, identity)
    }

    /// Returns the storage key of the record of an identity on an eventually consistent store.
    pub(crate) fn old_record_key(&self, identity: &Identity) -> StorageKey {
        self.storage_keys.record(&self.settings.key_prefix, identity)
    }

    /// Returns the storage key of the tombstone that revokes an identity.
    pub(crate) fn tombstone_key(&self, identity: &Identity) -> StorageKey {
        self.storage_keys.tombstone(&self.settings.key_prefix, identity)
    }

    /// Adopts the identity and the position of one of the request's tokens, before the record is read.
    pub(crate) fn adopt(&mut self, place: usize) {
        let Some(SessionToken { identity, position, .. }) = self.incoming.tokens.get(place) else { return };
        self.key = KeyState::Stored(identity.clone());
        self.known = Knowledge { position: Some(*position), token: Some(place), journal: None, record: None };
        self.stored = None;
    }

    /// Stores the outcome of the load. The first access evaluates it.
    pub(crate) fn set_loaded(&mut self, fetched: FetchOutcome) {
        if let (FetchOutcome::Record(..), KeyState::Stored(identity)) = (&fetched, &mut self.key)
            && let Some(Stored { head, .. }) = &self.stored
        {
            identity.absolute = identity.absolute.min(head.absolute); // mutation: deadline-of-record
            identity.rotations = head.rotations;
        }
        self.state = LoadState::Pending(fetched);
        let reason = self.load_reason();
        if !matches!(reason, LoadReason::New | LoadReason::Live) {
            self.report(EventKind::Load(reason));
        }
    }

    /// Queues an event, which [`next_event`](Self::next_event) returns.
    pub fn report(&mut self, kind: EventKind) {
        let pending = match &self.flush {
            FlushState::Pending(identities) => identities.first(),
            FlushState::NotRequested | FlushState::Done => None,
        };
        let identity = self.key.identity().or(pending).or_else(|| self.incoming.identities().next());
        let key = identity.map(|identity| identity.key.digest());
        self.events.push((kind, key));
    }

    /// Removes and returns the oldest queued event.
    pub fn next_event(&mut self) -> Option<Event> {
        if self.events.is_empty() {
            return None;
        }
        let (kind, key) = self.events.remove(0);
        Some(Event::new(kind, key, &self.settings.secrets))
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

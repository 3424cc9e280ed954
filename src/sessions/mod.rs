//! The Rust API: sessions of a request, and outside of one.

mod users;

use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use core::cell::RefCell;
use core::fmt;

use chrono::{DateTime, Utc};

use crate::driver::drive;
#[cfg(doc)]
use crate::error::ErrorKind;
use crate::error::Result;
use crate::isolate::IsolateMemory;
use crate::platform;
use crate::protocol::headers::SessionHeaders;
use crate::protocol::save::SaveOutcome;
use crate::protocol::sweep::{ClearExpired, MARGIN, MAX_OPERATIONS, SweepOutcome};
use crate::protocol::{Commit, Delete, Flush, Load, Reply, Save, Step, Sweep};
use crate::protocol::{session_from_cookie_header, session_of_key};
use crate::session::event::Event;
use crate::session::session::Session;
use crate::session::storage_key::StorageKey;
use crate::settings::Settings;
use crate::store::Store;

/// Callback invoked for every session event.
type Hook = Box<dyn Fn(&Event)>;

/// Loads and commits sessions of one store under one set of settings.
///
/// ```
/// use edge_session::{MemoryStore, Sessions, Settings};
///
/// # pollster::block_on(async {
/// let settings = Settings::builder(["a secret of at least thirty-two bytes"]).build()?;
/// let sessions = Sessions::new(MemoryStore::default(), settings);
///
/// // A first request, without a cookie.
/// let mut session = sessions.load("").await?;
/// session.set("visits", 1)?;
/// let headers = sessions.commit_headers(&mut session, 200).await?;
///
/// // The browser sends it back.
/// let cookie = headers.set_cookie().unwrap().split(';').next().unwrap();
/// let mut session = sessions.load(cookie).await?;
/// assert_eq!(session.get("visits")?, Some(1));
/// # Ok::<(), edge_session::Error>(()) }).unwrap();
/// ```
pub struct Sessions<S> {
    store: S,
    memory: IsolateMemory,
    settings: Arc<Settings>,
    clock: Box<dyn Fn() -> DateTime<Utc>>,
    entropy: Box<dyn Fn() -> Result<[u8; 32]>>,
    events: Option<Hook>,
    /// The cursor at which the next `clear_expired` begins.
    sweep_cursor: RefCell<Option<String>>,
}

impl<S: Store> Sessions<S> {
    /// Creates sessions in `store`, with the platform's clock and random source.
    pub fn new(store: S, settings: Settings) -> Self {
        let (clock, entropy) = (Box::new(platform::now), Box::new(platform::entropy));
        let (memory, sweep_cursor) = (store.memory(), RefCell::default());
        let settings = Arc::new(settings.with_consistency(store.consistency()));
        Self { store, memory, settings, clock, entropy, events: None, sweep_cursor }
    }

    /// Replaces the clock, for tests.
    ///
    /// ```
    /// # let settings = edge_session::Settings::builder(["a secret of at least thirty-two bytes"]).build()?;
    /// # let sessions = edge_session::Sessions::new(edge_session::MemoryStore::default(), settings);
    /// let new_year = chrono::DateTime::from_timestamp(1_893_456_000, 0).unwrap();
    /// let sessions = sessions.with_clock(move || new_year);
    /// assert_eq!(sessions.new_session()?.now(), new_year);
    /// # Ok::<(), edge_session::Error>(())
    /// ```
    #[must_use]
    pub fn with_clock(mut self, clock: impl Fn() -> DateTime<Utc> + 'static) -> Self {
        self.clock = Box::new(clock);
        self
    }

    /// Replaces the random source, for reproducible tests. It returns 32 bytes for each session, which must be unpredictable in
    /// production.
    ///
    /// ```
    /// # let settings = edge_session::Settings::builder(["a secret of at least thirty-two bytes"]).build()?;
    /// # let sessions = edge_session::Sessions::new(edge_session::MemoryStore::default(), settings);
    /// let sessions = sessions.with_entropy(|| Ok([7; 32]));
    /// let (mut one, mut other) = (sessions.new_session()?, sessions.new_session()?);
    /// one.create();
    /// other.create();
    /// assert_eq!(one.session_key(), other.session_key());
    /// # Ok::<(), edge_session::Error>(())
    /// ```
    #[must_use]
    pub fn with_entropy(mut self, entropy: impl Fn() -> Result<[u8; 32]> + 'static) -> Self {
        self.entropy = Box::new(entropy);
        self
    }

    /// Sets the callback that is invoked for every session event, for logs and counters: each load with an outcome other than
    /// `New` and `Live`, and each creation, login, logout, refusal and failure. No event holds a key, a token or data.
    ///
    /// ```
    /// # let settings = edge_session::Settings::builder(["a secret of at least thirty-two bytes"]).build()?;
    /// # let sessions = edge_session::Sessions::new(edge_session::MemoryStore::default(), settings);
    /// # pollster::block_on(async {
    /// let sessions = sessions.with_events(|event| println!("{} {}", event.session, event.kind.as_str()));
    /// let _ = sessions.load("__Host-sessionid=forged").await?; // prints " malformed"
    /// # Ok::<(), edge_session::Error>(()) })?;
    /// # Ok::<(), edge_session::Error>(())
    /// ```
    #[must_use]
    pub fn with_events(mut self, hook: impl Fn(&Event) + 'static) -> Self {
        self.events = Some(Box::new(hook));
        self
    }

    /// Returns the settings.
    ///
    /// ```
    /// # let settings = edge_session::Settings::builder(["a secret of at least thirty-two bytes"]).build()?;
    /// # let sessions = edge_session::Sessions::new(edge_session::MemoryStore::default(), settings);
    /// assert_eq!(sessions.settings().cookie_age(), 1_209_600);
    /// # Ok::<(), edge_session::Error>(())
    /// ```
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Loads the session of a request. `cookie_header` is the value of its `Cookie` header, empty if it has none.
    ///
    /// A request without a verifiable session cookie costs no read. The outcome of the read, even an error, takes effect at the
    /// first access to the session.
    ///
    /// Call it once per request and pass the session on: each call returns a session of its own. For a visitor without a session,
    /// two calls can store two sessions, and the browser keeps the cookie of the last one.
    ///
    /// ```
    /// # let settings = edge_session::Settings::builder(["a secret of at least thirty-two bytes"]).build()?;
    /// # let sessions = edge_session::Sessions::new(edge_session::MemoryStore::default(), settings);
    /// # pollster::block_on(async {
    /// let mut session = sessions.load("theme=dark; __Host-sessionid=forged").await?;
    /// assert!(session.is_new()?);
    /// # Ok::<(), edge_session::Error>(()) })?;
    /// # Ok::<(), edge_session::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Entropy`] if the platform returns no random bytes. No cookie is ever an error.
    pub async fn load(&self, cookie_header: impl AsRef<[u8]>) -> Result<Session> {
        let settings = Arc::clone(&self.settings);
        let session = session_from_cookie_header(settings, (self.clock)(), (self.entropy)()?, cookie_header.as_ref());
        Ok(self.read(session).await)
    }

    /// Returns the response headers of `session`, after saving it when Django's middleware would: if it was changed and the
    /// status is below 500.
    ///
    /// ```
    /// # let settings = edge_session::Settings::builder(["a secret of at least thirty-two bytes"]).build()?;
    /// # let sessions = edge_session::Sessions::new(edge_session::MemoryStore::default(), settings);
    /// # pollster::block_on(async {
    /// let mut session = sessions.load("").await?;
    /// session.set("cart", ["apple"])?;
    /// let headers = sessions.commit_headers(&mut session, 200).await?;
    /// assert!(headers.set_cookie().is_some());
    /// # Ok::<(), edge_session::Error>(()) })?;
    /// # Ok::<(), edge_session::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`ErrorKind::SessionInterrupted`] if the stored session has ended (Django answers 400), [`ErrorKind::Stale`] and
    /// [`ErrorKind::Superseded`] (409), [`ErrorKind::TooLarge`] (413), [`ErrorKind::StoreUnavailable`] (503). Answer with
    /// [`SessionHeaders::for_failure`] then. [`ErrorKind::Usage`] for a session from [`open`](Self::open).
    pub async fn commit_headers(&self, session: &mut Session, status: u16) -> Result<SessionHeaders> {
        let mut commit = Commit::new(status);
        self.drive(session, |session, reply| commit.step(session, &self.memory, reply)).await
    }

    /// Django's `save`: writes the session now, even if it is unchanged. A commit still has to send the cookie.
    ///
    /// It also stores a session from [`open`](Self::open), outside of a request. Such a save is merged with those of the same
    /// isolate. On Workers KV, a request at another location to which it is not visible yet can overwrite it: the event
    /// [`Diverged`](crate::EventKind::Diverged) reports that only if this isolate loads the session again within 130 seconds. On
    /// a store with linearizable reads only a concurrent save can.
    ///
    /// ```
    /// # let settings = edge_session::Settings::builder(["a secret of at least thirty-two bytes"]).build()?;
    /// # let sessions = edge_session::Sessions::new(edge_session::MemoryStore::default(), settings);
    /// # pollster::block_on(async {
    /// let mut session = sessions.new_session()?;
    /// session.set("cart", ["apple"])?;
    /// let _ = sessions.save(&mut session).await?;
    /// assert!(sessions.exists(session.session_key().unwrap().as_str()).await?);
    /// # Ok::<(), edge_session::Error>(()) })?;
    /// # Ok::<(), edge_session::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`commit_headers`](Self::commit_headers).
    pub async fn save(&self, session: &mut Session) -> Result<SaveOutcome> {
        let mut save = Save::default();
        self.drive(session, |session, reply| save.step(session, &self.memory, reply)).await
    }

    /// Django's `flush`, for a logout: revokes the key and deletes the data now. A commit then deletes the cookie.
    ///
    /// ```
    /// # let settings = edge_session::Settings::builder(["a secret of at least thirty-two bytes"]).build()?;
    /// # let sessions = edge_session::Sessions::new(edge_session::MemoryStore::default(), settings);
    /// # pollster::block_on(async {
    /// let mut session = sessions.load("").await?;
    /// session.set("user", "alice")?;
    /// sessions.flush(&mut session).await?;
    /// assert!(session.is_empty());
    /// # Ok::<(), edge_session::Error>(()) })?;
    /// # Ok::<(), edge_session::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`ErrorKind::StoreUnavailable`] if a tombstone could not be put. A commit then replaces the cookie by a token that opens
    /// no session, and the browser's later requests complete the logout before anything else.
    pub async fn flush(&self, session: &mut Session) -> Result<()> {
        let mut flush = Flush::default();
        self.drive(session, |session, reply| flush.step(session, &self.memory, reply)).await
    }

    /// Django's `SessionStore()`: creates a session without a key, outside of a request.
    ///
    /// ```
    /// # let settings = edge_session::Settings::builder(["a secret of at least thirty-two bytes"]).build()?;
    /// # let sessions = edge_session::Sessions::new(edge_session::MemoryStore::default(), settings);
    /// let session = sessions.new_session()?;
    /// assert!(session.is_empty());
    /// # Ok::<(), edge_session::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Entropy`] if the platform returns no random bytes.
    pub fn new_session(&self) -> Result<Session> {
        Ok(session_of_key(Arc::clone(&self.settings), (self.clock)(), (self.entropy)()?, None))
    }

    /// Django's `SessionStore(key)` and `load`: loads the session stored under `key`, outside of a request.
    ///
    /// A malformed key yields a new session. An unknown key is discarded on first access. Store changes with
    /// [`save`](Self::save): a commit fails with [`ErrorKind::Usage`], since its cookie would give another visitor's session
    /// away. On KV, a request to which a save is not visible yet can overwrite it, see [`save`](Self::save).
    ///
    /// ```
    /// # let settings = edge_session::Settings::builder(["a secret of at least thirty-two bytes"]).build()?;
    /// # let sessions = edge_session::Sessions::new(edge_session::MemoryStore::default(), settings);
    /// # pollster::block_on(async {
    /// let mut session = sessions.open("0123456789abcdefghijklmnopqrstuv").await?;
    /// assert!(session.is_new()?);
    /// # Ok::<(), edge_session::Error>(()) })?;
    /// # Ok::<(), edge_session::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Entropy`] if the platform returns no random bytes.
    pub async fn open(&self, key: &str) -> Result<Session> {
        Ok(self.read(self.session_under(key)?).await)
    }

    /// Django's `exists`: returns whether a live session is stored under `key`.
    ///
    /// ```
    /// # let settings = edge_session::Settings::builder(["a secret of at least thirty-two bytes"]).build()?;
    /// # let sessions = edge_session::Sessions::new(edge_session::MemoryStore::default(), settings);
    /// # pollster::block_on(async {
    /// assert!(!sessions.exists("0123456789abcdefghijklmnopqrstuv").await?);
    /// # Ok::<(), edge_session::Error>(()) })?;
    /// # Ok::<(), edge_session::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`ErrorKind::StoreUnavailable`] if the store failed.
    pub async fn exists(&self, key: &str) -> Result<bool> {
        Ok(!self.open(key).await?.is_new()?)
    }

    /// Django's `delete`: revokes the session of `key`, with the keys of later rotations, and deletes its record. It is not an
    /// error if the session does not exist.
    ///
    /// ```
    /// # let settings = edge_session::Settings::builder(["a secret of at least thirty-two bytes"]).build()?;
    /// # let sessions = edge_session::Sessions::new(edge_session::MemoryStore::default(), settings);
    /// # pollster::block_on(async {
    /// sessions.delete("0123456789abcdefghijklmnopqrstuv").await?;
    /// # Ok::<(), edge_session::Error>(()) })?;
    /// # Ok::<(), edge_session::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`ErrorKind::StoreUnavailable`] if the store failed.
    pub async fn delete(&self, key: &str) -> Result<()> {
        let mut session = self.session_under(key)?;
        let mut delete = Delete::default();
        self.drive(&mut session, |session, reply| delete.step(session, &self.memory, reply)).await
    }

    /// Django's `clear_expired`: deletes the records whose deadline passed more than two minutes ago, with at most 1000 store
    /// operations, a Worker's limit per invocation. The next run of these `Sessions` continues where this one ended.
    ///
    /// If the store expires records itself, as Workers KV does, it lists nothing and costs nothing. If the store has an index of
    /// the deadlines, as `D1` does, a run is one operation, which deletes at most 1000 records.
    ///
    /// ```
    /// # let settings = edge_session::Settings::builder(["a secret of at least thirty-two bytes"]).build()?;
    /// # let sessions = edge_session::Sessions::new(edge_session::MemoryStore::default(), settings);
    /// # pollster::block_on(async {
    /// let swept = sessions.clear_expired().await?;
    /// assert!(swept.complete);
    /// # Ok::<(), edge_session::Error>(()) })?;
    /// # Ok::<(), edge_session::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`ErrorKind::StoreUnavailable`] if the store failed.
    pub async fn clear_expired(&self) -> Result<SweepOutcome> {
        self.clear_expired_with(ClearExpired::default()).await
    }

    /// [`clear_expired`](Self::clear_expired) with options.
    ///
    /// ```
    /// use edge_session::ClearExpired;
    ///
    /// # let settings = edge_session::Settings::builder(["a secret of at least thirty-two bytes"]).build()?;
    /// # let sessions = edge_session::Sessions::new(edge_session::MemoryStore::default(), settings);
    /// # pollster::block_on(async {
    /// let swept = sessions.clear_expired_with(ClearExpired { full_pass: true }).await?;
    /// assert!(swept.complete);
    /// # Ok::<(), edge_session::Error>(()) })?;
    /// # Ok::<(), edge_session::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`clear_expired`](Self::clear_expired).
    pub async fn clear_expired_with(&self, options: ClearExpired) -> Result<SweepOutcome> {
        if self.store.expires_records() && !options.full_pass {
            return Ok(SweepOutcome::NOTHING);
        }
        let before = (self.clock)().timestamp_micros().saturating_sub(MARGIN.saturating_mul(1_000_000));
        let prefix = StorageKey::begins(&self.settings.key_prefix);
        if let Some(removed) = self.store.delete_expired(&prefix, before, MAX_OPERATIONS).await? {
            return Ok(SweepOutcome { removed, complete: removed < MAX_OPERATIONS });
        }
        let cursor = self.sweep_cursor.borrow().clone();
        let mut sweep = Sweep::new(&self.settings, (self.clock)(), cursor);
        let swept = drive(&self.store, |reply| sweep.step(reply)).await;
        self.sweep_cursor.replace(sweep.cursor());
        swept
    }

    /// Returns the session under a key, not loaded yet.
    fn session_under(&self, key: &str) -> Result<Session> {
        Ok(session_of_key(Arc::clone(&self.settings), (self.clock)(), (self.entropy)()?, Some(key)))
    }

    /// Reads a session's record.
    async fn read(&self, mut session: Session) -> Session {
        let mut load = Load::default();
        let end = drive(&self.store, |reply| {
            session.tick((self.clock)());
            load.step(&mut session, &self.memory, reply)
        });
        end.await;
        self.report_events(&mut session);
        session
    }

    /// Passes the session's events to the callback.
    fn report_events(&self, session: &mut Session) {
        while let Some(event) = session.next_event() {
            if let Some(hook) = &self.events {
                hook(&event);
            }
        }
    }

    /// Runs an operation on a session.
    async fn drive<T>(&self, session: &mut Session, mut step: impl FnMut(&mut Session, Reply) -> Step<T>) -> T {
        session.set_now((self.clock)());
        let end = drive(&self.store, |reply| {
            session.tick((self.clock)());
            step(session, reply)
        });
        let end = end.await;
        self.report_events(session);
        end
    }
}

impl<S> fmt::Debug for Sessions<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sessions").field("settings", &self.settings).finish_non_exhaustive()
    }
}

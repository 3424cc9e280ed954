//! A small site for the tests: sessions on a store that records its operations and can fail, a clock that is set by hand, and
//! browsers that keep cookies.

#[cfg(not(target_arch = "wasm32"))]
pub mod isolate;
#[cfg(not(target_arch = "wasm32"))]
pub mod user_agent;
#[cfg(not(target_arch = "wasm32"))]
pub mod visit;

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use chrono::{DateTime, TimeDelta, Utc};
use edge_session::settings::SettingsBuilder;
use edge_session::store::{Consistency, Op, Page, StorageKey, WriteOutcome};
use edge_session::{Error, MemoryStore, Result, Session, SessionHeaders, Sessions, Settings, Store};

pub const SECRET: &str = "a secret of at least thirty-two bytes";
/// The cookie names of the default settings: after the first `cycle_key`, and before.
pub const COOKIE_NAMES: [&str; 2] = [ROTATED, ANONYMOUS];
pub const ROTATED: &str = "__Host-sessionid";
pub const ANONYMOUS: &str = "__Host-sessionid-anonymous";

pub const OLD_SECRET: &str = "an older secret, of thirty-two bytes too";

/// Runs a future that never waits: the memory store is always ready, natively and in a browser.
pub fn run<T>(future: impl Future<Output = T>) -> T {
    pollster::block_on(future)
}

pub fn defaults() -> SettingsBuilder {
    Settings::builder([SECRET])
}

/// The operations that fail.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Failing {
    Nothing,
    Reads,
    /// Puts of records and of tombstones.
    Puts,
    Deletes,
    Everything,
}

pub type Meanwhile = Box<dyn FnOnce()>;

/// The effect of a planned fault on its operation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum PlannedFault {
    Fail,
    /// The operation is applied and returns an error.
    ApplyButFail,
    /// The operation succeeds, so that the next planned fault concerns a later one.
    Pass,
}

/// A memory store that records its operations and has planned failures.
///
/// Operations are called `read`, `list`, `put` and `delete` (of a record), `put cycled` and `put ended` (the tombstone of a
/// rotation, and that of an end), `put entry` and `delete entry` (of a user's list).
#[derive(Clone)]
pub struct RecordingStore {
    pub memory: MemoryStore,
    pub log: Rc<RefCell<Vec<String>>>,
    /// The kinds of keys of each read.
    pub reads: Rc<RefCell<Vec<Vec<String>>>>,
    /// The kind of key and the TTL of each put, in seconds.
    pub ttls: Rc<RefCell<Vec<(String, u64)>>>,
    /// The milliseconds of each wait.
    pub waits: Rc<RefCell<Vec<u64>>>,
    pub failing: Rc<Cell<Failing>>,
    pub now: Rc<Cell<DateTime<Utc>>>,
    planned: Rc<RefCell<Vec<(&'static str, PlannedFault)>>>,
    meanwhile: Rc<RefCell<Option<Meanwhile>>>,
    /// The number of puts of records that are applied and reported as a conflict: the store has tried them again.
    pub conflicts: Rc<Cell<u32>>,
    /// Whether failures are those of a store that is overloaded.
    pub overloaded: Rc<Cell<bool>>,
    /// Run before the next operation of these names.
    before: Rc<RefCell<Vec<(&'static str, Meanwhile)>>>,
}

impl RecordingStore {
    fn new(memory: MemoryStore, now: Rc<Cell<DateTime<Utc>>>) -> Self {
        Self {
            memory,
            log: Rc::default(),
            reads: Rc::default(),
            ttls: Rc::default(),
            waits: Rc::default(),
            failing: Rc::new(Cell::new(Failing::Nothing)),
            now,
            planned: Rc::default(),
            meanwhile: Rc::default(),
            before: Rc::default(),
            conflicts: Rc::default(),
            overloaded: Rc::default(),
        }
    }

    /// The functions that run before operations.
    pub fn before_all(&self) -> &RefCell<Vec<(&'static str, Meanwhile)>> {
        &self.before
    }

    /// Records an operation. Returns whether to apply it, and its result.
    fn note(&self, what: &str) -> (bool, Result<()>) {
        let first = self.before.borrow().iter().position(|(operation, _)| *operation == what);
        let before = first.map(|at| self.before.borrow_mut().remove(at).1);
        if let Some(before) = before {
            before();
        }
        self.log.borrow_mut().push(what.to_owned());
        let mut planned = self.planned.borrow_mut();
        let fault = planned.iter().position(|(operation, _)| *operation == what).map(|at| planned.remove(at).1);
        let failing = match self.failing.get() {
            Failing::Nothing => false,
            Failing::Reads => what.starts_with("read"),
            Failing::Puts => what.starts_with("put"),
            Failing::Deletes => what == "delete",
            Failing::Everything => true,
        };
        let failed = || {
            let error = Error::unavailable("planned failure");
            Err(if self.overloaded.get() { error.overloaded() } else { error })
        };
        match fault {
            Some(PlannedFault::ApplyButFail) => (true, failed()),
            Some(PlannedFault::Fail) => (false, failed()),
            Some(PlannedFault::Pass) => (true, Ok(())),
            None if failing => (false, failed()),
            None => (true, Ok(())),
        }
    }
}

/// The kind of entry of a storage key: `session` or `ended`.
pub fn kind(key: &StorageKey) -> &str {
    key.as_str().split(':').nth(1).unwrap()
}

/// The storage key of the record under a session key, with the default prefix.
pub fn record_key(session_key: &str) -> StorageKey {
    let hash = edge_session_crypto::sha256(&[b"edge-session record v1", session_key.as_bytes()]);
    let digest = edge_session_crypto::to_base64(&hash[..24]);
    StorageKey::listed(["edge-session:session:", &digest].concat())
}

impl Store for RecordingStore {
    fn consistency(&self) -> Consistency {
        self.memory.consistency()
    }

    async fn read(&self, keys: &[StorageKey]) -> Result<Vec<Option<Vec<u8>>>> {
        self.reads.borrow_mut().push(keys.iter().map(|key| kind(key).to_owned()).collect());
        self.note("read").1?;
        self.memory.read(keys).await
    }

    async fn write(&self, ops: Vec<Op>) -> Result<WriteOutcome> {
        let mut written = WriteOutcome::All;
        for op in ops {
            let operation = match &op {
                Op::Put { key, ttl, value, .. } => {
                    self.ttls.borrow_mut().push((kind(key).to_owned(), *ttl));
                    match kind(key) {
                        "session" => "put",
                        "user" => "put entry",
                        _ if value.starts_with(b"{\"edge-session\":1,\"cycled\":") => "put cycled",
                        _ => "put ended",
                    }
                }
                Op::Delete { key } if kind(key) == "user" => "delete entry",
                Op::Delete { .. } => "delete",
            };
            let (carried_out, answer) = self.note(operation);
            if carried_out {
                written = self.memory.write(vec![op]).await?;
            }
            answer?;
            if self.conflicts.get() > 0 && operation == "put" {
                self.conflicts.set(self.conflicts.get() - 1);
                written = WriteOutcome::Conflict;
            }
            if written == WriteOutcome::Conflict {
                return Ok(written);
            }
        }
        Ok(written)
    }

    async fn wait(&self, milliseconds: u64) {
        self.waits.borrow_mut().push(milliseconds);
        self.now.set(self.now.get() + TimeDelta::milliseconds(milliseconds.try_into().unwrap()));
        let meanwhile = self.meanwhile.borrow_mut().take();
        if let Some(meanwhile) = meanwhile {
            meanwhile();
        }
    }

    async fn list(&self, prefix: &str, cursor: Option<&str>) -> Result<Page> {
        self.note("list").1?;
        self.memory.list(prefix, cursor).await
    }
}

/// The kind of an emitted event, and the pseudonym of its session.
pub type EmittedEvent = (String, String);

pub struct Site {
    pub sessions: Sessions<RecordingStore>,
    pub store: RecordingStore,
    pub now: Rc<Cell<DateTime<Utc>>>,
    events: Rc<RefCell<Vec<EmittedEvent>>>,
}

/// 1 January 2030 and 250 microseconds.
pub fn start() -> DateTime<Utc> {
    DateTime::from_timestamp_micros(1_893_456_000_000_250).unwrap()
}

pub fn site() -> Site {
    site_with(defaults())
}

pub fn site_with(settings: SettingsBuilder) -> Site {
    site_on(RecordingStore::new(MemoryStore::eventual(), Rc::new(Cell::new(start()))), settings)
}

/// A site on a linearizable store.
pub fn linearizable(settings: SettingsBuilder) -> Site {
    site_on(RecordingStore::new(MemoryStore::default(), Rc::new(Cell::new(start()))), settings)
}

/// A site on an existing store, as after a restart or for a second deployment.
pub fn site_on(store: RecordingStore, settings: SettingsBuilder) -> Site {
    let now = Rc::clone(&store.now);
    let clock = Rc::clone(&now);
    let events = Rc::<RefCell<Vec<EmittedEvent>>>::default();
    let hook = Rc::clone(&events);
    let sessions = Sessions::new(store.clone(), settings.build().unwrap())
        .with_clock(move || clock.get())
        .with_events(move |event| hook.borrow_mut().push((event.kind.as_str().to_owned(), event.session.clone())));
    Site { sessions, store, now, events }
}

impl Site {
    pub fn advance(&self, seconds: i64) {
        self.now.set(self.now.get() + TimeDelta::seconds(seconds));
    }

    /// The operations since the last call.
    pub fn operations(&self) -> Vec<String> {
        self.store.log.take()
    }

    pub fn fail(&self, what: Failing) {
        self.store.failing.set(what);
    }

    /// Fails the next operation of each of these names.
    pub fn refuse<const N: usize>(&self, operations: [&'static str; N]) {
        self.store.planned.borrow_mut().extend(operations.map(|operation| (operation, PlannedFault::Fail)));
    }

    /// Lets the next operation of this name succeed, so that the next planned fault concerns a later one.
    pub fn allow(&self, operation: &'static str) {
        self.store.planned.borrow_mut().push((operation, PlannedFault::Pass));
    }

    /// Applies the next operation of this name and returns an error from it.
    pub fn apply_but_fail(&self, operation: &'static str) {
        self.store.planned.borrow_mut().push((operation, PlannedFault::ApplyButFail));
    }

    /// Runs a function during the next wait.
    pub fn during_next_wait(&self, what: impl FnOnce() + 'static) {
        *self.store.meanwhile.borrow_mut() = Some(Box::new(what));
    }

    /// Runs a function before the next operation of this name.
    pub fn before(&self, operation: &'static str, what: impl FnOnce() + 'static) {
        self.store.before.borrow_mut().push((operation, Box::new(what)));
    }

    /// The kinds of the events since the last call.
    pub fn event_kinds(&self) -> Vec<String> {
        self.events.take().into_iter().map(|(word, _)| word).collect()
    }

    /// The events since the last call.
    pub fn events(&self) -> Vec<EmittedEvent> {
        self.events.take()
    }

    /// Another isolate on the same store, without a memory of this one's saves and revocations.
    pub fn another_isolate(&self) -> Site {
        site_on(self.store.clone(), defaults())
    }

    /// Another location with the same clock. It shows the current state until it [catches up](Self::catch_up).
    pub fn elsewhere(&self, settings: SettingsBuilder) -> Site {
        let other = site_on(RecordingStore::new(MemoryStore::eventual(), Rc::clone(&self.now)), settings);
        other.catch_up(self);
        other
    }

    /// Copies the state of another location.
    pub fn catch_up(&self, other: &Site) {
        for (key, _) in self.store.memory.entries() {
            run(self.store.memory.write(vec![Op::Delete { key }])).unwrap();
        }
        for (key, value) in other.store.memory.entries() {
            self.store.memory.put(key, value);
        }
    }

    /// The numbers of stored records and tombstones.
    pub fn stored(&self) -> (usize, usize) {
        let entries = self.store.memory.entries();
        let count = |of: &str| entries.iter().filter(|(key, _)| kind(key) == of).count();
        (count("session"), count("ended"))
    }

    /// The only stored record, as JSON.
    #[track_caller]
    pub fn record(&self) -> serde_json::Value {
        let entries = self.store.memory.entries();
        let mut records = entries.iter().filter(|(key, _)| kind(key) == "session");
        let record = serde_json::from_slice(&records.next().unwrap().1).unwrap();
        assert!(records.next().is_none());
        record
    }

    /// The record of a browser's session, as JSON. Its operations and events are not recorded.
    #[track_caller]
    pub fn record_of(&self, browser: &Browser) -> serde_json::Value {
        let entries = self.store.memory.entries();
        let wanted = record_key(&self.session_key(browser));
        let (_, record) = entries.iter().find(|(key, _)| *key == wanted).unwrap();
        serde_json::from_slice(record).unwrap()
    }

    /// The key of a browser's session. Its operations and events are not recorded.
    #[track_caller]
    pub fn session_key(&self, browser: &Browser) -> String {
        let noted = (self.store.log.take(), self.store.reads.take(), self.events.take());
        let session = self.load(browser);
        self.store.log.replace(noted.0);
        self.store.reads.replace(noted.1);
        self.events.replace(noted.2);
        session.session_key().unwrap().as_str().to_owned()
    }

    pub fn load(&self, browser: &Browser) -> Session {
        run(self.sessions.load(browser.header())).unwrap()
    }

    pub fn commit(&self, browser: &mut Browser, mut session: Session, status: u16) -> SessionHeaders {
        let headers = run(self.sessions.commit_headers(&mut session, status)).unwrap();
        browser.take(&headers);
        headers
    }

    /// The error of a commit that fails.
    #[track_caller]
    pub fn failed_commit(&self, session: &mut Session) -> Error {
        run(self.sessions.commit_headers(session, 200)).unwrap_err()
    }

    /// A session that was made and saved outside of a request. It holds `{"a": 1}`.
    pub fn saved_session(&self) -> Session {
        let mut session = self.sessions.new_session().unwrap();
        session.set("a", 1).unwrap();
        run(self.sessions.save(&mut session)).unwrap();
        session
    }

    /// Runs one request with a response of status 200.
    pub fn request(&self, browser: &mut Browser, handler: impl FnOnce(&mut Session)) -> SessionHeaders {
        self.request_answered(200, browser, handler)
    }

    pub fn request_answered(
        &self,
        status: u16,
        browser: &mut Browser,
        handler: impl FnOnce(&mut Session),
    ) -> SessionHeaders {
        let mut session = self.load(browser);
        handler(&mut session);
        self.commit(browser, session, status)
    }

    /// A browser with a session that holds `{"user": "alice"}`. Its operations are not recorded.
    pub fn visitor(&self) -> Browser {
        let mut browser = Browser::default();
        self.request(&mut browser, |session| session.set("user", "alice").unwrap());
        self.operations();
        self.event_kinds();
        self.store.reads.take();
        self.store.ttls.take();
        browser
    }

    pub fn logout(&self, browser: &mut Browser, status: u16) -> SessionHeaders {
        let mut session = self.load(browser);
        run(self.sessions.flush(&mut session)).unwrap();
        self.commit(browser, session, status)
    }

    /// Logs in: rotates the key.
    pub fn login(&self, browser: &mut Browser) -> SessionHeaders {
        self.request(browser, |session| session.cycle_key().unwrap())
    }

    pub fn user(&self, browser: &Browser) -> Option<String> {
        self.load(browser).get("user").unwrap()
    }
}

/// A browser's cookies as the text of its `Cookie` header; `None` if it has none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Browser(pub Option<String>);

impl Browser {
    pub fn header(&self) -> String {
        self.0.clone().unwrap_or_default()
    }

    /// Applies each `Set-Cookie` header in order: it replaces or deletes the cookie of its name.
    pub fn take(&mut self, headers: &SessionHeaders) {
        headers.set_cookies().iter().for_each(|set_cookie| self.take_line(set_cookie));
    }

    /// Applies one `Set-Cookie` header.
    pub fn take_line(&mut self, set_cookie: &str) {
        let pair = set_cookie.split(';').next().unwrap();
        let name = pair.split('=').next().unwrap();
        let header = self.header();
        let others = header.split("; ").filter(|other| !other.is_empty() && other.split('=').next() != Some(name));
        let mut cookies: Vec<_> = others.collect();
        if !is_deletion(set_cookie) {
            cookies.push(pair);
        }
        self.0 = (!cookies.is_empty()).then(|| cookies.join("; "));
    }

    /// The value of the cookie with this name.
    pub fn cookie(&self, name: &str) -> Option<String> {
        let header = self.header();
        let mut pairs = header.split("; ").filter_map(|pair| pair.split_once('='));
        pairs.find(|(other, _)| *other == name).map(|(_, value)| value.to_owned())
    }
}

/// Returns whether a `Set-Cookie` header deletes its cookie.
pub fn is_deletion(set_cookie: &str) -> bool {
    set_cookie.contains("; Max-Age=0;")
}

/// The effect of a response on the cookies: each name, with `+` if it is set and `-` if it is deleted.
pub fn cookies(headers: &SessionHeaders) -> Vec<String> {
    let name = |cookie: &String| cookie.split('=').next().unwrap().to_owned();
    headers
        .set_cookies()
        .iter()
        .map(|cookie| if is_deletion(cookie) { "-" } else { "+" }.to_owned() + &name(cookie))
        .collect()
}

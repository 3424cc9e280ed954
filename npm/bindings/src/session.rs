//! The core for JavaScript: the checked settings, and one object a session that holds it and the machine that runs on it.
//!
//! No call waits for anything, so that no borrow outlives a call. A machine's step comes out as one operation after the other,
//! which [the driver](./driver.ts) carries out; what to do next is decided here.

use alloc::borrow::ToOwned;
use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::cell::RefCell;

use chrono::{DateTime, Utc};
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;
use zeroize::{Zeroize, Zeroizing};

use edge_session::protocol::{
    Commit, Delete, Flush, Load, Reply, Save, Sweep, caching, session_from_cookie_header, session_of_key,
};
use edge_session::store::{IsolateMemory, OnlyIf, Op, StorageKey};
use edge_session::{Error, ErrorKind, EventKind, Result, SaveOutcome, Session, SessionHeaders, Settings, SweepOutcome};

use super::options;
use super::pending_io::{Operation, Operations};

/// What every call can throw: a text, of an [`ErrorKind`]'s code, a space and the message.
pub(super) type Thrown<T> = core::result::Result<T, JsValue>;

/// Bytes of randomness that a session is made with.
const SEED: usize = 32;

/// The isolate memory of one store. All sessions of the store share it, whichever settings they have.
#[wasm_bindgen]
#[derive(Debug, Default)]
pub struct CoreMemory {
    memory: IsolateMemory,
}

#[wasm_bindgen]
impl CoreMemory {
    #[wasm_bindgen(constructor)]
    pub fn new() -> CoreMemory {
        Self::default()
    }
}

/// Validated settings and a pool of random seeds.
#[wasm_bindgen]
#[derive(Debug)]
pub struct CoreSettings {
    settings: Arc<Settings>,
    seeds: RefCell<Zeroizing<Vec<u8>>>,
}

#[wasm_bindgen]
impl CoreSettings {
    /// `secrets` one after the other, each of so many bytes as `sizes` says; the others as a JSON object.
    #[wasm_bindgen(constructor)]
    pub fn new(secrets: Box<[u8]>, sizes: &[usize], settings: &str) -> Thrown<CoreSettings> {
        let settings = check(options::read(secrets, sizes, settings))?;
        Ok(Self { settings: Arc::new(settings), seeds: RefCell::default() })
    }

    /// Adds random bytes: 32 for each session.
    pub fn seed(&self, bytes: Box<[u8]>) {
        *self.seeds.borrow_mut() = Zeroizing::new(bytes.into());
    }

    fn take_seed(&self) -> Result<[u8; SEED]> {
        let mut seeds = self.seeds.borrow_mut();
        let seed = seeds
            .last_chunk()
            .copied()
            .ok_or_else(|| Error::new(ErrorKind::Entropy, "entropy must give 32 random bytes"));
        let left = seeds.len().saturating_sub(SEED);
        seeds.get_mut(left..).unwrap_or_default().zeroize();
        seeds.truncate(left);
        seed
    }

    /// An uninitialised session; call [`arrive`](CoreSession::arrive) or [`open`](CoreSession::open) next.
    pub fn session(&self, memory: &CoreMemory) -> CoreSession {
        CoreSession {
            session: uninitialised(&self.settings),
            memory: memory.memory.clone(),
            machine: None,
            operations: Operations::default(),
            told: String::new(),
            headers: None,
            saved: SaveOutcome::default(),
            swept: SweepOutcome::default(),
            sweep_cursor: None,
        }
    }

    /// Signs as Django does; `packed` says whether the payload is zlib's.
    pub fn sign(&self, payload: &[u8], packed: bool, now: f64) -> String {
        self.settings.sign(payload, packed, moment(now).timestamp())
    }

    /// The payload of what Django signed, packed or not; none where the signature does not hold.
    pub fn verify(&self, text: &str) -> Option<Vec<u8>> {
        self.settings.verify(text)
    }
}

/// What the driver has to do next.
#[wasm_bindgen]
#[derive(Clone, Copy, Debug)]
pub enum Next {
    /// Nothing: the machine has come to its end.
    Done,
    Read,
    List,
    Put,
    Delete,
    Wait,
}

/// A session, and the machine that runs on it.
#[wasm_bindgen]
#[derive(Debug)]
pub struct CoreSession {
    pub(super) session: Session,
    memory: IsolateMemory,
    machine: Option<Machine>,
    operations: Operations,
    /// The keys that were read last, as they were told: mostly, the next operation is on the same.
    told: String,
    headers: Option<SessionHeaders>,
    saved: SaveOutcome,
    swept: SweepOutcome,
    /// Where the next sweep begins.
    sweep_cursor: Option<String>,
}

#[derive(Debug)]
enum Machine {
    Load(Load),
    Save(Save),
    Flush(Flush),
    Commit(Commit),
    Delete(Delete),
    Sweep(Sweep),
}

/// How a session begins and ends. One that ended can begin again as another.
#[wasm_bindgen]
impl CoreSession {
    /// Becomes the session of a request, still to be loaded.
    pub fn arrive(&mut self, settings: &CoreSettings, cookie_header: &str, now: f64) -> Thrown<()> {
        let seed = check(settings.take_seed())?;
        self.session =
            session_from_cookie_header(Arc::clone(&settings.settings), moment(now), seed, cookie_header.as_bytes());
        Ok(())
    }

    /// Becomes the session under a session key, still to be loaded; without one a new session.
    pub fn open(&mut self, settings: &CoreSettings, key: Option<String>, now: f64) -> Thrown<()> {
        let seed = check(settings.take_seed())?;
        self.session = session_of_key(Arc::clone(&settings.settings), moment(now), seed, key.as_deref());
        Ok(())
    }

    /// Forgets everything.
    pub fn close(&mut self) {
        self.session = uninitialised(&Arc::clone(self.session.settings()));
        self.machine = None;
        self.operations = Operations::default();
        self.told = String::new();
        self.headers = None;
        self.saved = SaveOutcome::default();
        self.swept = SweepOutcome::default();
        self.sweep_cursor = None;
    }

    /// Sets where the sweep begins: what [`cursor`](Self::cursor) returned after the last one.
    pub fn resume(&mut self, cursor: Option<String>) {
        self.sweep_cursor = cursor;
    }
}

/// What can be run on a session.
#[wasm_bindgen]
#[derive(Clone, Copy, Debug)]
pub enum Run {
    Load,
    Save,
    Flush,
    Commit,
    /// Ends the session that was opened by its key.
    Delete,
    /// Deletes every record that is over, under these settings.
    Sweep,
}

/// The machines.
#[wasm_bindgen]
impl CoreSession {
    /// Starts a machine, and gives what it wants first. Only a commit looks at the response's `status`.
    pub fn start(&mut self, run: Run, now: f64, status: u16) -> Thrown<Next> {
        self.session.set_now(moment(now));
        self.machine = Some(match run {
            Run::Load => Machine::Load(Load::default()),
            Run::Save => Machine::Save(Save::default()),
            Run::Flush => Machine::Flush(Flush::default()),
            Run::Commit => Machine::Commit(Commit::new(status)),
            Run::Delete => Machine::Delete(Delete::default()),
            Run::Sweep => Machine::Sweep(Sweep::new(self.session.settings(), moment(now), self.sweep_cursor.take())),
        });
        self.advance(Some(Reply::Start))
    }

    /// What the clock says while a machine runs.
    pub fn tick(&mut self, now: f64) {
        self.session.tick(moment(now));
    }

    /// Gives the machine its reply, once there is one.
    fn advance(&mut self, reply: Option<Reply>) -> Thrown<Next> {
        if let (Some(reply), Some(machine)) = (reply, &mut self.machine) {
            let (session, memory, operations) = (&mut self.session, &self.memory, &mut self.operations);
            let end: Option<Result<()>> = match machine {
                Machine::Load(load) => operations.take(load.step(session, memory, reply)).map(Ok),
                Machine::Save(save) => {
                    operations.take(save.step(session, memory, reply)).map(|end| end.map(|saved| self.saved = saved))
                }
                Machine::Flush(flush) => operations.take(flush.step(session, memory, reply)),
                Machine::Commit(commit) => operations
                    .take(commit.step(session, memory, reply))
                    .map(|end| end.map(|headers| self.headers = Some(headers))),
                Machine::Delete(delete) => operations.take(delete.step(session, memory, reply)),
                Machine::Sweep(sweep) => {
                    operations.take(sweep.step(reply)).map(|end| end.map(|swept| self.swept = swept))
                }
            };
            if let Some(end) = end {
                if let Some(Machine::Sweep(sweep)) = self.machine.take() {
                    self.sweep_cursor = sweep.cursor();
                }
                check(end)?;
            }
        }
        Ok(match self.operations.first() {
            None => Next::Done,
            Some(Operation::Read(_)) => Next::Read,
            Some(Operation::Wait(_)) => Next::Wait,
            Some(Operation::List { .. }) => Next::List,
            Some(Operation::Write(Op::Put { .. })) => Next::Put,
            Some(Operation::Write(Op::Delete { .. })) => Next::Delete,
        })
    }
}

/// How an operation that reads nothing ended; any of them can have failed.
#[wasm_bindgen]
#[derive(Clone, Copy, Debug)]
pub enum End {
    Written,
    Waited,
    Conflict,
    Failed,
}

/// The operation whose turn it is, and the replies to it; each reply gives what is wanted next.
#[wasm_bindgen]
impl CoreSession {
    /// What to read, with a space between the keys. None where it is the same as the last time.
    #[wasm_bindgen(js_name = keysToRead)]
    pub fn keys_to_read(&mut self) -> Option<String> {
        let Operation::Read(keys) = self.operations.first()? else { return None };
        let keys = keys.iter().map(StorageKey::as_str).collect::<Vec<_>>().join(" ");
        if self.told == keys {
            return None;
        }
        self.told = keys;
        Some(self.told.clone())
    }

    /// Where to put or delete; for a list, what the keys begin with. None where it is the first of those that were read.
    pub fn key(&self) -> Option<String> {
        let key = match self.operations.first()? {
            Operation::Write(Op::Put { key, .. } | Op::Delete { key }) => key.as_str(),
            Operation::List { prefix, .. } => prefix,
            Operation::Read(_) | Operation::Wait(_) => return None,
        };
        if self.told.split(' ').next() == Some(key) { None } else { Some(key.to_owned()) }
    }

    /// Where the page begins that is to be listed; after a sweep, where the next one begins.
    pub fn cursor(&self) -> Option<String> {
        match self.operations.first() {
            Some(Operation::List { cursor, .. }) => cursor.clone(),
            _ => self.sweep_cursor.clone(),
        }
    }

    /// What to put; to be taken once.
    pub fn value(&mut self) -> Vec<u8> {
        match self.operations.first_mut() {
            Some(Operation::Write(Op::Put { value, .. })) => core::mem::take(value),
            _ => Vec::new(),
        }
    }

    #[wasm_bindgen(js_name = wasRead)]
    pub fn was_read(&mut self, value: Option<Box<[u8]>>) -> Thrown<Next> {
        let reply = self.operations.read(value.map(Vec::from));
        self.advance(reply)
    }

    /// A put or a delete came to an end. What the store threw, the door keeps.
    pub fn ended(&mut self, end: End) -> Thrown<Next> {
        let reply = match end {
            End::Written => self.operations.written(),
            End::Waited => self.operations.waited(),
            End::Conflict => self.operations.conflict(),
            End::Failed => self.operations.failed(),
        };
        self.advance(reply)
    }

    /// One key of the page.
    pub fn entry(&mut self, name: String, deadline: Option<f64>) {
        self.operations.entry(StorageKey::listed(name), deadline.map(|micros| micros as i64));
    }

    /// The page is complete.
    #[wasm_bindgen(js_name = wasListed)]
    pub fn was_listed(&mut self, cursor: Option<String>) -> Thrown<Next> {
        let reply = self.operations.listed(cursor);
        self.advance(reply)
    }
}

/// What the machines came to.
#[wasm_bindgen]
impl CoreSession {
    /// The `Set-Cookie` headers of the last commit, with a line feed between them.
    #[wasm_bindgen(js_name = setCookies)]
    pub fn set_cookies(&self) -> Option<String> {
        let lines = self.headers.as_ref().map(SessionHeaders::set_cookies)?;
        (!lines.is_empty()).then(|| lines.join("\n"))
    }

    /// The next of the events that were not told yet: what happened, and a space before what stands for the session.
    pub fn event(&mut self) -> Option<String> {
        self.session.next_event().map(|event| [event.kind.as_str(), " ", &event.session].concat())
    }

    /// Queues the event of a text that none of the secrets signed.
    #[wasm_bindgen(js_name = reportBadSignature)]
    pub fn report_bad_signature(&mut self) {
        self.session.report(EventKind::BadSignature);
    }

    #[wasm_bindgen(js_name = loadReason)]
    pub fn load_reason(&self) -> String {
        self.session.load_reason().as_str().to_owned()
    }

    #[wasm_bindgen(js_name = isNew)]
    pub fn is_new(&mut self) -> Thrown<bool> {
        check(self.session.is_new())
    }
}

/// What is true of a session or of what ran on it.
#[wasm_bindgen]
#[derive(Clone, Copy, Debug)]
pub enum Fact {
    Accessed,
    Modified,
    Empty,
    /// The put is to happen only where nothing stands.
    IfAbsent,
    /// The response has to say something about the session.
    Speaks,
    OldRecordRemains,
    /// The sweep came to the end of the list.
    Complete,
    /// The settings have each request renew its session.
    SavesEvery,
}

/// A number of what runs or ran on a session.
#[wasm_bindgen]
#[derive(Clone, Copy, Debug)]
pub enum Figure {
    /// For how many seconds at least to keep what is put.
    Ttl,
    /// When what is put is over, in microseconds of Unix time.
    Deadline,
    /// For how many milliseconds to wait.
    Wait,
    /// How many records the sweep removed.
    Removed,
}

#[wasm_bindgen]
impl CoreSession {
    pub fn is(&self, fact: Fact) -> bool {
        match fact {
            Fact::Accessed => self.session.accessed(),
            Fact::Modified => self.session.modified(),
            Fact::Empty => self.session.is_empty(),
            Fact::IfAbsent => {
                matches!(self.operations.first(), Some(Operation::Write(Op::Put { only_if: OnlyIf::Absent, .. })))
            }
            Fact::Speaks => self.headers.as_ref().is_some_and(SessionHeaders::depends_on_cookie),
            Fact::OldRecordRemains => {
                self.headers.as_ref().map_or(self.saved, SessionHeaders::saved).old_record_remains
            }
            Fact::Complete => self.swept.complete,
            Fact::SavesEvery => self.session.settings().saves_every_request(),
        }
    }

    pub fn figure(&self, figure: Figure) -> f64 {
        match (figure, self.operations.first()) {
            (Figure::Ttl, Some(Operation::Write(Op::Put { ttl, .. }))) => *ttl as f64,
            (Figure::Deadline, Some(Operation::Write(Op::Put { deadline, .. }))) => *deadline as f64,
            (Figure::Wait, Some(Operation::Wait(milliseconds))) => *milliseconds as f64,
            (Figure::Removed, _) => self.swept.removed as f64,
            _ => 0.0,
        }
    }
}

/// What `Vary` says then, where it said `present`.
#[wasm_bindgen]
pub fn vary(present: &str) -> String {
    caching::vary(present)
}

/// What `Cache-Control` says then, where it said `present`.
#[wasm_bindgen(js_name = cacheControl)]
pub fn cache_control(present: &str, sets_cookie: bool) -> String {
    caching::cache_control(present, sets_cookie)
}

/// The headers that then have to go.
#[wasm_bindgen(js_name = sharedCacheHeaders)]
pub fn shared_cache_headers() -> String {
    caching::SHARED_CACHE_HEADERS.join(" ")
}

/// Milliseconds of Unix time as a moment.
pub(super) fn moment(milliseconds: f64) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(milliseconds as i64).unwrap_or_default()
}

/// Has the next call begin with a fresh instance of the wasm: after a trap, nobody can tell what this one's memory holds.
#[wasm_bindgen(js_name = startAnew)]
pub fn start_anew() {
    wasm_bindgen::handler::schedule_reinit();
}

fn uninitialised(settings: &Arc<Settings>) -> Session {
    session_of_key(Arc::clone(settings), DateTime::default(), [0; SEED], None)
}

pub(super) fn check<T>(result: Result<T>) -> Thrown<T> {
    result.map_err(|error| thrown(&error))
}

/// An error as JavaScript gets it: the door makes the class of its code of it.
fn thrown(error: &Error) -> JsValue {
    [error.code(), " ", error.message()].concat().into()
}

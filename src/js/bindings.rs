//! The core for JavaScript: the checked settings, and one object a session that holds it and the machine that runs on it.
//!
//! No call waits for anything, so that no borrow outlives a call. A machine's step comes out as one operation after the other,
//! which [the driver](./driver.ts) carries out; what to do next is decided here.

use alloc::boxed::Box;
use alloc::borrow::ToOwned;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use alloc::sync::Arc;

use chrono::{DateTime, Utc};
use js_sys::{Error as JsError, Object, Reflect, Uint8Array};
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

use super::operations::{Operation, Operations};
use super::options;
use crate::error::{Error, ErrorKind, Result};
use crate::protocol::flush::Flush;
use crate::protocol::load::{Load, arrive};
use crate::protocol::respond::{Commit, ResponseHeaders, SessionHeaders};
use crate::protocol::save::{Save, Saved};
use crate::protocol::sweep::{Sweep, Swept};
use crate::protocol::{OnlyIf, Op, Reply, Step};
use crate::session::key::StorageKey;
use crate::session::session::Session;
use crate::sessions::{named, platform_entropy};
use crate::settings::Settings;

/// What every call can throw: an `Error` with one of [`ErrorKind`]'s codes.
pub(super) type Thrown<T> = core::result::Result<T, JsValue>;

/// Settings that contradict nobody.
#[wasm_bindgen]
#[derive(Debug)]
pub struct CoreSettings(Arc<Settings>);

#[wasm_bindgen]
impl CoreSettings {
    #[wasm_bindgen(constructor)]
    pub fn new(options: &Object) -> Thrown<CoreSettings> {
        options::read(options).map(|settings| Self(Arc::new(settings))).map_err(|error| thrown(&error).into())
    }

    /// The session of a request, still to be loaded. `seed` are 32 random bytes; without it they come from the platform.
    pub fn arrive(&self, cookie_header: &str, now: f64, seed: Option<Box<[u8]>>) -> Thrown<CoreSession> {
        Ok(arrive(Arc::clone(&self.0), moment(now), random(seed)?, cookie_header.as_bytes()).into())
    }

    /// The session under a session key, still to be loaded; without one a new session.
    pub fn open(&self, key: Option<String>, now: f64, seed: Option<Box<[u8]>>) -> Thrown<CoreSession> {
        let identity = key.and_then(|key| named(&key));
        Ok(Session::arrived(Arc::clone(&self.0), moment(now), random(seed)?, false, identity).into())
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
}

/// A session, and the machine that runs on it.
#[wasm_bindgen]
#[derive(Debug)]
pub struct CoreSession {
    pub(super) session: Session,
    machine: Option<Machine>,
    operations: Operations,
    /// What the store threw last: the cause of errors that say so.
    failure: JsValue,
    headers: Option<SessionHeaders>,
    saved: Saved,
    swept: Swept,
}

#[derive(Debug)]
enum Machine {
    Load(Load),
    Save(Save),
    Flush(Flush),
    Commit(Commit),
    Delete,
    Sweep(Sweep),
}

impl From<Session> for CoreSession {
    fn from(session: Session) -> Self {
        Self {
            session,
            machine: None,
            operations: Operations::default(),
            failure: JsValue::UNDEFINED,
            headers: None,
            saved: Saved::default(),
            swept: Swept::default(),
        }
    }
}

/// The machines: each call starts one, and gives what it wants first.
#[wasm_bindgen]
impl CoreSession {
    pub fn load(&mut self, now: f64) -> Thrown<Next> {
        self.start(now, Machine::Load(Load))
    }

    pub fn save(&mut self, now: f64) -> Thrown<Next> {
        self.start(now, Machine::Save(Save::default()))
    }

    pub fn flush(&mut self, now: f64) -> Thrown<Next> {
        self.start(now, Machine::Flush(Flush::default()))
    }

    pub fn commit(&mut self, now: f64, status: u16) -> Thrown<Next> {
        self.start(now, Machine::Commit(Commit::new(status)))
    }

    /// Deletes the record of the session's key.
    #[wasm_bindgen(js_name = deleteRecord)]
    pub fn delete_record(&mut self, now: f64) -> Thrown<Next> {
        self.start(now, Machine::Delete)
    }

    /// Deletes every record that is over, under these settings.
    pub fn sweep(&mut self, now: f64) -> Thrown<Next> {
        let sweep = Sweep::new(self.session.settings(), moment(now));
        self.start(now, Machine::Sweep(sweep))
    }

    fn start(&mut self, now: f64, machine: Machine) -> Thrown<Next> {
        self.session.set_now(moment(now));
        self.machine = Some(machine);
        self.advance(Some(Reply::Start))
    }

    /// Gives the machine its reply, once there is one.
    fn advance(&mut self, reply: Option<Reply>) -> Thrown<Next> {
        if let (Some(reply), Some(machine)) = (reply, &mut self.machine) {
            let (session, operations) = (&mut self.session, &mut self.operations);
            let end: Option<Result<()>> = match machine {
                Machine::Load(load) => operations.take(load.step(session, reply)).map(Ok),
                Machine::Save(save) => {
                    operations.take(save.step(session, reply)).map(|end| end.map(|saved| self.saved = saved))
                }
                Machine::Flush(flush) => operations.take(flush.step(session, reply)),
                Machine::Commit(commit) => operations
                    .take(commit.step(session, reply))
                    .map(|end| end.map(|headers| self.headers = Some(headers))),
                Machine::Delete => operations.take(delete(session, reply)),
                Machine::Sweep(sweep) => {
                    operations.take(sweep.step(reply)).map(|end| end.map(|swept| self.swept = swept))
                }
            };
            if let Some(end) = end {
                self.machine = None;
                self.check(end)?;
            }
        }
        Ok(match self.operations.first() {
            None => Next::Done,
            Some(Operation::Read(_)) => Next::Read,
            Some(Operation::List { .. }) => Next::List,
            Some(Operation::Write(Op::Put { .. })) => Next::Put,
            Some(Operation::Write(Op::Delete { .. })) => Next::Delete,
        })
    }

    pub(super) fn check<T>(&self, result: Result<T>) -> Thrown<T> {
        result.map_err(|error| {
            let thrown = thrown(&error);
            if error.kind() == ErrorKind::StoreUnavailable && !self.failure.is_undefined() {
                thrown.set_cause(&self.failure);
            }
            thrown.into()
        })
    }
}

/// The operation whose turn it is, and the replies to it; each reply gives what is wanted next.
#[wasm_bindgen]
impl CoreSession {
    /// Where to read, put or delete; for a list, what the keys begin with.
    pub fn key(&self) -> String {
        match self.operations.first() {
            Some(Operation::Read(key) | Operation::Write(Op::Put { key, .. } | Op::Delete { key })) => {
                key.as_str().to_owned()
            }
            Some(Operation::List { prefix, .. }) => prefix.clone(),
            None => String::new(),
        }
    }

    /// From where to go on listing.
    pub fn cursor(&self) -> Option<String> {
        match self.operations.first() {
            Some(Operation::List { cursor, .. }) => cursor.clone(),
            _ => None,
        }
    }

    /// What to put.
    pub fn value(&self) -> Option<Uint8Array> {
        match self.operations.first() {
            Some(Operation::Write(Op::Put { value, .. })) => Some(Uint8Array::from(value.as_slice())),
            _ => None,
        }
    }

    /// For how many seconds at least to keep it.
    pub fn ttl(&self) -> f64 {
        match self.operations.first() {
            Some(Operation::Write(Op::Put { ttl, .. })) => *ttl as f64,
            _ => 0.0,
        }
    }

    /// When it is over, in microseconds of Unix time.
    pub fn deadline(&self) -> f64 {
        match self.operations.first() {
            Some(Operation::Write(Op::Put { deadline, .. })) => *deadline as f64,
            _ => 0.0,
        }
    }

    /// Whether it is to be put only where nothing stands.
    #[wasm_bindgen(js_name = ifAbsent)]
    pub fn if_absent(&self) -> bool {
        matches!(self.operations.first(), Some(Operation::Write(Op::Put { only_if: OnlyIf::Absent, .. })))
    }

    #[wasm_bindgen(js_name = wasRead)]
    pub fn was_read(&mut self, value: Option<Box<[u8]>>) -> Thrown<Next> {
        let reply = self.operations.read(value.map(Vec::from));
        self.advance(reply)
    }

    #[wasm_bindgen(js_name = wasWritten)]
    pub fn was_written(&mut self) -> Thrown<Next> {
        let reply = self.operations.written();
        self.advance(reply)
    }

    #[wasm_bindgen(js_name = hadConflict)]
    pub fn had_conflict(&mut self) -> Thrown<Next> {
        let reply = self.operations.conflict();
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

    /// The store threw `error`, which is kept as the cause.
    #[wasm_bindgen(js_name = hasFailed)]
    pub fn has_failed(&mut self, error: JsValue, message: String) -> Thrown<Next> {
        self.failure = error;
        let reply = self.operations.failed(message);
        self.advance(reply)
    }
}

/// What the machines came to.
#[wasm_bindgen]
impl CoreSession {
    /// Puts the headers of the last commit into a response's. Whether there was anything to put is [`speaks`](Self::speaks).
    pub fn apply(&self, headers: &JsHeaders) -> Thrown<()> {
        self.headers.as_ref().map_or(Ok(()), |session_headers| session_headers.apply(&mut Borrowed(headers)))
    }

    /// Whether the response has to say anything about the session.
    pub fn speaks(&self) -> bool {
        self.headers.as_ref().is_some_and(SessionHeaders::depends_on_cookie)
    }

    #[wasm_bindgen(js_name = oldRecordRemains)]
    pub fn old_record_remains(&self) -> bool {
        self.headers.as_ref().map_or(self.saved, SessionHeaders::saved).old_record_remains
    }

    pub fn removed(&self) -> usize {
        self.swept.removed
    }

    pub fn complete(&self) -> bool {
        self.swept.complete
    }

    #[wasm_bindgen(js_name = isNew)]
    pub fn is_new(&mut self) -> Thrown<bool> {
        let result = self.session.is_new();
        self.check(result)
    }
}

/// For the answer to a request that failed because of its session: nobody may keep it, and no cookie changes.
#[wasm_bindgen(js_name = applyFailure)]
pub fn apply_failure(headers: &JsHeaders) -> Thrown<()> {
    SessionHeaders::for_failure().apply(&mut Borrowed(headers))
}

#[wasm_bindgen]
extern "C" {
    /// The headers of a response, of whatever make.
    #[wasm_bindgen(js_name = Headers)]
    pub type JsHeaders;

    #[wasm_bindgen(method, catch)]
    fn get(this: &JsHeaders, name: &str) -> Thrown<Option<String>>;

    #[wasm_bindgen(method, catch)]
    fn set(this: &JsHeaders, name: &str, value: &str) -> Thrown<()>;

    #[wasm_bindgen(method, catch)]
    fn append(this: &JsHeaders, name: &str, value: &str) -> Thrown<()>;

    #[wasm_bindgen(method, catch)]
    fn delete(this: &JsHeaders, name: &str) -> Thrown<()>;
}

struct Borrowed<'a>(&'a JsHeaders);

impl ResponseHeaders for Borrowed<'_> {
    type Error = JsValue;

    fn get(&self, name: &str) -> Thrown<Option<String>> {
        self.0.get(name)
    }

    fn set(&mut self, name: &str, value: &str) -> Thrown<()> {
        self.0.set(name, value)
    }

    fn append(&mut self, name: &str, value: &str) -> Thrown<()> {
        self.0.append(name, value)
    }

    fn remove(&mut self, name: &str) -> Thrown<()> {
        self.0.delete(name)
    }
}

/// The machine behind `sessions.delete(key)`: one step.
fn delete(session: &Session, reply: Reply) -> Step<Result<()>> {
    match (reply, session.session_key()) {
        (Reply::Start, Some(key)) => {
            let key = StorageKey::record(&session.settings().key_prefix, key);
            Step::Write(vec![Op::Delete { key }])
        }
        (Reply::Unavailable(error), _) => Step::Done(Err(error)),
        _ => Step::Done(Ok(())),
    }
}

/// Milliseconds of Unix time as a moment.
pub(super) fn moment(milliseconds: f64) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(milliseconds as i64).unwrap_or_default()
}

fn random(seed: Option<Box<[u8]>>) -> Thrown<[u8; 32]> {
    let short = |_| Error::new(ErrorKind::Entropy, "entropy must give 32 random bytes");
    let seed = seed.map_or_else(platform_entropy, |seed| Vec::from(seed).try_into().map_err(short));
    seed.map_err(|error| thrown(&error).into())
}

/// An error as JavaScript sees it: the door makes the class of its `code` of it.
fn thrown(error: &Error) -> JsError {
    let thrown = JsError::new(&error.to_string());
    // Setting a member of a fresh Error cannot fail.
    let _ = Reflect::set(&thrown, &"code".into(), &error.code().into());
    thrown
}

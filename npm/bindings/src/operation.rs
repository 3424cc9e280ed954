//! The operations on a session. Each is a state machine without I/O.
//!
//! A machine's step becomes a sequence of I/O requests, one at a time. [The driver](../../src/driver.ts) performs each on the store and
//! reports its result; the machine decides what comes next. No call waits for anything, so no borrow outlives a call.
//!
//! These calls return an [`IoRequest`], whose parameters are in the [area](super::area), or [`FAILED`].

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use wasm_bindgen::prelude::wasm_bindgen;

use edge_session::protocol::{
    Commit, Delete, Flush, Load, Reply, Save, Sweep, UserCall, UserOutcome, UserSessions, session_from_cookie_header,
};
use edge_session::store::{OnlyIf, Op, StorageKey};
use edge_session::{Error, LoadReason, Result, SessionHeaders};

use super::area::Word;
use super::pending_io::Request;
use super::session::{CoreSession, Flag};
use super::settings::{CoreSettings, date};

/// Returns the generation that a put must find: 0 for a missing value, -1 for any.
fn if_generation(only_if: OnlyIf) -> f64 {
    match only_if {
        OnlyIf::Absent => 0.0,
        OnlyIf::Generation(generation) => f64::from(generation),
        _ => -1.0,
    }
}

/// The length up to which a JSON text is copied into the result of a commit.
const SHORT: usize = 512;

/// Returns the data of a record as the result of a commit has them, but with all texts. Returns nothing if the bytes are no record.
#[wasm_bindgen(js_name = recordMembers)]
pub fn record_members(record: Vec<u8>) -> Option<String> {
    let mut members = Vec::new();
    let is_record = edge_session::protocol::record_members(record, |key, value| {
        for text in [key, value] {
            members.push(0);
            members.extend_from_slice(text);
        }
    });
    String::from_utf8(members).ok().filter(|_| is_record)
}

/// Appends a quoted key, and the JSON text or its place. JSON contains no NUL and begins with neither `@` nor `#`.
fn write_member(key: &[u8], value: &[u8], record: &[u8], out: &mut Vec<u8>) {
    out.push(0);
    out.extend_from_slice(key);
    out.push(0);
    if value.len() <= SHORT {
        out.extend_from_slice(value);
        return;
    }
    let address = value.as_ptr() as usize;
    let offset = address.checked_sub(record.as_ptr() as usize).filter(|offset| *offset < record.len());
    let mut number = itoa::Buffer::new();
    out.push(if offset.is_some() { b'@' } else { b'#' });
    out.extend_from_slice(number.format(offset.unwrap_or(address)).as_bytes());
    out.push(b',');
    out.extend_from_slice(number.format(value.len()).as_bytes());
}

/// The result of a call that failed. [`take_error`](CoreSession::take_error) returns the error.
pub(super) const FAILED: i32 = -1;

/// The kind of an operation on a session.
#[wasm_bindgen]
#[derive(Clone, Copy, Debug)]
pub enum OperationKind {
    Load,
    Save,
    Flush,
    Commit,
    /// Revokes the session, which was opened by its key.
    Delete,
    /// Deletes all expired records.
    Sweep,
}

/// A call on the sessions of a user.
#[wasm_bindgen]
#[derive(Clone, Copy, Debug)]
pub enum UserCallKind {
    /// The id is that of the current session, or empty.
    List,
    Revoke,
    RevokeAll,
}

/// The I/O that the driver performs next, and its parameters in the area.
#[wasm_bindgen]
#[derive(Clone, Copy, Debug)]
pub enum IoRequest {
    /// No I/O: the operation has completed. After a commit, the text consists of the `Set-Cookie` headers, the session key and the load
    /// outcome, one per line. If the session was accessed, the data follow: quoted keys and JSON texts, each after a NUL, and instead of a long text
    /// its place: `@offset,length` in the record that was loaded, which is the value, or `#address,length`. A single NUL means that the data
    /// are those of the record. After a call on a user's sessions, it is the JSON text of its outcome.
    Done,
    /// The text consists of the keys, separated by spaces. An empty text means the keys of the last read.
    Read,
    /// The text is the prefix of the keys.
    List,
    /// The text is the key. An empty text means the first key of the last read.
    Put,
    /// The text is the key, as for a put.
    Delete,
    Wait,
}

/// The result of a put, a delete or a wait, or the failure of any I/O request.
#[wasm_bindgen]
#[derive(Clone, Copy, Debug)]
pub enum IoResult {
    Written,
    Waited,
    Conflict,
    Failed,
    /// Failed because of the store's load: it is not tried again.
    Overloaded,
}

#[derive(Debug)]
pub(super) enum Machine {
    Load(Load),
    Save(Save),
    Flush(Flush),
    Commit(Commit),
    Delete(Delete),
    Sweep(Sweep),
    Users(UserSessions),
}

#[wasm_bindgen]
impl CoreSession {
    /// Starts a call on the sessions of a user. `id` is that of a session.
    #[wasm_bindgen(js_name = startUserCall)]
    pub fn start_user_call(&mut self, kind: UserCallKind, user: &str, id: String, now: f64) -> i32 {
        let call = match kind {
            UserCallKind::List => UserCall::List { current: Some(id) },
            UserCallKind::Revoke => UserCall::Revoke(id),
            UserCallKind::RevokeAll => UserCall::RevokeAll { except: None },
        };
        self.run_user_call(user, call, now)
    }

    /// Starts the call that ends all other sessions of the session's user.
    #[wasm_bindgen(js_name = startRevokeOthers)]
    pub fn start_revoke_others(&mut self, now: f64) -> i32 {
        match self.session.bound_user() {
            Ok((user, id)) => self.run_user_call(&user, UserCall::RevokeAll { except: Some(id) }, now),
            Err(error) => self.failed(error),
        }
    }

    /// Returns the public id of the session in the list of this user, or an empty text.
    #[wasm_bindgen(js_name = idOf)]
    pub fn id_of(&self, user: &str) -> String {
        self.session.id_of(user).unwrap_or_default()
    }

    /// Becomes the session of a request, and starts to load it. The area has its `Cookie` header.
    pub fn load(&mut self, settings: &CoreSettings, header_length: usize, now: f64) -> i32 {
        let seed = match settings.take_seed() {
            Ok(seed) => seed,
            Err(error) => return self.failed(error),
        };
        let settings = settings.settings.clone();
        self.session = self
            .area
            .read(header_length, |header| session_from_cookie_header(settings, date(now), seed, header.as_bytes()));
        self.start(OperationKind::Load, now, 0)
    }

    /// Starts an operation. Only a commit uses `status`, the status of the response.
    pub fn start(&mut self, kind: OperationKind, now: f64, status: u16) -> i32 {
        self.session.set_now(date(now));
        self.machine = Some(match kind {
            OperationKind::Load => Machine::Load(Load::default()),
            OperationKind::Save => Machine::Save(Save::default()),
            OperationKind::Flush => Machine::Flush(Flush::default()),
            OperationKind::Commit => Machine::Commit(Commit::new(status)),
            OperationKind::Delete => Machine::Delete(Delete::default()),
            OperationKind::Sweep => {
                Machine::Sweep(Sweep::new(self.session.settings(), date(now), self.sweep_cursor.take()))
            }
        });
        self.advance(Some(Reply::Start))
    }

    /// Reports the values of the keys that were read, which are in the area.
    #[wasm_bindgen(js_name = completeRead)]
    pub fn complete_read(&mut self, now: f64) -> i32 {
        self.session.tick(date(now));
        let area = &self.area;
        let reply = self.pending_io.complete_read(|count| area.take_values(count));
        self.advance(reply)
    }

    /// Reports the result of any other request than a read or a list, or a failure. JavaScript keeps what the store threw.
    pub fn complete(&mut self, result: IoResult, now: f64) -> i32 {
        self.session.tick(date(now));
        let reply = match result {
            IoResult::Written => self.pending_io.complete_write(),
            IoResult::Waited => self.pending_io.complete_wait(),
            IoResult::Conflict => self.pending_io.conflict(),
            IoResult::Failed => self.pending_io.fail(Error::out_of_reach()),
            IoResult::Overloaded => self.pending_io.fail(Error::out_of_reach().overloaded()),
        };
        self.advance(reply)
    }

    /// Adds one key to the page that was listed.
    #[wasm_bindgen(js_name = addListEntry)]
    pub fn add_list_entry(&mut self, name: String, deadline: Option<f64>) {
        self.pending_io.add_list_entry(StorageKey::listed(name), deadline.map(|micros| micros as i64));
    }

    /// Reports that all keys of the page were added, and the cursor of the next page.
    #[wasm_bindgen(js_name = completeList)]
    pub fn complete_list(&mut self, cursor: Option<String>, now: f64) -> i32 {
        self.session.tick(date(now));
        let reply = self.pending_io.complete_list(cursor);
        self.advance(reply)
    }

    /// Returns the start of the page to list; after a sweep, the start of the next sweep.
    pub fn cursor(&self) -> Option<String> {
        match self.pending_io.first() {
            Some(Request::List { cursor, .. }) => cursor.clone(),
            _ => self.sweep_cursor.clone(),
        }
    }

    /// Sets the start of the next sweep: the value that [`cursor`](Self::cursor) returned after the last one.
    #[wasm_bindgen(js_name = setSweepCursor)]
    pub fn set_sweep_cursor(&mut self, cursor: Option<String>) {
        self.sweep_cursor = cursor;
    }

    /// Returns the number of records that the sweep removed.
    pub fn removed(&self) -> f64 {
        self.swept.removed as f64
    }

    fn run_user_call(&mut self, user: &str, call: UserCall, now: f64) -> i32 {
        let settings = Arc::clone(self.session.settings());
        self.machine = Some(Machine::Users(UserSessions::new(settings, date(now), user, call)));
        self.advance(Some(Reply::Start))
    }

    /// Passes a complete reply to the machine.
    fn advance(&mut self, reply: Option<Reply>) -> i32 {
        if let (Some(reply), Some(machine)) = (reply, &mut self.machine) {
            let (session, memory, io) = (&mut self.session, &self.memory, &mut self.pending_io);
            let result: Option<Result<()>> = match machine {
                Machine::Load(load) => io.enqueue(load.step(session, memory, reply)).map(Ok),
                Machine::Save(save) => {
                    io.enqueue(save.step(session, memory, reply)).map(|result| result.map(|saved| self.saved = saved))
                }
                Machine::Flush(flush) => io.enqueue(flush.step(session, memory, reply)),
                Machine::Commit(commit) => {
                    let end = io.enqueue(commit.step(session, memory, reply));
                    end.map(|result| result.map(|headers| self.committed(headers)))
                }
                Machine::Delete(delete) => io.enqueue(delete.step(session, memory, reply)),
                Machine::Users(users) => {
                    let end = io.enqueue(users.step(memory, reply));
                    end.map(|result| result.map(|outcome| self.listed(&outcome)))
                }
                Machine::Sweep(sweep) => {
                    io.enqueue(sweep.step(reply)).map(|result| result.map(|swept| self.swept = swept))
                }
            };
            if let Some(result) = result {
                if let Some(Machine::Sweep(sweep)) = self.machine.take() {
                    self.sweep_cursor = sweep.cursor();
                }
                if let Err(error) = result {
                    return self.failed(error);
                }
            }
        }
        self.request() as i32
    }

    /// Writes the parameters of the current I/O request to the area.
    fn request(&mut self) -> IoRequest {
        let area = &self.area;
        let key_to_write = |key: &StorageKey| {
            let is_known = self.last_read_keys.first() == Some(key);
            area.set_text(if is_known { b"" } else { key.as_str().as_bytes() });
        };
        match self.pending_io.first() {
            None => IoRequest::Done,
            Some(Request::Read(keys)) => {
                if self.last_read_keys == *keys {
                    area.set_text(b"");
                } else {
                    self.last_read_keys.clone_from(keys);
                    self.result = keys.iter().map(StorageKey::as_str).collect::<Vec<_>>().join(" ").into_bytes();
                    area.set_text(&self.result);
                }
                IoRequest::Read
            }
            Some(Request::Wait(milliseconds)) => {
                area.set(Word::Duration, *milliseconds as f64);
                IoRequest::Wait
            }
            Some(Request::List { prefix, .. }) => {
                area.set_text(prefix.as_bytes());
                IoRequest::List
            }
            Some(Request::Write(Op::Put { key, value, ttl, deadline, generation, only_if })) => {
                key_to_write(key);
                area.set_place(Word::ValueAddress, Word::ValueLength, value);
                area.set(Word::Duration, *ttl as f64);
                area.set(Word::Deadline, *deadline as f64);
                area.set(Word::Generation, f64::from(*generation));
                area.set(Word::IfGeneration, if_generation(*only_if));
                IoRequest::Put
            }
            Some(Request::Write(Op::Delete { key })) => {
                key_to_write(key);
                IoRequest::Delete
            }
        }
    }

    /// Keeps the result of a call on a user's sessions, and writes its place to the area.
    fn listed(&mut self, outcome: &UserOutcome) {
        self.result = outcome.to_json().into_bytes();
        self.area.set_text(&self.result);
    }

    /// Keeps the result of a commit, and writes its place to the area: the `Set-Cookie` headers, the session key and the load reason,
    /// a line each, and the data. A session that is new still, without data, has an empty text, which JavaScript need not decode.
    fn committed(&mut self, headers: SessionHeaders) {
        let Self { session, result, area, .. } = self;
        result.clear();
        for line in headers.set_cookies() {
            result.extend_from_slice(line.as_bytes());
            result.push(b'\n');
        }
        let (key, reason) = (session.session_key(), session.load_reason());
        if key.is_some() || reason != LoadReason::New || !result.is_empty() {
            result.extend_from_slice(key.map_or(b"", |key| key.as_str().as_bytes()));
            result.push(b'\n');
            result.extend_from_slice(reason.as_str().as_bytes());
        }
        if session.accessed()
            && let Ok(data) = session.stored_data()
        {
            if data.is_record() {
                result.push(0);
            } else {
                data.members().for_each(|(key, value)| write_member(key, value, data.record(), result));
            }
            area.set_place(Word::ValueAddress, Word::ValueLength, data.record());
        }
        self.saved = headers.saved();
        self.area.set_text(&self.result);
        let has_headers = Flag::HasHeaders.bit(headers.depends_on_cookie());
        let clears_site_data = Flag::ClearsSiteData.bit(headers.clears_site_data());
        self.area.set(Word::Flags, f64::from(self.flags() | has_headers | clears_site_data));
    }
}

//! The operations on a session. Each is a state machine without I/O.
//!
//! A machine's step becomes a sequence of I/O requests, one at a time. [The driver](../../src/driver.ts) performs each on the store and
//! reports its result; the machine decides what comes next. No call waits for anything, so no borrow outlives a call.
//!
//! [`Flag`] and [`Quantity`] select one of many getters: each exported function adds to the size of the package.

use alloc::borrow::ToOwned;
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use wasm_bindgen::prelude::wasm_bindgen;

use edge_session::protocol::{Commit, Delete, Flush, Load, Reply, Save, Sweep};
use edge_session::store::{OnlyIf, Op, StorageKey};
use edge_session::{Result, SessionHeaders};

use super::error::{JsResult, js_result};
use super::pending_io::Request;
use super::session::CoreSession;
use super::settings::date;

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

/// The I/O that the driver performs next.
#[wasm_bindgen]
#[derive(Clone, Copy, Debug)]
pub enum IoRequest {
    /// No I/O: the operation has completed.
    Done,
    Read,
    List,
    Put,
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
}

#[derive(Debug)]
pub(super) enum Machine {
    Load(Load),
    Save(Save),
    Flush(Flush),
    Commit(Commit),
    Delete(Delete),
    Sweep(Sweep),
}

#[wasm_bindgen]
impl CoreSession {
    /// Starts an operation and returns its first I/O request. Only a commit uses `status`, the status of the response.
    pub fn start(&mut self, kind: OperationKind, now: f64, status: u16) -> JsResult<IoRequest> {
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

    /// Updates the time of a running operation.
    pub fn tick(&mut self, now: f64) {
        self.session.tick(date(now));
    }

    /// Sets the start of the next sweep: the value that [`cursor`](Self::cursor) returned after the last one.
    #[wasm_bindgen(js_name = setSweepCursor)]
    pub fn set_sweep_cursor(&mut self, cursor: Option<String>) {
        self.sweep_cursor = cursor;
    }

    /// Passes a complete reply to the machine. Returns the next I/O request.
    fn advance(&mut self, reply: Option<Reply>) -> JsResult<IoRequest> {
        if let (Some(reply), Some(machine)) = (reply, &mut self.machine) {
            let (session, memory, io) = (&mut self.session, &self.memory, &mut self.pending_io);
            let result: Option<Result<()>> = match machine {
                Machine::Load(load) => io.enqueue(load.step(session, memory, reply)).map(Ok),
                Machine::Save(save) => {
                    io.enqueue(save.step(session, memory, reply)).map(|result| result.map(|saved| self.saved = saved))
                }
                Machine::Flush(flush) => io.enqueue(flush.step(session, memory, reply)),
                Machine::Commit(commit) => io
                    .enqueue(commit.step(session, memory, reply))
                    .map(|result| result.map(|headers| self.headers = Some(headers))),
                Machine::Delete(delete) => io.enqueue(delete.step(session, memory, reply)),
                Machine::Sweep(sweep) => {
                    io.enqueue(sweep.step(reply)).map(|result| result.map(|swept| self.swept = swept))
                }
            };
            if let Some(result) = result {
                if let Some(Machine::Sweep(sweep)) = self.machine.take() {
                    self.sweep_cursor = sweep.cursor();
                }
                js_result(result)?;
            }
        }
        Ok(match self.pending_io.first() {
            None => IoRequest::Done,
            Some(Request::Read(_)) => IoRequest::Read,
            Some(Request::Wait(_)) => IoRequest::Wait,
            Some(Request::List { .. }) => IoRequest::List,
            Some(Request::Write(Op::Put { .. })) => IoRequest::Put,
            Some(Request::Write(Op::Delete { .. })) => IoRequest::Delete,
        })
    }
}

/// The current I/O request and its result. A complete result returns the next request.
#[wasm_bindgen]
impl CoreSession {
    /// Returns the keys to read, separated by spaces; `None` if they are those of the last read.
    #[wasm_bindgen(js_name = changedReadKeys)]
    pub fn changed_read_keys(&mut self) -> Option<String> {
        let Request::Read(keys) = self.pending_io.first()? else { return None };
        let keys = keys.iter().map(StorageKey::as_str).collect::<Vec<_>>().join(" ");
        if self.last_read_keys == keys {
            return None;
        }
        self.last_read_keys = keys;
        Some(self.last_read_keys.clone())
    }

    /// Returns the key to put or delete, or the prefix to list; `None` if it is the first key of the last read.
    pub fn key(&self) -> Option<String> {
        let key = match self.pending_io.first()? {
            Request::Write(Op::Put { key, .. } | Op::Delete { key }) => key.as_str(),
            Request::List { prefix, .. } => prefix,
            Request::Read(_) | Request::Wait(_) => return None,
        };
        if self.last_read_keys.split(' ').next() == Some(key) { None } else { Some(key.to_owned()) }
    }

    /// Returns the start of the page to list; after a sweep, the start of the next sweep.
    pub fn cursor(&self) -> Option<String> {
        match self.pending_io.first() {
            Some(Request::List { cursor, .. }) => cursor.clone(),
            _ => self.sweep_cursor.clone(),
        }
    }

    /// Takes the value to put. A second call returns no bytes.
    #[wasm_bindgen(js_name = takeValue)]
    pub fn take_value(&mut self) -> Vec<u8> {
        match self.pending_io.first_mut() {
            Some(Request::Write(Op::Put { value, .. })) => core::mem::take(value),
            _ => Vec::new(),
        }
    }

    /// Reports the value of the next key that was read.
    #[wasm_bindgen(js_name = completeRead)]
    pub fn complete_read(&mut self, value: Option<Box<[u8]>>) -> JsResult<IoRequest> {
        let reply = self.pending_io.complete_read(value.map(Vec::from));
        self.advance(reply)
    }

    /// Reports the result of any other request than a read or a list, or a failure. JavaScript keeps what the store threw.
    pub fn complete(&mut self, result: IoResult) -> JsResult<IoRequest> {
        let reply = match result {
            IoResult::Written => self.pending_io.complete_write(),
            IoResult::Waited => self.pending_io.complete_wait(),
            IoResult::Conflict => self.pending_io.conflict(),
            IoResult::Failed => self.pending_io.fail(),
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
    pub fn complete_list(&mut self, cursor: Option<String>) -> JsResult<IoRequest> {
        let reply = self.pending_io.complete_list(cursor);
        self.advance(reply)
    }
}

/// A boolean property of a session, its operation or its I/O request.
#[wasm_bindgen]
#[derive(Clone, Copy, Debug)]
pub enum Flag {
    Accessed,
    Modified,
    Empty,
    /// The put is conditional: it must not replace an existing entry.
    IfAbsent,
    /// The commit has headers for the response.
    HasHeaders,
    OldRecordRemains,
    /// The sweep has reached the end of the list.
    Complete,
    /// The setting `saveEveryRequest`.
    SaveEveryRequest,
}

/// A numeric property of an operation or its I/O request.
#[wasm_bindgen]
#[derive(Clone, Copy, Debug)]
pub enum Quantity {
    /// The minimum lifetime of the value to put, in seconds.
    Ttl,
    /// The deadline of the value to put, in microseconds of Unix time.
    Deadline,
    /// The time to wait, in milliseconds.
    Wait,
    /// The number of records that the sweep removed.
    Removed,
}

#[wasm_bindgen]
impl CoreSession {
    pub fn flag(&self, flag: Flag) -> bool {
        match flag {
            Flag::Accessed => self.session.accessed(),
            Flag::Modified => self.session.modified(),
            Flag::Empty => self.session.is_empty(),
            Flag::IfAbsent => {
                matches!(self.pending_io.first(), Some(Request::Write(Op::Put { only_if: OnlyIf::Absent, .. })))
            }
            Flag::HasHeaders => self.headers.as_ref().is_some_and(SessionHeaders::depends_on_cookie),
            Flag::OldRecordRemains => {
                self.headers.as_ref().map_or(self.saved, SessionHeaders::saved).old_record_remains
            }
            Flag::Complete => self.swept.complete,
            Flag::SaveEveryRequest => self.session.settings().saves_every_request(),
        }
    }

    pub fn quantity(&self, quantity: Quantity) -> f64 {
        match (quantity, self.pending_io.first()) {
            (Quantity::Ttl, Some(Request::Write(Op::Put { ttl, .. }))) => *ttl as f64,
            (Quantity::Deadline, Some(Request::Write(Op::Put { deadline, .. }))) => *deadline as f64,
            (Quantity::Wait, Some(Request::Wait(milliseconds))) => *milliseconds as f64,
            (Quantity::Removed, _) => self.swept.removed as f64,
            _ => 0.0,
        }
    }

    /// Returns the `Set-Cookie` headers of the last commit, separated by line feeds.
    #[wasm_bindgen(js_name = setCookies)]
    pub fn set_cookies(&self) -> Option<String> {
        let lines = self.headers.as_ref().map(SessionHeaders::set_cookies)?;
        (!lines.is_empty()).then(|| lines.join("\n"))
    }
}

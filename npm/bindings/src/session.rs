//! A session for JavaScript: its life cycle and Django's methods. Values cross as JSON text. Dates cross as ISO text, which keeps
//! microseconds and the offset.

use alloc::borrow::ToOwned;
use alloc::rc::Rc;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use chrono::{DateTime, TimeDelta};
use wasm_bindgen::prelude::wasm_bindgen;

use edge_session::protocol::session_of_key;
use edge_session::store::{IsolateMemory, StorageKey};
use edge_session::{
    Error, ErrorKind, EventKind, Expiry, ExpiryOptions, Result, SaveOutcome, Session, Settings, SweepOutcome, iso, json,
};

use super::area::Area;
use super::error::{JsResult, js_result, to_text};
use super::operation::{FAILED, Machine};
use super::pending_io::PendingIo;
use super::settings::{CoreSettings, SEED, date};

/// A session, the state machine of its current operation, and the results of earlier operations.
#[wasm_bindgen]
#[derive(Debug)]
pub struct CoreSession {
    pub(super) session: Session,
    pub(super) area: Rc<Area>,
    pub(super) memory: IsolateMemory,
    pub(super) machine: Option<Machine>,
    pub(super) pending_io: PendingIo,
    /// The keys of the last read, as JavaScript got them. The next request is mostly for the same keys, and need not repeat them.
    pub(super) last_read_keys: Vec<StorageKey>,
    /// The text that the area has the place of.
    pub(super) result: Vec<u8>,
    pub(super) saved: SaveOutcome,
    pub(super) swept: SweepOutcome,
    /// The start of the next sweep in the store's list.
    pub(super) sweep_cursor: Option<String>,
    error: Option<Error>,
}

impl CoreSession {
    pub(super) fn uninitialised(settings: &Arc<Settings>, area: Rc<Area>, memory: IsolateMemory) -> Self {
        Self {
            session: uninitialised(settings),
            area,
            memory,
            machine: None,
            pending_io: PendingIo::default(),
            last_read_keys: Vec::new(),
            result: Vec::new(),
            saved: SaveOutcome::default(),
            swept: SweepOutcome::default(),
            sweep_cursor: None,
            error: None,
        }
    }

    /// Keeps the error of a call.
    pub(super) fn failed(&mut self, error: Error) -> i32 {
        self.error = Some(error);
        FAILED
    }
}

/// The life cycle. A closed session can be initialised again.
#[wasm_bindgen]
impl CoreSession {
    /// Becomes the session of a session key, or a new session without one. It still has to be loaded.
    #[wasm_bindgen(js_name = initFromKey)]
    pub fn init_from_key(&mut self, settings: &CoreSettings, key: Option<String>, now: f64) -> JsResult<()> {
        let seed = js_result(settings.take_seed())?;
        self.session = session_of_key(Arc::clone(&settings.settings), date(now), seed, key.as_deref());
        Ok(())
    }

    /// Clears everything.
    pub fn close(&mut self) {
        self.session = uninitialised(&Arc::clone(self.session.settings()));
        self.machine = None;
        self.pending_io.clear();
        self.last_read_keys.clear();
        self.result.clear();
        self.saved = SaveOutcome::default();
        self.swept = SweepOutcome::default();
        self.sweep_cursor = None;
        self.error = None;
    }

    /// Takes the time from JavaScript: a session can be older than its request.
    #[wasm_bindgen(js_name = setNow)]
    pub fn set_now(&mut self, now: f64) {
        self.session.set_now(date(now));
    }

    #[wasm_bindgen(js_name = loadReason)]
    pub fn load_reason(&self) -> String {
        self.session.load_reason().as_str().to_owned()
    }

    #[wasm_bindgen(js_name = isNew)]
    pub fn is_new(&mut self) -> JsResult<bool> {
        js_result(self.session.is_new())
    }

    /// Removes and returns the oldest pending event: its kind, a space, and the pseudonym of the session.
    #[wasm_bindgen(js_name = nextEvent)]
    pub fn next_event(&mut self) -> Option<String> {
        self.session.next_event().map(|event| [event.kind.as_str(), " ", &event.session].concat())
    }

    /// Queues an event that JavaScript found.
    pub fn report(&mut self, event: ReportedEvent) {
        self.session.report(match event {
            ReportedEvent::BadSignature => EventKind::BadSignature,
            ReportedEvent::UnsavedChange => EventKind::UnsavedChange,
        });
    }
}

/// The dictionary. Keys are in the area, and so are the JSON texts of values.
#[wasm_bindgen]
impl CoreSession {
    /// Finds the JSON text of a key as it is stored. It is not validated. Returns 1, with its place in the area, or 0.
    pub fn get(&mut self, key_length: usize) -> i32 {
        let Self { session, area, .. } = self;
        let found = area.read(key_length, |key| {
            #[cfg(panics)]
            assert!(key != "panic now", "as the test wants it");
            session.get_stored(key).map(|json| json.map(|json| area.set_text(json)).is_some())
        });
        self.answer(found)
    }

    /// Stores the JSON text that the area has before the key. It is not validated.
    pub fn set(&mut self, json_length: usize, key_length: usize) -> i32 {
        let Self { session, area, .. } = self;
        let set = area.read_entry(json_length, key_length, |json, key| session.set_text(key, json));
        self.answer(set.map(|()| true))
    }

    /// Marks a key as set; its JSON text follows before the session is saved.
    pub fn touch(&mut self, key_length: usize) -> i32 {
        let Self { session, area, .. } = self;
        let touched = area.read(key_length, |key| session.touch(Some(key)));
        self.answer(touched.map(|()| true))
    }

    /// Marks an update of no keys.
    #[wasm_bindgen(js_name = touchNothing)]
    pub fn touch_nothing(&mut self) -> i32 {
        let touched = self.session.touch(None);
        self.answer(touched.map(|()| true))
    }

    /// Removes a key. Returns whether it was present.
    pub fn discard(&mut self, key_length: usize) -> i32 {
        let Self { session, area, .. } = self;
        let removed = area.read(key_length, |key| session.discard(key));
        self.answer(removed)
    }

    /// Returns whether a key is present.
    pub fn has(&mut self, key_length: usize) -> i32 {
        let Self { session, area, .. } = self;
        let found = area.read(key_length, |key| session.contains_key(key));
        self.answer(found)
    }

    fn answer(&mut self, result: Result<bool>) -> i32 {
        result.map_or_else(|error| self.failed(error), i32::from)
    }

    /// Takes the error of the last call that returned a negative number: its code, a space, and the message.
    #[wasm_bindgen(js_name = takeError)]
    pub fn take_error(&mut self) -> String {
        self.error.take().map(|error| to_text(&error)).unwrap_or_default()
    }

    /// Returns the keys as a JSON array.
    pub fn keys(&mut self) -> JsResult<String> {
        js_result(self.session.keys_json())
    }

    pub fn clear(&mut self) {
        self.session.clear();
    }
}

/// The key, the flag `modified`, and the expiry.
#[wasm_bindgen]
impl CoreSession {
    #[wasm_bindgen(js_name = sessionKey)]
    pub fn session_key(&self) -> Option<String> {
        self.session.session_key().map(|key| key.as_str().to_owned())
    }

    #[wasm_bindgen(js_name = setModified)]
    pub fn set_modified(&mut self, modified: bool) {
        self.session.set_modified(modified);
    }

    pub fn create(&mut self) {
        self.session.create();
    }

    #[wasm_bindgen(js_name = cycleKey)]
    pub fn cycle_key(&mut self) -> JsResult<()> {
        js_result(self.session.cycle_key())
    }

    #[wasm_bindgen(js_name = bindUser)]
    pub fn bind_user(&mut self, user: &str, label: &str) -> JsResult<()> {
        js_result(self.session.bind_user(user, Some(label)))
    }

    #[wasm_bindgen(js_name = setExpiry)]
    pub fn set_expiry(&mut self, kind: ExpiryKind, amount: &str) -> JsResult<()> {
        js_result(expiry(kind, amount).and_then(|expiry| self.session.set_expiry(expiry)))
    }

    /// `modification` is an ISO date, or empty for now.
    #[wasm_bindgen(js_name = getExpiryAge)]
    pub fn get_expiry_age(&mut self, modification: &str, kind: Option<ExpiryKind>, amount: &str) -> JsResult<f64> {
        let options = expiry_options(modification, kind, amount);
        js_result(options.and_then(|options| self.session.get_expiry_age(options)).map(|seconds| seconds as f64))
    }

    /// Returns an ISO date, with its own offset or in UTC.
    #[wasm_bindgen(js_name = getExpiryDate)]
    pub fn get_expiry_date(
        &mut self,
        modification: &str,
        kind: Option<ExpiryKind>,
        amount: &str,
        utc: bool,
    ) -> JsResult<String> {
        let options = expiry_options(modification, kind, amount);
        let date = options.and_then(|options| self.session.get_expiry_date(options));
        js_result(date.map(|date| iso::format(if utc { date.to_utc().fixed_offset() } else { date })))
    }

    #[wasm_bindgen(js_name = getExpireAtBrowserClose)]
    pub fn get_expire_at_browser_close(&mut self) -> JsResult<bool> {
        js_result(self.session.get_expire_at_browser_close())
    }
}

/// The bit of a boolean property.
#[wasm_bindgen]
#[derive(Clone, Copy, Debug)]
pub enum Flag {
    Accessed = 1,
    Modified = 2,
    Empty = 4,
    OldRecordRemains = 8,
    /// The sweep has reached the end of the list.
    Complete = 16,
    /// The setting `saveEveryRequest`.
    SaveEveryRequest = 32,
    /// In the area, after a commit: it has headers for the response.
    HasHeaders = 64,
    /// In the area, after a commit: the response ends a session, and clears what the browser has kept of the site.
    ClearsSiteData = 128,
}

impl Flag {
    /// Returns the bit if the property is true, and 0 otherwise.
    pub(super) const fn bit(self, is: bool) -> u8 {
        if is { self as u8 } else { 0 }
    }
}

#[wasm_bindgen]
impl CoreSession {
    /// Returns the properties of the session and its last operation, as bits of [`Flag`].
    pub fn flags(&self) -> u8 {
        Flag::Accessed.bit(self.session.accessed())
            | Flag::Modified.bit(self.session.modified())
            | Flag::Empty.bit(self.session.is_empty())
            | Flag::OldRecordRemains.bit(self.saved.old_record_remains)
            | Flag::Complete.bit(self.swept.complete)
            | Flag::SaveEveryRequest.bit(self.session.settings().saves_every_request())
    }
}

/// An event that JavaScript finds.
#[wasm_bindgen]
#[derive(Clone, Copy, Debug)]
pub enum ReportedEvent {
    /// None of the secrets signed a text.
    BadSignature,
    /// An object was changed in place and not saved.
    UnsavedChange,
}

/// The meaning of an encoded expiry.
#[wasm_bindgen]
#[derive(Clone, Copy, Debug)]
pub enum ExpiryKind {
    /// The default of the settings.
    Policy,
    /// Seconds after each save.
    Seconds,
    /// Microseconds after the call.
    In,
    /// An ISO date.
    At,
}

fn expiry_options(modification: &str, kind: Option<ExpiryKind>, amount: &str) -> Result<ExpiryOptions> {
    let from =
        if modification.is_empty() { None } else { Some(iso::parse(modification).ok_or_else(bad_date)?.to_utc()) };
    let expiry = kind.map(|kind| expiry(kind, amount)).transpose()?;
    Ok(ExpiryOptions { modification: from, expiry })
}

fn expiry(kind: ExpiryKind, amount: &str) -> Result<Expiry> {
    let integer = || json::integer(amount.as_bytes()).ok_or_else(bad_date);
    Ok(match kind {
        ExpiryKind::Policy => Expiry::Policy,
        ExpiryKind::Seconds => Expiry::Seconds(integer()?),
        ExpiryKind::In => Expiry::In(TimeDelta::microseconds(integer()?)),
        ExpiryKind::At => Expiry::At(iso::parse(amount).ok_or_else(bad_date)?),
    })
}

fn bad_date() -> Error {
    Error::new(ErrorKind::Value, "a date needs an offset, and a year from 1 to 9999")
}

fn uninitialised(settings: &Arc<Settings>) -> Session {
    session_of_key(Arc::clone(settings), DateTime::UNIX_EPOCH, [0; SEED], None)
}

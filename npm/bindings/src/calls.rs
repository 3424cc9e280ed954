//! Django's calls on a session, as they cross into JavaScript: values as JSON text, dates as ISO text, which keeps microseconds
//! and offset.

use alloc::borrow::ToOwned;
use alloc::boxed::Box;
use alloc::string::String;
use chrono::TimeDelta;
use wasm_bindgen::prelude::wasm_bindgen;

use super::session::{CoreSession, Thrown, check, moment};
use edge_session::{Error, ErrorKind, Expiry, ExpiryOptions, Result, iso, json};

/// How an expiry is to be read.
#[wasm_bindgen]
#[derive(Clone, Copy, Debug)]
pub enum ExpiryKind {
    Policy,
    /// Seconds after each save.
    Seconds,
    /// Microseconds after the call.
    In,
    /// An ISO date.
    At,
}

/// The dictionary: values cross as JSON text.
#[wasm_bindgen]
impl CoreSession {
    /// The JSON text under a key, as it is stored: whoever parses it finds out whether it is JSON.
    pub fn get(&mut self, key: &str) -> Thrown<Option<String>> {
        #[cfg(panics)]
        assert!(key != "panic now", "as the test wants it");
        check(self.session.get_text(key).map(|text| text.map(str::to_owned)))
    }

    /// Stores a JSON text that the door wrote itself.
    pub fn set(&mut self, key: &str, json: String) -> Thrown<()> {
        check(self.session.set_text(key, json.into_bytes()))
    }

    /// As `set`, with the text in UTF-8: long texts cross faster so.
    #[wasm_bindgen(js_name = setBytes)]
    pub fn set_bytes(&mut self, key: &str, json: Box<[u8]>) -> Thrown<()> {
        check(self.session.set_text(key, json))
    }

    /// A value is set whose text follows before the session is stored; without a key, an update that sets nothing.
    pub fn touch(&mut self, key: Option<String>) -> Thrown<()> {
        check(self.session.touch(key.as_deref()))
    }

    /// Whether the key was there.
    pub fn take(&mut self, key: &str) -> Thrown<bool> {
        check(self.session.discard(key))
    }

    pub fn has(&mut self, key: &str) -> Thrown<bool> {
        check(self.session.contains_key(key))
    }

    /// The keys as a JSON array.
    pub fn keys(&mut self) -> Thrown<String> {
        check(self.session.keys_json())
    }

    pub fn clear(&mut self) {
        self.session.clear();
    }
}

/// Key, flags and expiry.
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
    pub fn cycle_key(&mut self) -> Thrown<()> {
        check(self.session.cycle_key())
    }

    /// Takes the time from the door, which has a clock: a session can be kept for longer than a moment.
    #[wasm_bindgen(js_name = setNow)]
    pub fn set_now(&mut self, now: f64) {
        self.session.set_now(moment(now));
    }

    #[wasm_bindgen(js_name = setExpiry)]
    pub fn set_expiry(&mut self, kind: ExpiryKind, amount: &str) -> Thrown<()> {
        check(expiry(kind, amount).and_then(|expiry| self.session.set_expiry(expiry)))
    }

    /// `modification` as an ISO date; an empty text is the present.
    #[wasm_bindgen(js_name = getExpiryAge)]
    pub fn get_expiry_age(&mut self, modification: &str, kind: Option<ExpiryKind>, amount: &str) -> Thrown<f64> {
        let options = expiry_options(modification, kind, amount);
        check(options.and_then(|options| self.session.get_expiry_age(options)).map(|seconds| seconds as f64))
    }

    /// As an ISO date: with its own offset, or in UTC.
    #[wasm_bindgen(js_name = getExpiryDate)]
    pub fn get_expiry_date(
        &mut self,
        modification: &str,
        kind: Option<ExpiryKind>,
        amount: &str,
        utc: bool,
    ) -> Thrown<String> {
        let options = expiry_options(modification, kind, amount);
        let date = options.and_then(|options| self.session.get_expiry_date(options));
        check(date.map(|date| iso::format(if utc { date.to_utc().fixed_offset() } else { date })))
    }

    #[wasm_bindgen(js_name = getExpireAtBrowserClose)]
    pub fn get_expire_at_browser_close(&mut self) -> Thrown<bool> {
        check(self.session.get_expire_at_browser_close())
    }
}

fn expiry_options(modification: &str, kind: Option<ExpiryKind>, amount: &str) -> Result<ExpiryOptions> {
    let from =
        if modification.is_empty() { None } else { Some(iso::parse(modification).ok_or_else(no_date)?.to_utc()) };
    let expiry = kind.map(|kind| expiry(kind, amount)).transpose()?;
    Ok(ExpiryOptions { modification: from, expiry })
}

fn expiry(kind: ExpiryKind, amount: &str) -> Result<Expiry> {
    let whole = || json::integer(amount.as_bytes()).ok_or_else(no_date);
    Ok(match kind {
        ExpiryKind::Policy => Expiry::Policy,
        ExpiryKind::Seconds => Expiry::Seconds(whole()?),
        ExpiryKind::In => Expiry::In(TimeDelta::microseconds(whole()?)),
        ExpiryKind::At => Expiry::At(iso::parse(amount).ok_or_else(no_date)?),
    })
}

fn no_date() -> Error {
    Error::new(ErrorKind::Value, "a date has an offset, and a year from 1 to 9999")
}

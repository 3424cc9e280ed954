//! Django's calls on a session, as they cross into JavaScript: values as JSON text, dates as ISO text, which keeps microseconds
//! and offset.

use alloc::borrow::ToOwned;
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use chrono::TimeDelta;
use wasm_bindgen::prelude::wasm_bindgen;

use super::bindings::{CoreSession, Thrown, check, moment};
use crate::error::{Error, Result};
use crate::session::expiry::{Expiry, ExpiryOptions, format_iso, parse_iso};
use crate::session::json;

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
        check(self.session.get_text(key).map(|text| text.map(str::to_owned)))
    }

    pub fn item(&mut self, key: &str) -> Thrown<String> {
        let text = self.session.get_text(key).map(|text| text.map(str::to_owned));
        check(text.and_then(|text| text.ok_or_else(|| Error::missing_key(key))))
    }

    /// Stores a JSON text that the door wrote itself.
    pub fn set(&mut self, key: &str, json: String) -> Thrown<()> {
        check(self.session.write(key, json.into_bytes()))
    }

    /// As `set`, with the text in UTF-8: long texts cross faster so.
    #[wasm_bindgen(js_name = setBytes)]
    pub fn set_bytes(&mut self, key: &str, json: Box<[u8]>) -> Thrown<()> {
        check(self.session.write(key, json))
    }

    /// A value is set whose text follows before the session is stored; without a key, an update that sets nothing.
    pub fn touch(&mut self, key: Option<String>) -> Thrown<()> {
        check(self.session.touch(key.as_deref()))
    }

    pub fn remove(&mut self, key: &str) -> Thrown<()> {
        check(self.session.remove(key))
    }

    pub fn has(&mut self, key: &str) -> Thrown<bool> {
        check(self.session.contains_key(key))
    }

    pub fn keys(&mut self) -> Thrown<Vec<String>> {
        check(self.session.keys())
    }

    pub fn clear(&mut self) {
        self.session.clear();
    }

    #[wasm_bindgen(js_name = isEmpty)]
    pub fn is_empty(&self) -> bool {
        self.session.is_empty()
    }
}

/// Key, flags, test cookie and expiry.
#[wasm_bindgen]
impl CoreSession {
    #[wasm_bindgen(js_name = sessionKey)]
    pub fn session_key(&self) -> Option<String> {
        self.session.session_key().map(|key| key.as_str().to_owned())
    }

    pub fn accessed(&self) -> bool {
        self.session.accessed()
    }

    pub fn modified(&self) -> bool {
        self.session.modified()
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

    #[wasm_bindgen(js_name = setTestCookie)]
    pub fn set_test_cookie(&mut self) -> Thrown<()> {
        check(self.session.set_test_cookie())
    }

    #[wasm_bindgen(js_name = testCookieWorked)]
    pub fn test_cookie_worked(&mut self) -> Thrown<bool> {
        check(self.session.test_cookie_worked())
    }

    #[wasm_bindgen(js_name = deleteTestCookie)]
    pub fn delete_test_cookie(&mut self) -> Thrown<()> {
        check(self.session.delete_test_cookie())
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

    /// `modification` as an ISO date; empty for now.
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
        check(date.map(|date| format_iso(if utc { date.to_utc().fixed_offset() } else { date })))
    }

    #[wasm_bindgen(js_name = getExpireAtBrowserClose)]
    pub fn get_expire_at_browser_close(&mut self) -> Thrown<bool> {
        check(self.session.get_expire_at_browser_close())
    }
}

fn expiry_options(modification: &str, kind: Option<ExpiryKind>, amount: &str) -> Result<ExpiryOptions> {
    let from = if modification.is_empty() { None } else { Some(parse_iso(modification).ok_or_else(no_date)?.to_utc()) };
    let expiry = kind.map(|kind| expiry(kind, amount)).transpose()?;
    Ok(ExpiryOptions { modification: from, expiry })
}

fn expiry(kind: ExpiryKind, amount: &str) -> Result<Expiry> {
    let whole = || json::integer(amount.as_bytes()).ok_or_else(no_date);
    Ok(match kind {
        ExpiryKind::Policy => Expiry::Policy,
        ExpiryKind::Seconds => Expiry::Seconds(whole()?),
        ExpiryKind::In => Expiry::In(TimeDelta::microseconds(whole()?)),
        ExpiryKind::At => Expiry::At(parse_iso(amount).ok_or_else(no_date)?),
    })
}

fn no_date() -> Error {
    Error::value("a date has an offset, and a year from 1 to 9999")
}

//! Django's calls on a session, as they cross into JavaScript: values as JSON text, moments as milliseconds of Unix time.

use alloc::borrow::ToOwned;
use alloc::boxed::Box;
use alloc::string::String;
use chrono::{DateTime, TimeDelta};
use wasm_bindgen::prelude::wasm_bindgen;

use super::bindings::{CoreSession, Thrown, check, moment};
use crate::error::{Error, Result};
use crate::session::expiry::{Expiry, ExpiryOptions};

/// How an expiry is to be read.
#[wasm_bindgen]
#[derive(Clone, Copy, Debug)]
pub enum ExpiryKind {
    Policy,
    /// Seconds after each save.
    Seconds,
    /// Microseconds after the call.
    In,
    /// Milliseconds of Unix time.
    At,
}

/// The dictionary: values cross as JSON text.
#[wasm_bindgen]
impl CoreSession {
    /// The JSON text under a key, as it is stored: whoever parses it finds out whether it is JSON.
    pub fn get(&mut self, key: &str) -> Thrown<Option<String>> {
        #[cfg(feature = "panics")]
        assert!(key != "panic now", "as the test wants it");
        check(self.session.get_text(key).map(|text| text.map(str::to_owned)))
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

    /// Whether the key was there.
    pub fn take(&mut self, key: &str) -> Thrown<bool> {
        check(self.session.take(key))
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

    #[wasm_bindgen(js_name = setExpiry)]
    pub fn set_expiry(&mut self, kind: ExpiryKind, amount: f64) -> Thrown<()> {
        check(expiry(kind, amount).and_then(|expiry| self.session.set_expiry(expiry)))
    }

    /// `modification` in milliseconds of Unix time.
    #[wasm_bindgen(js_name = getExpiryAge)]
    pub fn get_expiry_age(&mut self, modification: Option<f64>, kind: Option<ExpiryKind>, amount: f64) -> Thrown<f64> {
        let options = expiry_options(modification, kind, amount);
        check(options.and_then(|options| self.session.get_expiry_age(options)).map(|seconds| seconds as f64))
    }

    /// In milliseconds of Unix time.
    #[wasm_bindgen(js_name = getExpiryDate)]
    pub fn get_expiry_date(&mut self, modification: Option<f64>, kind: Option<ExpiryKind>, amount: f64) -> Thrown<f64> {
        let options = expiry_options(modification, kind, amount);
        check(
            options
                .and_then(|options| self.session.get_expiry_date(options))
                .map(|date| date.timestamp_millis() as f64),
        )
    }

    #[wasm_bindgen(js_name = getExpireAtBrowserClose)]
    pub fn get_expire_at_browser_close(&mut self) -> Thrown<bool> {
        check(self.session.get_expire_at_browser_close())
    }
}

fn expiry_options(modification: Option<f64>, kind: Option<ExpiryKind>, amount: f64) -> Result<ExpiryOptions> {
    let expiry = kind.map(|kind| expiry(kind, amount)).transpose()?;
    Ok(ExpiryOptions { modification: modification.map(moment), expiry })
}

fn expiry(kind: ExpiryKind, amount: f64) -> Result<Expiry> {
    let beyond = || Error::value("the expiry lies beyond the years that a date can hold");
    Ok(match kind {
        ExpiryKind::Policy => Expiry::Policy,
        ExpiryKind::Seconds => Expiry::Seconds(amount as i64),
        ExpiryKind::In => Expiry::In(TimeDelta::microseconds(amount as i64)),
        ExpiryKind::At => Expiry::At(DateTime::from_timestamp_millis(amount as i64).ok_or_else(beyond)?.fixed_offset()),
    })
}

//! Settings, randomness and isolate memory, which sessions share.

use alloc::boxed::Box;
use alloc::rc::Rc;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::cell::RefCell;

use chrono::{DateTime, Utc};
use wasm_bindgen::prelude::wasm_bindgen;
use zeroize::{Zeroize, Zeroizing};

use edge_session::store::{Consistency, IsolateMemory};
use edge_session::{Error, ErrorKind, Result, Settings};

use super::area::Area;
use super::error::{JsResult, js_result};
use super::options;
use super::session::CoreSession;

/// The number of random bytes that a session takes.
pub(super) const SEED: usize = 32;

/// The isolate memory of one store. All sessions of the store share it, whichever settings they have.
#[wasm_bindgen]
#[derive(Debug, Default)]
pub struct CoreMemory {
    pub(super) memory: IsolateMemory,
}

#[wasm_bindgen]
impl CoreMemory {
    #[wasm_bindgen(constructor)]
    pub fn new() -> CoreMemory {
        Self::default()
    }
}

/// The consistency of a store.
#[wasm_bindgen]
#[derive(Clone, Copy, Debug)]
pub enum CoreConsistency {
    Eventual,
    Linearizable,
    Migrating,
    Cookie,
}

/// Validated settings and a pool of random seeds.
#[wasm_bindgen]
#[derive(Debug)]
pub struct CoreSettings {
    pub(super) settings: Arc<Settings>,
    seeds: RefCell<Zeroizing<Vec<u8>>>,
    area: Rc<Area>,
}

#[wasm_bindgen]
impl CoreSettings {
    /// Validates settings. `secrets` are concatenated, with their lengths in `sizes`; `settings` is a JSON object of all others,
    /// and `consistency` that of the store.
    #[wasm_bindgen(constructor)]
    pub fn new(
        secrets: Box<[u8]>,
        sizes: &[usize],
        settings: &str,
        consistency: CoreConsistency,
    ) -> JsResult<CoreSettings> {
        let consistency = match consistency {
            CoreConsistency::Eventual => Consistency::Eventual,
            CoreConsistency::Linearizable => Consistency::Linearizable,
            CoreConsistency::Migrating => Consistency::Migrating,
            CoreConsistency::Cookie => Consistency::Cookie,
        };
        let settings = js_result(options::read(secrets, sizes, settings))?.with_consistency(consistency);
        Ok(Self { settings: Arc::new(settings), seeds: RefCell::default(), area: Area::new() })
    }

    /// Replaces the pool of random bytes. Each session takes 32 of them.
    pub fn seed(&self, bytes: Box<[u8]>) {
        *self.seeds.borrow_mut() = Zeroizing::new(bytes.into());
    }

    /// Returns the address of the words of the area that sessions with these settings share.
    #[wasm_bindgen(js_name = areaAddress)]
    pub fn area_address(&self) -> usize {
        self.area.address()
    }

    /// Makes the area larger.
    #[wasm_bindgen(js_name = reserveArea)]
    pub fn reserve_area(&self, size: usize) {
        self.area.reserve(size);
    }

    /// Returns a session that is not initialised. Call `load` or `initFromKey` next.
    pub fn session(&self, memory: &CoreMemory) -> CoreSession {
        CoreSession::uninitialised(&self.settings, Rc::clone(&self.area), memory.memory.clone())
    }

    /// Signs as Django does. `packed` is true if the payload is compressed with zlib.
    pub fn sign(&self, payload: &[u8], packed: bool, now: f64) -> String {
        self.settings.sign(payload, packed, date(now).timestamp())
    }

    /// Returns the payload of a text that Django signed, compressed or not; `None` if the signature is invalid.
    pub fn verify(&self, text: &str) -> Option<Vec<u8>> {
        self.settings.verify(text)
    }
}

impl CoreSettings {
    pub(super) fn take_seed(&self) -> Result<[u8; SEED]> {
        let mut seeds = self.seeds.borrow_mut();
        let seed = seeds
            .last_chunk()
            .copied()
            .ok_or_else(|| Error::new(ErrorKind::Entropy, "entropy must return 32 random bytes"));
        let left = seeds.len().saturating_sub(SEED);
        seeds.get_mut(left..).unwrap_or_default().zeroize();
        seeds.truncate(left);
        seed
    }
}

/// Converts milliseconds of Unix time.
pub(super) fn date(milliseconds: f64) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(milliseconds as i64).unwrap_or_default()
}

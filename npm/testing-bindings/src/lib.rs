//! WebAssembly bindings of the KV model. One call starts an operation and returns its number; [`CoreModel::next_answer`] returns its
//! result once virtual time has reached it. The public API is TypeScript, in `npm/src/testing`.

#![allow(missing_docs, reason = "the crate has no Rust API")]

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::error::Error as _;
use std::rc::Rc;
use std::time::Duration;

use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

use edge_session::{Error, Result};
use edge_session_kv_model::{Fault, KvLocation, KvModel, KvModelOptions};

use convert::{Answer, Entry, JsResult, milliseconds};

mod convert;

/// A model, its running operations, and the answers that JavaScript has not taken yet.
#[wasm_bindgen]
#[derive(Debug)]
pub struct CoreModel {
    model: KvModel,
    /// The fault of the operation that starts next.
    fault: Rc<RefCell<Option<Fault>>>,
    /// The number of operations that were started.
    started: Cell<u32>,
    answers: Rc<RefCell<VecDeque<Answer>>>,
}

/// A validated fault.
#[wasm_bindgen]
#[derive(Debug)]
pub struct CoreFault(Fault);

#[wasm_bindgen]
impl CoreFault {
    #[wasm_bindgen(constructor)]
    pub fn new(fault: JsValue) -> JsResult<CoreFault> {
        convert::fault(fault).map(Self)
    }
}

#[wasm_bindgen]
impl CoreModel {
    /// `options` are those that differ from the default or the hostile ones.
    #[wasm_bindgen(constructor)]
    pub fn new(hostile: bool, options: JsValue) -> JsResult<CoreModel> {
        let defaults = if hostile { KvModelOptions::hostile() } else { KvModelOptions::default() };
        let model = KvModel::new(convert::options(defaults, options, true)?);
        let fault = Rc::new(RefCell::new(None));
        let next_fault = Rc::clone(&fault);
        model.on_operation(move |_| next_fault.take());
        Ok(Self { model, fault, started: Cell::default(), answers: Rc::default() })
    }

    #[wasm_bindgen(js_name = changeOptions)]
    pub fn change_options(&self, changes: JsValue) -> JsResult<()> {
        let changed = convert::options(self.model.options(), changes, false)?;
        self.model.change_options(|_| changed);
        Ok(())
    }

    /// Disables random faults.
    #[wasm_bindgen(js_name = stopFaults)]
    pub fn stop_faults(&self) {
        self.model.change_options(KvModelOptions::without_faults);
    }

    /// Returns the bound in milliseconds.
    #[wasm_bindgen(js_name = stalenessBound)]
    pub fn staleness_bound(&self) -> f64 {
        self.model.options().staleness_bound().as_micros() as f64 / 1e3
    }

    pub fn at(&self, location: &str) -> CoreLocation {
        CoreLocation(self.model.at(location))
    }

    /// Returns the virtual time in milliseconds of Unix time.
    pub fn now(&self) -> f64 {
        self.model.date().timestamp_millis() as f64
    }

    #[wasm_bindgen(js_name = setOutage)]
    pub fn set_outage(&self, out: bool) {
        self.model.set_outage(out);
    }

    pub fn counts(&self) -> JsResult<JsValue> {
        convert::counts(&self.model.counts())
    }

    /// Returns the entries of the central store.
    pub fn entries(&self) -> JsResult<JsValue> {
        let entry = |(name, value)| Entry { name, value: Some(value), metadata: None, expiration: None };
        convert::to_js(&self.model.entries().into_iter().map(entry).collect::<Vec<_>>())
    }
}

/// A location, or an invocation of a Worker there.
#[wasm_bindgen]
#[derive(Debug)]
pub struct CoreLocation(KvLocation);

#[wasm_bindgen]
impl CoreLocation {
    pub fn invocation(&self) -> CoreLocation {
        Self(self.0.invocation())
    }
}

/// The operations. Each call starts one and returns its number.
#[wasm_bindgen]
impl CoreModel {
    /// Sets the fault of the operation that starts next.
    #[wasm_bindgen(js_name = setFault)]
    pub fn set_fault(&self, fault: CoreFault) {
        self.fault.replace(Some(fault.0));
    }

    /// `cache_ttl` is in seconds.
    pub fn get(&self, at: &CoreLocation, key: String, cache_ttl: Option<f64>) -> u32 {
        let at = cache_ttl.map_or_else(|| at.0.clone(), |ttl| at.0.with_cache_ttl(milliseconds(ttl * 1e3)));
        self.start(async move {
            let found = at.get_with_metadata(&key).await?;
            let entry = |(value, metadata): (Vec<u8>, Option<Rc<str>>)| Entry {
                name: key,
                value: Some(value),
                metadata: metadata.as_deref().map(str::to_owned),
                expiration: None,
            };
            Ok(Answer { entries: found.map(entry).into_iter().collect(), ..Answer::default() })
        })
    }

    /// `ttl` is in seconds.
    pub fn put(
        &self,
        at: &CoreLocation,
        key: String,
        value: Box<[u8]>,
        ttl: Option<f64>,
        metadata: Option<String>,
    ) -> u32 {
        let at = at.0.clone();
        self.start(async move {
            let ttl = ttl.map(|seconds| seconds as u64);
            at.put_for(&key, &value, ttl, metadata.as_deref()).await.map(|()| Answer::default())
        })
    }

    pub fn delete(&self, at: &CoreLocation, key: String) -> u32 {
        let at = at.0.clone();
        self.start(async move { at.delete(&key).await.map(|()| Answer::default()) })
    }

    pub fn list(&self, at: &CoreLocation, prefix: String, cursor: Option<String>, limit: Option<u32>) -> u32 {
        let at = at.0.clone();
        let start = self.model.options().start.timestamp_micros();
        self.start(async move {
            let limit = limit.map(|limit| limit as usize);
            let (listed, cursor) = at.list_keys(&prefix, cursor.as_deref(), limit).await?;
            let seconds = |expires: Duration| start.saturating_add_unsigned(expires.as_micros() as u64) / 1_000_000;
            let entries = listed.into_iter().map(|key| Entry {
                name: key.name,
                value: None,
                metadata: key.metadata.as_deref().map(str::to_owned),
                expiration: key.expires.map(|expires| seconds(expires) as f64),
            });
            Ok(Answer { entries: entries.collect(), cursor, ..Answer::default() })
        })
    }

    /// Waits for this many milliseconds.
    pub fn sleep(&self, time: f64) -> u32 {
        let model = self.model.clone();
        self.start(async move {
            model.sleep(milliseconds(time)).await;
            Ok(Answer::default())
        })
    }

    fn start(&self, operation: impl Future<Output = Result<Answer>> + 'static) -> u32 {
        let number = self.started.get().wrapping_add(1);
        self.started.set(number);
        let answers = Rc::clone(&self.answers);
        self.model.spawn(async move {
            let failed =
                |error: Error| Answer { failure: error.source().map(ToString::to_string), ..Answer::default() };
            let answer = operation.await.unwrap_or_else(failed);
            answers.borrow_mut().push_back(Answer { operation: number, ..answer });
        });
        self.model.run_for(Duration::ZERO);
        // An operation that was rejected before it started has not taken its fault.
        self.fault.take();
        number
    }

    /// Advances virtual time to the next event. Returns false if no event is left.
    pub fn step(&self) -> bool {
        self.model.step()
    }

    /// Removes and returns the next answer; undefined if there is none.
    #[wasm_bindgen(js_name = nextAnswer)]
    pub fn next_answer(&self) -> JsResult<JsValue> {
        convert::to_js(&self.answers.borrow_mut().pop_front())
    }
}

//! The model of KV for JavaScript: an operation is begun by one call, and its answer fetched by others, once virtual time has
//! come to it. What JavaScript's users see of it is in `npm/src/testing`.

#![no_std]
#![allow(missing_docs, reason = "it has no Rust interface")]

extern crate alloc;

use alloc::borrow::ToOwned;
use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::rc::Rc;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};
use core::error::Error as _;
use core::time::Duration;

use chrono::DateTime;
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

use edge_session::{Error, Result, json};
use edge_session_kv_model::{Fault, KvLocation, KvModel, KvModelOptions};
use talc::wasm::{WasmDynamicTalc, new_wasm_dynamic_allocator};

#[global_allocator]
static ALLOCATOR: WasmDynamicTalc = new_wasm_dynamic_allocator();

#[panic_handler]
fn panicked(_: &core::panic::PanicInfo<'_>) -> ! {
    core::arch::wasm32::unreachable()
}

/// What a call throws: a text.
type Thrown<T> = core::result::Result<T, JsValue>;

/// A model, the operations that were begun on it, and the answers that nobody fetched yet.
#[wasm_bindgen]
#[derive(Debug)]
pub struct CoreModel {
    model: KvModel,
    /// What goes wrong with the operation that is begun next.
    fault: Rc<RefCell<Option<Fault>>>,
    begun: Cell<u32>,
    answers: Rc<RefCell<VecDeque<(u32, Answer)>>>,
    /// The one that was fetched last.
    answer: RefCell<Answer>,
}

/// What came of an operation.
#[derive(Debug, Default)]
struct Answer {
    failure: Option<String>,
    entries: Vec<CoreEntry>,
    cursor: Option<String>,
}

/// What is known of a key.
#[wasm_bindgen(getter_with_clone)]
#[derive(Clone, Debug)]
pub struct CoreEntry {
    pub name: String,
    pub value: Option<Vec<u8>>,
    /// As JSON.
    pub metadata: Option<String>,
    /// In seconds of Unix time.
    pub expiration: Option<f64>,
}

#[wasm_bindgen]
impl CoreModel {
    /// `options` are those that differ from the usual ones, or from the hostile ones, as a JSON object.
    #[wasm_bindgen(constructor)]
    pub fn new(hostile: bool, options: &str) -> Thrown<CoreModel> {
        let usual = if hostile { KvModelOptions::hostile() } else { KvModelOptions::default() };
        let model = KvModel::new(read(usual, options, true)?);
        let fault = Rc::new(RefCell::new(None));
        let wanted = Rc::clone(&fault);
        model.on_operation(move |_| wanted.take());
        Ok(Self { model, fault, begun: Cell::default(), answers: Rc::default(), answer: RefCell::default() })
    }

    #[wasm_bindgen(js_name = changeOptions)]
    pub fn change_options(&self, options: &str) -> Thrown<()> {
        let changed = read(self.model.options(), options, false)?;
        self.model.change_options(|_| changed);
        Ok(())
    }

    /// No more faults by chance.
    #[wasm_bindgen(js_name = stopFaults)]
    pub fn stop_faults(&self) {
        self.model.change_options(KvModelOptions::without_faults);
    }

    /// In milliseconds.
    #[wasm_bindgen(js_name = stalenessBound)]
    pub fn staleness_bound(&self) -> f64 {
        self.model.options().staleness_bound().as_micros() as f64 / 1e3
    }

    pub fn at(&self, location: &str) -> CoreLocation {
        CoreLocation(self.model.at(location))
    }

    /// Milliseconds of Unix time.
    pub fn now(&self) -> f64 {
        self.model.date().timestamp_millis() as f64
    }

    #[wasm_bindgen(js_name = setOutage)]
    pub fn set_outage(&self, out: bool) {
        self.model.set_outage(out);
    }

    /// Gets, puts, deletes and lists.
    pub fn counts(&self) -> Vec<f64> {
        let counts = self.model.counts();
        [counts.gets, counts.puts, counts.deletes, counts.lists].map(|count| count as f64).into()
    }

    /// What the store holds in the end.
    pub fn entries(&self) -> Vec<CoreEntry> {
        let entry = |(name, value)| CoreEntry { name, value: Some(value), metadata: None, expiration: None };
        self.model.entries().into_iter().map(entry).collect()
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

/// What can be made to go wrong.
#[wasm_bindgen]
#[derive(Clone, Copy, Debug)]
pub enum Mishap {
    Status,
    Hang,
    Slow,
    AppliedButFailed,
    Late,
    Missing,
    Stale,
    Expired,
    Truncated,
    FlippedBit,
    Replaced,
    OfKey,
    EmptyPage,
}

/// The operations. Each is begun at once, and gives the number under which its answer comes.
#[wasm_bindgen]
impl CoreModel {
    /// What goes wrong with the operation that is begun next. `amount` is a status, milliseconds, writes, bytes or bits.
    pub fn fault(&self, mishap: Mishap, amount: f64, bytes: Box<[u8]>) {
        self.fault.replace(Some(match mishap {
            Mishap::Status => Fault::Status(amount as u16),
            Mishap::Hang => Fault::Hang,
            Mishap::Slow => Fault::Slow(milliseconds(amount)),
            Mishap::AppliedButFailed => Fault::AppliedButFailed(amount as u16),
            Mishap::Late => Fault::Late(milliseconds(amount)),
            Mishap::Missing => Fault::Missing,
            Mishap::Stale => Fault::Stale(amount as usize),
            Mishap::Expired => Fault::Expired,
            Mishap::Truncated => Fault::Truncated(amount as usize),
            Mishap::FlippedBit => Fault::FlippedBit(amount as usize),
            Mishap::Replaced => Fault::Replaced(bytes.into()),
            Mishap::OfKey => Fault::OfKey(String::from_utf8_lossy(&bytes).into_owned()),
            Mishap::EmptyPage => Fault::EmptyPage,
        }));
    }

    /// `cache_ttl` in seconds.
    pub fn get(&self, at: &CoreLocation, key: String, cache_ttl: Option<f64>) -> u32 {
        let at = cache_ttl.map_or_else(|| at.0.clone(), |ttl| at.0.with_cache_ttl(milliseconds(ttl * 1e3)));
        self.begin(async move {
            let found = at.get_with_metadata(&key).await?;
            let entry = |(value, metadata): (Vec<u8>, Option<Rc<str>>)| CoreEntry {
                name: key,
                value: Some(value),
                metadata: metadata.as_deref().map(str::to_owned),
                expiration: None,
            };
            Ok(Answer { entries: found.map(entry).into_iter().collect(), ..Answer::default() })
        })
    }

    /// `ttl` in seconds.
    pub fn put(
        &self,
        at: &CoreLocation,
        key: String,
        value: Box<[u8]>,
        ttl: Option<f64>,
        metadata: Option<String>,
    ) -> u32 {
        let at = at.0.clone();
        self.begin(async move {
            let ttl = ttl.map(|seconds| seconds as u64);
            at.put_for(&key, &value, ttl, metadata.as_deref()).await.map(|()| Answer::default())
        })
    }

    pub fn delete(&self, at: &CoreLocation, key: String) -> u32 {
        let at = at.0.clone();
        self.begin(async move { at.delete(&key).await.map(|()| Answer::default()) })
    }

    pub fn list(&self, at: &CoreLocation, prefix: String, cursor: Option<String>, limit: Option<u32>) -> u32 {
        let at = at.0.clone();
        let start = self.model.options().start.timestamp_micros();
        self.begin(async move {
            let limit = limit.map(|limit| limit as usize);
            let (listed, cursor) = at.list_keys(&prefix, cursor.as_deref(), limit).await?;
            let seconds = |expires: Duration| start.saturating_add_unsigned(expires.as_micros() as u64) / 1_000_000;
            let entries = listed.into_iter().map(|key| CoreEntry {
                name: key.name,
                value: None,
                metadata: key.metadata.as_deref().map(str::to_owned),
                expiration: key.expires.map(|expires| seconds(expires) as f64),
            });
            Ok(Answer { entries: entries.collect(), cursor, ..Answer::default() })
        })
    }

    /// Waits for so many milliseconds.
    pub fn sleep(&self, time: f64) -> u32 {
        let model = self.model.clone();
        self.begin(async move {
            model.sleep(milliseconds(time)).await;
            Ok(Answer::default())
        })
    }

    fn begin(&self, operation: impl Future<Output = Result<Answer>> + 'static) -> u32 {
        let number = self.begun.get().wrapping_add(1);
        self.begun.set(number);
        let answers = Rc::clone(&self.answers);
        self.model.spawn(async move {
            let failed =
                |error: Error| Answer { failure: error.source().map(ToString::to_string), ..Answer::default() };
            let answer = operation.await.unwrap_or_else(failed);
            answers.borrow_mut().push_back((number, answer));
        });
        self.model.run_for(Duration::ZERO);
        // One that was refused before it began has left it.
        self.fault.take();
        number
    }

    /// Goes on to the next moment at which something happens; false where nothing can by itself.
    pub fn step(&self) -> bool {
        self.model.step()
    }
}

/// The answers.
#[wasm_bindgen]
impl CoreModel {
    /// Fetches the next answer, and gives the number of its operation.
    pub fn answered(&self) -> Option<u32> {
        let (number, answer) = self.answers.borrow_mut().pop_front()?;
        self.answer.replace(answer);
        Some(number)
    }

    /// Why the operation failed.
    pub fn failure(&self) -> Option<String> {
        self.answer.borrow().failure.clone()
    }

    /// What was found or listed; to be taken once.
    pub fn found(&self) -> Vec<CoreEntry> {
        core::mem::take(&mut self.answer.borrow_mut().entries)
    }

    /// From where the list goes on.
    pub fn cursor(&self) -> Option<String> {
        self.answer.borrow().cursor.clone()
    }
}

/// Reads options over others. A name that is none of them is refused: it is a slip of the pen.
fn read(mut options: KvModelOptions, json: &str, at_first: bool) -> Thrown<KvModelOptions> {
    let members = json::members(json).map_err(|_| "the options are no object")?;
    for (name, value) in &members {
        let option = Given { name, value };
        match name.as_str() {
            "seed" if at_first => options.seed = option.number()? as u64,
            "start" if at_first => {
                let start = DateTime::from_timestamp_millis(option.number()? as i64);
                options.start = start.ok_or_else(|| option.must_be("a date"))?;
            }
            "cacheTtl" => options.cache_ttl = option.time()?,
            "typicalPropagation" => options.typical_propagation = option.time()?,
            "maxPropagation" => options.max_propagation = option.time()?,
            "locallyInvisible" => options.locally_invisible = option.probability()?,
            "latency" => options.latency = option.times()?,
            "slow" => options.slow = option.probability()?,
            "slowLatency" => options.slow_latency = option.times()?,
            "writeInterval" => options.write_interval = option.time()?,
            "limitsDeletes" => options.limits_deletes = option.flag()?,
            "pageSize" => options.page_size = (option.number()? as usize).max(1),
            "failingReads" => options.failing_reads = option.probability()?,
            "failingPuts" => options.failing_puts = option.probability()?,
            "putsAppliedButFailed" => options.puts_applied_but_failed = option.probability()?,
            "latePuts" => options.late_puts = option.probability()?,
            "failingDeletes" => options.failing_deletes = option.probability()?,
            "lateDeletes" => options.late_deletes = option.probability()?,
            "lateness" => options.lateness = option.times()?,
            "hanging" => options.hanging = option.probability()?,
            "failingLists" => options.failing_lists = option.probability()?,
            "emptyPages" => options.empty_pages = option.probability()?,
            _ if at_first => {
                return Err([name, " is no option; the type KvModelOptions has their names"].concat().into());
            }
            _ => return Err([name, " is no option that can be changed"].concat().into()),
        }
    }
    Ok(options)
}

/// One option: its name, and its value as JSON.
struct Given<'a> {
    name: &'a str,
    value: &'a str,
}

impl Given<'_> {
    fn number(&self) -> Thrown<f64> {
        let number = self.value.parse().ok().filter(|number: &f64| *number >= 0.0);
        number.ok_or_else(|| self.must_be("a number that is not negative"))
    }

    fn time(&self) -> Thrown<Duration> {
        self.number().map(milliseconds)
    }

    fn times(&self) -> Thrown<(Duration, Duration)> {
        let ends = self.value.strip_prefix('[').and_then(|value| value.strip_suffix(']')?.split_once(','));
        let end = |value| Given { name: self.name, value }.time().ok();
        let times = ends.and_then(|(least, most)| end(least).zip(end(most))).filter(|(least, most)| least <= most);
        times.ok_or_else(|| self.must_be("the least and the most milliseconds, [5, 80]"))
    }

    fn probability(&self) -> Thrown<f64> {
        self.number().ok().filter(|number| *number <= 1.0).ok_or_else(|| self.must_be("a probability from 0 to 1"))
    }

    fn flag(&self) -> Thrown<bool> {
        match self.value {
            "true" => Ok(true),
            "false" => Ok(false),
            _ => Err(self.must_be("true or false")),
        }
    }

    fn must_be(&self, wanted: &str) -> JsValue {
        [self.name, " must be ", wanted].concat().into()
    }
}

fn milliseconds(time: f64) -> Duration {
    Duration::from_micros((time * 1e3) as u64)
}

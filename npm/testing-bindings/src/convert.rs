//! Conversions between the values of JavaScript and those of the model.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::DateTime;
use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use wasm_bindgen::JsValue;

use edge_session_kv_model::{Fault, KvModelOptions, OperationCounts};

/// The result of a call. The error is a string.
pub(super) type JsResult<T> = Result<T, JsValue>;

/// The form of a [`Fault`] in JavaScript: `"hang"`, `{ status: 429 }`.
#[derive(Deserialize)]
#[serde(remote = "Fault", rename_all = "camelCase")]
enum FaultForm {
    Status(u16),
    Hang,
    Slow(#[serde(deserialize_with = "duration")] Duration),
    AppliedButFailed(u16),
    Late(#[serde(deserialize_with = "duration")] Duration),
    Missing,
    Stale(usize),
    Expired,
    Truncated(usize),
    FlippedBit(usize),
    Replaced(Vec<u8>),
    OfKey(String),
    EmptyPage,
}

fn duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let time = f64::deserialize(deserializer)?;
    if time >= 0.0 { Ok(milliseconds(time)) } else { Err(serde::de::Error::custom("a time is negative")) }
}

pub(super) fn fault(fault: JsValue) -> JsResult<Fault> {
    let fault = FaultForm::deserialize(serde_wasm_bindgen::Deserializer::from(fault));
    fault.map_err(|_| r#"Invalid fault. The type Fault lists all faults, such as { status: 429 } or "hang"."#.into())
}

/// The form of [`OperationCounts`] in JavaScript.
#[derive(Serialize)]
#[serde(remote = "OperationCounts")]
struct CountsForm {
    gets: u64,
    puts: u64,
    deletes: u64,
    lists: u64,
}

pub(super) fn counts(counts: &OperationCounts) -> JsResult<JsValue> {
    Ok(CountsForm::serialize(counts, &serde_wasm_bindgen::Serializer::new())?)
}

/// The result of an operation.
#[derive(Debug, Default, Serialize)]
pub(super) struct Answer {
    /// The number of the operation.
    pub(super) operation: u32,
    pub(super) failure: Option<String>,
    pub(super) entries: Vec<Entry>,
    /// The start of the next page of a list.
    pub(super) cursor: Option<String>,
}

/// A key, with those of its properties that the operation returns.
#[derive(Debug, Serialize)]
pub(super) struct Entry {
    pub(super) name: String,
    #[serde(serialize_with = "bytes")]
    pub(super) value: Option<Vec<u8>>,
    /// As JSON.
    pub(super) metadata: Option<String>,
    /// In seconds of Unix time.
    pub(super) expiration: Option<f64>,
}

/// Serializes bytes as a `Uint8Array`.
fn bytes<S: Serializer>(bytes: &Option<Vec<u8>>, serializer: S) -> Result<S::Ok, S::Error> {
    match bytes {
        Some(bytes) => serializer.serialize_bytes(bytes),
        None => serializer.serialize_none(),
    }
}

pub(super) fn to_js(value: &impl Serialize) -> JsResult<JsValue> {
    Ok(serde_wasm_bindgen::to_value(value)?)
}

/// Applies options to others. `initial` is true for the options of a new model, of which a later change can set only some.
pub(super) fn options(mut options: KvModelOptions, changes: JsValue, initial: bool) -> JsResult<KvModelOptions> {
    let changes: BTreeMap<String, OptionValue> = serde_wasm_bindgen::from_value(changes)?;
    for (name, value) in &changes {
        if matches!(value, OptionValue::Absent(())) {
            continue;
        }
        let option = NamedOption { name, value };
        match name.as_str() {
            "seed" if initial => options.seed = option.number()? as u64,
            "start" if initial => {
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
            _ if initial => return Err(format!("Unknown option `{name}`. KvModelOptions lists them all.").into()),
            _ => {
                return Err(
                    format!("The option `{name}` cannot be changed. KvModelChanges lists those that can.").into()
                );
            }
        }
    }
    Ok(options)
}

/// The value of an option, of any type.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum OptionValue {
    Absent(()),
    Flag(bool),
    Number(f64),
    Pair(f64, f64),
    Other(IgnoredAny),
}

struct NamedOption<'a> {
    name: &'a str,
    value: &'a OptionValue,
}

impl NamedOption<'_> {
    fn number(&self) -> JsResult<f64> {
        match *self.value {
            OptionValue::Number(number) if number >= 0.0 && number.is_finite() => Ok(number),
            _ => Err(self.must_be("a number that is not negative")),
        }
    }

    fn time(&self) -> JsResult<Duration> {
        self.number().map(milliseconds)
    }

    fn times(&self) -> JsResult<(Duration, Duration)> {
        match *self.value {
            OptionValue::Pair(least, most) if 0.0 <= least && least <= most && most.is_finite() => {
                Ok((milliseconds(least), milliseconds(most)))
            }
            _ => Err(self.must_be("the minimum and the maximum in milliseconds, such as [5, 80]")),
        }
    }

    fn probability(&self) -> JsResult<f64> {
        match *self.value {
            OptionValue::Number(number) if (0.0..=1.0).contains(&number) => Ok(number),
            _ => Err(self.must_be("a probability from 0 to 1")),
        }
    }

    fn flag(&self) -> JsResult<bool> {
        match *self.value {
            OptionValue::Flag(flag) => Ok(flag),
            _ => Err(self.must_be("true or false")),
        }
    }

    fn must_be(&self, expected: &str) -> JsValue {
        format!("{} must be {expected}", self.name).into()
    }
}

pub(super) fn milliseconds(time: f64) -> Duration {
    Duration::from_micros((time * 1e3) as u64)
}

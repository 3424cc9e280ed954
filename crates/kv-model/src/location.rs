//! KV as seen from one location: the calls of the binding, with its limits.

use alloc::collections::BTreeMap;
use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;
use core::cell::Cell;
use core::time::Duration;

use crate::KvModel;
use crate::fault::{Fault, OperationKind};
use crate::namespace::{Looked, Stored};
use crate::options::micros;
use edge_session::store::{IsolateMemory, OnlyIf};
use edge_session::{Error, Result};

/// The longest key, in bytes.
const MAX_KEY: usize = 512;

/// The largest value, in bytes.
const MAX_VALUE: usize = 25 * 1024 * 1024;

/// The largest metadata, in bytes of JSON.
const MAX_METADATA: usize = 1024;

/// The shortest TTL, in seconds.
pub(super) const MIN_TTL: u64 = 60;

/// The maximum number of operations of one invocation.
const MAX_OPERATIONS: u32 = 1000;

/// A [`KvModel`] as seen from one isolate at a location. Its [`Store`](edge_session::Store) behaves like the Worker's `Kv`.
/// Clones belong to the same isolate.
///
/// ```
/// use edge_session_kv_model::{KvModel, KvModelOptions};
///
/// # fn main() -> edge_session::Result<()> {
/// let model = KvModel::new(KvModelOptions { locally_invisible: 0.0, ..KvModelOptions::default() });
/// let (amsterdam, singapore) = (model.at("AMS"), model.at("SIN"));
/// model.block_on(async {
///     assert_eq!(singapore.get("greeting").await?, None);
///     amsterdam.put("greeting", b"hello", 3600, None).await?;
///     assert_eq!(amsterdam.get("greeting").await?.as_deref(), Some(b"hello".as_slice()));
///     assert_eq!(singapore.get("greeting").await?, None, "the miss is cached there");
///     model.sleep(model.options().staleness_bound()).await;
///     assert!(singapore.get("greeting").await?.is_some());
///     Ok(())
/// }).unwrap()
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct KvLocation {
    pub(super) model: KvModel,
    place: usize,
    name: Rc<str>,
    /// The remaining operations of this invocation.
    left: Option<Rc<Cell<u32>>>,
    /// The `cacheTtl` of its reads, if they set one.
    cache_ttl: Option<Duration>,
    /// The memory of the isolate, which its clones share.
    pub(super) memory: IsolateMemory,
}

/// The result of a read: the value and its metadata as JSON text.
pub type Found = Option<(Vec<u8>, Option<Rc<str>>)>;

/// One key on a page of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedKey {
    /// The key.
    pub name: String,
    /// Its metadata as JSON text.
    pub metadata: Option<Rc<str>>,
    /// When it expires, in virtual time.
    pub expires: Option<Duration>,
}

/// The times of an operation.
struct Times {
    applied: u64,
    answered: u64,
}

impl KvLocation {
    pub(super) fn new(model: KvModel, place: usize, name: Rc<str>) -> Self {
        Self { model, place, name, left: None, cache_ttl: None, memory: IsolateMemory::default() }
    }

    /// Returns the same location for one invocation of a Worker, with a limit of 1000 operations. Its clones share the limit.
    ///
    /// ```
    /// use edge_session_kv_model::{KvModel, KvModelOptions};
    ///
    /// let model = KvModel::new(KvModelOptions::default());
    /// let here = model.at("AMS").invocation();
    /// model.block_on(async {
    ///     for _ in 0..1000 {
    ///         here.get("key").await.unwrap();
    ///     }
    ///     assert!(here.get("key").await.is_err());
    /// });
    /// ```
    #[must_use]
    pub fn invocation(&self) -> Self {
        Self { left: Some(Rc::new(Cell::new(MAX_OPERATIONS))), ..self.clone() }
    }

    /// Returns the same location with this `cacheTtl` for its reads: the maximum age of cached values. If the `cache_ttl` of the
    /// options is zero, nothing is cached.
    ///
    /// ```
    /// use core::time::Duration;
    /// use edge_session_kv_model::{KvModel, KvModelOptions};
    ///
    /// let model = KvModel::new(KvModelOptions { max_propagation: Duration::ZERO, ..KvModelOptions::default() });
    /// let patient = model.at("AMS").with_cache_ttl(Duration::from_secs(3600));
    /// model.block_on(async {
    ///     assert_eq!(patient.get("key").await.unwrap(), None);
    ///     model.at("SIN").put("key", b"value", 7200, None).await.unwrap();
    ///     model.sleep(Duration::from_secs(3000)).await;
    ///     assert_eq!(patient.get("key").await.unwrap(), None, "the miss is still cached");
    ///     assert!(model.at("AMS").get("key").await.unwrap().is_some());
    /// });
    /// ```
    #[must_use]
    pub fn with_cache_ttl(&self, cache_ttl: Duration) -> Self {
        Self { cache_ttl: Some(cache_ttl), ..self.clone() }
    }

    /// Returns the location's name.
    ///
    /// ```
    /// # let model = edge_session_kv_model::KvModel::new(edge_session_kv_model::KvModelOptions::default());
    /// assert_eq!(model.at("AMS").name(), "AMS");
    /// ```
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// KV's `get`: returns the value of `key` at this location.
    ///
    /// ```
    /// # use edge_session_kv_model::{KvModel, KvModelOptions};
    /// let model = KvModel::new(KvModelOptions::default());
    /// assert_eq!(model.block_on(model.at("AMS").get("key")).unwrap().unwrap(), None);
    /// ```
    ///
    /// # Errors
    ///
    /// The errors that KV throws, such as `KV GET failed: 503 Service Unavailable`.
    pub async fn get(&self, key: &str) -> Result<Option<Vec<u8>>> {
        Ok(self.get_with_metadata(key).await?.map(|(value, _)| value))
    }

    /// As [`get`](Self::get), with the metadata.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get).
    pub async fn get_with_metadata(&self, key: &str) -> Result<Found> {
        Ok(self.get_all(&[key]).await?.pop().flatten())
    }

    /// Reads keys concurrently. Fails with the first error.
    pub(super) async fn get_all(&self, keys: &[&str]) -> Result<Vec<Found>> {
        let mut gets: Vec<Get<'_>> = Vec::with_capacity(keys.len());
        let mut moments = BTreeMap::new();
        for (place, key) in keys.iter().enumerate() {
            let fault = self.begin(OperationKind::Get, key)?;
            check_key(key, "GET")?;
            let times = self.times(fault.as_ref());
            // A read that hangs does not delay the others.
            if fault != Some(Fault::Hang) {
                moments.insert((times.applied, false, place), ());
                moments.insert((times.answered, true, place), ());
            }
            gets.push(Get { key, fault, found: None, fetched: false });
        }
        while let Some(((at, answers, place), ())) = moments.pop_first() {
            self.model.sleep_until(at).await;
            let Some(get) = gets.get_mut(place) else { continue };
            if answers { self.answer(get) } else { self.look(get)? }
        }
        if gets.iter().any(|get| get.fault == Some(Fault::Hang)) {
            core::future::pending::<()>().await;
        }
        Ok(gets.into_iter().map(|get| self.delivered(get)).collect())
    }

    fn look(&self, get: &mut Get<'_>) -> Result<()> {
        let (now, options) = (self.model.micros(), self.model.options());
        let cache_ttl = self.cache_ttl.filter(|_| !options.cache_ttl.is_zero()).unwrap_or(options.cache_ttl);
        let looked = self.model.namespace().look(self.place, get.key, (now, micros(cache_ttl)), &options);
        (get.found, get.fetched) = match looked {
            Looked::Cached(stored) => (stored, false),
            Looked::Fetched(stored) => (stored, true),
        };
        match get.fault {
            Some(Fault::Status(status)) => Err(failed("GET", status)),
            _ if get.fetched && self.model.is_out() => Err(failed("GET", 503)),
            _ => Ok(()),
        }
    }

    fn answer(&self, get: &Get<'_>) {
        if get.fetched {
            let now = self.model.micros();
            self.model.namespace().fill(self.place, get.key, get.found.clone(), now);
        }
    }

    /// Returns the result of a read, changed by its fault.
    fn delivered(&self, get: Get<'_>) -> Found {
        let (found, namespace) = (get.found, self.model.namespace());
        let found = match &get.fault {
            Some(Fault::Missing) => None,
            Some(Fault::Stale(writes)) => namespace.before(get.key, *writes),
            Some(Fault::Expired) => namespace.before(get.key, 0),
            Some(Fault::OfKey(other)) => namespace.before(other, 0),
            _ => found,
        };
        let (mut value, metadata) = found.map(|stored| (stored.value.to_vec(), stored.metadata)).unzip();
        match (get.fault, &mut value) {
            (Some(Fault::Replaced(bytes)), _) => value = Some(bytes),
            (Some(Fault::Truncated(length)), Some(value)) => value.truncate(length),
            (Some(Fault::FlippedBit(bit)), Some(value)) => {
                let at = (bit / 8).checked_rem(value.len()).unwrap_or_default();
                if let Some(byte) = value.get_mut(at) {
                    *byte ^= 1 << (bit % 8);
                }
            }
            _ => {}
        }
        value.map(|value| (value, metadata.flatten()))
    }

    /// KV's `put`, with `expirationTtl` in seconds and metadata as JSON text.
    ///
    /// ```
    /// # use edge_session_kv_model::{KvModel, KvModelOptions};
    /// let model = KvModel::new(KvModelOptions::default());
    /// let here = model.at("AMS");
    /// let put = model.block_on(here.put("key", b"value", 59, None)).unwrap();
    /// assert!(put.is_err(), "KV keeps nothing for less than a minute");
    /// ```
    ///
    /// # Errors
    ///
    /// The errors that KV throws, such as `KV PUT failed: 429 Too Many Requests`.
    pub async fn put(&self, key: &str, value: &[u8], expiration_ttl: u64, metadata: Option<&str>) -> Result<()> {
        self.put_for(key, value, Some(expiration_ttl), metadata).await
    }

    /// As [`put`](Self::put). Without an `expiration_ttl` the value does not expire.
    ///
    /// # Errors
    ///
    /// As [`put`](Self::put).
    pub async fn put_for(
        &self,
        key: &str,
        value: &[u8],
        expiration_ttl: Option<u64>,
        metadata: Option<&str>,
    ) -> Result<()> {
        let fault = self.begin(OperationKind::Put, key)?;
        check_key(key, "PUT")?;
        if value.len() > MAX_VALUE || metadata.is_some_and(|metadata| metadata.len() > MAX_METADATA) {
            return Err(failed("PUT", 413));
        }
        if expiration_ttl.is_some_and(|ttl| ttl < MIN_TTL) {
            return Err(failed("PUT", 400));
        }
        let write = Write { stored: Some((value.into(), metadata.map(Rc::from), expiration_ttl)), ..Write::DELETE };
        self.write_one("PUT", key, fault, true, write).await.map(|_| ())
    }

    /// A put of a store with conditional puts: applies if the stored value meets the condition at that moment. Returns whether it
    /// was applied.
    pub(super) async fn put_if(
        &self,
        key: &str,
        value: Vec<u8>,
        ttl: u64,
        generation: u32,
        only_if: OnlyIf,
    ) -> Result<bool> {
        let fault = self.begin(OperationKind::Put, key)?;
        let write = Write { stored: Some((value.into(), None, Some(ttl))), generation, only_if };
        self.write_one("PUT", key, fault, true, write).await
    }

    /// KV's `delete`. It is not an error if the key has no value.
    ///
    /// ```
    /// # use edge_session_kv_model::{KvModel, KvModelOptions};
    /// let model = KvModel::new(KvModelOptions::default());
    /// assert!(model.block_on(model.at("AMS").delete("key")).unwrap().is_ok());
    /// ```
    ///
    /// # Errors
    ///
    /// The errors that KV throws.
    pub async fn delete(&self, key: &str) -> Result<()> {
        let fault = self.begin(OperationKind::Delete, key)?;
        check_key(key, "DELETE")?;
        let limited = self.model.options().limits_deletes;
        self.write_one("DELETE", key, fault, limited, Write::DELETE).await.map(|_| ())
    }

    async fn write_one(
        &self,
        verb: &str,
        key: &str,
        fault: Option<Fault>,
        limited: bool,
        write: Write,
    ) -> Result<bool> {
        if fault == Some(Fault::Hang) {
            core::future::pending::<()>().await;
        }
        let times = self.times(fault.as_ref());
        let is_refused = matches!(fault, Some(Fault::Status(_)));
        let sent = WriteInFlight { at: self, key, applied: times.applied, write: (!is_refused).then_some(write) };
        self.model.sleep_until(times.applied).await;
        let now = self.model.micros();
        let interval = micros(self.model.options().write_interval);
        let mut outcome = match fault {
            Some(Fault::Status(status) | Fault::AppliedButFailed(status)) => Err(failed(verb, status)),
            Some(Fault::Late(_)) => Err(failed(verb, 500)),
            _ if self.model.is_out() => Err(failed(verb, 503)),
            _ => Ok(true),
        };
        let is_applied = outcome.is_ok() || matches!(fault, Some(Fault::AppliedButFailed(_)));
        if is_applied && limited && !self.model.namespace().admit(key, now, interval) {
            sent.arrive(|_| ());
            outcome = Err(failed(verb, 429));
        } else if is_applied {
            let mut holds = true;
            sent.arrive(|write| holds = self.apply(key, write));
            outcome = outcome.map(|_| holds);
        } else if let Some(Fault::Late(by)) = fault {
            let applied = now.saturating_add(micros(by));
            sent.arrive(|write| self.apply_later(key, applied, write));
        } else {
            sent.arrive(|_| ());
        }
        self.model.sleep_until(times.answered).await;
        outcome
    }

    /// Applies a write, if its condition holds.
    fn apply(&self, key: &str, write: Write) -> bool {
        let now = self.model.micros();
        let generation = self.model.namespace().before(key, 0).filter(|stored| stored.is_live(now));
        let holds = write.only_if.holds(generation.map(|stored| stored.generation));
        if holds {
            let stored = write.stored.map(|(value, metadata, ttl)| {
                let expires = ttl.map(|ttl| now.saturating_add(ttl.saturating_mul(1_000_000)));
                Stored { value, metadata, expires, generation: write.generation }
            });
            self.model.apply(self.place, key, stored);
        }
        holds
    }

    fn apply_later(&self, key: &str, moment: u64, write: Write) {
        let (here, key) = (self.clone(), String::from(key));
        self.model.spawn(async move {
            here.model.sleep_until(moment).await;
            here.apply(&key, write);
        });
    }

    /// KV's `list`, of up to `limit` keys. Returns the keys of a page, and the cursor of the next one.
    ///
    /// # Errors
    ///
    /// The errors that KV throws.
    pub async fn list_keys(
        &self,
        prefix: &str,
        cursor: Option<&str>,
        limit: Option<usize>,
    ) -> Result<(Vec<ListedKey>, Option<String>)> {
        let fault = self.begin(OperationKind::List, prefix)?;
        if fault == Some(Fault::Hang) {
            core::future::pending::<()>().await;
        }
        let times = self.times(fault.as_ref());
        self.model.sleep_until(times.applied).await;
        let (now, options) = (self.model.micros(), self.model.options());
        let start = cursor.unwrap_or(prefix);
        let limit = limit.unwrap_or(options.page_size).min(options.page_size);
        let mut listed = self.model.namespace().list(self.place, (prefix, start), (now, limit), &options);
        self.model.sleep_until(times.answered).await;
        match fault {
            Some(Fault::Status(status)) => return Err(failed("GET", status)),
            _ if self.model.is_out() => return Err(failed("GET", 503)),
            Some(Fault::EmptyPage) => return Ok((Vec::new(), Some(String::from(start)))),
            _ => {}
        }
        let cursor = listed.get(limit).map(|(key, _)| key.clone());
        listed.truncate(limit);
        let listed = listed.into_iter().map(|(name, stored)| {
            let expires = stored.expires.map(Duration::from_micros);
            ListedKey { name, metadata: stored.metadata, expires }
        });
        Ok((listed.collect(), cursor))
    }

    /// Counts an operation, and returns its fault.
    fn begin(&self, kind: OperationKind, key: &str) -> Result<Option<Fault>> {
        if let Some(left) = &self.left {
            let after = left.get().checked_sub(1);
            left.set(after.ok_or_else(|| Error::unavailable("Too many API requests by single worker invocation."))?);
        }
        Ok(self.model.begin(kind, &self.name, key))
    }

    fn times(&self, fault: Option<&Fault>) -> Times {
        let (now, options) = (self.model.micros(), self.model.options());
        let mut random = self.model.random();
        let slow = random.chance(options.slow);
        let takes = match fault {
            Some(Fault::Slow(time)) => micros(*time),
            _ => random.between(if slow { options.slow_latency } else { options.latency }),
        };
        let before = (takes as f64 * random.fraction()) as u64;
        Times { applied: now.saturating_add(before), answered: now.saturating_add(takes) }
    }
}

/// A read in flight.
struct Get<'a> {
    key: &'a str,
    fault: Option<Fault>,
    found: Option<Stored>,
    fetched: bool,
}

/// A value with its metadata, and its TTL in seconds.
type Value = (Rc<[u8]>, Option<Rc<str>>, Option<u64>);

/// A write of a value, or a delete.
struct Write {
    stored: Option<Value>,
    generation: u32,
    only_if: OnlyIf,
}

impl Write {
    const DELETE: Self = Self { stored: None, generation: 0, only_if: OnlyIf::Any };
}

/// A write in flight, unless the store refuses it. If its request is dropped, it is still applied in half of the cases.
struct WriteInFlight<'a> {
    at: &'a KvLocation,
    key: &'a str,
    applied: u64,
    write: Option<Write>,
}

impl WriteInFlight<'_> {
    fn arrive(mut self, then: impl FnOnce(Write)) {
        if let Some(write) = self.write.take() {
            then(write);
        }
    }
}

impl Drop for WriteInFlight<'_> {
    fn drop(&mut self) {
        if let Some(write) = self.write.take().filter(|_| self.at.model.random().chance(0.5)) {
            self.at.apply_later(self.key, self.applied, write);
        }
    }
}

fn check_key(key: &str, verb: &str) -> Result<()> {
    match key {
        "" | "." | ".." => Err(failed(verb, 400)),
        _ if key.len() > MAX_KEY => Err(failed(verb, 414)),
        _ => Ok(()),
    }
}

/// Returns the error of the binding.
fn failed(verb: &str, status: u16) -> Error {
    let phrase = match status {
        400 => " Bad Request",
        413 => " Payload Too Large",
        414 => " UTF-8 encoded key is too long",
        429 => " Too Many Requests",
        500 => " Internal Server Error",
        503 => " Service Unavailable",
        _ => "",
    };
    let text: String = ["KV ", verb, " failed: ", itoa::Buffer::new().format(status), phrase].concat();
    Error::unavailable(text)
}

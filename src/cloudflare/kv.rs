//! Workers KV as a store.

use std::cell::RefCell;
use std::time::Duration;

use worker::Env;
use worker::js_sys::{Array, ArrayBuffer, Function, Object, Promise, Reflect, Uint8Array};
use worker::wasm_bindgen::{JsCast, JsValue};
use worker::wasm_bindgen_futures::JsFuture;

use crate::error::{Error, Result};
use crate::isolate::IsolateMemory;
use crate::session::storage_key::StorageKey;
use crate::store::{Op, Page, Store, WriteOutcome};

/// How long a location may answer from its cache, in seconds. KV's minimum, since a revoked session can be readable there for as
/// long. <https://developers.cloudflare.com/kv/api/read-key-value-pairs/#cachettl-parameter>
const CACHE_TTL: u32 = 30;

/// The shortest and the longest TTL of KV, in seconds. The record carries its own deadline; the TTL is only garbage collection.
const MIN_TTL: u64 = 60;
const MAX_TTL: u64 = i32::MAX as u64;

/// The member of a key's metadata with the deadline of the record, for a sweep: microseconds of Unix time.
const DEADLINE: &str = "deadline";

/// Keeps records in a KV namespace, each with an expiration.
///
/// KV is eventually consistent and has no compare-and-set: a write is usually visible at once where it was made, and elsewhere
/// within a minute. Parallel saves of one session in one isolate are all kept. Of two in different isolates, one can be lost.
///
/// ```no_run
/// use edge_session::{Kv, Sessions, Settings};
///
/// # fn example(env: &worker::Env) -> edge_session::Result<()> {
/// let sessions = Sessions::new(Kv::from_env(env, "SESSIONS")?, Settings::from_env(env)?);
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct Kv {
    /// The binding itself: `worker::KvStore` does not distinguish a missing value from one of another type, and doubles the code.
    namespace: JsValue,
}

impl Kv {
    /// Returns a store in the namespace that wrangler.toml binds to `binding`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) if there is no such binding.
    pub fn from_env(env: &Env, binding: &str) -> Result<Self> {
        let namespace = Reflect::get(env, &binding.into()).ok().filter(JsValue::is_object);
        let namespace = namespace.ok_or_else(|| {
            Error::config(format!(
                "the KV binding {binding} is missing: add it under [[kv_namespaces]] in wrangler.toml"
            ))
        })?;
        Ok(Self { namespace })
    }

    /// Calls a method of the namespace and returns its promise.
    fn start<const N: usize>(&self, method: &str, arguments: [JsValue; N]) -> Result<Promise> {
        let promise = Reflect::get(&self.namespace, &method.into()).and_then(|function| {
            Reflect::apply(function.unchecked_ref::<Function>(), &self.namespace, &Array::from_iter(arguments))
        });
        promise.map(|promise| Promise::resolve(&promise)).map_err(failed)
    }

    /// Calls a method of the namespace and waits for its promise.
    async fn call<const N: usize>(&self, method: &str, arguments: [JsValue; N]) -> Result<JsValue> {
        JsFuture::from(self.start(method, arguments)?).await.map_err(failed)
    }

    async fn apply(&self, op: Op) -> Result<()> {
        match op {
            Op::Put { key, value, ttl, deadline, .. } => {
                let metadata = object([(DEADLINE, (deadline as f64).into())])?;
                let ttl = ttl.clamp(MIN_TTL, MAX_TTL) as f64;
                let options = object([("expirationTtl", ttl.into()), ("metadata", metadata)])?;
                let value = Uint8Array::from(value.as_slice()).buffer();
                self.call("put", [key.as_str().into(), value.into(), options]).await?;
            }
            Op::Delete { key } => _ = self.call("delete", [key.as_str().into()]).await?,
        }
        Ok(())
    }
}

/// The maximum number of namespaces with a memory in one isolate.
const MAX_NAMESPACES: usize = 16;

thread_local! {
    /// The memory of each namespace in this isolate, so that a Worker may create its `Sessions` anew for each request.
    static MEMORIES: RefCell<Vec<(JsValue, IsolateMemory)>> = const { RefCell::new(Vec::new()) };
}

impl Store for Kv {
    fn memory(&self) -> IsolateMemory {
        MEMORIES.with_borrow_mut(|memories| {
            if let Some((_, memory)) = memories.iter().find(|(namespace, _)| *namespace == self.namespace) {
                return memory.clone();
            }
            let memory = IsolateMemory::default();
            if memories.len() == MAX_NAMESPACES {
                memories.remove(0);
            }
            memories.push((self.namespace.clone(), memory.clone()));
            memory
        })
    }

    async fn read(&self, keys: &[StorageKey]) -> Result<Vec<Option<Vec<u8>>>> {
        let options = object([("type", "arrayBuffer".into()), ("cacheTtl", CACHE_TTL.into())])?;
        let promises = Array::new();
        for key in keys {
            let promise = self.start("get", [key.as_str().into(), options.clone()])?;
            promises.push(&promise);
        }
        let values = JsFuture::from(Promise::all(&promises)).await.map_err(failed)?;
        Array::from(&values).iter().map(bytes_of).collect()
    }

    async fn write(&self, ops: Vec<Op>) -> Result<WriteOutcome> {
        for op in ops {
            self.apply(op).await?;
        }
        Ok(WriteOutcome::All)
    }

    fn expires_records(&self) -> bool {
        true
    }

    async fn wait(&self, milliseconds: u64) {
        worker::Delay::from(Duration::from_millis(milliseconds)).await;
    }

    async fn list(&self, prefix: &str, cursor: Option<&str>) -> Result<Page> {
        let cursor = cursor.map_or(JsValue::NULL, JsValue::from_str);
        let options = object([("prefix", prefix.into()), ("cursor", cursor)])?;
        let page = self.call("list", [options]).await?;
        let mut entries = Vec::new();
        let keys = member(&page, "keys")?.dyn_into::<Array>().map_err(|_| failed("a page lists no keys".into()))?;
        for key in keys {
            let name = member(&key, "name")?.as_string().ok_or_else(|| failed("a listed key has no name".into()))?;
            let metadata = member(&key, "metadata")?;
            let deadline = if metadata.is_object() { member(&metadata, DEADLINE)?.as_f64() } else { None };
            entries.push((StorageKey::listed(name), deadline.map(|micros| micros as i64)));
        }
        let complete = member(&page, "list_complete")?.is_truthy();
        let cursor = member(&page, "cursor")?.as_string().filter(|cursor| !complete && !cursor.is_empty());
        Ok(Page { entries, cursor })
    }
}

/// Returns the bytes of a value, `None` for null. Any other value is an error of the store, not a missing record.
fn bytes_of(value: JsValue) -> Result<Option<Vec<u8>>> {
    if value.is_null() {
        return Ok(None);
    }
    match value.dyn_into::<ArrayBuffer>() {
        // A transferred buffer has no bytes any more.
        Ok(buffer) if buffer.byte_length() == 0 && member(&buffer, "detached")?.is_truthy() => {
            Err(Error::unavailable("KV returned a detached buffer"))
        }
        Ok(buffer) => Ok(Some(Uint8Array::new(&buffer).to_vec())),
        Err(_) => Err(Error::unavailable("KV returned neither bytes nor null")),
    }
}

/// Creates a plain object.
fn object<const N: usize>(members: [(&str, JsValue); N]) -> Result<JsValue> {
    let object = Object::new();
    for (name, value) in members {
        Reflect::set(&object, &name.into(), &value).map_err(failed)?;
    }
    Ok(object.into())
}

fn member(object: &JsValue, name: &str) -> Result<JsValue> {
    Reflect::get(object, &name.into()).map_err(failed)
}

/// Converts an exception of KV, which can be any value. An uncaught one would end the whole wasm instance.
fn failed(error: JsValue) -> Error {
    let message = if error.is_object() { Reflect::get(&error, &"message".into()).unwrap_or(error) } else { error };
    Error::unavailable(message.as_string().unwrap_or_else(|| "KV failed".to_owned()))
}

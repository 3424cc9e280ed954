//! Workers KV as a store.

use std::time::Duration;

use worker::Env;
use worker::js_sys::{Array, Promise};
use worker::wasm_bindgen::{JsCast, JsValue};
use worker::wasm_bindgen_futures::JsFuture;

use super::binding::{Kind, buffer, bytes_of, failed, invoke, member, memory_of, object, settled};
use crate::error::Result;
use crate::isolate::IsolateMemory;
use crate::session::storage_key::StorageKey;
use crate::store::{Op, Page, Store, WriteOutcome};

/// The binding of a KV namespace.
const KIND: Kind = Kind { name: "KV", section: "[[kv_namespaces]]", method: "put" };

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
    namespace: JsValue,
}

impl Kv {
    /// Returns a store in the namespace that wrangler.toml binds to `binding`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) if there is no such binding.
    pub fn from_env(env: &Env, binding: &str) -> Result<Self> {
        Ok(Self { namespace: KIND.find(env, binding)? })
    }

    /// Calls a method of the namespace and waits for its promise.
    async fn call<const N: usize>(&self, method: &str, arguments: [JsValue; N]) -> Result<JsValue> {
        settled(invoke(&self.namespace, method, &Array::from_iter(arguments))).await.map_err(failed)
    }

    async fn apply(&self, op: Op) -> Result<()> {
        match op {
            Op::Put { key, value, ttl, deadline, .. } => {
                let metadata = object([(DEADLINE, (deadline as f64).into())])?;
                let ttl = ttl.clamp(MIN_TTL, MAX_TTL) as f64;
                let options = object([("expirationTtl", ttl.into()), ("metadata", metadata)])?;
                self.call("put", [key.as_str().into(), buffer(&value), options]).await?;
            }
            Op::Delete { key } => _ = self.call("delete", [key.as_str().into()]).await?,
        }
        Ok(())
    }
}

impl Store for Kv {
    fn memory(&self) -> IsolateMemory {
        memory_of(&self.namespace)
    }

    async fn read(&self, keys: &[StorageKey]) -> Result<Vec<Option<Vec<u8>>>> {
        let options = object([("type", "arrayBuffer".into()), ("cacheTtl", CACHE_TTL.into())])?;
        let promises = Array::new();
        for key in keys {
            let arguments = Array::of2(&key.as_str().into(), &options);
            promises.push(&invoke(&self.namespace, "get", &arguments).map_err(failed)?);
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

//! The engine: the store that the setting `SESSION_ENGINE` selects.

use edge_session::store::{Consistency, CookieStore, IsolateMemory, Op, Page, StorageKey, WriteOutcome};
use edge_session::{D1, DurableObjects, Error, ErrorKind, Kv, MemoryStore, Result, Store};
use worker::Env;
use worker::js_sys::Reflect;
use worker::wasm_bindgen::JsValue;

/// The name of the setting.
const SETTING: &str = "SESSION_ENGINE";

thread_local! {
    /// The records of the engine `memory`: those of this isolate.
    static MEMORY: MemoryStore = MemoryStore::default();
}

/// A store of one of the engines.
#[derive(Debug)]
pub(super) enum Engine {
    /// Workers KV, bound to `SESSIONS`.
    Kv(Kv),
    /// Durable Objects of the class `SessionObject`, bound to `SESSION_OBJECTS`.
    DurableObject(DurableObjects),
    /// The D1 database that is bound to `SESSION_DB`.
    D1(D1),
    /// The memory of the isolate, for tests: another isolate has other sessions, and they end with it.
    Memory(MemoryStore),
    /// The cookie of the session.
    Cookie(CookieStore),
}

impl Engine {
    /// Returns the engine that the setting selects, `kv` by default.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] for an unknown engine, and if its binding is missing.
    pub(super) fn from_env(env: &Env) -> Result<Self> {
        let value = Reflect::get(env, &SETTING.into()).unwrap_or(JsValue::UNDEFINED);
        let name = if value.is_undefined() { Some("kv".to_owned()) } else { value.as_string() };
        Ok(match name.as_deref() {
            Some("kv") => Self::Kv(Kv::from_env(env, "SESSIONS")?),
            Some("durable_object") => Self::DurableObject(DurableObjects::from_env(env, "SESSION_OBJECTS")?),
            Some("d1") => Self::D1(D1::from_env(env, "SESSION_DB")?),
            Some("memory") => Self::Memory(MEMORY.with(MemoryStore::clone)),
            Some("cookie") => Self::Cookie(CookieStore),
            _ => {
                let message = "SESSION_ENGINE must be \"kv\", \"durable_object\", \"d1\", \"memory\" or \"cookie\"";
                return Err(Error::new(ErrorKind::Config, message));
            }
        })
    }

    /// Returns the value of the setting that selects this engine.
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::Kv(_) => "kv",
            Self::DurableObject(_) => "durable_object",
            Self::D1(_) => "d1",
            Self::Memory(_) => "memory",
            Self::Cookie(_) => "cookie",
        }
    }
}

/// Calls a method of the store of the engine.
macro_rules! delegate {
    ($engine:ident, $store:ident => $call:expr) => {
        match $engine {
            Engine::Kv($store) => $call,
            Engine::DurableObject($store) => $call,
            Engine::D1($store) => $call,
            Engine::Memory($store) => $call,
            Engine::Cookie($store) => $call,
        }
    };
}

impl Store for Engine {
    async fn read(&self, keys: &[StorageKey]) -> Result<Vec<Option<Vec<u8>>>> {
        delegate!(self, store => store.read(keys).await)
    }

    async fn write(&self, ops: Vec<Op>) -> Result<WriteOutcome> {
        delegate!(self, store => store.write(ops).await)
    }

    fn consistency(&self) -> Consistency {
        delegate!(self, store => store.consistency())
    }

    async fn wait(&self, milliseconds: u64) {
        delegate!(self, store => store.wait(milliseconds).await);
    }

    fn expires_records(&self) -> bool {
        delegate!(self, store => store.expires_records())
    }

    fn memory(&self) -> IsolateMemory {
        delegate!(self, store => store.memory())
    }

    async fn delete_expired(&self, prefix: &str, before: i64, limit: usize) -> Result<Option<usize>> {
        delegate!(self, store => store.delete_expired(prefix, before, limit).await)
    }

    async fn list(&self, prefix: &str, cursor: Option<&str>) -> Result<Page> {
        delegate!(self, store => store.list(prefix, cursor).await)
    }
}

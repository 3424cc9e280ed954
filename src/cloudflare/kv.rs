//! Workers KV as a store.

use worker::KvStore;

use crate::error::{Error, Result};
use crate::protocol::{Op, Page};
use crate::session::key::StorageKey;
use crate::store::{Store, Written};

/// How long a location may answer from its cache, in seconds: the least that KV takes, since it is also how long an
/// ended session can go on there. <https://developers.cloudflare.com/kv/api/read-key-value-pairs/#cachettl-parameter>
const CACHE_TTL: u64 = 30;

/// The shortest life that KV gives a value, in seconds.
const MIN_TTL: u64 = 60;

/// The member of a key's metadata that tells a sweep when the record is over, in microseconds of Unix time.
const DEADLINE: &str = "deadline";

/// Keeps records in a KV namespace, each with an expiration.
///
/// KV is eventually consistent and has no compare-and-set: what was written at one place is usually seen there at once
/// and elsewhere within a minute; of two requests that save one session at once, the later put counts.
///
/// ```no_run
/// use edge_session::{Kv, Sessions, Settings};
///
/// # fn example(env: &worker::Env) -> worker::Result<()> {
/// let sessions = Sessions::new(Kv::new(env.kv("SESSIONS")?), Settings::from_env(env)?);
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct Kv(KvStore);

impl Kv {
    /// Keeps records in `namespace`.
    #[must_use]
    pub const fn new(namespace: KvStore) -> Self {
        Self(namespace)
    }

    async fn apply(&self, op: Op) -> Result<()> {
        match op {
            Op::Put { key, value, ttl, deadline, only_if: _ } => {
                let put = self.0.put_bytes(key.as_str(), &value).map_err(failed)?;
                let metadata = serde_json::json!({ DEADLINE: deadline });
                let put = put.expiration_ttl(ttl.max(MIN_TTL)).metadata(metadata).map_err(failed)?;
                put.execute().await.map_err(failed)
            }
            Op::Delete { key } => self.0.delete(key.as_str()).await.map_err(failed),
        }
    }
}

impl Store for Kv {
    async fn read(&self, keys: &[StorageKey]) -> Result<Vec<Option<Vec<u8>>>> {
        let mut values = Vec::with_capacity(keys.len());
        for key in keys {
            values.push(self.0.get(key.as_str()).cache_ttl(CACHE_TTL).bytes().await.map_err(failed)?);
        }
        Ok(values)
    }

    async fn write(&self, ops: Vec<Op>) -> Result<Written> {
        for op in ops {
            self.apply(op).await?;
        }
        Ok(Written::All)
    }

    async fn list(&self, prefix: &str, cursor: Option<&str>) -> Result<Page> {
        let mut list = self.0.list().prefix(prefix.to_owned());
        if let Some(cursor) = cursor {
            list = list.cursor(cursor.to_owned());
        }
        let page = list.execute().await.map_err(failed)?;
        let entries = page.keys.into_iter().map(|key| {
            let deadline = key.metadata.as_ref().and_then(|metadata| metadata.get(DEADLINE)?.as_f64());
            (StorageKey::listed(key.name), deadline.map(|micros| micros as i64))
        });
        let cursor = page.cursor.filter(|cursor| !page.list_complete && !cursor.is_empty());
        Ok(Page { entries: entries.collect(), cursor })
    }
}

fn failed(error: worker::KvError) -> Error {
    Error::unavailable(error)
}

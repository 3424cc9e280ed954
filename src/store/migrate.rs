//! The migration of sessions from one store to another.

use alloc::borrow::ToOwned;
use alloc::vec::Vec;

use super::{Consistency, Op, Page, Store, WriteOutcome};
use crate::error::Result;
use crate::session::storage_key::StorageKey;

/// The mark of a cursor of the old store, whose entries of a user follow those of the new one.
const OLD: &str = "old store ";

/// Takes the sessions of an eventually consistent store over into a linearizable one, such as from Workers KV to Durable Objects:
/// no visitor is logged out.
///
/// A session that the new store does not have is read from the old one, and its next save goes to the new one. A logout takes effect
/// at once, for sessions of both. The old store is no longer written to, except that records of ended sessions are deleted. Once the
/// last session of the old store has expired, use the new store alone.
///
/// ```
/// use edge_session::store::Migrate;
/// use edge_session::{MemoryStore, Sessions, Settings};
///
/// # pollster::block_on(async {
/// # let settings = || Settings::builder(["a secret of at least thirty-two bytes"]).build().unwrap();
/// let (old, new) = (MemoryStore::eventual(), MemoryStore::default());
/// let before = Sessions::new(old.clone(), settings());
/// let mut session = before.load("").await?;
/// session.set("user", "alice")?;
/// let headers = before.commit_headers(&mut session, 200).await?;
/// let cookie = headers.set_cookie().unwrap().split(';').next().unwrap();
///
/// let sessions = Sessions::new(Migrate::new(old, new), settings());
/// let mut session = sessions.load(cookie).await?;
/// assert_eq!(session.get::<String>("user")?.as_deref(), Some("alice"));
/// # Ok::<(), edge_session::Error>(()) }).unwrap();
/// ```
#[derive(Clone, Debug)]
pub struct Migrate<From, To> {
    from: From,
    to: To,
}

impl<From: Store, To: Store> Migrate<From, To> {
    /// Returns a store that takes the sessions of `from`, which is eventually consistent, over into `to`, which is linearizable.
    ///
    /// # Panics
    ///
    /// Never. If the stores have other consistencies, each operation fails with [`ErrorKind::Config`](crate::ErrorKind::Config).
    pub const fn new(from: From, to: To) -> Self {
        Self { from, to }
    }

    fn check(&self) -> Result<()> {
        match (self.from.consistency(), self.to.consistency()) {
            (Consistency::Eventual, Consistency::Linearizable) => Ok(()),
            _ => Err(crate::error::Error::config(
                "Migrate takes the sessions of an eventually consistent store over into a linearizable one",
            )),
        }
    }
}

impl<From: Store, To: Store> Store for Migrate<From, To> {
    fn consistency(&self) -> Consistency {
        Consistency::Migrating
    }

    async fn read(&self, keys: &[StorageKey]) -> Result<Vec<Option<Vec<u8>>>> {
        self.check()?;
        if keys.iter().any(|key| key.entry_parts().is_some()) {
            let (mut new, old) = (self.to.read(keys).await?, self.from.read(keys).await?);
            new.iter_mut().zip(old).for_each(|(new, old)| *new = new.take().or(old));
            return Ok(new);
        }
        let (new, old): (Vec<_>, Vec<_>) = keys.iter().cloned().partition(StorageKey::is_of_family);
        let mut new = if new.is_empty() { Vec::new() } else { self.to.read(&new).await? }.into_iter();
        // A session that the new store has is not read from the old one.
        let is_complete = new.len() > 0 && new.as_slice().iter().all(Option::is_some);
        let old = if is_complete || old.is_empty() { Vec::new() } else { self.from.read(&old).await? };
        let mut old = old.into_iter();
        let next = |key: &StorageKey| if key.is_of_family() { new.next() } else { old.next() }.flatten();
        Ok(keys.iter().map(next).collect())
    }

    async fn write(&self, ops: Vec<Op>) -> Result<WriteOutcome> {
        self.check()?;
        for op in ops {
            let is_entry = op.key().entry_parts().is_some();
            if is_entry && let Op::Delete { .. } = op {
                self.from.write(vec![op.clone()]).await?;
            }
            let is_new = is_entry || op.key().is_of_family();
            let outcome = if is_new { self.to.write(vec![op]).await? } else { self.from.write(vec![op]).await? };
            if outcome == WriteOutcome::Conflict {
                return Ok(outcome);
            }
        }
        Ok(WriteOutcome::All)
    }

    async fn wait(&self, milliseconds: u64) {
        self.to.wait(milliseconds).await;
    }

    fn expires_records(&self) -> bool {
        self.to.expires_records()
    }

    async fn delete_expired(&self, prefix: &str, before: i64, limit: usize) -> Result<Option<usize>> {
        self.to.delete_expired(prefix, before, limit).await
    }

    async fn list(&self, prefix: &str, cursor: Option<&str>) -> Result<Page> {
        let is_of_entries = StorageKey::split_entry(prefix).is_some();
        // A cursor of the old store has a mark. The empty one is its beginning.
        if let Some(cursor) = cursor.and_then(|cursor| cursor.strip_prefix(OLD)) {
            let page = self.from.list(prefix, Some(cursor).filter(|cursor| !cursor.is_empty())).await?;
            return Ok(Page { cursor: page.cursor.map(|next| [OLD, &next].concat()), ..page });
        }
        let page = self.to.list(prefix, cursor).await?;
        Ok(Page { cursor: page.cursor.or_else(|| is_of_entries.then(|| OLD.to_owned())), ..page })
    }
}

//! The contract of a store: tests for authors of stores.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;
use core::fmt;

use edge_session::Store;
use edge_session::store::{Consistency, OnlyIf, Op, StorageKey, WriteOutcome};
use futures_util::future::join_all;

/// The deadline of most values, in microseconds of Unix time: 1 January 2100.
const DEADLINE: i64 = 4_102_444_800_000_000;

/// The TTL of all values, in seconds: a day.
const DAY: u64 = 86_400;

/// The number of puts with the same condition of which one may apply.
const WRITERS: u32 = 20;

/// The characters that the digests in storage keys have.
const DIGEST: &str = "AZaz09-_AZaz09-_AZaz09-_AZaz09-_";

/// What a store did instead of what its contract says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Breach {
    /// The part of the contract.
    pub test: &'static str,
    /// What the store did.
    pub what: String,
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.test, self.what)
    }
}

/// Tests the contract of [`Store`] on a store, for authors of stores. Returns how the store breaks it: nothing, if it keeps it.
///
/// The tests depend on what the store states: its [consistency](Store::consistency), whether it
/// [expires records](Store::expires_records) and has [`delete_expired`](Store::delete_expired). They use keys that begin with `run`,
/// which should be new for each run, and leave none of them.
///
/// ```
/// use edge_session::MemoryStore;
/// use edge_session_kv_model::{KvModel, KvModelOptions, StoreContract};
///
/// let model = KvModel::new(KvModelOptions::default()); // it runs futures; a test with a runtime of its own needs none
/// let breaches = model.block_on(StoreContract::new("run-1").check(&MemoryStore::default())).unwrap();
/// assert!(breaches.is_empty(), "{breaches:?}");
/// ```
#[derive(Clone, Debug)]
pub struct StoreContract {
    run: String,
    lists: bool,
    settle: Option<u64>,
}

/// The outcome of one test.
type Outcome = Result<(), String>;

impl StoreContract {
    /// Returns the tests with keys of their own.
    #[must_use]
    pub fn new(run: impl Into<String>) -> Self {
        Self { run: run.into(), lists: true, settle: None }
    }

    /// Leaves out the lists of all keys, which a store such as `DurableObjects` cannot return. The entries of a user are listed in any case.
    #[must_use]
    pub const fn without_lists(mut self) -> Self {
        self.lists = false;
        self
    }

    /// Lets the store [wait](Store::wait) for this many milliseconds after each write, before it is read: for an eventually consistent one.
    #[must_use]
    pub const fn settling_for(mut self, milliseconds: u64) -> Self {
        self.settle = Some(milliseconds);
        self
    }

    /// Runs the tests, and returns how the store breaks the contract.
    pub async fn check(&self, store: &impl Store) -> Vec<Breach> {
        let mut breaches = Vec::new();
        let run = |number: u32| Run { contract: self, store, prefix: format!("{}-{number}", self.run) };
        let mut add = |test, outcome: Outcome| breaches.extend(outcome.err().map(|what| Breach { test, what }));
        add("values are read as they were put", run(0).values().await);
        add("a put without a condition overwrites", run(1).overwrites().await);
        add("a deleted key has no value", run(2).deletions().await);
        add("storage keys are compared byte by byte", run(3).keys().await);
        add("the entries of a user are listed and deleted one by one", run(4).entries().await);
        if self.lists {
            add("a list has each key with the prefix once, and its deadline", run(5).lists().await);
        }
        if store.consistency() == Consistency::Linearizable {
            add("a put applies if and only if its condition holds", run(6).conditions().await);
            add("the operations after a conflict are not applied", run(7).conflicts().await);
            add("of several puts with one condition, one applies", run(8).winners().await);
        }
        add("expired values are deleted, at most as many as the limit", run(9).expired().await);
        breaches
    }
}

/// One test, with the beginning of its keys.
struct Run<'a, S> {
    contract: &'a StoreContract,
    store: &'a S,
    prefix: String,
}

impl<S: Store> Run<'_, S> {
    /// Returns the key of a record with this name.
    fn key(&self, name: &str) -> StorageKey {
        StorageKey::listed(format!("{}:session:{DIGEST}.{name}", self.prefix))
    }

    fn op(&self, key: &StorageKey, value: &[u8], generation: u32, only_if: OnlyIf) -> Op {
        let (key, value) = (key.clone(), value.to_vec());
        Op::Put { key, value, ttl: DAY, deadline: DEADLINE, generation, only_if }
    }

    async fn write(&self, ops: Vec<Op>) -> Result<WriteOutcome, String> {
        let outcome = self.store.write(ops).await.map_err(|error| format!("a write failed: {error}"))?;
        if let Some(milliseconds) = self.contract.settle {
            self.store.wait(milliseconds).await;
        }
        Ok(outcome)
    }

    async fn put(&self, key: &StorageKey, value: &[u8], generation: u32, only_if: OnlyIf) -> Result<bool, String> {
        Ok(self.write(vec![self.op(key, value, generation, only_if)]).await? == WriteOutcome::All)
    }

    async fn delete(&self, keys: impl IntoIterator<Item = &StorageKey>) -> Outcome {
        let ops: Vec<_> = keys.into_iter().map(|key| Op::Delete { key: key.clone() }).collect();
        let outcome = self.write(ops).await?;
        check(outcome == WriteOutcome::All, || "a deletion was a conflict".to_owned())
    }

    async fn expect(&self, key: &StorageKey, expected: Option<&[u8]>) -> Outcome {
        let values =
            self.store.read(core::slice::from_ref(key)).await.map_err(|error| format!("a read failed: {error}"))?;
        let [value] = values.as_slice() else {
            return Err(format!("a read of one key returned {} values", values.len()));
        };
        let shown =
            |value: Option<&[u8]>| value.map_or_else(|| "none".to_owned(), |value| format!("{} bytes", value.len()));
        check(value.as_deref() == expected, || {
            format!("a read returned {} instead of {}", shown(value.as_deref()), shown(expected))
        })
    }

    async fn list(&self, prefix: &str) -> Result<Vec<(StorageKey, Option<i64>)>, String> {
        let (mut entries, mut cursor) = (Vec::new(), None::<String>);
        loop {
            let page =
                self.store.list(prefix, cursor.as_deref()).await.map_err(|error| format!("a list failed: {error}"))?;
            entries.extend(page.entries);
            cursor = page.cursor;
            if cursor.is_none() {
                entries.sort();
                return Ok(entries);
            }
        }
    }

    async fn values(&self) -> Outcome {
        let all: Vec<u8> = (0..=u8::MAX).collect();
        let large: Vec<u8> = all.iter().copied().cycle().take(65_536).collect();
        let values: [&[u8]; 4] = [b"", b"{\"edge-session\":1}", &all, &large];
        let keys: Vec<_> = (0..values.len()).map(|number| self.key(&number.to_string())).collect();
        for (key, value) in keys.iter().zip(values) {
            check(self.put(key, value, 1, OnlyIf::Any).await?, || {
                "a put without a condition was a conflict".to_owned()
            })?;
        }
        for (key, value) in keys.iter().zip(values) {
            self.expect(key, Some(value)).await?;
        }
        let missing = self.key("missing");
        self.expect(&missing, None).await?;
        let several: Vec<_> = [&missing].into_iter().chain(keys.iter().rev()).cloned().collect();
        let read = self.store.read(&several).await.map_err(|error| format!("a read failed: {error}"))?;
        let expected: Vec<_> =
            [None].into_iter().chain(values.iter().rev().map(|value| Some(value.to_vec()))).collect();
        check(read == expected, || "a read of several keys returned other values, or in another order".to_owned())?;
        self.delete(&keys).await
    }

    async fn overwrites(&self) -> Outcome {
        let key = self.key("0");
        self.put(&key, b"the first value, which is longer", 1, OnlyIf::Any).await?;
        check(self.put(&key, b"the second", 2, OnlyIf::Any).await?, || {
            "a put without a condition was a conflict".to_owned()
        })?;
        self.expect(&key, Some(b"the second")).await?;
        self.delete([&key]).await
    }

    async fn deletions(&self) -> Outcome {
        let key = self.key("0");
        self.delete([&key]).await?;
        self.put(&key, b"a record", 1, OnlyIf::Any).await?;
        self.delete([&key]).await?;
        self.expect(&key, None).await?;
        self.delete([&key]).await
    }

    async fn keys(&self) -> Outcome {
        let keys = ["a", "A", "a-", "a_", "a.b", "a.1", "a.10", "65531", "65532"].map(|name| self.key(name));
        for key in &keys {
            self.put(key, key.as_str().as_bytes(), 1, OnlyIf::Any).await?;
        }
        for key in &keys {
            self.expect(key, Some(key.as_str().as_bytes())).await?;
        }
        self.delete(&keys).await
    }

    async fn entries(&self) -> Outcome {
        let list = |first: char| format!("{}:user:{first}{}:", self.prefix, DIGEST.get(1..).unwrap_or_default());
        let (own, other) = (list('1'), list('2'));
        let entry = |list: &str, first: char| StorageKey::listed(format!("{list}{first}_-aZ09aZ09aZ09aZ09aZ0"));
        let keys = ['a', 'b', 'c'].map(|first| entry(&own, first));
        let foreign = entry(&other, 'a');
        for key in keys.iter().chain([&foreign]) {
            self.put(key, key.as_str().as_bytes(), 1, OnlyIf::Absent).await?;
        }
        let names =
            |entries: &[(StorageKey, Option<i64>)]| entries.iter().map(|(key, _)| key.clone()).collect::<Vec<_>>();
        let listed = self.list(&own).await?;
        check(names(&listed) == keys, || format!("a list returned {} entries instead of 3", listed.len()))?;
        for key in &keys {
            self.expect(key, Some(key.as_str().as_bytes())).await?;
        }
        let [first, rest @ ..] = &keys;
        self.delete([first]).await?;
        self.expect(first, None).await?;
        let left = self.list(&own).await?;
        check(names(&left) == *rest, || "a list returned a deleted entry, or lacks another one".to_owned())?;
        self.delete(rest.iter().chain([&foreign])).await?;
        let none = self.list(&own).await?;
        check(none.is_empty(), || format!("a list of no entries returned {}", none.len()))
    }

    async fn lists(&self) -> Outcome {
        let mut keys: Vec<_> = (0..25).map(|number| self.key(&number.to_string())).collect();
        keys.sort();
        let foreign = StorageKey::listed(format!("{}x:session:{DIGEST}", self.prefix));
        for key in keys.iter().chain([&foreign]) {
            self.put(key, b"a record", 1, OnlyIf::Any).await?;
        }
        let listed = self.list(&format!("{}:", self.prefix)).await?;
        let names: Vec<_> = listed.iter().map(|(key, _)| key.clone()).collect();
        check(names == keys, || format!("a list returned {} keys instead of 25, or others", names.len()))?;
        let is_known =
            |found: &Option<i64>| *found == Some(DEADLINE) || (found.is_none() && self.store.expires_records());
        check(listed.iter().all(|(_, found)| is_known(found)), || "a list returned another deadline".to_owned())?;
        self.delete(keys.iter().chain([&foreign])).await?;
        let none = self.list(&format!("{}:", self.prefix)).await?;
        check(none.is_empty(), || format!("a list returned {} deleted keys", none.len()))
    }

    async fn conditions(&self) -> Outcome {
        let key = self.key("0");
        let steps = [
            (OnlyIf::Generation(4), 5, false),
            (OnlyIf::Absent, 5, true),
            (OnlyIf::Absent, 6, false),
            (OnlyIf::Generation(4), 6, false),
            (OnlyIf::Generation(6), 7, false),
            (OnlyIf::Generation(5), 6, true),
            (OnlyIf::Any, 7, true),
            (OnlyIf::Generation(6), 8, false),
            (OnlyIf::Generation(7), u32::MAX, true),
            (OnlyIf::Generation(u32::MAX), u32::MAX, true),
        ];
        let mut stored = None;
        for (number, (only_if, generation, applies)) in steps.into_iter().enumerate() {
            let value = number.to_string();
            let applied = self.put(&key, value.as_bytes(), generation, only_if).await?;
            check(applied == applies, || format!("put {number} with {only_if:?} applied: {applied}"))?;
            if applied {
                stored = Some(value);
            }
            self.expect(&key, stored.as_deref().map(str::as_bytes)).await?;
        }
        self.delete([&key]).await?;
        let restored = self.put(&key, b"restored", 9, OnlyIf::Generation(u32::MAX)).await?;
        check(!restored, || "a put with a condition restored a deleted value".to_owned())?;
        self.expect(&key, None).await
    }

    async fn conflicts(&self) -> Outcome {
        let keys = ["0", "1", "2"].map(|name| self.key(name));
        let [first, second, third] = &keys;
        let ops = vec![
            self.op(first, b"1", 1, OnlyIf::Any),
            self.op(second, b"2", 1, OnlyIf::Generation(7)),
            self.op(third, b"3", 1, OnlyIf::Any),
        ];
        let outcome = self.write(ops).await?;
        check(outcome == WriteOutcome::Conflict, || "a write with a conflict reported none".to_owned())?;
        self.expect(first, Some(b"1")).await?;
        self.expect(second, None).await?;
        self.expect(third, None).await?;
        self.delete(&keys).await
    }

    async fn winners(&self) -> Outcome {
        let key = self.key("0");
        for (generation, only_if) in [(1, OnlyIf::Absent), (2, OnlyIf::Generation(1))] {
            let puts = (0..WRITERS).map(|writer| {
                let value = writer.to_string();
                let op = self.op(&key, value.as_bytes(), generation, only_if);
                async move { (value, self.store.write(vec![op]).await) }
            });
            let mut winner = None;
            for (value, outcome) in join_all(puts).await {
                if outcome.map_err(|error| format!("a write failed: {error}"))? == WriteOutcome::All {
                    check(winner.is_none(), || "two puts with one condition applied".to_owned())?;
                    winner = Some(value);
                }
            }
            check(winner.is_some(), || "none of several puts with one condition applied".to_owned())?;
            self.expect(&key, winner.as_deref().map(str::as_bytes)).await?;
        }
        self.delete([&key]).await
    }

    async fn expired(&self) -> Outcome {
        let (past, now, prefix) = (1, 2, format!("{}:", self.prefix));
        let delete = async || {
            let deleted = self.store.delete_expired(&prefix, now, 3).await;
            deleted.map_err(|error| format!("delete_expired failed: {error}"))
        };
        if delete().await?.is_none() {
            return Ok(()); // the store has no index of the deadlines
        }
        let (live, keys) = (self.key("live"), ["0", "1", "2", "3", "4"].map(|name| self.key(name)));
        let op = |key: &StorageKey, deadline| {
            let (key, value) = (key.clone(), b"a record".to_vec());
            Op::Put { key, value, ttl: DAY, deadline, generation: 1, only_if: OnlyIf::Any }
        };
        let mut ops: Vec<_> = keys.iter().map(|key| op(key, past)).collect();
        ops.push(op(&live, now));
        self.write(ops).await?;
        for expected in [3, 2, 0] {
            let deleted = delete().await?;
            check(deleted == Some(expected), || format!("delete_expired returned {deleted:?} instead of {expected}"))?;
        }
        for key in &keys {
            self.expect(key, None).await?;
        }
        self.expect(&live, Some(b"a record")).await?;
        self.delete([&live]).await
    }
}

fn check(holds: bool, what: impl FnOnce() -> String) -> Outcome {
    if holds { Ok(()) } else { Err(what()) }
}

//! The contract of a store, and what `StoreContract` says of stores that break it.

use std::cell::Cell;
use std::rc::Rc;

use chrono::{DateTime, TimeDelta, Utc};
use edge_session::store::{Consistency, Migrate, OnlyIf, Op, Page, StorageKey, WriteOutcome};
use edge_session::{Error, MemoryStore, Result, Store};
use edge_session_kv_model::{KvModel, KvModelOptions, StoreContract};

use crate::support::{run, start};

fn breaches(contract: &StoreContract, store: &impl Store) -> Vec<String> {
    run(contract.check(store)).iter().map(ToString::to_string).collect()
}

#[test]
fn the_stores_of_the_crate_keep_the_contract() {
    let contract = StoreContract::new("run");
    for store in [MemoryStore::default(), MemoryStore::eventual()] {
        assert_eq!(breaches(&contract, &store), [""; 0]);
        assert!(store.is_empty(), "nothing is left");
    }
    let store = Migrate::new(MemoryStore::eventual(), MemoryStore::default());
    assert_eq!(breaches(&contract.clone().without_lists(), &store), [""; 0]);
}

#[test]
fn the_model_of_kv_keeps_it_once_its_writes_are_visible() {
    let model = KvModel::new(KvModelOptions::default());
    let contract = StoreContract::new("run");
    let store = model.at("AMS");
    let found = model.block_on(async { contract.settling_for(200_000).check(&store).await }).unwrap();
    assert_eq!(found.iter().map(ToString::to_string).collect::<Vec<_>>(), [""; 0]);
}

/// The ways in which a store can break the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    IgnoresConditions,
    GoesOnAfterConflicts,
    RevertsReads,
    KeepsDeleted,
    IgnoresCase,
    ListsAll,
    ListsNothing,
    Fails,
    ForgetsDeadlines,
}

/// A store with a fault.
struct Faulty {
    store: MemoryStore,
    fault: Fault,
}

impl Faulty {
    fn op(&self, op: Op) -> Option<Op> {
        match (op, self.fault) {
            (Op::Put { key, value, ttl, deadline, generation, .. }, Fault::IgnoresConditions) => {
                Some(Op::Put { key, value, ttl, deadline, generation, only_if: OnlyIf::Any })
            }
            (Op::Put { key, value, ttl, generation, only_if, .. }, Fault::ForgetsDeadlines) => {
                Some(Op::Put { key, value, ttl, deadline: 7, generation, only_if })
            }
            (Op::Put { key, value, ttl, deadline, generation, only_if }, Fault::IgnoresCase) => {
                let key = StorageKey::listed(key.as_str().to_lowercase());
                Some(Op::Put { key, value, ttl, deadline, generation, only_if })
            }
            (Op::Delete { .. }, Fault::KeepsDeleted) => None,
            (op, _) => Some(op),
        }
    }
}

impl Store for Faulty {
    fn consistency(&self) -> Consistency {
        Consistency::Linearizable
    }

    async fn read(&self, keys: &[StorageKey]) -> Result<Vec<Option<Vec<u8>>>> {
        match self.fault {
            Fault::Fails => Err(Error::unavailable("it always fails")),
            Fault::IgnoresCase => {
                let keys: Vec<_> = keys.iter().map(|key| StorageKey::listed(key.as_str().to_lowercase())).collect();
                self.store.read(&keys).await
            }
            Fault::RevertsReads => {
                let mut values = self.store.read(keys).await?;
                values.reverse();
                Ok(values)
            }
            _ => self.store.read(keys).await,
        }
    }

    async fn write(&self, ops: Vec<Op>) -> Result<WriteOutcome> {
        let mut outcome = WriteOutcome::All;
        for op in ops.into_iter().filter_map(|op| self.op(op)) {
            if self.store.write(vec![op]).await? == WriteOutcome::Conflict {
                outcome = WriteOutcome::Conflict;
                if self.fault != Fault::GoesOnAfterConflicts {
                    break;
                }
            }
        }
        Ok(outcome)
    }

    async fn list(&self, prefix: &str, cursor: Option<&str>) -> Result<Page> {
        match self.fault {
            Fault::ListsAll => self.store.list("", cursor).await,
            Fault::ListsNothing => Ok(Page::default()),
            _ => self.store.list(prefix, cursor).await,
        }
    }
}

#[test]
fn each_breach_is_reported_by_the_part_of_the_contract() {
    for (fault, expected) in [
        (
            Fault::IgnoresConditions,
            "a put applies if and only if its condition holds: put 0 with Generation(4) applied: true",
        ),
        (
            Fault::GoesOnAfterConflicts,
            "the operations after a conflict are not applied: a read returned 1 bytes instead of none",
        ),
        (Fault::RevertsReads, "values are read as they were put: a read of several keys returned other values"),
        (Fault::KeepsDeleted, "a deleted key has no value: a read returned 8 bytes instead of none"),
        (Fault::IgnoresCase, "storage keys are compared byte by byte: a read returned"),
        (Fault::ListsAll, "a list has each key with the prefix once, and its deadline: a list returned"),
        (
            Fault::ListsNothing,
            "the entries of a user are listed and deleted one by one: a list returned 0 entries instead of 3",
        ),
        (Fault::Fails, "values are read as they were put: a read failed: the session store could not be reached"),
        (
            Fault::ForgetsDeadlines,
            "a list has each key with the prefix once, and its deadline: a list returned another deadline",
        ),
    ] {
        let found = breaches(&StoreContract::new("run"), &Faulty { store: MemoryStore::default(), fault });
        assert!(found.iter().any(|breach| breach.starts_with(expected)), "{fault:?}: {found:#?}");
    }
}

/// A store whose time is set by the test.
fn timed(max_values: usize) -> (MemoryStore, Rc<Cell<DateTime<Utc>>>) {
    let now = Rc::new(Cell::new(start()));
    let clock = Rc::clone(&now);
    (MemoryStore::default().with_clock(move || clock.get()).with_max_values(max_values), now)
}

fn put(store: &MemoryStore, name: &str, ttl: u64, only_if: OnlyIf) -> WriteOutcome {
    let key = StorageKey::listed(name);
    let op = Op::Put { key, value: name.into(), ttl, deadline: i64::MAX, generation: 1, only_if };
    run(store.write(vec![op])).unwrap()
}

fn names(store: &MemoryStore) -> Vec<String> {
    store.entries().into_iter().map(|(key, _)| key.as_str().to_owned()).collect()
}

#[test]
fn the_memory_store_returns_no_value_after_its_ttl() {
    let (store, now) = timed(10);
    put(&store, "a", 10, OnlyIf::Any);
    let key = [StorageKey::listed("a")];
    now.set(now.get() + TimeDelta::milliseconds(9_999));
    assert!(run(store.read(&key)).unwrap()[0].is_some());
    assert_eq!(put(&store, "a", 10, OnlyIf::Absent), WriteOutcome::Conflict);
    now.set(now.get() + TimeDelta::milliseconds(1));
    assert!(run(store.read(&key)).unwrap()[0].is_none());
    assert_eq!(put(&store, "a", 10, OnlyIf::Generation(1)), WriteOutcome::Conflict);
    assert_eq!(put(&store, "a", 10, OnlyIf::Absent), WriteOutcome::All);
}

#[test]
fn a_full_memory_store_drops_expired_values_first_then_those_with_the_oldest_put() {
    let (store, now) = timed(3);
    for (name, ttl) in [("a", 100), ("b", 10), ("c", 100)] {
        put(&store, name, ttl, OnlyIf::Any);
    }
    put(&store, "a", 100, OnlyIf::Any); // no longer the oldest
    now.set(now.get() + TimeDelta::seconds(10));
    put(&store, "d", 100, OnlyIf::Any);
    assert_eq!(names(&store), ["a", "c", "d"]);
    put(&store, "e", 100, OnlyIf::Any);
    assert_eq!(names(&store), ["a", "d", "e"]);
    put(&store, "e", 100, OnlyIf::Any);
    assert_eq!(names(&store), ["a", "d", "e"], "an overwritten value needs no room");
}

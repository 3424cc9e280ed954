//! A memory store that records the puts of records and their deadlines.

use std::cell::RefCell;
use std::rc::Rc;

use edge_session::store::{Consistency, Op, Page, StorageKey, WriteOutcome};
use edge_session::{MemoryStore, Result, Store};

/// The storage key of a record, its deadline in microseconds of Unix time, and its absolute deadline.
#[derive(Clone)]
pub struct Put {
    pub place: String,
    pub deadline: Option<i64>,
    pub absolute: Option<i64>,
}

#[derive(Clone)]
pub struct Noting {
    memory: MemoryStore,
    pub puts: Rc<RefCell<Vec<Put>>>,
}

impl Noting {
    /// A store that promises what the sequence says, which selects the protocol.
    pub fn new(consistency: &str) -> Self {
        let memory = if consistency == "linearizable" { MemoryStore::default() } else { MemoryStore::eventual() };
        Self { memory, puts: Rc::default() }
    }
}

impl Store for Noting {
    fn consistency(&self) -> Consistency {
        self.memory.consistency()
    }

    async fn read(&self, keys: &[StorageKey]) -> Result<Vec<Option<Vec<u8>>>> {
        self.memory.read(keys).await
    }

    async fn write(&self, ops: Vec<Op>) -> Result<WriteOutcome> {
        let mut puts = Vec::new();
        for op in &ops {
            let put = match op {
                // The entries under other keys are tombstones.
                Op::Put { key, .. } if !key.as_str().contains(":session:") => continue,
                Op::Put { key, value, deadline, .. } => {
                    let place = key.as_str().to_owned();
                    Put { place, deadline: Some(*deadline), absolute: Some(absolute_in(value)) }
                }
                Op::Delete { key } => Put { place: key.as_str().to_owned(), deadline: None, absolute: None },
            };
            puts.push(put);
        }
        let outcome = self.memory.write(ops).await?;
        if outcome == WriteOutcome::All {
            self.puts.borrow_mut().extend(puts);
        }
        Ok(outcome)
    }

    async fn list(&self, prefix: &str, cursor: Option<&str>) -> Result<Page> {
        self.memory.list(prefix, cursor).await
    }
}

fn absolute_in(record: &[u8]) -> i64 {
    let text = String::from_utf8_lossy(record);
    let (_, rest) = text.split_once("\"absolute\":").unwrap();
    rest[..rest.find(',').unwrap()].parse().unwrap()
}

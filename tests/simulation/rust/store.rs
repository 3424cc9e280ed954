//! A location's KV for one request, which writes down what the request reads and puts.

use std::rc::Rc;

use edge_session::{KvLocation, Op, Page, Result, StorageKey, Store, Written};
use serde_json::Value;

use crate::history::{Id, Mark, Marks, Put, Saves, Written as Record};
use crate::plan::KEYS;
use crate::world::World;

pub struct Watched {
    pub location: KvLocation,
    pub world: Rc<World>,
    pub id: Id,
    /// Whether older code writes here.
    pub older: bool,
}

/// Whether a session's record is kept under this storage key, and not a tombstone.
fn is_record(key: &StorageKey) -> bool {
    key.as_str().contains(":session:")
}

impl Store for Watched {
    async fn read(&self, keys: &[StorageKey]) -> Result<Vec<Option<Vec<u8>>>> {
        self.world.history.borrow_mut().exchange(self.id).operations[0] += keys.len() as u64;
        let read = self.location.read(keys).await;
        let mut history = self.world.history.borrow_mut();
        match &read {
            Err(_) => {
                let exchange = history.exchange(self.id);
                exchange.read_failed_in_load |= !exchange.is_loaded;
            }
            Ok(values) => {
                for (key, value) in keys.iter().zip(values).filter(|(key, _)| is_record(key)) {
                    let record = value.as_ref().and_then(|value| history.records.get(value)).copied();
                    let marks = record.map(|record| record.marks);
                    let exchange = history.exchange(self.id);
                    let saves = record.map(|record| record.saves);
                    exchange.saves = either(exchange.saves, saves, |one, other| Saves {
                        least: one.least.min(other.least),
                        most: one.most.max(other.most),
                    });
                    exchange.loaded = if exchange.is_loaded { exchange.loaded } else { saves };
                    exchange.place.get_or_insert_with(|| key.as_str().to_owned());
                    exchange.read = marks.or(exchange.read);
                    let gone = marks.unwrap_or_default().map(|mark| if mark.present { Mark::default() } else { mark });
                    exchange.gone = core::array::from_fn(|at| exchange.gone[at].max(gone[at]));
                }
            }
        }
        read
    }

    async fn write(&self, ops: Vec<Op>) -> Result<Written> {
        for mut op in ops {
            if let Op::Put { key, value, .. } = &mut op
                && self.older
                && is_record(key)
            {
                *value = without_writes(value);
            }
            let put = match &op {
                Op::Put { key, value, .. } if is_record(key) => Some(self.note(key, value)),
                _ => None,
            };
            let is_delete = matches!(op, Op::Delete { .. });
            self.world.history.borrow_mut().exchange(self.id).operations[1 + usize::from(is_delete)] += 1;
            self.location.write(vec![op]).await?;
            if let Some(place) = put {
                self.world.history.borrow_mut().exchange(self.id).puts[place].acknowledged = true;
            }
        }
        Ok(Written::All)
    }

    async fn wait(&self, milliseconds: u64) {
        self.location.wait(milliseconds).await;
    }

    async fn list(&self, prefix: &str, cursor: Option<&str>) -> Result<Page> {
        self.location.list(prefix, cursor).await
    }
}

impl Watched {
    /// Writes down who wrote what in a record that is about to be put. Gives its place among the request's puts.
    fn note(&self, key: &StorageKey, value: &[u8]) -> usize {
        let mut history = self.world.history.borrow_mut();
        let exchange = history.of(self.id);
        let known = exchange.token.map(|token| history.tokens[token].known);
        let (touched, gone, place) = (exchange.touched.clone(), exchange.gone, exchange.place.clone());
        let is_new_key = place.as_deref() != Some(key.as_str());
        // Whether the record goes on with what was loaded, under the same key or after a login.
        let goes_on =
            exchange.flush.is_none() && (!is_new_key || exchange.cycled.is_some_and(|(old, _)| old.is_some()));
        let record: Value = serde_json::from_slice(value).unwrap();
        let marks: Marks = core::array::from_fn(|at| {
            let found = record["data"][KEYS[at]].as_str().map(writer);
            let known = known.map(|marks| marks[at]).filter(|mark| !mark.present);
            match found {
                Some(by) => Mark { by, present: true },
                None if touched.contains(&at) => Mark { by: self.id, present: false },
                None if !goes_on => Mark::default(),
                None => known.unwrap_or_default().max(gone[at]),
            }
        });
        if is_new_key
            && goes_on
            && let Some(before) = place
        {
            history.places.entry(key.as_str().to_owned()).or_insert(before);
        }
        let exchange = history.of(self.id);
        let known = exchange.token.and_then(|token| history.tokens[token].saves);
        let before = either(exchange.saves, known, |one, other| Saves {
            least: one.least.max(other.least),
            most: one.most.max(other.most),
        });
        let before = before.filter(|_| goes_on).unwrap_or(Saves { least: 0, most: 0 });
        let saves = Saves { least: before.least + 1, most: before.most + 1 };
        history.records.insert(value.to_vec(), Record { by: self.id, marks, saves });
        let exchange = history.exchange(self.id);
        let (base, at) = (exchange.read.filter(|_| goes_on), self.world.model.now());
        exchange.puts.push(Put { touched, marks, base, is_new_key, acknowledged: false, at, saves });
        exchange.puts.len() - 1
    }
}

/// What two make of it, or the one that there is.
fn either(one: Option<Saves>, other: Option<Saves>, both: impl FnOnce(Saves, Saves) -> Saves) -> Option<Saves> {
    match (one, other) {
        (Some(one), Some(other)) => Some(both(one, other)),
        (one, other) => one.or(other),
    }
}

/// A record as older code writes it.
fn without_writes(record: &[u8]) -> Vec<u8> {
    let text = str::from_utf8(record).unwrap();
    let Some(end) = text.find(",\"sizes\":[") else { return record.to_vec() };
    let start = text.find(",\"writes\":[").unwrap_or(end);
    [&text[..start], &text[end..]].concat().into_bytes()
}

/// The request that wrote a value: its number stands at the beginning.
pub fn writer(value: &str) -> Id {
    value.split('.').next().unwrap().parse().unwrap()
}

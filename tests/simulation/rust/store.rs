//! The KV of one request at one location, which records what the request reads and puts.

use std::error::Error as _;
use std::rc::Rc;
use std::time::Duration;

use edge_session::store::{Consistency, IsolateMemory, Op, Page, StorageKey, WriteOutcome};
use edge_session::{Result, Store};
use edge_session_kv_model::KvLocation;
use serde_json::Value;

use crate::history::{Id, Marks, Put, SaveMark, Saves, Written as Record};
use crate::plan::KEYS;
use crate::simulation::Simulation;

/// An operation that takes longer excuses a save that was refused.
const SLOW: Duration = Duration::from_secs(1);

pub struct RecordingStore {
    pub location: KvLocation,
    pub memory: IsolateMemory,
    pub simulation: Rc<Simulation>,
    pub id: Id,
    /// Whether older code writes here.
    pub older: bool,
}

/// Returns whether a storage key is that of a record, not of a tombstone.
fn is_record(key: &StorageKey) -> bool {
    key.as_str().contains(":session:")
}

/// Returns whether this is the anonymous record that a login has replaced, on a linearizable store: it opens nothing.
fn is_retired(record: &[u8]) -> bool {
    str::from_utf8(record).is_ok_and(|text| text.contains(",\"key\":null,"))
}

impl Store for RecordingStore {
    fn consistency(&self) -> Consistency {
        self.location.consistency()
    }

    async fn read(&self, keys: &[StorageKey]) -> Result<Vec<Option<Vec<u8>>>> {
        self.simulation.history.borrow_mut().request(self.id).operations[0] += keys.len() as u64;
        let began = self.simulation.model.now();
        let read = self.location.read(keys).await;
        self.note_disturbance(began, &read);
        let mut history = self.simulation.history.borrow_mut();
        match &read {
            Err(_) => {
                let request = history.request(self.id);
                request.read_failed_in_load |= !request.is_loaded;
            }
            Ok(values) => {
                for (key, value) in keys.iter().zip(values).filter(|(key, _)| is_record(key)) {
                    let request = history.of(self.id);
                    // The record of another login, which the save has found under its own key.
                    let is_elsewhere = history.is_linearizable && request.place.as_deref() != Some(key.as_str());
                    // A load of a superseded key reads whether the login has ended.
                    let has_anonymous = request.place.as_deref().is_some_and(|place| place.ends_with(".anonymous"));
                    let is_check = keys.len() == 1 && has_anonymous && key.as_str().ends_with(".login");
                    let is_others = is_elsewhere && (request.is_loaded || is_check);
                    let record = value.as_ref().and_then(|value| history.records.get(value)).copied();
                    if is_others {
                        continue;
                    }
                    let marks = record.map(|record| record.marks);
                    let request = history.request(self.id);
                    let saves = record.map(|record| record.saves);
                    request.saves = either(request.saves, saves, |one, other| Saves {
                        least: one.least.min(other.least),
                        most: one.most.max(other.most),
                    });
                    request.loaded = if request.is_loaded { request.loaded } else { saves };
                    // The last one that the load reads: of an ended session's cookie, and then of the anonymous one.
                    if !request.is_loaded || request.place.is_none() {
                        let place = request.place.replace(key.as_str().to_owned());
                        request.read = request.read.filter(|_| place == request.place);
                    }
                    request.read = marks.or(request.read);
                    if let Some(marks) = marks.filter(|_| !request.is_loaded) {
                        request.found.insert(key.as_str().to_owned(), marks);
                    }
                    let removal = |mark: SaveMark| if mark.present { SaveMark::default() } else { mark };
                    let gone = marks.unwrap_or_default().map(removal);
                    request.gone = core::array::from_fn(|at| request.gone[at].max(gone[at]));
                }
            }
        }
        read
    }

    async fn write(&self, ops: Vec<Op>) -> Result<WriteOutcome> {
        for mut op in ops {
            if let Op::Put { key, value, .. } = &mut op
                && self.older
                && is_record(key)
            {
                *value = without_writes(value);
            }
            let put = match &op {
                Op::Put { key, value, .. } if is_record(key) && !is_retired(value) => Some(self.note_put(key, value)),
                _ => None,
            };
            let is_delete = matches!(op, Op::Delete { .. });
            let began = self.simulation.model.now();
            self.simulation.history.borrow_mut().request(self.id).operations[1 + usize::from(is_delete)] += 1;
            let written = self.location.write(vec![op]).await;
            self.note_disturbance(began, &written);
            if let Some(place) = put {
                let mut history = self.simulation.history.borrow_mut();
                let put = &mut history.request(self.id).puts[place];
                let is_stored = matches!(written, Ok(WriteOutcome::All));
                (put.acknowledged, put.failed) = (is_stored, !is_stored);
            }
            if written? == WriteOutcome::Conflict {
                return Ok(WriteOutcome::Conflict);
            }
        }
        Ok(WriteOutcome::All)
    }

    async fn wait(&self, milliseconds: u64) {
        self.location.wait(milliseconds).await;
    }

    fn memory(&self) -> IsolateMemory {
        self.memory.clone()
    }

    async fn list(&self, prefix: &str, cursor: Option<&str>) -> Result<Page> {
        self.location.list(prefix, cursor).await
    }
}

impl RecordingStore {
    /// Notes an operation that failed or was slow. The limit of one write per second and key is neither: it is always there.
    fn note_disturbance<T>(&self, began: Duration, outcome: &Result<T>) {
        let now = self.simulation.model.now();
        let is_limit =
            |error: &edge_session::Error| error.source().is_some_and(|cause| cause.to_string().contains("429"));
        if outcome.as_ref().is_err_and(|error| !is_limit(error)) || now - began > SLOW {
            self.simulation.history.borrow_mut().request(self.id).disturbances.push(now);
        }
    }

    /// Notes the writers of all data keys of a record that is about to be put. Returns its place among the request's puts.
    fn note_put(&self, key: &StorageKey, value: &[u8]) -> usize {
        let mut history = self.simulation.history.borrow_mut();
        let request = history.of(self.id);
        let known = request.token.map(|token| history.tokens[token].known);
        let (removed, gone, place) = (request.removed.clone(), request.gone, request.place.clone());
        let is_new_key = place.as_deref() != Some(key.as_str());
        let rotated = request.cycled.and_then(|(old, _)| old);
        let created = request.created.and_then(|(old, _)| old);
        // Whether the record continues what was loaded, under the same key or under another one.
        let continues = request.flush.is_none() && (!is_new_key || rotated.or(created).is_some());
        let root = request.key.filter(|_| continues).map(|key| history.root(key));
        let (isolate, base) = (request.isolate, request.read.filter(|_| continues));
        let order = |mark: &SaveMark| if mark.by == 0 { Duration::ZERO } else { history.of(mark.by).committed() };
        let record: Value = serde_json::from_slice(value).unwrap();
        let marks: Marks = core::array::from_fn(|at| {
            if let Some(by) = record["data"][KEYS[at]].as_str().map(writer) {
                return SaveMark { by, present: true };
            }
            if removed.contains(&at) {
                return SaveMark { by: self.id, present: false };
            }
            let Some(root) = root else { return SaveMark::default() };
            let was_there = base.is_none_or(|base| base[at].present) || known.is_some_and(|known| known[at].present);
            let known = known.map(|marks| marks[at]).filter(|mark| !mark.present);
            // One put can carry the removals of several requests of an isolate.
            let shared = history.last_removal(root, isolate, at, was_there);
            known.into_iter().chain([gone[at], shared]).max_by_key(order).unwrap_or_default()
        });
        let known = request.token.and_then(|token| history.tokens[token].saves);
        let before = either(request.saves, known, |one, other| Saves {
            least: one.least.max(other.least),
            most: one.most.max(other.most),
        });
        let before = before.filter(|_| continues).unwrap_or(Saves { least: 0, most: 0 });
        let saves = Saves { least: before.least + 1, most: before.most + 1 };
        let session_key = request.key;
        let at = self.simulation.model.now();
        if is_new_key
            && rotated.is_some()
            && continues
            && let Some(before) = place
        {
            history.rotated_from.entry(key.as_str().to_owned()).or_insert(before);
        }
        if let Some(session_key) = session_key.filter(|_| !is_new_key) {
            history.places.entry(session_key).or_insert_with(|| key.as_str().to_owned());
        }
        let place = key.as_str().to_owned();
        let put = Put { place, marks, base, is_new_key, acknowledged: false, failed: false, at, saves };
        let request = history.request(self.id);
        request.puts.push(put);
        let put = request.puts.len() - 1;
        history.records.insert(value.to_vec(), Record { by: self.id, put, marks, saves });
        put
    }
}

/// Combines two values, or returns the one that there is.
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

/// Returns the request that wrote a value: the value begins with its number.
pub fn writer(value: &str) -> Id {
    value.split('.').next().unwrap().parse().unwrap()
}

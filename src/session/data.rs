//! The data of a session: keys in insertion order, with values as unparsed JSON text.

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::ops::Range;

use crate::json;

/// The number of slots above which the data have an index.
const INDEXED_FROM: usize = 32;

/// A JSON text in UTF-8: a range of the record that contains it, or an allocation of its own.
#[derive(Clone, Debug)]
pub(crate) enum JsonSlice {
    Stored(Range<usize>),
    Own(Box<[u8]>),
}

/// An entry. The key is a quoted JSON string in canonical form, and is copied into the next record.
#[derive(Clone, Debug)]
struct Entry {
    key: JsonSlice,
    /// The value; `None` once the entry was removed. The index still needs its key.
    value: Option<JsonSlice>,
    /// Whether it was set since the last save.
    touched: bool,
}

/// A change of a key since the last save: its new value, or `None` if it was removed.
pub(crate) type Change<'a> = (&'a [u8], Option<&'a [u8]>);

/// An ordered map from keys to JSON texts.
///
/// Removed entries keep their slots, so that positions stay valid. Small maps are searched; large ones have an index. Values are
/// bytes: they are validated as UTF-8 when they are read.
#[derive(Clone, Debug, Default)]
pub(crate) struct Data {
    record: Vec<u8>,
    slots: Vec<Entry>,
    len: usize,
    index: Option<Index>,
    /// The quoted keys that were removed since the last save. They can have been added again.
    removed: Vec<Box<[u8]>>,
    /// Whether all keys were removed first, including those of a newer record.
    cleared: bool,
}

impl Data {
    /// Creates the data of a record from its members: each quoted key and value is a range of `record` or its own text.
    ///
    /// Returns `None` if a key is duplicated.
    pub(crate) fn stored(record: Vec<u8>, members: Vec<(JsonSlice, JsonSlice)>) -> Option<Self> {
        let len = members.len();
        let slots = members.into_iter().map(|(key, value)| Entry { key, value: Some(value), touched: false }).collect();
        let mut data = Self { record, slots, len, ..Self::default() };
        let unique = if len > INDEXED_FROM {
            data.build_index()
        } else {
            (0..len).all(|place| data.find(data.key_at(place)) == Some(place))
        };
        unique.then_some(data)
    }

    /// Returns the bytes of the record that the data were read with.
    pub(crate) fn record(&self) -> &[u8] {
        &self.record
    }

    fn bytes<'a>(&'a self, text: &'a JsonSlice) -> &'a [u8] {
        match text {
            JsonSlice::Stored(range) => self.record.get(range.clone()).unwrap_or_default(),
            JsonSlice::Own(text) => text,
        }
    }

    /// Returns the quoted key at `place`.
    fn key_at(&self, place: usize) -> &[u8] {
        self.slots.get(place).map_or(&[], |entry| self.bytes(&entry.key))
    }

    /// Returns the JSON text of an entry that was not removed.
    fn value_of<'a>(&'a self, entry: &'a Entry) -> Option<&'a [u8]> {
        entry.value.as_ref().map(|value| self.bytes(value))
    }

    /// Returns the position of a quoted key.
    fn find(&self, key: &[u8]) -> Option<usize> {
        let is_it = |place: &usize| {
            self.slots.get(*place).is_some_and(|entry| entry.value.is_some() && self.bytes(&entry.key) == key)
        };
        match &self.index {
            Some(index) => index.nearest(key).filter(is_it),
            None => (0..self.slots.len()).find(is_it),
        }
    }

    /// Adds an entry with a new key.
    fn push(&mut self, entry: Entry) {
        let place = self.slots.len();
        self.slots.push(entry);
        self.len = self.len.saturating_add(1);
        if let Some(mut index) = self.index.take() {
            index.put(place, self); // it replaces a removed entry of the same key
            self.index = Some(index);
        } else if self.slots.len() > INDEXED_FROM {
            self.build_index();
        }
    }

    /// Builds the index. Returns whether all keys are unique.
    fn build_index(&mut self) -> bool {
        let mut index = Index::default();
        let mut unique = true;
        for (place, _) in self.slots.iter().enumerate().filter(|(_, entry)| entry.value.is_some()) {
            unique &= index.put(place, self).is_none();
        }
        self.index = Some(index);
        unique
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Returns the JSON text of `key`.
    pub(crate) fn get(&self, key: &str) -> Option<&[u8]> {
        if self.index.is_none() && json::is_plain(key) {
            let is_it = |entry: &&Entry| matches!(self.bytes(&entry.key), [_, name @ .., _] if name == key.as_bytes());
            return self.slots.iter().filter(is_it).find_map(|entry| self.value_of(entry));
        }
        self.value(&json::quoted(key))
    }

    /// Returns the JSON text of a quoted key.
    pub(crate) fn value(&self, key: &[u8]) -> Option<&[u8]> {
        self.value_of(self.slots.get(self.find(key)?)?)
    }

    /// Sets `key` to `json`. An existing key keeps its position. Returns whether the value changed.
    pub(crate) fn set(&mut self, key: &str, json: Box<[u8]>) -> bool {
        let key = json::quoted(key);
        let other = self.value(&key) != Some(&*json);
        if other {
            self.put(&key, json, true); // mutation: set-in-place
        }
        other
    }

    /// Sets a quoted key to `json`. `touched`: this is a change since the last save; otherwise the value is already stored and
    /// replaces any such change.
    pub(crate) fn put(&mut self, key: &[u8], json: Box<[u8]>, touched: bool) {
        let value = Some(JsonSlice::Own(json));
        match self.find(key).and_then(|place| self.slots.get_mut(place)) {
            Some(entry) => {
                entry.value = value;
                entry.touched = touched; // mutation: replaced-change
            }
            None => self.push(Entry { key: JsonSlice::Own(key.into()), value, touched }),
        }
    }

    /// Removes `key`. Returns whether it was present.
    pub(crate) fn remove(&mut self, key: &str) -> bool {
        self.take(&json::quoted(key), true)
    }

    /// Removes a quoted key; `touched` as for [`put`](Self::put). Returns whether it was present.
    pub(crate) fn take(&mut self, key: &[u8], touched: bool) -> bool {
        let Some(entry) = self.find(key).and_then(|place| self.slots.get_mut(place)) else { return false };
        entry.value = None;
        if touched {
            self.removed.push(key.into());
        }
        self.len = self.len.saturating_sub(1);
        if self.slots.len() > INDEXED_FROM && self.len < self.slots.len() / 2 {
            self.slots.retain(|entry| entry.value.is_some());
            self.build_index();
        }
        true
    }

    /// Removes all data, as a change since the last save.
    pub(crate) fn cleared(self) -> Self {
        let mut removed = Vec::from_iter(self.members().map(|(key, _)| key.into()));
        removed.extend(self.removed);
        Self { removed, cleared: true, ..Self::default() }
    }

    /// Returns the changes since the last save.
    pub(crate) fn changes(&self) -> impl Iterator<Item = Change<'_>> {
        let removed = self.removed.iter().filter(|key| self.find(key).is_none()).map(|key| (&**key, None));
        let touched = self.slots.iter().filter(|entry| entry.touched && entry.value.is_some());
        removed.chain(touched.map(|entry| (self.bytes(&entry.key), self.value_of(entry))))
    }

    /// Applies the changes to `newer` data, which replace these. They stay changes, and so do those of `newer`.
    pub(crate) fn merge_onto(&mut self, mut newer: Self) {
        if self.cleared {
            let keys = newer.members().map(|(key, _)| key).filter(|key| self.find(key).is_none());
            let gone: Vec<Box<[u8]>> = keys.map(Box::from).collect();
            self.removed.extend(gone);
        } else {
            for (key, value) in self.changes() {
                match value {
                    Some(value) => newer.put(key, value.into(), true), // mutation: set-merged
                    None => _ = newer.take(key, false),                // mutation: removal-merged
                }
            }
            newer.removed.append(&mut self.removed);
            *self = newer;
        }
    }

    /// Records that the data were saved.
    pub(crate) fn mark_stored(&mut self) {
        self.slots.iter_mut().for_each(|entry| entry.touched = false); // mutation: settled
        self.removed.clear();
        self.cleared = false;
    }

    /// Returns quoted keys and JSON texts, in insertion order.
    pub(crate) fn members(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.slots.iter().filter_map(|entry| Some((self.bytes(&entry.key), self.value_of(entry)?)))
    }

    /// Returns whether the data are those of the record, without a change, saved or not.
    pub(crate) fn are_those_of_record(&self) -> bool {
        let stored = |entry: &Entry| !entry.touched && matches!(entry.value, Some(JsonSlice::Stored(_)));
        !self.record.is_empty() && self.removed.is_empty() && !self.cleared && self.slots.iter().all(stored)
    }

    /// Returns keys and JSON texts, in insertion order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Cow<'_, str>, &[u8])> {
        // A key is valid UTF-8: it was validated when the record was decoded.
        self.members().map(|(key, value)| (json::unquote(str::from_utf8(key).unwrap_or_default()), value))
    }
}

/// An index from quoted keys to positions: a binary trie that has a node only where keys differ (a crit-bit tree).
///
/// Invariant: the bits of nodes increase on each path from the root, and all keys below a node are equal up to its bit. A look-up
/// therefore takes at most as many steps as the key has bits, for any order and choice of keys.
///
/// Invariant: no key is a prefix of another one; the closing quote ensures it.
#[derive(Clone, Debug, Default)]
struct Index {
    root: Option<Child>,
    nodes: Vec<Node>,
}

#[derive(Clone, Copy, Debug)]
enum Child {
    Node(usize),
    Place(usize),
}

/// A node: the index of the first bit in which the keys of its two sides differ.
#[derive(Clone, Copy, Debug)]
struct Node {
    bit: usize,
    zero: Child,
    one: Child,
}

impl Node {
    fn child(&self, key: &[u8]) -> Child {
        #[cfg(test)]
        tests::step();
        if is_set(key, self.bit) { self.one } else { self.zero }
    }
}

impl Index {
    /// Returns the position of the only key that can be equal to `key`.
    fn nearest(&self, key: &[u8]) -> Option<usize> {
        let mut child = self.root?;
        loop {
            match child {
                Child::Node(at) => child = self.nodes.get(at)?.child(key),
                Child::Place(place) => return Some(place),
            }
        }
    }

    /// Adds the position of an entry. Returns the previous position of its key.
    fn put(&mut self, place: usize, data: &Data) -> Option<usize> {
        let key = data.key_at(place);
        let nearest = self.nearest(key);
        let difference = nearest.and_then(|other| first_difference(key, data.key_at(other)));
        // Descend to where this key differs from all others, or to the position of an equal key.
        let (mut above, mut below) = (None, self.root);
        while let Some(Child::Node(at)) = below
            && let Some(node) = self.nodes.get(at).filter(|node| difference.is_none_or(|bit| node.bit < bit))
        {
            (above, below) = (Some(at), Some(node.child(key)));
        }
        let mut new = Child::Place(place);
        if let (Some(bit), Some(other)) = (difference, below) {
            let (zero, one) = if is_set(key, bit) { (other, new) } else { (new, other) };
            new = Child::Node(self.nodes.len());
            self.nodes.push(Node { bit, zero, one });
        }
        match above.and_then(|at| self.nodes.get_mut(at)) {
            Some(node) if is_set(key, node.bit) => node.one = new,
            Some(node) => node.zero = new,
            None => self.root = Some(new),
        }
        nearest.filter(|_| difference.is_none())
    }
}

/// Returns whether a bit of a key is set. Bits after its end are not.
fn is_set(key: &[u8], bit: usize) -> bool {
    key.get(bit / 8).is_some_and(|byte| byte & (0x80 >> (bit % 8)) != 0)
}

/// Returns the index of the first bit in which two keys differ.
fn first_difference(key: &[u8], other: &[u8]) -> Option<usize> {
    let differ = |(at, (one, other)): (usize, (&u8, &u8))| {
        (one != other).then(|| at.saturating_mul(8).saturating_add((one ^ other).leading_zeros() as usize))
    };
    key.iter().zip(other).enumerate().find_map(differ)
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::cell::Cell;
    use proptest::prelude::*;

    #[derive(Clone, Debug)]
    enum Call {
        Set(u8, u8),
        Remove(u8),
    }

    fn calls() -> impl Strategy<Value = Vec<Call>> {
        let call =
            prop_oneof![(0..90_u8, 0..3_u8).prop_map(|(k, v)| Call::Set(k, v)), (0..90_u8).prop_map(Call::Remove)];
        prop::collection::vec(call, 0..300)
    }

    proptest! {
        // The model is a list of pairs with the order of Python's dict: a key keeps its position until it is removed.
        #[test]
        fn it_behaves_like_a_list_of_pairs(calls in calls()) {
            let mut data = Data::default();
            let mut model: Vec<(String, String)> = Vec::new();
            for call in calls {
                match call {
                    Call::Set(key, value) => {
                        let (key, value) = (format!("k{key}"), value.to_string());
                        let changed = data.set(&key, value.as_bytes().into());
                        match model.iter_mut().find(|(k, _)| *k == key) {
                            Some((_, old)) => {
                                prop_assert_eq!(changed, *old != value);
                                *old = value;
                            }
                            None => {
                                prop_assert!(changed);
                                model.push((key, value));
                            }
                        }
                    }
                    Call::Remove(key) => {
                        let key = format!("k{key}");
                        let place = model.iter().position(|(k, _)| *k == key);
                        place.map(|at| model.remove(at));
                        prop_assert_eq!(data.remove(&key), place.is_some());
                    }
                }
                prop_assert_eq!(data.len, model.len());
            }
            for key in 0..90_u8 {
                let key = format!("k{key}");
                let value = model.iter().find(|(k, _)| *k == key).map(|(_, value)| value.as_bytes());
                prop_assert_eq!(data.get(&key), value);
            }
            let pairs: Vec<_> = data.iter().map(|(k, v)| (k.into_owned(), String::from_utf8(v.to_vec()).unwrap())).collect();
            prop_assert_eq!(pairs, model);
        }
    }

    #[test]
    fn a_duplicate_key_is_rejected() {
        let own = |text: &str| JsonSlice::Own(text.as_bytes().into());
        for size in [3, INDEXED_FROM, 200] {
            let members = |last: String| {
                let keys = (1..size).map(|n| format!("\"k{n}\"")).chain([last]);
                keys.map(|key| (own(&key), own("1"))).collect()
            };
            assert!(Data::stored(Vec::new(), members("\"k0\"".to_owned())).is_some());
            assert!(Data::stored(Vec::new(), members("\"k2\"".to_owned())).is_none());
        }
    }

    /// Returns the data of a record with these keys.
    fn record(keys: &[String]) -> Data {
        let member = |key: &String| (JsonSlice::Own(json::quoted(key).into()), JsonSlice::Own(b"1".as_slice().into()));
        Data::stored(Vec::new(), keys.iter().map(member).collect()).unwrap()
    }

    thread_local!(static STEPS: Cell<usize> = const { Cell::new(0) });

    /// Counts a step in the index.
    pub(super) fn step() {
        STEPS.set(STEPS.get().saturating_add(1));
    }

    /// An operation on many keys, with its name.
    type Work = (&'static str, fn(&[String]));

    #[test]
    fn no_order_of_keys_makes_loading_adding_or_removing_quadratic() {
        let works: [Work; 4] = [
            ("loading", |keys| drop(record(keys))),
            ("adding one by one", |keys| {
                let mut data = Data::default();
                keys.iter().for_each(|key| assert!(data.set(key, b"1".as_slice().into())));
            }),
            ("removing one by one", |keys| {
                let mut data = record(keys);
                keys.iter().for_each(|key| assert!(data.remove(key)));
                assert!(data.is_empty());
            }),
            ("removing and adding again", |keys| {
                let mut data = record(keys);
                keys.iter().for_each(|key| assert!(data.remove(key) && data.set(key, b"2".as_slice().into())));
                assert!(data.iter().map(|(key, _)| key.into_owned()).eq(keys.iter().cloned()));
            }),
        ];
        for count in [1_000_usize, 4_000, 16_000] {
            let key = |n: usize| format!("{n:06}");
            let orders: [(&str, Vec<String>); 3] = [
                ("rising", (0..count).map(key).collect()),
                ("falling", (0..count).rev().map(key).collect()),
                ("scattered", (0..count).map(|n| key(n * 7_919 % count)).collect()),
            ];
            for (order, keys) in &orders {
                for (what, work) in works {
                    STEPS.set(0);
                    work(keys);
                    let each = STEPS.get() as f64 / count as f64;
                    // At least one step proves that steps are counted. The maximum is logarithmic.
                    let most = 8.0 * (count as f64).log2();
                    assert!((1.0..most).contains(&each), "{what}, {count} keys {order}: {each:.1} steps a key");
                }
            }
        }
    }

    #[test]
    fn no_choice_of_keys_makes_a_look_up_longer_than_its_key() {
        // Each key is a prefix of the next one, so that the trie is one long branch.
        let mut keys = Vec::from_iter((1..=400).map(|length| "k".repeat(length)));
        keys.reverse();
        let data = record(&keys);
        for key in &keys {
            STEPS.set(0);
            assert_eq!(data.get(key), Some(b"1".as_slice()));
            assert!(STEPS.get() <= key.len() + 1, "{} steps for a key of {}", STEPS.get(), key.len());
        }
        for absent in ["", "j", "l", &"k".repeat(401), "kkj", "k\"", "\"", "é"] {
            assert_eq!(data.get(absent), None, "{absent}");
        }
    }

    #[test]
    fn names_that_javascript_knows_are_plain_keys() {
        let names = ["__proto__", "constructor", "toString", "hasOwnProperty", "", "10", "2"];
        let mut data = Data::default();
        for key in names {
            data.set(key, b"1".as_slice().into());
        }
        assert!(data.iter().map(|(key, _)| key.into_owned()).eq(names));
    }
}

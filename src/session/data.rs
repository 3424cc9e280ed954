//! The dictionary: keys in insertion order, each value kept as JSON text until someone asks for it.

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::ops::Range;

use super::json;

/// From this many slots on, an index is kept.
const INDEXED_FROM: usize = 32;

/// A piece of JSON text in UTF-8: a part of the record it was read with, or its own.
#[derive(Clone, Debug)]
pub(crate) enum Text {
    Stored(Range<usize>),
    Own(Box<[u8]>),
}

/// The key is a JSON string with its quotes, as [`json::quote`] writes it: it goes into the next record as it is.
#[derive(Clone, Debug)]
struct Entry {
    key: Text,
    value: Text,
    /// Whether it was set since the data were stored.
    touched: bool,
}

/// What happened to a key since the data were stored: its value now, or none where it was removed.
pub(crate) type Change<'a> = (&'a [u8], Option<&'a [u8]>);

/// An ordered map from keys to JSON texts.
///
/// Removed entries leave a hole, so that places stay valid; small maps are searched, large ones have an index. A value is
/// bytes here: whether it is text is asked when somebody reads it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Data {
    record: Vec<u8>,
    slots: Vec<Option<Entry>>,
    len: usize,
    /// The places of all entries, in the order of their keys' bytes.
    index: Option<Vec<usize>>,
    /// The quoted keys that were removed since the data were stored; one of them can be back.
    removed: Vec<Box<[u8]>>,
    /// Whether everything was removed first, what is not known here too.
    cleared: bool,
}

impl Data {
    /// The data of a record: `members` are the places of each quoted key and value in `record`, or texts of their own.
    ///
    /// `None` where a key comes twice.
    pub(crate) fn stored(record: Vec<u8>, members: Vec<(Text, Text)>) -> Option<Self> {
        let len = members.len();
        let slots = members.into_iter().map(|(key, value)| Some(Entry { key, value, touched: false })).collect();
        let mut data = Self { record, slots, len, ..Self::default() };
        let unique = if len > INDEXED_FROM {
            data.build_index();
            let index = data.index.as_deref().unwrap_or_default();
            index.iter().zip(index.iter().skip(1)).all(|(one, next)| data.key_at(*one) != data.key_at(*next))
        } else {
            (0..len).all(|place| data.find(data.key_at(place)) == Some(place))
        };
        unique.then_some(data)
    }

    fn bytes<'a>(&'a self, text: &'a Text) -> &'a [u8] {
        match text {
            Text::Stored(range) => self.record.get(range.clone()).unwrap_or_default(),
            Text::Own(text) => text,
        }
    }

    /// The quoted key at `place`.
    fn key_at(&self, place: usize) -> &[u8] {
        self.slots.get(place).and_then(Option::as_ref).map_or(&[], |entry| self.bytes(&entry.key))
    }

    /// The place of a quoted key.
    fn find(&self, key: &[u8]) -> Option<usize> {
        match &self.index {
            Some(index) => index.get(self.rank(index, key).ok()?).copied(),
            None => self.slots.iter().position(|slot| slot.as_ref().is_some_and(|entry| self.bytes(&entry.key) == key)),
        }
    }

    /// Where the index has a quoted key, or would have it.
    fn rank(&self, index: &[usize], key: &[u8]) -> Result<usize, usize> {
        index.binary_search_by(|place| self.key_at(*place).cmp(key))
    }

    fn push(&mut self, entry: Entry) {
        let place = self.slots.len();
        if let Some(mut index) = self.index.take() {
            let rank = self.rank(&index, self.bytes(&entry.key)).unwrap_or_else(|rank| rank);
            index.insert(rank, place);
            self.index = Some(index);
        }
        self.slots.push(Some(entry));
        self.len = self.len.saturating_add(1);
        if self.index.is_none() && self.slots.len() > INDEXED_FROM {
            self.build_index();
        }
    }

    /// Places are put in one by one: a sort's code would weigh more than it saves at the sizes that sessions have.
    fn build_index(&mut self) {
        let mut index = Vec::with_capacity(self.slots.len());
        for place in (0..self.slots.len()).filter(|place| !self.key_at(*place).is_empty()) {
            let rank = self.rank(&index, self.key_at(place)).unwrap_or_else(|rank| rank);
            index.insert(rank, place);
        }
        self.index = Some(index);
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The JSON text under `key`.
    pub(crate) fn get(&self, key: &str) -> Option<&[u8]> {
        if self.index.is_none() && json::is_plain(key) {
            let is_it = |entry: &&Entry| matches!(self.bytes(&entry.key), [_, name @ .., _] if name == key.as_bytes());
            return self.slots.iter().flatten().find(is_it).map(|entry| self.bytes(&entry.value));
        }
        self.value(&json::quoted(key))
    }

    /// The JSON text under a quoted key.
    pub(crate) fn value(&self, key: &[u8]) -> Option<&[u8]> {
        let entry = self.slots.get(self.find(key)?)?.as_ref()?;
        Some(self.bytes(&entry.value))
    }

    /// Puts `json` under `key`; a key that is there keeps its place. Says whether the text under it is another one now.
    pub(crate) fn set(&mut self, key: &str, json: Box<[u8]>) -> bool {
        let key = json::quoted(key);
        let other = self.value(&key) != Some(&*json);
        if other {
            self.put(&key, json, true);
        }
        other
    }

    /// Puts `json` under a quoted key; `touched` says whether that is a change since the data were stored.
    pub(crate) fn put(&mut self, key: &[u8], json: Box<[u8]>, touched: bool) {
        let value = Text::Own(json);
        match self.find(key).and_then(|place| self.slots.get_mut(place)?.as_mut()) {
            Some(entry) => {
                entry.value = value;
                entry.touched |= touched;
            }
            None => self.push(Entry { key: Text::Own(key.into()), value, touched }),
        }
    }

    /// Takes `key` out. Says whether it was there.
    pub(crate) fn remove(&mut self, key: &str) -> bool {
        self.take(&json::quoted(key), true)
    }

    /// Takes a quoted key out; `touched` as for [`put`](Self::put). Says whether it was there.
    pub(crate) fn take(&mut self, key: &[u8], touched: bool) -> bool {
        let Some(place) = self.find(key) else { return false };
        if let Some(mut index) = self.index.take() {
            if let Ok(rank) = self.rank(&index, key) {
                index.remove(rank);
            }
            self.index = Some(index);
        }
        if let Some(slot) = self.slots.get_mut(place) {
            *slot = None;
        }
        if touched {
            self.removed.push(key.into());
        }
        self.len = self.len.saturating_sub(1);
        if self.slots.len() > INDEXED_FROM && self.len < self.slots.len() / 2 {
            self.slots.retain(Option::is_some);
            self.build_index();
        }
        true
    }

    /// No data any more, as a change of what was stored.
    pub(crate) fn cleared(self) -> Self {
        let mut removed = Vec::from_iter(self.members().map(|(key, _)| key.into()));
        removed.extend(self.removed);
        Self { removed, cleared: true, ..Self::default() }
    }

    /// What was changed since the data were stored.
    pub(crate) fn changes(&self) -> impl Iterator<Item = Change<'_>> {
        let removed = self.removed.iter().filter(|key| self.find(key).is_none()).map(|key| (&**key, None));
        let touched = self.slots.iter().flatten().filter(|entry| entry.touched);
        removed.chain(touched.map(|entry| (self.bytes(&entry.key), Some(self.bytes(&entry.value)))))
    }

    /// Moves what was changed here onto `newer` data, which become these; it stays a change, as does what was one there.
    pub(crate) fn merge_onto(&mut self, mut newer: Self) {
        if self.cleared {
            let keys = newer.members().map(|(key, _)| key).filter(|key| self.find(key).is_none());
            let gone: Vec<Box<[u8]>> = keys.map(Box::from).collect();
            self.removed.extend(gone);
        } else {
            for (key, value) in self.changes() {
                match value {
                    Some(value) => newer.put(key, value.into(), true),
                    None => _ = newer.take(key, false),
                }
            }
            newer.removed.append(&mut self.removed);
            *self = newer;
        }
    }

    /// Takes note that the data are stored as they are.
    pub(crate) fn settle(&mut self) {
        self.slots.iter_mut().flatten().for_each(|entry| entry.touched = false);
        self.removed.clear();
        self.cleared = false;
    }

    /// Quoted keys and JSON texts, in insertion order.
    pub(crate) fn members(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.slots.iter().flatten().map(|entry| (self.bytes(&entry.key), self.bytes(&entry.value)))
    }

    /// Keys and JSON texts, in insertion order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Cow<'_, str>, &[u8])> {
        // A key is text: it was looked at when the record was opened.
        self.members().map(|(key, value)| (json::unquote(str::from_utf8(key).unwrap_or_default()), value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
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
        // The plain model is a list of pairs, as Python's dict behaves: a key keeps its place until it is removed.
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
            let pairs: Vec<_> = data.iter().map(|(k, v)| (k.into_owned(), String::from_utf8(v.to_vec()).unwrap())).collect();
            prop_assert_eq!(pairs, model);
        }
    }

    #[test]
    fn a_key_that_comes_twice_is_no_record() {
        let own = |text: &str| Text::Own(text.as_bytes().into());
        for size in [3, INDEXED_FROM, 200] {
            let members = |last: String| {
                let keys = (1..size).map(|n| format!("\"k{n}\"")).chain([last]);
                keys.map(|key| (own(&key), own("1"))).collect()
            };
            assert!(Data::stored(Vec::new(), members("\"k0\"".to_owned())).is_some());
            assert!(Data::stored(Vec::new(), members("\"k2\"".to_owned())).is_none());
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

//! The dictionary: keys in insertion order, each value kept as JSON text until someone asks for it.

use alloc::boxed::Box;
use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;
use alloc::collections::BTreeMap;
use core::ops::Range;
use alloc::sync::Arc;

use super::json;

/// From this many slots on, an index is kept.
const INDEXED_FROM: usize = 32;

/// A piece of text: a part of the record it was read with, or its own.
#[derive(Clone, Debug)]
pub(crate) enum Text {
    Stored(Range<usize>),
    Own(Box<str>),
}

#[derive(Clone, Debug)]
struct Entry {
    key: Text,
    value: Text,
}

/// An ordered map from keys to JSON texts.
///
/// Removed entries leave a hole, so that places stay valid; small maps are searched, large ones have an index.
#[derive(Clone, Debug, Default)]
pub(crate) struct Data {
    record: Arc<str>,
    slots: Vec<Option<Entry>>,
    len: usize,
    index: Option<BTreeMap<Box<str>, usize>>,
}

impl Data {
    /// The data of a record: `members` are the places of each key and value in `record`, or texts of their own.
    ///
    /// `None` where a key comes twice.
    pub(crate) fn stored(record: Arc<str>, members: Vec<(Text, Text)>) -> Option<Self> {
        let mut data = Self { record, slots: Vec::with_capacity(members.len()), len: 0, index: None };
        for (key, value) in members {
            if data.place(data.text(&key)).is_some() {
                return None;
            }
            data.push(Entry { key, value });
        }
        Some(data)
    }

    fn text<'a>(&'a self, text: &'a Text) -> &'a str {
        match text {
            Text::Stored(range) => self.record.get(range.clone()).unwrap_or_default(),
            Text::Own(text) => text,
        }
    }

    fn place(&self, key: &str) -> Option<usize> {
        if let Some(index) = &self.index {
            return index.get(key).copied();
        }
        self.slots.iter().position(|slot| slot.as_ref().is_some_and(|entry| self.text(&entry.key) == key))
    }

    fn push(&mut self, entry: Entry) {
        let place = self.slots.len();
        if let Some(index) = &mut self.index {
            let key = match &entry.key {
                Text::Stored(range) => self.record.get(range.clone()).unwrap_or_default(),
                Text::Own(text) => text,
            };
            index.insert(key.into(), place);
        }
        self.slots.push(Some(entry));
        self.len = self.len.saturating_add(1);
        if self.index.is_none() && self.slots.len() > INDEXED_FROM {
            self.build_index();
        }
    }

    fn build_index(&mut self) {
        let mut index = BTreeMap::new();
        for (place, slot) in self.slots.iter().enumerate() {
            if let Some(entry) = slot {
                index.insert(self.text(&entry.key).into(), place);
            }
        }
        self.index = Some(index);
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The JSON text under `key`.
    pub(crate) fn get(&self, key: &str) -> Option<&str> {
        let entry = self.slots.get(self.place(key)?)?.as_ref()?;
        Some(self.text(&entry.value))
    }

    /// Puts `json` under `key`; a key that is there keeps its place. Says whether the text under it is another one now.
    pub(crate) fn set(&mut self, key: &str, json: impl Into<Box<str>>) -> bool {
        let json = json.into();
        if self.get(key) == Some(&*json) {
            return false;
        }
        match self.place(key).and_then(|place| self.slots.get_mut(place)?.as_mut()) {
            Some(entry) => entry.value = Text::Own(json),
            None => self.push(Entry { key: Text::Own(key.into()), value: Text::Own(json) }),
        }
        true
    }

    /// Takes `key` out; its JSON text, if it was there.
    pub(crate) fn remove(&mut self, key: &str) -> Option<String> {
        let place = self.place(key)?;
        let entry = self.slots.get_mut(place)?.take()?;
        self.len = self.len.saturating_sub(1);
        if let Some(index) = &mut self.index {
            index.remove(key);
        }
        if self.slots.len() > INDEXED_FROM && self.len < self.slots.len() / 2 {
            self.slots.retain(Option::is_some);
            self.build_index();
        }
        Some(self.text(&entry.value).to_owned())
    }

    /// Keys and JSON texts, in insertion order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.slots.iter().flatten().map(|entry| (self.text(&entry.key), self.text(&entry.value)))
    }

    /// The members for which `keep` holds, as the text of a JSON object.
    pub(crate) fn to_json(&self, keep: impl Fn(&str) -> bool) -> String {
        let mut text = String::from("{");
        for (key, value) in self.iter().filter(|(key, _)| keep(key)) {
            if text.len() > 1 {
                text.push(',');
            }
            json::quote(key, &mut text);
            text.push(':');
            text.push_str(value);
        }
        text.push('}');
        text
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
                        let changed = data.set(&key, value.as_str());
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
                        let expected = model.iter().position(|(k, _)| *k == key).map(|at| model.remove(at).1);
                        prop_assert_eq!(data.remove(&key), expected);
                    }
                }
                prop_assert_eq!(data.len, model.len());
            }
            let pairs: Vec<_> = data.iter().map(|(k, v)| (k.to_owned(), v.to_owned())).collect();
            prop_assert_eq!(pairs, model);
        }
    }

    #[test]
    fn a_key_that_comes_twice_is_no_record() {
        let own = |text: &str| Text::Own(text.into());
        let twice = vec![(own("a"), own("1")), (own("b"), own("2")), (own("a"), own("3"))];
        assert!(Data::stored("".into(), twice).is_none());
    }

    #[test]
    fn names_that_javascript_knows_are_plain_keys() {
        let mut data = Data::default();
        for key in ["__proto__", "constructor", "toString", "hasOwnProperty", "", "10", "2"] {
            data.set(key, "1");
        }
        assert_eq!(
            data.to_json(|_| true),
            r#"{"__proto__":1,"constructor":1,"toString":1,"hasOwnProperty":1,"":1,"10":1,"2":1}"#
        );
    }
}

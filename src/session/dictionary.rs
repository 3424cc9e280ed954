//! The calls on the dictionary: what Python's `dict` has and Django keeps of it.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::data::Data;
use super::load_state::LoadState;
use super::session::Session;
use super::value;
use crate::error::{Error, Result};
use crate::json;

impl Session {
    /// Django's `s[k]`: the value under `key`.
    ///
    /// ```
    /// # let settings = edge_session::Settings::builder(["a secret of at least thirty-two bytes"]).build()?;
    /// # let mut session = edge_session::Sessions::new(edge_session::MemoryStore::default(), settings).new_session()?;
    /// session.set("user", "alice")?;
    /// assert_eq!(session.item::<String>("user")?, "alice");
    /// assert_eq!(session.item::<String>("cart").unwrap_err().code(), "ES_KEY_ERROR");
    /// # Ok::<(), edge_session::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// `MissingKey` where there is none, `Value` where it is not a `T`, `StoreUnavailable` where the store did not answer.
    pub fn item<T: DeserializeOwned>(&mut self, key: &str) -> Result<T> {
        self.get(key)?.ok_or_else(|| Error::missing_key(key))
    }

    /// Django's `get`: the value under `key`, if there is one.
    ///
    /// ```
    /// # let settings = edge_session::Settings::builder(["a secret of at least thirty-two bytes"]).build()?;
    /// # let mut session = edge_session::Sessions::new(edge_session::MemoryStore::default(), settings).new_session()?;
    /// assert_eq!(session.get::<u32>("visits")?.unwrap_or(0), 0);
    /// # Ok::<(), edge_session::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// `Value` where it is not a `T`, `StoreUnavailable` where the store did not answer.
    pub fn get<T: DeserializeOwned>(&mut self, key: &str) -> Result<Option<T>> {
        self.read()?.get(key).map(|text| value::from_json(key, text)).transpose()
    }

    /// The JSON text under `key`, if there is one.
    ///
    /// ```
    /// # let settings = edge_session::Settings::builder(["a secret of at least thirty-two bytes"]).build()?;
    /// # let mut session = edge_session::Sessions::new(edge_session::MemoryStore::default(), settings).new_session()?;
    /// session.set("cart", [1, 2])?;
    /// assert_eq!(session.get_json("cart")?, Some("[1,2]"));
    /// # Ok::<(), edge_session::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// `Value` where the stored text is damaged, `StoreUnavailable` where the store did not answer.
    pub fn get_json(&mut self, key: &str) -> Result<Option<&str>> {
        let text = self.get_text(key)?;
        text.map(|text| value::check_json(key, text).map(|()| text)).transpose()
    }

    /// As [`get_json`](Self::get_json), without a look at the text, for callers that parse it themselves: text that was damaged in the
    /// store is returned as it is.
    ///
    /// # Errors
    ///
    /// `Value` if the text is not UTF-8, `StoreUnavailable` if the store did not answer.
    pub fn get_text(&mut self, key: &str) -> Result<Option<&str>> {
        let json = self.read()?.get(key);
        json.map(|json| value::text(key, json)).transpose()
    }

    /// Django's `s[k] = v`.
    ///
    /// ```
    /// # let settings = edge_session::Settings::builder(["a secret of at least thirty-two bytes"]).build()?;
    /// # let mut session = edge_session::Sessions::new(edge_session::MemoryStore::default(), settings).new_session()?;
    /// session.set("cart", vec!["apple", "pear"])?;
    /// let refused = session.set("prices", [1.5, f64::NAN]).unwrap_err();
    /// assert_eq!(refused.to_string(), "session.prices[1] is NaN, which JSON does not hold");
    /// # Ok::<(), edge_session::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// `Value`, with its path, for what JSON does not hold exactly; `StoreUnavailable` where the store did not answer.
    pub fn set<T: Serialize>(&mut self, key: &str, value: T) -> Result<()> {
        let text = value::to_json(key, &value)?;
        self.set_text(key, text.into_bytes())
    }

    /// Puts a JSON text under `key` as it is, so that no number in it is rounded.
    ///
    /// ```
    /// # use edge_session::{MemoryStore, Sessions, Settings};
    /// # let settings = Settings::builder(["a secret of at least thirty-two bytes"]).build()?;
    /// # let sessions = Sessions::new(MemoryStore::default(), settings);
    /// let mut session = sessions.new_session()?;
    /// session.set_json("big", "9007199254740993")?;
    /// assert_eq!(session.get_json("big")?, Some("9007199254740993"));
    /// assert!(session.set_json("bad", "{'no': json}").is_err());
    /// # Ok::<(), edge_session::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// `Value` where it is no JSON that can be kept; `StoreUnavailable` where the store did not answer.
    pub fn set_json(&mut self, key: &str, text: &str) -> Result<()> {
        let text = text.trim_matches([' ', '\t', '\n', '\r']);
        value::check_json(key, text)?;
        self.set_text(key, text.as_bytes())
    }

    /// Django's `del s[k]`.
    ///
    /// ```
    /// # let settings = edge_session::Settings::builder(["a secret of at least thirty-two bytes"]).build()?;
    /// # let mut session = edge_session::Sessions::new(edge_session::MemoryStore::default(), settings).new_session()?;
    /// session.set("cart", [1])?;
    /// session.remove("cart")?;
    /// assert!(session.remove("cart").is_err());
    /// # Ok::<(), edge_session::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// `MissingKey` where there is none, `StoreUnavailable` where the store did not answer.
    pub fn remove(&mut self, key: &str) -> Result<()> {
        if self.discard(key)? { Ok(()) } else { Err(Error::missing_key(key)) }
    }

    /// Django's `k in s`.
    ///
    /// ```
    /// # let settings = edge_session::Settings::builder(["a secret of at least thirty-two bytes"]).build()?;
    /// # let mut session = edge_session::Sessions::new(edge_session::MemoryStore::default(), settings).new_session()?;
    /// session.set("nothing", ())?;
    /// assert!(session.contains_key("nothing")?);
    /// # Ok::<(), edge_session::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// `StoreUnavailable` where the store did not answer.
    pub fn contains_key(&mut self, key: &str) -> Result<bool> {
        Ok(self.read()?.get(key).is_some())
    }

    /// Django's `pop(k)`: takes the value out.
    ///
    /// ```
    /// # let settings = edge_session::Settings::builder(["a secret of at least thirty-two bytes"]).build()?;
    /// # let mut session = edge_session::Sessions::new(edge_session::MemoryStore::default(), settings).new_session()?;
    /// session.set("notice", "saved")?;
    /// assert_eq!(session.pop::<String>("notice")?, "saved");
    /// assert!(session.pop::<String>("notice").is_err());
    /// # Ok::<(), edge_session::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// `MissingKey` where there is none; `Value` where it is not a `T`, and it stays; `StoreUnavailable`.
    pub fn pop<T: DeserializeOwned>(&mut self, key: &str) -> Result<T> {
        let value = self.item(key)?;
        self.discard(key)?;
        Ok(value)
    }

    /// Django's `pop(k, d)`: takes the value out, or gives `default`.
    ///
    /// ```
    /// # let settings = edge_session::Settings::builder(["a secret of at least thirty-two bytes"]).build()?;
    /// # let mut session = edge_session::Sessions::new(edge_session::MemoryStore::default(), settings).new_session()?;
    /// assert_eq!(session.pop_or("notice", String::new())?, "");
    /// # Ok::<(), edge_session::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// `Value` where it is not a `T`, and it stays; `StoreUnavailable` where the store did not answer.
    pub fn pop_or<T: DeserializeOwned>(&mut self, key: &str, default: T) -> Result<T> {
        let value = self.get(key)?;
        self.discard(key)?;
        // mutation: popped-default
        Ok(value.unwrap_or(default))
    }

    /// Django's `setdefault`: the value under `key`, which becomes `value` where there was none.
    ///
    /// ```
    /// # let settings = edge_session::Settings::builder(["a secret of at least thirty-two bytes"]).build()?;
    /// # let mut session = edge_session::Sessions::new(edge_session::MemoryStore::default(), settings).new_session()?;
    /// assert_eq!(session.setdefault("page", 1)?, 1);
    /// assert_eq!(session.setdefault("page", 2)?, 1);
    /// # Ok::<(), edge_session::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// `Value` where the value there is not a `T` or the new one is not JSON; `StoreUnavailable`.
    pub fn setdefault<T: Serialize + DeserializeOwned>(&mut self, key: &str, value: T) -> Result<T> {
        match self.get(key)? {
            Some(present) => Ok(present), // mutation: default-present
            None => self.set(key, &value).map(|()| value),
        }
    }

    /// Django's `update`: sets every pair, all or none. It marks the session modified even without pairs.
    ///
    /// ```
    /// # let settings = edge_session::Settings::builder(["a secret of at least thirty-two bytes"]).build()?;
    /// # let mut session = edge_session::Sessions::new(edge_session::MemoryStore::default(), settings).new_session()?;
    /// session.update([("width", 4), ("height", 3)])?;
    /// assert_eq!(session.keys()?, ["width", "height"]);
    /// # Ok::<(), edge_session::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`set`](Self::set); then nothing was changed.
    pub fn update<K: AsRef<str>, T: Serialize>(&mut self, pairs: impl IntoIterator<Item = (K, T)>) -> Result<()> {
        let texts = pairs.into_iter().map(|(key, value)| {
            let text = value::to_json(key.as_ref(), &value)?;
            Ok((key, text.into_bytes()))
        });
        self.write_all(texts.collect::<Result<Vec<_>>>()?)
    }

    /// [`update`](Self::update) with a JSON object, whose values are kept as they are. A key that comes twice counts last.
    ///
    /// ```
    /// # let settings = edge_session::Settings::builder(["a secret of at least thirty-two bytes"]).build()?;
    /// # let mut session = edge_session::Sessions::new(edge_session::MemoryStore::default(), settings).new_session()?;
    /// session.update_json(r#"{"user": "alice", "visits": 3}"#)?;
    /// assert_eq!(session.get::<u32>("visits")?, Some(3));
    /// # Ok::<(), edge_session::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// `Value` where `text` is no JSON object that can be kept; `StoreUnavailable` where the store did not answer.
    pub fn update_json(&mut self, text: &str) -> Result<()> {
        let members = json::members(text)
            .map_err(|flaw| Error::value(["this is not a JSON object that can be kept: ", &flaw.text()].concat()))?;
        self.write_all(members.into_iter().map(|(key, value)| (key, value.as_bytes())))
    }

    /// Django's `keys`, in insertion order.
    ///
    /// ```
    /// # let settings = edge_session::Settings::builder(["a secret of at least thirty-two bytes"]).build()?;
    /// # let mut session = edge_session::Sessions::new(edge_session::MemoryStore::default(), settings).new_session()?;
    /// session.update([("b", 1), ("a", 2)])?;
    /// assert_eq!(session.keys()?, ["b", "a"]);
    /// # Ok::<(), edge_session::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// `StoreUnavailable` where the store did not answer.
    pub fn keys(&mut self) -> Result<Vec<String>> {
        Ok(self.read()?.iter().map(|(key, _)| key.into_owned()).collect())
    }

    /// Django's `values`, in insertion order.
    ///
    /// ```
    /// # let settings = edge_session::Settings::builder(["a secret of at least thirty-two bytes"]).build()?;
    /// # let mut session = edge_session::Sessions::new(edge_session::MemoryStore::default(), settings).new_session()?;
    /// session.update([("b", 1), ("a", 2)])?;
    /// assert_eq!(session.values::<u8>()?, [1, 2]);
    /// # Ok::<(), edge_session::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// `Value` where one is not a `T` (take `serde_json::Value` for any); `StoreUnavailable`.
    pub fn values<T: DeserializeOwned>(&mut self) -> Result<Vec<T>> {
        self.read()?.iter().map(|(key, json)| value::from_json(&key, json)).collect()
    }

    /// Django's `items`, in insertion order.
    ///
    /// ```
    /// # let settings = edge_session::Settings::builder(["a secret of at least thirty-two bytes"]).build()?;
    /// # let mut session = edge_session::Sessions::new(edge_session::MemoryStore::default(), settings).new_session()?;
    /// session.update([("b", 1)])?;
    /// assert_eq!(session.items::<u8>()?, [("b".to_owned(), 1)]);
    /// # Ok::<(), edge_session::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// `Value` where a value is not a `T` (take `serde_json::Value` for any); `StoreUnavailable`.
    pub fn items<T: DeserializeOwned>(&mut self) -> Result<Vec<(String, T)>> {
        let items = self.read()?.iter().map(|(key, json)| {
            let value = value::from_json(&key, json)?;
            Ok((key.into_owned(), value))
        });
        items.collect()
    }

    /// The members whose key passes `keep`, as the text of a JSON object, in insertion order.
    ///
    /// ```
    /// # let settings = edge_session::Settings::builder(["a secret of at least thirty-two bytes"]).build()?;
    /// # let mut session = edge_session::Sessions::new(edge_session::MemoryStore::default(), settings).new_session()?;
    /// session.update([("_auth_user_id", 7), ("visits", 3)])?;
    /// assert_eq!(session.to_json(|key| !key.starts_with('_'))?, r#"{"visits":3}"#);
    /// # Ok::<(), edge_session::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// `Value` where a stored text is damaged, `StoreUnavailable` where the store did not answer.
    pub fn to_json(&mut self, keep: impl Fn(&str) -> bool) -> Result<String> {
        let mut object = String::from("{");
        for (key, json) in self.read()?.iter().filter(|(key, _)| keep(key)) {
            let text = value::text(&key, json)?;
            value::check_json(&key, text)?;
            json::member(&key, text, &mut object);
        }
        object.push('}');
        Ok(object)
    }

    /// Django's `clear`: no data any more, nor an expiry of its own. The key stays, and the record until the next save.
    ///
    /// ```
    /// # let settings = edge_session::Settings::builder(["a secret of at least thirty-two bytes"]).build()?;
    /// # let mut session = edge_session::Sessions::new(edge_session::MemoryStore::default(), settings).new_session()?;
    /// session.set("cart", [1])?;
    /// session.clear();
    /// assert!(session.keys()?.is_empty());
    /// # Ok::<(), edge_session::Error>(())
    /// ```
    pub fn clear(&mut self) {
        self.empty(); // mutation: cleared
        self.flags.accessed = true;
        self.mark_changed();
    }

    /// Django's `is_empty`: no key and no data. A key that was not looked up yet counts.
    ///
    /// ```
    /// # let settings = edge_session::Settings::builder(["a secret of at least thirty-two bytes"]).build()?;
    /// # let mut session = edge_session::Sessions::new(edge_session::MemoryStore::default(), settings).new_session()?;
    /// assert!(session.is_empty());
    /// session.set("cart", [1])?;
    /// assert!(!session.is_empty());
    /// # Ok::<(), edge_session::Error>(())
    /// ```
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let no_data = !matches!(&self.state, LoadState::Judged(_, data) if !data.is_empty());
        // mutation: empty-session
        self.key.identity().is_none() && no_data
    }

    /// Loads, and marks the session accessed.
    pub(super) fn read(&mut self) -> Result<&Data> {
        self.flags.accessed = true; // mutation: read-marks
        self.data().map(|data| &*data)
    }

    /// As [`set_json`](Self::set_json), without a look at the text, for callers that wrote it themselves: text that is not JSON damages
    /// the value, and whoever reads it gets an error.
    ///
    /// # Errors
    ///
    /// `StoreUnavailable` if the store did not answer.
    pub fn set_text(&mut self, key: &str, json: impl Into<Box<[u8]>>) -> Result<()> {
        self.write_all([(key, json)])
    }

    /// The keys as a JSON array, in insertion order.
    ///
    /// # Errors
    ///
    /// As [`keys`](Self::keys).
    pub fn keys_json(&mut self) -> Result<String> {
        let keys: Vec<&[u8]> = self.read()?.members().map(|(key, _)| key).collect();
        let array = [b"[".as_slice(), &keys.join(&b","[..]), b"]"].concat();
        String::from_utf8(array).map_err(|_| Error::value("a key of the session is damaged in the store"))
    }

    /// Marks the session as [`set_text`](Self::set_text) of this key does, before its text is known; without a key, as an update with
    /// nothing. A key that is new has the value `null` until then.
    ///
    /// # Errors
    ///
    /// As [`set_text`](Self::set_text).
    pub fn touch(&mut self, key: Option<&str>) -> Result<()> {
        match key {
            Some(key) if self.data()?.get(key).is_none() => self.set_text(key, b"null".as_slice()),
            _ => self.write_all([] as [(&str, &[u8]); 0]),
        }
    }

    fn write_all<K: AsRef<str>>(&mut self, pairs: impl IntoIterator<Item = (K, impl Into<Box<[u8]>>)>) -> Result<()> {
        self.flags.accessed = true;
        let data = self.data()?;
        let mut changed = false;
        for (key, json) in pairs {
            changed |= data.set(key.as_ref(), json.into());
        }
        self.flags.modified = true; // mutation: update-marks
        self.flags.differs_from_stored |= changed;
        Ok(())
    }

    /// Removes a key. Returns whether it was there.
    ///
    /// # Errors
    ///
    /// As [`remove`](Self::remove), but for a key that is missing.
    pub fn discard(&mut self, key: &str) -> Result<bool> {
        self.flags.accessed = true;
        let taken = self.data()?.remove(key);
        if taken {
            self.mark_changed();
        }
        Ok(taken)
    }
}

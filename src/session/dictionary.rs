//! The dictionary methods of a session, as in Django.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::data::Data;
use super::load_state::LoadState;
use super::session::Session;
use super::stored_data::StoredData;
use super::value;
use crate::error::{Error, Result};
use crate::json;

impl Session {
    /// Returns the value of `key`: Django's `s[k]`.
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
    /// `MissingKey` if the key is absent, `Value` if the value is not a `T`, `StoreUnavailable` if the store did not answer.
    pub fn item<T: DeserializeOwned>(&mut self, key: &str) -> Result<T> {
        self.get(key)?.ok_or_else(|| Error::missing_key(key))
    }

    /// Returns the value of `key`, if it is present: Django's `get`.
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
    /// `Value` if the value is not a `T`, `StoreUnavailable` if the store did not answer.
    pub fn get<T: DeserializeOwned>(&mut self, key: &str) -> Result<Option<T>> {
        self.read()?.get(key).map(|text| value::from_json(key, text)).transpose()
    }

    /// Returns the JSON text of `key`, if it is present.
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
    /// `Value` if the stored text is damaged, `StoreUnavailable` if the store did not answer.
    pub fn get_json(&mut self, key: &str) -> Result<Option<&str>> {
        let text = self.get_stored(key)?.map(|json| value::text(key, json)).transpose()?;
        text.map(|text| value::check_json(key, text).map(|()| text)).transpose()
    }

    /// Returns the bytes of [`get_json`](Self::get_json) as they are stored, for callers that decode and parse them.
    ///
    /// # Errors
    ///
    /// `StoreUnavailable` if the store did not answer.
    pub fn get_stored(&mut self, key: &str) -> Result<Option<&[u8]>> {
        Ok(self.read()?.get(key))
    }

    /// Sets `key` to `value`: Django's `s[k] = v`.
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
    /// `Value`, with the path, if JSON cannot represent the value exactly; `StoreUnavailable` if the store did not answer.
    pub fn set<T: Serialize>(&mut self, key: &str, value: T) -> Result<()> {
        let text = value::to_json(key, &value)?;
        self.set_text(key, text.into_bytes())
    }

    /// Sets `key` to a JSON text, which is stored unchanged: no number is rounded.
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
    /// `Value` if the text is not JSON within the limits; `StoreUnavailable` if the store did not answer.
    pub fn set_json(&mut self, key: &str, text: &str) -> Result<()> {
        let text = text.trim_matches([' ', '\t', '\n', '\r']);
        value::check_json(key, text)?;
        self.set_text(key, text.as_bytes())
    }

    /// Removes `key`: Django's `del s[k]`.
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
    /// `MissingKey` if the key is absent, `StoreUnavailable` if the store did not answer.
    pub fn remove(&mut self, key: &str) -> Result<()> {
        if self.discard(key)? { Ok(()) } else { Err(Error::missing_key(key)) }
    }

    /// Returns whether `key` is present: Django's `k in s`.
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
    /// `StoreUnavailable` if the store did not answer.
    pub fn contains_key(&mut self, key: &str) -> Result<bool> {
        Ok(self.read()?.get(key).is_some())
    }

    /// Removes `key` and returns its value: Django's `pop(k)`.
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
    /// `MissingKey` if the key is absent; `Value` if the value is not a `T` (it is not removed); `StoreUnavailable`.
    pub fn pop<T: DeserializeOwned>(&mut self, key: &str) -> Result<T> {
        let value = self.item(key)?;
        self.discard(key)?;
        Ok(value)
    }

    /// Removes `key` and returns its value, or `default` if it is absent: Django's `pop(k, d)`.
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
    /// `Value` if the value is not a `T` (it is not removed); `StoreUnavailable` if the store did not answer.
    pub fn pop_or<T: DeserializeOwned>(&mut self, key: &str, default: T) -> Result<T> {
        let value = self.get(key)?;
        self.discard(key)?;
        // mutation: popped-default
        Ok(value.unwrap_or(default))
    }

    /// Returns the value of `key`, after setting it to `value` if it is absent: Django's `setdefault`.
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
    /// `Value` if the present value is not a `T` or JSON cannot represent the new one; `StoreUnavailable`.
    pub fn setdefault<T: Serialize + DeserializeOwned>(&mut self, key: &str, value: T) -> Result<T> {
        match self.get(key)? {
            Some(present) => Ok(present), // mutation: default-present
            None => self.set(key, &value).map(|()| value),
        }
    }

    /// Sets all pairs or none: Django's `update`. Marks the session as modified even without pairs.
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
    /// As [`set`](Self::set). On an error nothing is changed.
    pub fn update<K: AsRef<str>, T: Serialize>(&mut self, pairs: impl IntoIterator<Item = (K, T)>) -> Result<()> {
        let texts = pairs.into_iter().map(|(key, value)| {
            let text = value::to_json(key.as_ref(), &value)?;
            Ok((key, text.into_bytes()))
        });
        self.write_all(texts.collect::<Result<Vec<_>>>()?)
    }

    /// Sets all members of a JSON object, whose values are stored unchanged. The last of duplicate keys counts.
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
    /// `Value` if `text` is not a JSON object within the limits; `StoreUnavailable` if the store did not answer.
    pub fn update_json(&mut self, text: &str) -> Result<()> {
        let members = json::members(text)
            .map_err(|flaw| Error::value(["this is not a JSON object that can be kept: ", &flaw.text()].concat()))?;
        self.write_all(members.into_iter().map(|(key, value)| (key, value.as_bytes())))
    }

    /// Returns the keys in insertion order: Django's `keys`.
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
    /// `StoreUnavailable` if the store did not answer.
    pub fn keys(&mut self) -> Result<Vec<String>> {
        Ok(self.read()?.iter().map(|(key, _)| key.into_owned()).collect())
    }

    /// Returns the values in insertion order: Django's `values`.
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
    /// `Value` if a value is not a `T` (`serde_json::Value` accepts any); `StoreUnavailable`.
    pub fn values<T: DeserializeOwned>(&mut self) -> Result<Vec<T>> {
        self.read()?.iter().map(|(key, json)| value::from_json(&key, json)).collect()
    }

    /// Returns the keys and values in insertion order: Django's `items`.
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
    /// `Value` if a value is not a `T` (`serde_json::Value` accepts any); `StoreUnavailable`.
    pub fn items<T: DeserializeOwned>(&mut self) -> Result<Vec<(String, T)>> {
        let items = self.read()?.iter().map(|(key, json)| {
            let value = value::from_json(&key, json)?;
            Ok((key.into_owned(), value))
        });
        items.collect()
    }

    /// Returns the text of a JSON object with the members whose key satisfies `keep`, in insertion order.
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

    /// Removes all data, including the session's own expiry: Django's `clear`. The key stays, and the record until the next save.
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
        self.unlink();
        self.empty(); // mutation: cleared
        self.flags.accessed = true;
        self.mark_changed();
    }

    /// Returns whether the session has neither a key nor data: Django's `is_empty`. An unloaded session's key counts.
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
        let no_data = !matches!(&self.state, LoadState::Evaluated(_, data) if !data.is_empty());
        // mutation: empty-session
        self.key.identity().is_none() && no_data
    }

    /// Returns the data and marks the session as accessed.
    pub(super) fn read(&mut self) -> Result<&Data> {
        self.flags.accessed = true; // mutation: read-marks
        self.data().map(|data| &*data)
    }

    /// Sets a JSON text as [`set_json`](Self::set_json) does, but without validating it, for callers that serialized it
    /// themselves. Reading a text that is not JSON fails.
    ///
    /// # Errors
    ///
    /// `StoreUnavailable` if the store did not answer.
    pub fn set_text(&mut self, key: &str, json: impl Into<Box<[u8]>>) -> Result<()> {
        self.write_all([(key, json)])
    }

    /// Returns the keys as a JSON array, in insertion order.
    ///
    /// # Errors
    ///
    /// As [`keys`](Self::keys).
    pub fn keys_json(&mut self) -> Result<String> {
        let keys: Vec<&[u8]> = self.read()?.members().map(|(key, _)| key).collect();
        let array = [b"[".as_slice(), &keys.join(&b","[..]), b"]"].concat();
        String::from_utf8(array).map_err(|_| Error::value("a key of the session is corrupt in the store"))
    }

    /// Returns the data as they are stored, for callers that keep them after the session.
    ///
    /// # Errors
    ///
    /// `StoreUnavailable` if the store did not answer.
    pub fn stored_data(&mut self) -> Result<StoredData<'_>> {
        self.read().map(StoredData::new)
    }

    /// Marks `key` as modified; its value is set later, and a new key is `null` until then. `None` marks an empty update.
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

    /// Removes a key. Returns whether it was present.
    ///
    /// # Errors
    ///
    /// `StoreUnavailable` if the store did not answer.
    pub fn discard(&mut self, key: &str) -> Result<bool> {
        self.flags.accessed = true;
        let taken = self.data()?.remove(key);
        if taken {
            self.mark_changed();
        }
        Ok(taken)
    }
}

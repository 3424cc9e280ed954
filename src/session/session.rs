//! Django's `SessionBase`: the calls an application makes on its session.

use std::fmt;
use std::sync::Arc;

use chrono::{DateTime, FixedOffset, Utc};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::data::Data;
use super::expiry::{EXPIRY_KEY, Expiry, ExpiryOptions, Lifetime};
use super::identity::{Identity, Position};
use super::key::{Random, SessionKey};
use super::lifecycle::Contents;
use super::record::Head;
use super::{json, signing, value};
use crate::error::{Error, Result};
use crate::settings::Settings;

/// The data key and the value of Django's test cookie.
const TEST_COOKIE: (&str, &str) = ("testcookie", "worked");

/// One visitor's session during one request: Django's dictionary, flags, key and expiry.
///
/// It holds no connection: [`Sessions`](crate::Sessions) loads and commits it. It is *unloaded* until its first use;
/// only then does it matter what the store answered, and only then can a call fail with
/// [`ErrorKind::StoreUnavailable`](crate::ErrorKind::StoreUnavailable). Reading is no activity: a session that was only
/// read is not written, and its life gets no longer.
///
/// ```
/// # use edge_session::{MemoryStore, Sessions, Settings};
/// # pollster::block_on(async {
/// # let settings = Settings::builder(["a secret of at least thirty-two bytes"]).build()?;
/// # let sessions = Sessions::new(MemoryStore::default(), settings);
/// let mut session = sessions.new_session()?;
/// session.set("cart", vec!["apple", "pear"])?;
/// session.set("user", 42)?;
/// assert_eq!(session.get::<u32>("user")?, Some(42));
/// assert_eq!(session.keys()?, ["cart", "user"]);
/// assert!(session.modified());
/// # Ok::<(), edge_session::Error>(()) }).unwrap();
/// ```
pub struct Session {
    pub(super) settings: Arc<Settings>,
    pub(super) random: Random,
    pub(super) now: DateTime<Utc>,
    /// Whether the request carried a cookie of the session's name, whatever it held.
    pub(super) presented: bool,
    /// The key that the request's cookie named; a logout ends it whatever became of it since.
    pub(super) named: Option<SessionKey>,
    pub(super) identity: Option<Identity>,
    /// Whether the key was made here and nothing is stored under it yet.
    pub(super) fresh: bool,
    /// The key whose record ends when this session is saved.
    pub(super) retired: Option<SessionKey>,
    pub(super) position: Option<Position>,
    /// What the stored record says, as far as it is known.
    pub(super) base: Option<Head>,
    pub(super) contents: Contents,
    pub(super) accessed: bool,
    pub(super) modified: bool,
    /// Whether something really differs from what is stored.
    pub(super) changed: bool,
    /// Whether the browser's cookie names an older position than the store's.
    pub(super) unsent: bool,
}

impl Session {
    /// Django's `s[k]`: the value under `key`.
    ///
    /// # Errors
    ///
    /// `MissingKey` where there is none, `Value` where it is not a `T`, `StoreUnavailable` where the store did not answer.
    pub fn item<T: DeserializeOwned>(&mut self, key: &str) -> Result<T> {
        self.get(key)?.ok_or_else(|| Error::missing_key(key))
    }

    /// Django's `get`: the value under `key`, if there is one.
    ///
    /// # Errors
    ///
    /// `Value` where it is not a `T`, `StoreUnavailable` where the store did not answer.
    pub fn get<T: DeserializeOwned>(&mut self, key: &str) -> Result<Option<T>> {
        self.read()?.get(key).map(|text| value::from_json(key, text)).transpose()
    }

    /// The JSON text under `key`, if there is one.
    ///
    /// # Errors
    ///
    /// `Value` where the stored text is damaged, `StoreUnavailable` where the store did not answer.
    pub fn get_json(&mut self, key: &str) -> Result<Option<&str>> {
        let text = self.read()?.get(key);
        text.map(|text| value::check_json(key, text).map(|()| text)).transpose()
    }

    /// Django's `s[k] = v`.
    ///
    /// # Errors
    ///
    /// `Value`, with its path, for what JSON does not hold exactly; `StoreUnavailable` where the store did not answer.
    pub fn set<T: Serialize>(&mut self, key: &str, value: T) -> Result<()> {
        let text = value::to_json(key, &value)?;
        self.write(key, text)
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
        self.write(key, text.to_owned())
    }

    /// Django's `del s[k]`.
    ///
    /// # Errors
    ///
    /// `MissingKey` where there is none, `StoreUnavailable` where the store did not answer.
    pub fn remove(&mut self, key: &str) -> Result<()> {
        self.take(key)?.map(|_| ()).ok_or_else(|| Error::missing_key(key))
    }

    /// Django's `k in s`.
    ///
    /// # Errors
    ///
    /// `StoreUnavailable` where the store did not answer.
    pub fn contains_key(&mut self, key: &str) -> Result<bool> {
        Ok(self.read()?.get(key).is_some())
    }

    /// Django's `pop(k)`: takes the value out.
    ///
    /// # Errors
    ///
    /// `MissingKey` where there is none; `Value` where it is not a `T`, and it stays; `StoreUnavailable`.
    pub fn pop<T: DeserializeOwned>(&mut self, key: &str) -> Result<T> {
        let value = self.item(key)?;
        self.take(key)?;
        Ok(value)
    }

    /// Django's `pop(k, d)`: takes the value out, or gives `default`.
    ///
    /// # Errors
    ///
    /// `Value` where it is not a `T`, and it stays; `StoreUnavailable` where the store did not answer.
    pub fn pop_or<T: DeserializeOwned>(&mut self, key: &str, default: T) -> Result<T> {
        let value = self.get(key)?;
        self.take(key)?;
        Ok(value.unwrap_or(default))
    }

    /// Django's `setdefault`: the value under `key`, which becomes `value` where there was none.
    ///
    /// # Errors
    ///
    /// `Value` where the value there is not a `T` or the new one is not JSON; `StoreUnavailable`.
    pub fn setdefault<T: Serialize + DeserializeOwned>(&mut self, key: &str, value: T) -> Result<T> {
        match self.get(key)? {
            Some(present) => Ok(present),
            None => self.set(key, &value).map(|()| value),
        }
    }

    /// Django's `update`: sets every pair, all or none. It marks the session modified even without pairs.
    ///
    /// # Errors
    ///
    /// As [`set`](Self::set); then nothing was changed.
    pub fn update<K: AsRef<str>, T: Serialize>(&mut self, pairs: impl IntoIterator<Item = (K, T)>) -> Result<()> {
        let texts = pairs.into_iter().map(|(key, value)| {
            let text = value::to_json(key.as_ref(), &value)?;
            Ok((key, text))
        });
        self.write_all(texts.collect::<Result<Vec<_>>>()?)
    }

    /// [`update`](Self::update) with a JSON object, whose values are kept as they are. A key that comes twice counts last.
    ///
    /// # Errors
    ///
    /// `Value` where `text` is no JSON object that can be kept; `StoreUnavailable` where the store did not answer.
    pub fn update_json(&mut self, text: &str) -> Result<()> {
        let members = json::members(text).map_err(|flaw| {
            Error::value(format!("this is not a JSON object that can be kept: {}, at byte {}", flaw.what, flaw.at))
        })?;
        self.write_all(members.into_iter().map(|(key, value)| (key, value.to_owned())))
    }

    /// Django's `keys`, in insertion order.
    ///
    /// # Errors
    ///
    /// `StoreUnavailable` where the store did not answer.
    pub fn keys(&mut self) -> Result<Vec<String>> {
        Ok(self.read()?.iter().map(|(key, _)| key.to_owned()).collect())
    }

    /// Django's `values`, in insertion order.
    ///
    /// # Errors
    ///
    /// `Value` where one is not a `T` (take `serde_json::Value` for any); `StoreUnavailable`.
    pub fn values<T: DeserializeOwned>(&mut self) -> Result<Vec<T>> {
        self.read()?.iter().map(|(key, text)| value::from_json(key, text)).collect()
    }

    /// Django's `items`, in insertion order.
    ///
    /// # Errors
    ///
    /// `Value` where a value is not a `T` (take `serde_json::Value` for any); `StoreUnavailable`.
    pub fn items<T: DeserializeOwned>(&mut self) -> Result<Vec<(String, T)>> {
        let items = self.read()?.iter().map(|(key, text)| Ok((key.to_owned(), value::from_json(key, text)?)));
        items.collect()
    }

    /// The members whose key passes `keep`, as the text of a JSON object, in insertion order.
    ///
    /// # Errors
    ///
    /// `Value` where a stored text is damaged, `StoreUnavailable` where the store did not answer.
    pub fn to_json(&mut self, keep: impl Fn(&str) -> bool) -> Result<String> {
        let data = self.read()?;
        data.iter().filter(|(key, _)| keep(key)).try_for_each(|(key, text)| value::check_json(key, text))?;
        Ok(data.to_json(keep))
    }

    /// Django's `clear`: no data any more, nor an expiry of its own. The key stays, and the record until the next save.
    pub fn clear(&mut self) {
        self.empty();
        self.accessed = true;
        self.mark_changed();
    }

    /// Django's `is_empty`: no key and no data. A key that was not looked up yet counts.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let no_data = !matches!(&self.contents, Contents::Loaded(data) if !data.is_empty());
        self.identity.is_none() && no_data
    }

    /// Django's `session_key`. It can change when the session is first used: an unknown key is never taken over.
    #[must_use]
    pub fn session_key(&self) -> Option<&SessionKey> {
        self.identity.as_ref().map(|identity| &identity.key)
    }

    /// Whether the data were read or written.
    #[must_use]
    pub const fn accessed(&self) -> bool {
        self.accessed
    }

    /// Sets the flag of [`accessed`](Self::accessed).
    pub const fn set_accessed(&mut self, accessed: bool) {
        self.accessed = accessed;
    }

    /// Whether the data were written. No save resets it.
    #[must_use]
    pub const fn modified(&self) -> bool {
        self.modified
    }

    /// Sets the flag of [`modified`](Self::modified): true has the session saved, false keeps it from being saved.
    pub const fn set_modified(&mut self, modified: bool) {
        self.modified = modified;
        self.changed = modified;
    }

    /// Whether nothing is stored for this visitor yet, as far as the store answered.
    ///
    /// # Errors
    ///
    /// `StoreUnavailable` where the store did not answer.
    pub fn is_new(&mut self) -> Result<bool> {
        self.read()?;
        Ok(self.identity.is_none() || self.fresh)
    }

    /// The moment that this session takes for now; [`Sessions`](crate::Sessions) sets it when it loads and saves.
    #[must_use]
    pub const fn now(&self) -> DateTime<Utc> {
        self.now
    }

    /// Sets what [`now`](Self::now) is, for a session that is kept for longer than a request.
    pub const fn set_now(&mut self, now: DateTime<Utc>) {
        self.now = now;
    }

    /// Django's `set_test_cookie`: a value that shows, in a later request, that the browser sends cookies back.
    ///
    /// # Errors
    ///
    /// `StoreUnavailable` where the store did not answer.
    pub fn set_test_cookie(&mut self) -> Result<()> {
        self.set(TEST_COOKIE.0, TEST_COOKIE.1)
    }

    /// Django's `test_cookie_worked`.
    ///
    /// # Errors
    ///
    /// `StoreUnavailable` where the store did not answer.
    pub fn test_cookie_worked(&mut self) -> Result<bool> {
        let text = self.read()?.get(TEST_COOKIE.0);
        Ok(text.is_some_and(|text| json::unquote(text) == TEST_COOKIE.1))
    }

    /// Django's `delete_test_cookie`.
    ///
    /// # Errors
    ///
    /// `MissingKey` where none was set, `StoreUnavailable` where the store did not answer.
    pub fn delete_test_cookie(&mut self) -> Result<()> {
        self.remove(TEST_COOKIE.0)
    }

    /// Django's `set_expiry`.
    ///
    /// # Errors
    ///
    /// `Value` where `now` plus a duration is beyond every date, `StoreUnavailable` where the store did not answer.
    pub fn set_expiry(&mut self, expiry: Expiry) -> Result<()> {
        match Lifetime::from_expiry(expiry, self.now)?.to_json() {
            Some(text) => self.write(EXPIRY_KEY, text),
            None => self.take(EXPIRY_KEY).map(|_| ()),
        }
    }

    /// Django's `get_expiry_age`: seconds from the modification to the end, rounded down; negative when it is over.
    ///
    /// This is the life that a save gives, not the time that is left of it.
    ///
    /// # Errors
    ///
    /// `Value` where the session's own expiry is no expiry, `StoreUnavailable` where the store did not answer.
    pub fn get_expiry_age(&mut self, options: ExpiryOptions) -> Result<i64> {
        let (lifetime, modification) = self.lifetime(options)?;
        Ok(lifetime.age(modification, self.settings.cookie_age))
    }

    /// Django's `get_expiry_date`: the moment of the end.
    ///
    /// # Errors
    ///
    /// As [`get_expiry_age`](Self::get_expiry_age), and `Value` where the end is beyond every date.
    pub fn get_expiry_date(&mut self, options: ExpiryOptions) -> Result<DateTime<FixedOffset>> {
        let (lifetime, modification) = self.lifetime(options)?;
        lifetime.date(modification, self.settings.cookie_age)
    }

    /// Django's `get_expire_at_browser_close`.
    ///
    /// # Errors
    ///
    /// As [`get_expiry_age`](Self::get_expiry_age).
    pub fn get_expire_at_browser_close(&mut self) -> Result<bool> {
        Ok(match Lifetime::from_json(self.read()?.get(EXPIRY_KEY))? {
            Lifetime::Policy => self.settings.expire_at_browser_close,
            own => own == Lifetime::Seconds(0),
        })
    }

    pub(super) fn lifetime(&mut self, options: ExpiryOptions) -> Result<(Lifetime, DateTime<Utc>)> {
        let lifetime = match options.expiry {
            Some(expiry) => Lifetime::from_expiry(expiry, self.now)?,
            None => Lifetime::from_json(self.read()?.get(EXPIRY_KEY))?,
        };
        Ok((lifetime, options.modification.unwrap_or(self.now)))
    }

    /// Django's `encode`: `items` as Django's own engines store them, signed with the first secret.
    ///
    /// # Errors
    ///
    /// `Value`, with its path, for what JSON does not hold exactly.
    pub fn encode<K: AsRef<str>, T: Serialize>(&self, items: impl IntoIterator<Item = (K, T)>) -> Result<String> {
        let mut data = Data::default();
        for (key, value) in items {
            data.set(key.as_ref(), value::to_json(key.as_ref(), &value)?);
        }
        let secret = self.settings.secrets.bytes().next().unwrap_or_default();
        Ok(signing::encode(secret, &data.to_json(|_| true), self.now.timestamp()))
    }

    /// Django's `decode`: what a Django with one of the same secrets stored. What does not verify is empty, never an error.
    #[must_use]
    pub fn decode<T: DeserializeOwned>(&self, text: &str) -> Vec<(String, T)> {
        let object = signing::decode(self.settings.secrets.bytes(), text).unwrap_or_default();
        let members = json::members(&object).unwrap_or_default();
        let items = members.into_iter().map(|(key, text)| Some((key, serde_json::from_str(text).ok()?)));
        items.collect::<Option<_>>().unwrap_or_default()
    }

    /// Loads, and marks the session accessed.
    fn read(&mut self) -> Result<&Data> {
        self.accessed = true;
        self.load().map(|data| &*data)
    }

    fn write(&mut self, key: &str, text: String) -> Result<()> {
        self.write_all([(key, text)])
    }

    fn write_all<K: AsRef<str>>(&mut self, pairs: impl IntoIterator<Item = (K, String)>) -> Result<()> {
        self.accessed = true;
        let data = self.load()?;
        let mut changed = false;
        for (key, text) in pairs {
            changed |= data.set(key.as_ref(), text);
        }
        self.modified = true;
        self.changed |= changed;
        Ok(())
    }

    fn take(&mut self, key: &str) -> Result<Option<String>> {
        self.accessed = true;
        let taken = self.load()?.remove(key);
        if taken.is_some() {
            self.mark_changed();
        }
        Ok(taken)
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("accessed", &self.accessed)
            .field("modified", &self.modified)
            .finish_non_exhaustive()
    }
}

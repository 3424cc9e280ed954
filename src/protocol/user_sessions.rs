//! The sessions of a user: lists them, and ends one, all, or all others.
//!
//! | state | reply | next | guaranteed afterwards |
//! | --- | --- | --- | --- |
//! | `Start` | `Start` | one session: `Reading`; otherwise `Listing` | |
//! | `Listing` | `Page` | the next page, or that of the next secret: `Listing`; otherwise `Reading` | |
//! | `Reading` | `Values` | a list: `Checking`; otherwise `Revoking` | |
//! | `Checking` | `Values` | `Reading` more entries, or `Done` | each listed session was alive |
//! | `Revoking` | as [`Revoke`] | `Deleting` | no key of the session opens it after the documented bound |
//! | `Deleting` | `Written`, `Unavailable` | `Revoking` the next one, `Reading` more entries, or `Done` | the entry is deleted, or shown no more, since its session has ended |
//! | any other | `Unavailable` | `Done(Err)`: some may have ended | |
//!
//! Each secret has its own hash of the user, and so a list of its own.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::iter;

use chrono::{DateTime, Utc};

use super::flush::FAR;
use super::revoke::{self, Reach, Revoke, Target};
use super::{MAX_READ, Reply, Step};
use crate::error::{Error, Result};
use crate::isolate::{IsolateMemory, Revocation};
use crate::session::deadline::Deadline;
use crate::session::key_digest::KeyDigest;
use crate::session::record;
use crate::session::sealed_document;
use crate::session::storage_key::StorageKey;
use crate::session::user_entry::UserEntry;
use crate::settings::{Consistency, Settings};
use crate::store::{Op, Page};

/// The number of entries that are read at once: three values say whether a session is alive.
const BATCH: usize = MAX_READ / 3;

/// One of a user's sessions, as [`list`](crate::Sessions::list) returns it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct UserSession {
    /// The public id of the session, for [`revoke`](crate::Sessions::revoke). It is random, opens nothing, and stays the same when the session
    /// key changes.
    pub id: String,
    /// Whether it is the session of this request.
    pub current: bool,
    /// The time of the login.
    pub created_at: DateTime<Utc>,
    /// The time of the last visit, up to an hour old.
    pub last_seen_at: DateTime<Utc>,
    /// The label that [`bind_user`](crate::Session::bind_user) got.
    pub label: Option<String>,
}

/// What to do with the sessions of a user.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum UserCall {
    /// List them. The one with the public id `current` is marked.
    List {
        /// The public id of the session of this request.
        current: Option<String>,
    },
    /// End the one with this public id.
    Revoke(String),
    /// End all, except for one.
    RevokeAll {
        /// The public id of the session that stays.
        except: Option<String>,
    },
}

/// The result of a [`UserCall`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct UserOutcome {
    /// The listed sessions, in no order.
    pub sessions: Vec<UserSession>,
    /// The number of sessions that were ended.
    pub revoked: usize,
}

impl UserOutcome {
    /// Returns the listed sessions as a JSON array of arrays, followed by the number of ended ones, for drivers in other languages. Times are
    /// milliseconds of Unix time.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut json = String::from("[");
        for UserSession { id, current, created_at, last_seen_at, label } in &self.sessions {
            json.push('[');
            crate::json::quote(id, &mut json);
            json.push_str(if *current { ",true," } else { ",false," });
            for time in [created_at, last_seen_at] {
                json.push_str(itoa::Buffer::new().format(time.timestamp_millis()));
                json.push(',');
            }
            crate::json::quote(label.as_deref().unwrap_or_default(), &mut json);
            json.push_str("],");
        }
        json.push_str(itoa::Buffer::new().format(self.revoked));
        json.push(']');
        json
    }
}

/// Lists or ends the sessions of a user.
#[derive(Debug)]
pub struct UserSessions {
    settings: Arc<Settings>,
    now: DateTime<Utc>,
    call: UserCall,
    /// The beginnings of the storage keys in the lists, one for each secret.
    lists: Vec<String>,
    /// The keys of entries that are not read yet.
    keys: Vec<StorageKey>,
    /// The entries of this batch, in reverse order.
    entries: Vec<(StorageKey, UserEntry)>,
    outcome: UserOutcome,
    state: State,
}

#[derive(Debug, Default)]
enum State {
    Start,
    Listing {
        list: usize,
    },
    Reading(Vec<StorageKey>),
    Checking,
    Revoking {
        revoke: Box<Revoke>,
        entry: StorageKey,
    },
    Deleting,
    #[default]
    Failed,
}

type NextStep = Step<Result<UserOutcome>>;

impl UserSessions {
    /// Creates the call on the sessions of a user, at this time.
    #[must_use]
    pub fn new(settings: Arc<Settings>, now: DateTime<Utc>, user: &str, call: UserCall) -> Self {
        let list = |hash| StorageKey::entries(&settings.key_prefix, KeyDigest::shortened(&hash));
        let lists = settings.secrets.hashes_of_user(user).map(list).collect();
        let (keys, entries) = (Vec::new(), Vec::new());
        Self { settings, now, call, lists, keys, entries, outcome: UserOutcome::default(), state: State::Start }
    }

    /// Takes the reply to the last step, [`Reply::Start`] first, and returns the next one.
    pub fn step(&mut self, memory: &IsolateMemory, reply: Reply) -> NextStep {
        match (core::mem::take(&mut self.state), reply) {
            (State::Start, Reply::Start) if self.settings.is_in_cookie() => Step::Done(Err(Error::no_list())),
            (State::Start, Reply::Start) => match &self.call {
                UserCall::Revoke(id) if !is_id(id) => self.finish(),
                UserCall::Revoke(id) => {
                    let key = |list: &String| StorageKey::listed([list, id.as_str()].concat());
                    self.keys = self.lists.iter().map(key).collect();
                    self.read()
                }
                UserCall::List { .. } | UserCall::RevokeAll { .. } => self.list(0, None),
            },
            (State::Listing { list }, Reply::Page(page)) => self.page(list, page),
            (State::Reading(keys), Reply::Values(values)) => {
                let open = |(key, value): (StorageKey, Option<Vec<u8>>)| {
                    let entry = UserEntry::decode(&self.settings, &key, &value?)?;
                    Some((key, entry))
                };
                self.entries = keys.into_iter().zip(values).filter_map(open).collect();
                if matches!(self.call, UserCall::List { .. }) { self.check() } else { self.revoke(memory) }
            }
            (State::Checking, Reply::Values(values)) => self.checked(memory, values),
            (State::Revoking { mut revoke, entry }, reply) => match revoke.step(memory, reply) {
                Step::Done(Ok(())) => {
                    self.outcome.revoked = self.outcome.revoked.saturating_add(1);
                    self.state = State::Deleting;
                    Step::Write(vec![Op::Delete { key: entry }])
                }
                step => {
                    self.state = State::Revoking { revoke, entry };
                    step.map(|result| Err(result.err().unwrap_or_else(Error::unexpected_reply)))
                }
            },
            (State::Deleting, Reply::Written | Reply::Unavailable(_)) => self.revoke(memory),
            (_, Reply::Unavailable(error)) => Step::Done(Err(error)),
            _ => Step::Done(Err(Error::unexpected_reply())),
        }
    }

    fn list(&mut self, list: usize, cursor: Option<String>) -> NextStep {
        match self.lists.get(list) {
            Some(prefix) => {
                self.state = State::Listing { list };
                Step::List { prefix: prefix.clone(), cursor }
            }
            None => self.read(),
        }
    }

    fn page(&mut self, list: usize, page: Page) -> NextStep {
        let Some(prefix) = self.lists.get(list) else { return Step::Done(Err(Error::unexpected_reply())) };
        let stays = match &self.call {
            UserCall::RevokeAll { except } => except.as_deref(),
            UserCall::List { .. } | UserCall::Revoke(_) => None,
        };
        for (key, _) in page.entries {
            let id = key.as_str().strip_prefix(prefix.as_str());
            // mutation: stays
            if id.is_some_and(|id| is_id(id) && Some(id) != stays) && !self.keys.contains(&key) {
                self.keys.push(key);
            }
        }
        let next = if page.cursor.is_some() { list } else { list.saturating_add(1) };
        self.list(next, page.cursor)
    }

    /// Reads the next entries.
    fn read(&mut self) -> NextStep {
        let keys = self.keys.split_off(self.keys.len().saturating_sub(BATCH));
        if keys.is_empty() {
            return self.finish();
        }
        self.state = State::Reading(keys.clone());
        Step::Read(keys)
    }

    /// Reads what says whether the sessions of the entries are alive.
    fn check(&mut self) -> NextStep {
        let keys: Vec<_> = self.entries.iter().flat_map(|(_, entry)| keys_of(&self.settings, entry)).collect();
        if keys.is_empty() {
            return self.read();
        }
        self.state = State::Checking;
        Step::Read(keys)
    }

    fn checked(&mut self, memory: &IsolateMemory, values: Vec<Option<Vec<u8>>>) -> NextStep {
        let current = match &self.call {
            UserCall::List { current } => current.clone(),
            UserCall::Revoke(_) | UserCall::RevokeAll { .. } => None,
        };
        let mut values = values.into_iter();
        for (key, entry) in core::mem::take(&mut self.entries) {
            let values = values.by_ref().take(keys_of(&self.settings, &entry).count()).collect::<Vec<_>>();
            let Some((_, id)) = key.entry_parts().filter(|_| self.is_alive(memory, &entry, values)) else { continue };
            self.outcome.sessions.push(UserSession {
                current: current.as_deref() == Some(id),
                id: id.into(),
                created_at: DateTime::from_timestamp_millis(entry.created).unwrap_or_default(),
                last_seen_at: DateTime::from_timestamp_millis(entry.seen).unwrap_or_default(),
                label: Some(entry.label).filter(|label| !label.is_empty()),
            });
        }
        self.read()
    }

    /// Returns whether the session of an entry is alive, from the values of [`keys_of`].
    fn is_alive(&self, memory: &IsolateMemory, entry: &UserEntry, values: Vec<Option<Vec<u8>>>) -> bool {
        let mut values = values.into_iter();
        if self.settings.is_linearizable()
            && let Some(record) = values.next().flatten()
        {
            let has_owner =
                record::head(&record).is_none_or(|head| head.owner.as_ref().is_some_and(|owner| owner.key.is_some()));
            return has_owner && end_of(&record).is_some_and(|end| !end.has_passed(self.now)); // mutation: listed-alive
        }
        if self.settings.consistency == Consistency::Linearizable {
            return false; // mutation: listed-without-record
        }
        let (record, tombstone) = (values.next().flatten(), values.next().flatten());
        // A record that is not visible, or has another key by now, has the end in the entry.
        if record.and_then(|record| end_of(&record)).unwrap_or(entry.end).has_passed(self.now) {
            return false;
        }
        let key = revoke::tombstone_key(&self.settings, entry.family, entry.rotations);
        let revocation = revoke::revocation(memory, &key, tombstone.as_deref(), self.now.timestamp_millis());
        revocation != Some(Revocation::Ended) // mutation: listed-ended
    }

    /// Ends the session of the next entry.
    fn revoke(&mut self, memory: &IsolateMemory) -> NextStep {
        let Some((key, UserEntry { family, digest, rotations, absolute, .. })) = self.entries.pop() else {
            return self.read();
        };
        let target = Target { digest, family, rotations, absolute };
        let reach = Reach { ahead: FAR, anonymous: false };
        let mut revoke = Box::new(Revoke::new(&self.settings, memory, iter::once(target), reach, self.now));
        let step = revoke.step(memory, Reply::Start);
        self.state = State::Revoking { revoke, entry: key };
        step.map(|_| Err(Error::unexpected_reply()))
    }

    fn finish(&mut self) -> NextStep {
        Step::Done(Ok(core::mem::take(&mut self.outcome)))
    }
}

/// Returns the keys that say whether the session of an entry is alive.
fn keys_of(settings: &Settings, entry: &UserEntry) -> impl Iterator<Item = StorageKey> {
    let prefix = &settings.key_prefix;
    let login = settings.is_linearizable().then(|| StorageKey::of_family(prefix, entry.family, 1));
    let is_old = settings.consistency != Consistency::Linearizable;
    let record = is_old.then(|| StorageKey::record(prefix, entry.digest));
    let tombstone = is_old.then(|| revoke::tombstone_key(settings, entry.family, entry.rotations));
    [login, record, tombstone].into_iter().flatten()
}

/// Returns the end of a record. A sealed one shows its deadline only.
fn end_of(record: &[u8]) -> Option<Deadline> {
    record::head(record).map(|head| head.end()).or_else(|| Some(sealed_document::decode(record)?.0))
}

/// Returns whether a text can be a public id: 16 bytes as base64url.
fn is_id(text: &str) -> bool {
    text.len() == 22 && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

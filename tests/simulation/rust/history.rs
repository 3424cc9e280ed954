//! What happened: every request with what it saw, did and answered, and every record that was put.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use edge_session::{ErrorKind, EventKind, LoadReason};

use crate::plan::{Deed, KEYS, Who};

/// A request's number, from 1 on: what it writes is this number.
pub type Id = usize;

/// Who wrote a data key last; 0 for nobody.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mark {
    pub by: Id,
    /// False after a removal, and where nobody ever set it.
    pub present: bool,
}

pub type Marks = [Mark; KEYS.len()];

/// What a response did to the cookie.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Given {
    #[default]
    Nothing,
    TakenAway,
    Token(usize),
}

#[derive(Clone, Debug)]
pub struct Commit {
    pub began: Duration,
    pub ended: Duration,
    pub outcome: Result<(), ErrorKind>,
    pub old_record_remains: bool,
}

#[derive(Clone, Debug)]
pub struct Flush {
    pub ended: Duration,
    pub outcome: Result<(), ErrorKind>,
}

/// A record that a request put, or tried to.
#[derive(Clone, Debug)]
pub struct Put {
    /// Which data keys the request had set or removed by then.
    pub touched: BTreeSet<usize>,
    /// Who wrote what in it.
    pub marks: Marks,
    /// The newest record that the request had read; `None` for a new key.
    pub base: Option<Marks>,
    /// Whether it went under another key than the one that was loaded.
    pub is_new_key: bool,
    pub acknowledged: bool,
    pub at: Duration,
    pub saves: Saves,
}

/// How many saves something builds on: at least, and at most.
#[derive(Clone, Copy, Debug)]
pub struct Saves {
    pub least: usize,
    pub most: usize,
}

/// What a record holds that was put.
#[derive(Clone, Copy, Debug)]
pub struct Written {
    pub by: Id,
    pub marks: Marks,
    pub saves: Saves,
}

#[derive(Clone, Debug)]
pub struct Exchange {
    pub who: Who,
    pub deed: Deed,
    pub location: usize,
    /// When the browser sent it, and when it came in.
    pub sent: Duration,
    pub began: Duration,
    pub token: Option<usize>,
    /// The session key that its token named.
    pub key: Option<usize>,
    pub read_failed_in_load: bool,
    pub is_loaded: bool,
    /// Why the session is what it is, once it was loaded.
    pub reason: Option<LoadReason>,
    /// What happened to its session.
    pub events: Vec<EventKind>,
    /// What the application found, if it looked and could.
    pub seen: Option<Marks>,
    pub touched: BTreeSet<usize>,
    /// The key that it cycled, and the new one.
    pub cycled: Option<(Option<usize>, usize)>,
    pub flush: Option<Flush>,
    pub commit: Option<Commit>,
    pub key_after: Option<usize>,
    pub puts: Vec<Put>,
    pub given: Given,
    /// When the browser had the answer, and the cookie that it had until then.
    pub received: Option<(Duration, Option<usize>)>,
    /// KV's reads, writes and deletes.
    pub operations: [u64; 3],
    /// The newest record read, and where the load found it.
    pub read: Option<Marks>,
    /// The saves that the record of its load builds on, and those of all records read.
    pub loaded: Option<Saves>,
    pub saves: Option<Saves>,
    /// The newest removal of each data key in all records read.
    pub gone: Marks,
    pub place: Option<String>,
}

impl Exchange {
    pub fn is_acknowledged(&self) -> bool {
        self.commit.as_ref().is_some_and(|commit| commit.outcome.is_ok())
    }

    /// When it can have changed something, as far as it is known.
    pub fn committed(&self) -> Duration {
        self.commit.as_ref().map_or(self.began, |commit| commit.began)
    }

    /// When it can have changed something the last time. Whose browser went away may have put what it put at any time.
    pub fn ended(&self) -> Duration {
        let unknown = if self.puts.is_empty() { self.began } else { Duration::MAX };
        self.commit.as_ref().map_or(unknown, |commit| commit.ended)
    }

    /// How much time passed between two commits; none where they overlap.
    pub fn apart(&self, other: &Self) -> Duration {
        let gap = |one: &Self, next: &Self| next.committed().saturating_sub(one.ended());
        gap(self, other).max(gap(other, self))
    }

    /// Why the session is what it is, in a word.
    pub fn reason(&self) -> &'static str {
        self.reason.map_or("", LoadReason::as_str)
    }

    pub fn has_put(&self) -> bool {
        self.puts.iter().any(|put| put.acknowledged)
    }
}

#[derive(Clone, Debug)]
pub struct Key {
    pub text: String,
    /// The key that it was cycled from.
    pub parent: Option<usize>,
    /// The key that the first login made; none before it.
    pub family: Option<usize>,
    /// When it was made, at the latest.
    pub made: Duration,
}

#[derive(Clone, Debug)]
pub struct Token {
    pub text: String,
    pub key: usize,
    pub by: Id,
    /// Who wrote what when it was given.
    pub known: Marks,
    pub saves: Option<Saves>,
}

#[derive(Default)]
pub struct History {
    pub exchanges: Vec<Exchange>,
    pub keys: Vec<Key>,
    pub tokens: Vec<Token>,
    /// Each record that was ever put, by its bytes.
    pub records: BTreeMap<Vec<u8>, Written>,
    /// What the store holds under each storage key, in the order in which writes land.
    pub stored: BTreeMap<String, Marks>,
    /// Writes that a record held and a later one of the same session did not, though nobody had overwritten them; and whose the
    /// later one was.
    pub dropped: BTreeMap<(Id, usize), Id>,
    /// Storage keys, and where the session was kept before it was cycled.
    pub places: BTreeMap<String, String>,
}

impl History {
    pub fn exchange(&mut self, id: Id) -> &mut Exchange {
        &mut self.exchanges[id - 1]
    }

    pub fn of(&self, id: Id) -> &Exchange {
        &self.exchanges[id - 1]
    }

    pub fn each(&self) -> impl Iterator<Item = (Id, &Exchange)> {
        self.exchanges.iter().enumerate().map(|(at, exchange)| (at + 1, exchange))
    }

    pub fn key(&mut self, text: &str, now: Duration) -> usize {
        let known = self.keys.iter().position(|key| key.text == text);
        known.unwrap_or_else(|| {
            self.keys.push(Key { text: text.to_owned(), parent: None, family: None, made: now });
            self.keys.len() - 1
        })
    }

    pub fn token(&mut self, token: Token) -> usize {
        let known = self.tokens.iter().position(|known| known.text == token.text);
        known.unwrap_or_else(|| {
            self.tokens.push(token);
            self.tokens.len() - 1
        })
    }

    /// The first key of the session that this one is of.
    pub fn root(&self, key: usize) -> usize {
        self.keys[key].parent.map_or(key, |parent| self.root(parent))
    }

    /// Whether a logout under `ended` ends `key` as well.
    pub fn ends(&self, ended: usize, key: usize) -> bool {
        ended == key || self.keys[ended].family.is_some_and(|family| self.keys[key].family == Some(family))
    }

    /// Takes note of a write that the store applied.
    pub fn landed(&mut self, place: &str, value: Option<&[u8]>) {
        let Some(Written { by, marks, .. }) = value.and_then(|value| self.records.get(value)).copied() else { return };
        let before = self.places.get(place).and_then(|before| self.stored.get(before));
        let before = self.stored.get(place).or(before).copied().unwrap_or_default();
        for (key, (old, new)) in before.into_iter().zip(marks).enumerate() {
            let order = |mark: Mark| if mark.by == 0 { Duration::ZERO } else { self.of(mark.by).committed() };
            if old.by > 0 && old.by != new.by && new.by != by && order(new) < order(old) {
                self.dropped.insert((old.by, key), by);
            }
            self.dropped.remove(&(new.by, key));
        }
        self.stored.insert(place.to_owned(), marks);
    }
}

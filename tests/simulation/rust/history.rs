//! The history of a simulation: every request with what it saw, did and answered, every record that was put, and every
//! change of a browser's cookies.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use edge_session::{ErrorKind, EventKind, LoadReason};

use crate::plan::{Action, CLOCKS, KEYS, Who};

/// A request's number, from 1 on. The values that it writes begin with it.
pub type Id = usize;

/// The last writer of a data key; 0 for none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct SaveMark {
    pub by: Id,
    /// False after a removal, and if the key was never set.
    pub present: bool,
}

/// A put that takes longer counts as failed, and the next one may begin.
const GIVEN_UP: Duration = Duration::from_secs(5);

pub type Marks = [SaveMark; KEYS.len()];

/// One `Set-Cookie` line of a response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CookieChange {
    pub name: String,
    /// `None` deletes the cookie.
    pub token: Option<usize>,
}

#[derive(Clone, Debug)]
pub struct Commit {
    pub began: Duration,
    pub ended: Duration,
    pub outcome: Result<(), ErrorKind>,
    pub old_record_remains: bool,
}

/// A logout, or the deletion of a session by its key.
#[derive(Clone, Debug)]
pub struct Flush {
    pub ended: Duration,
    pub outcome: Result<(), ErrorKind>,
}

/// An attempt to put a record.
#[derive(Clone, Debug)]
pub struct Put {
    pub place: String,
    pub marks: Marks,
    /// The newest record that the request had read; `None` for a new session.
    pub base: Option<Marks>,
    /// Whether the storage key differs from the one that was loaded.
    pub is_new_key: bool,
    pub acknowledged: bool,
    /// Whether the store answered with an error.
    pub failed: bool,
    pub at: Duration,
    pub saves: Saves,
}

/// The number of saves that a record builds on: at least, and at most.
#[derive(Clone, Copy, Debug)]
pub struct Saves {
    pub least: usize,
    pub most: usize,
}

/// The content of a record that was put.
#[derive(Clone, Copy, Debug)]
pub struct Written {
    pub by: Id,
    /// Its place among the puts of that request.
    pub put: usize,
    pub marks: Marks,
    pub saves: Saves,
}

#[derive(Clone, Debug)]
pub struct Request {
    pub who: Who,
    pub action: Action,
    pub location: usize,
    /// The number of the isolate that served it. An isolate that takes the place of an evicted one has another number.
    pub isolate: usize,
    pub version: usize,
    /// When the browser sent it, and when the handler began.
    pub sent: Duration,
    pub began: Duration,
    /// The tokens that it carried.
    pub presented: Vec<usize>,
    /// The one among them that names its session, and the session key.
    pub token: Option<usize>,
    pub key: Option<usize>,
    pub read_failed_in_load: bool,
    pub is_loaded: bool,
    pub loaded_at: Duration,
    pub reason: Option<LoadReason>,
    pub events: Vec<EventKind>,
    /// What the application read; `None` if it did not look or could not.
    pub seen: Option<Marks>,
    /// The data keys that it set or removed.
    pub touched: BTreeSet<usize>,
    pub removed: BTreeSet<usize>,
    /// The key that it rotated, and the new one.
    pub cycled: Option<(Option<usize>, usize)>,
    /// The key beside which it created another one, and that one.
    pub created: Option<(Option<usize>, usize)>,
    pub flush: Option<Flush>,
    /// When it began to write to the store.
    pub write_began: Option<Duration>,
    pub commit: Option<Commit>,
    pub key_after: Option<usize>,
    pub puts: Vec<Put>,
    pub cookies: Vec<CookieChange>,
    /// When the browser had the answer.
    pub received: Option<Duration>,
    /// Whether the browser aborted it.
    pub aborted: bool,
    /// KV's reads, writes and deletes.
    pub operations: [u64; 3],
    /// When operations failed other than by the limit of writes, or took more than a second.
    pub disturbances: Vec<Duration>,
    /// The newest record read, and the storage key of the one that the load found.
    pub read: Option<Marks>,
    pub place: Option<String>,
    /// The records that its load read, by storage key.
    pub found: BTreeMap<String, Marks>,
    /// The saves that the record of its load builds on, and those of all records read.
    pub loaded: Option<Saves>,
    pub saves: Option<Saves>,
    /// The newest removal of each data key in all records read.
    pub gone: Marks,
}

impl Request {
    pub fn new(who: Who, action: Action, location: usize, sent: Duration, began: Duration) -> Self {
        Self {
            who,
            action,
            location,
            isolate: 0,
            version: 0,
            sent,
            began,
            presented: Vec::new(),
            token: None,
            key: None,
            read_failed_in_load: false,
            is_loaded: false,
            loaded_at: Duration::ZERO,
            reason: None,
            events: Vec::new(),
            seen: None,
            touched: BTreeSet::new(),
            removed: BTreeSet::new(),
            cycled: None,
            created: None,
            flush: None,
            write_began: None,
            commit: None,
            key_after: None,
            puts: Vec::new(),
            cookies: Vec::new(),
            received: None,
            aborted: false,
            operations: [0; 3],
            disturbances: Vec::new(),
            read: None,
            place: None,
            found: BTreeMap::new(),
            loaded: None,
            saves: None,
            gone: Marks::default(),
        }
    }

    pub fn is_acknowledged(&self) -> bool {
        self.commit.as_ref().is_some_and(|commit| commit.outcome.is_ok())
    }

    /// Returns the code of the error that it ended with.
    pub fn error(&self) -> Option<&'static str> {
        self.commit.as_ref().and_then(|commit| commit.outcome.err()).map(ErrorKind::code)
    }

    /// When it can have changed something at the earliest.
    pub fn committed(&self) -> Duration {
        self.write_began.or(self.commit.as_ref().map(|commit| commit.began)).unwrap_or(self.began)
    }

    /// When it can have changed something at the latest. The writes of an aborted request can arrive at any time.
    pub fn ended(&self) -> Duration {
        let unknown = if self.write_began.is_none() && self.puts.is_empty() { self.began } else { Duration::MAX };
        self.commit.as_ref().map_or(unknown, |commit| commit.ended)
    }

    /// The time between two commits; zero if they overlap.
    pub fn apart(&self, other: &Self) -> Duration {
        let gap = |one: &Self, next: &Self| next.committed().saturating_sub(one.ended());
        gap(self, other).max(gap(other, self))
    }

    pub fn reason(&self) -> &'static str {
        self.reason.map_or("", LoadReason::as_str)
    }

    /// Returns whether the load outcome says that the session may lack something.
    pub fn is_degraded(&self) -> bool {
        matches!(self.reason(), "lost" | "not-yet-visible" | "stale" | "unavailable" | "superseded")
    }

    /// Returns whether an event or the load outcome says that the session may lack something.
    pub fn is_noticed(&self) -> bool {
        !self.events.is_empty() || self.reason() != "live"
    }

    pub fn has_put(&self) -> bool {
        self.puts.iter().any(|put| put.acknowledged)
    }

    /// Returns whether it saved something that the application changed.
    pub fn is_acknowledged_write(&self) -> bool {
        self.is_acknowledged() && !self.touched.is_empty() && !matches!(self.action, Action::Break(_))
    }

    pub fn is_login(&self) -> bool {
        matches!(self.action, Action::Login { .. })
    }

    /// Returns whether it ends, or may end, the session of its cookie: a logout, or a change of the user.
    pub fn is_logout(&self) -> bool {
        matches!(self.action, Action::Logout | Action::Login { switch: true }) || self.flush.is_some()
    }

    /// The token that its answer gives.
    pub fn given(&self) -> Option<usize> {
        self.cookies.iter().find_map(|change| change.token)
    }

    pub fn takes_cookie_away(&self) -> bool {
        self.cookies.iter().any(|change| change.token.is_none())
    }

    /// Returns whether it came with a cookie.
    pub const fn browser_or_thief(&self) -> bool {
        !matches!(self.who, Who::Operator { .. })
    }

    /// Returns whether it came from a browser.
    pub const fn browser(&self) -> Option<usize> {
        match self.who {
            Who::Tab(browser) => Some(browser),
            _ => None,
        }
    }

    pub fn is_probe(&self) -> bool {
        self.action == Action::Probe
    }
}

/// How a session key was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    New,
    /// By `cycle_key`.
    Rotated,
    /// By `create`, with the data of another session.
    Created,
    /// By `cycle_key`, beside another login. On a linearizable store, it begins a session of its own.
    Beside,
}

#[derive(Clone, Debug)]
pub struct Key {
    pub text: String,
    pub parent: Option<usize>,
    pub origin: Origin,
    /// Whether the session was logged in at some time: it has been rotated since it began.
    pub is_logged_in: bool,
    /// The key from whose creation the absolute age counts.
    pub absolute_from: usize,
    /// When it was made, at the latest.
    pub made: Duration,
}

#[derive(Clone, Debug)]
pub struct Token {
    pub text: String,
    pub name: String,
    pub version: usize,
    pub key: usize,
    /// Whether it opens no session and only finishes a logout.
    pub is_ending: bool,
    pub by: Id,
    /// The writers of all data keys when it was issued.
    pub known: Marks,
    pub saves: Option<Saves>,
}

/// A browser's cookies after an answer.
#[derive(Clone, Debug)]
pub struct JarChange {
    pub browser: usize,
    pub at: Duration,
    pub by: Id,
    pub tokens: Vec<usize>,
}

#[derive(Default)]
pub struct History {
    /// Whether the store is linearizable.
    pub is_linearizable: bool,
    pub requests: Vec<Request>,
    pub keys: Vec<Key>,
    pub tokens: Vec<Token>,
    pub jars: Vec<JarChange>,
    /// Each record that was ever put, by its bytes.
    pub records: BTreeMap<Vec<u8>, Written>,
    /// The content of the store under each storage key, in the order in which writes are applied.
    pub stored: BTreeMap<String, Marks>,
    /// Where a write was applied after the request had its error or was aborted, or so late that others gave it up.
    pub late: BTreeSet<String>,
    /// Writes that a record held and a later one of the same session did not, though no later write replaced them, with the
    /// request that put the later one.
    pub dropped: BTreeMap<(Id, usize), Id>,
    /// The storage key of each session key, and of each storage key the one before the rotation.
    pub places: BTreeMap<usize, String>,
    pub rotated_from: BTreeMap<String, String>,
}

impl History {
    pub fn request(&mut self, id: Id) -> &mut Request {
        &mut self.requests[id - 1]
    }

    pub fn of(&self, id: Id) -> &Request {
        &self.requests[id - 1]
    }

    pub fn each(&self) -> impl Iterator<Item = (Id, &Request)> {
        self.requests.iter().enumerate().map(|(at, request)| (at + 1, request))
    }

    /// The requests of one browser.
    pub fn of_browser(&self, browser: usize) -> impl Iterator<Item = (Id, &Request)> {
        self.each().filter(move |(_, request)| request.browser() == Some(browser) && !request.is_probe())
    }

    pub fn find_key(&self, text: &str) -> Option<usize> {
        self.keys.iter().position(|key| key.text == text)
    }

    /// The number of a session key; a new one if it was not known.
    pub fn key(&mut self, text: &str, now: Duration) -> usize {
        self.find_key(text).unwrap_or_else(|| self.new_key(text, None, Origin::New, now))
    }

    /// Notes a new key that was made from another one.
    pub fn new_key(&mut self, text: &str, parent: Option<usize>, origin: Origin, now: Duration) -> usize {
        let (place, parent_key) = (self.keys.len(), parent.map(|parent| &self.keys[parent]));
        let was_logged_in = parent_key.is_some_and(|parent| parent.is_logged_in);
        let absolute_from = match (parent_key, origin) {
            (Some(parent), Origin::Created) => parent.absolute_from,
            (Some(parent), Origin::Rotated | Origin::Beside) if was_logged_in => parent.absolute_from,
            _ => place,
        };
        let is_logged_in = was_logged_in || matches!(origin, Origin::Rotated | Origin::Beside);
        self.keys.push(Key { text: text.to_owned(), parent, origin, is_logged_in, absolute_from, made: now });
        place
    }

    pub fn find_token(&self, text: &str) -> Option<usize> {
        self.tokens.iter().position(|token| token.text == text)
    }

    pub fn token(&mut self, token: Token) -> usize {
        self.find_token(&token.text).unwrap_or_else(|| {
            self.tokens.push(token);
            self.tokens.len() - 1
        })
    }

    /// The request that rotated or copied another key to this one.
    pub fn maker(&self, key: usize) -> Option<&Request> {
        let makes = |change: Option<(Option<usize>, usize)>| change.is_some_and(|(_, new)| new == key);
        self.requests.iter().find(|request| makes(request.cycled) || makes(request.created))
    }

    /// The first key of the session. All keys that were made from it share it.
    pub fn root(&self, key: usize) -> usize {
        self.keys[key].parent.map_or(key, |parent| self.root(parent))
    }

    /// Returns whether a logout with one key ends the other one.
    pub fn are_related(&self, one: usize, other: usize) -> bool {
        self.first_of_family(one) == self.first_of_family(other)
    }

    /// The first key of the family. A copy that `create` makes of an anonymous session begins a family of its own.
    fn first_of_family(&self, key: usize) -> usize {
        let Key { parent, origin, is_logged_in, .. } = &self.keys[key];
        match parent {
            Some(parent) if *origin == Origin::Rotated => self.first_of_family(*parent),
            Some(parent) if !self.is_linearizable && (*origin == Origin::Beside || *is_logged_in) => {
                self.first_of_family(*parent)
            }
            _ => key,
        }
    }

    /// How many rotations lie between the first key and this one.
    pub fn rotations(&self, key: usize) -> usize {
        let Key { parent, origin, .. } = &self.keys[key];
        usize::from(matches!(origin, Origin::Rotated | Origin::Beside))
            + parent.map_or(0, |parent| self.rotations(parent))
    }

    /// Returns whether a login could not end a key that it replaced, and said so.
    pub fn remains(&self, key: usize) -> bool {
        self.requests.iter().any(|login| {
            let replaces = login.cycled.is_some_and(|(old, _)| old == Some(key));
            replaces && login.commit.as_ref().is_some_and(|commit| commit.old_record_remains)
        })
    }

    /// Returns whether a request rotates a key that was logged in and that another request had rotated before.
    pub fn rotates_again(&self, request: &Request) -> bool {
        let old = request.cycled.and_then(|(old, _)| old);
        request.reason() == "superseded" && old.is_some_and(|old| self.keys[old].is_logged_in)
    }

    /// Returns whether a logout by a request ends `key`: it ends the sessions of all cookies that came with it.
    pub fn is_ended_by(&self, request: &Request, key: usize) -> bool {
        let presented = request.presented.iter().map(|token| self.tokens[*token].key);
        request.flush.is_some() && presented.chain(request.key).any(|ended| self.are_related(ended, key))
    }

    /// Returns whether `key` was made from `other`, directly or not.
    pub fn descends(&self, key: usize, other: usize) -> bool {
        self.keys[key].parent.is_some_and(|parent| parent == other || self.descends(parent, other))
    }

    /// Returns whether a request other than `but` can have ended or rotated `key` before a moment.
    ///
    /// A logout ends every key that was made from the session's first one. A rotation ends the rotated key, and possibly its
    /// siblings; never the keys that were made from it.
    pub fn is_touched(&self, but: Id, key: usize, until: Duration) -> bool {
        self.each().filter(|(id, other)| *id != but && other.began <= until).any(|(_, other)| {
            let ended = self.is_ended_by(other, key);
            let rotates = |old: usize| self.are_related(old, key) && self.rotations(key) <= self.rotations(old);
            ended || self.is_ending(other, key) || other.cycled.and_then(|(old, _)| old).is_some_and(rotates)
        })
    }

    /// Returns whether a request carried a token that continues a logout of the session of `key`.
    pub fn is_ending(&self, request: &Request, key: usize) -> bool {
        let mut tokens = request.presented.iter().map(|token| &self.tokens[*token]);
        tokens.any(|token| token.is_ending && self.are_related(token.key, key))
    }

    /// Returns whether a mark certainly is of an earlier write than the one by `id`: the two do not overlap, by any clock.
    pub fn is_older(&self, mark: SaveMark, id: Id) -> bool {
        if mark.by == 0 || mark.by == id {
            return mark.by == 0;
        }
        let (one, other) = (self.of(mark.by), self.of(id));
        let clocks = if one.location == other.location { Duration::ZERO } else { CLOCKS };
        one.ended().saturating_add(clocks) < other.committed()
    }

    /// Notes a write that the store applied.
    pub fn landed(&mut self, place: &str, value: Option<&[u8]>, now: Duration) {
        if value.is_none() && self.is_linearizable {
            self.stored.remove(place);
        }
        let Some(Written { by, put, marks, .. }) = value.and_then(|value| self.records.get(value)).copied() else {
            return;
        };
        let is_given_up = self.of(by).aborted || self.of(by).puts[put].failed;
        if is_given_up || now > self.of(by).puts[put].at + GIVEN_UP {
            self.late.insert(place.to_owned());
        }
        let before = self.rotated_from.get(place).and_then(|before| self.stored.get(before));
        let before = self.stored.get(place).or(before).copied().unwrap_or_default();
        for (key, (old, new)) in before.into_iter().zip(marks).enumerate() {
            let order = |mark: SaveMark| if mark.by == 0 { Duration::ZERO } else { self.of(mark.by).committed() };
            // A request that is not over yet wrote it just now, and shares the put.
            let is_shared = new.by == by || new.by > 0 && self.of(new.by).commit.is_none() && !self.of(new.by).aborted;
            if old.by > 0 && old.by != new.by && !is_shared && order(new) < order(old) {
                self.dropped.insert((old.by, key), by);
            }
            self.dropped.remove(&(new.by, key));
        }
        self.stored.insert(place.to_owned(), marks);
    }

    /// The removal that explains why a data key is absent from a record that an isolate puts: the last one that began before, in
    /// this isolate, or anywhere if the record that the put is made on had the key.
    pub fn last_removal(&self, root: usize, isolate: usize, key: usize, was_there: bool) -> SaveMark {
        let removals = self.each().filter(|(_, other)| {
            let is_related = other.key.is_some_and(|key| self.root(key) == root);
            let is_stored = other.is_acknowledged() || !other.puts.is_empty();
            let is_visible = other.isolate == isolate || (is_stored && was_there);
            is_visible && other.removed.contains(&key) && other.write_began.is_some() && is_related
        });
        let last = removals.max_by_key(|(_, other)| other.committed());
        last.map_or(SaveMark::default(), |(by, _)| SaveMark { by, present: false })
    }
}

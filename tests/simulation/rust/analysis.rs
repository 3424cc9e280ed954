//! Derived facts that invariants and rates share: which login a browser has at a time, and whether a write was lost.

use std::time::Duration;

use crate::history::{History, Id, Origin, Request, SaveMark};
use crate::plan::{Action, CLOCKS};

/// A login whose answer arrived.
#[derive(Clone, Debug)]
pub struct Login {
    pub id: Id,
    pub browser: usize,
    pub key: usize,
    /// When its cookie was in the jar.
    pub arrived: Duration,
    /// Until when the browser ought to be logged in: until it sends a logout, another login replaces this one, or another
    /// client ends the session.
    pub until: Duration,
    /// When an answer arrived that gives the cookie of the key from before the login, or of another session that was logged in
    /// when the request was sent: both cookies have one name, and only the order of arrival decides.
    pub overtaken: Duration,
}

/// How the cookie of a login disappeared from the jar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoginLoss {
    NewSession,
    OldKey,
    Deleted,
}

/// All logins that were acknowledged and whose answers arrived.
pub fn logins(history: &History) -> Vec<Login> {
    let login = |(id, request): (Id, &Request)| {
        let (browser, arrived) = (request.browser()?, request.received?);
        let token = &history.tokens[request.given().filter(|_| request.is_login() && request.is_acknowledged())?];
        let key = token.key;
        let until =
            history.each().filter(|(other, _)| *other != id).map(|(_, other)| ends(history, key, request, other));
        let overtaken = history.of_browser(browser).filter(|(_, other)| {
            let given = other.given().map(|given| history.tokens[given].key);
            let is_apart = |given: usize| other.sent < arrived && !history.are_related(key, given);
            given.is_some_and(|given| {
                history.keys[given].is_logged_in && (history.descends(key, given) || is_apart(given))
            })
        });
        let overtaken = overtaken.filter_map(|(_, other)| other.received).filter(|received| *received > arrived).min();
        Some(Login {
            id,
            browser,
            key,
            arrived,
            until: until.min().unwrap_or(Duration::MAX),
            overtaken: overtaken.unwrap_or(Duration::MAX),
        })
    };
    history.each().filter(|(_, request)| !request.is_probe()).filter_map(login).collect()
}

/// When another request makes it unclear whether a browser is still logged in by `login`, whose key is `key`.
fn ends(history: &History, key: usize, login: &Request, other: &Request) -> Duration {
    let arrived = login.received.unwrap_or(Duration::MAX);
    let from = other.sent.max(arrived);
    if other.is_probe() {
        return Duration::MAX;
    }
    // A logout ends the sessions of both cookies' names.
    let ended = other.presented.iter().filter(|_| other.is_logout()).map(|token| history.tokens[*token].key);
    let is_related = other.key.into_iter().chain(ended).any(|other| history.are_related(other, key));
    if other.browser() == login.browser() {
        let continues = other.presented.iter().any(|token| history.tokens[*token].is_ending);
        let is_under_way = other.sent >= arrived || other.received.is_some_and(|received| received > arrived);
        // Two logins without a common session stay apart, and the order of their answers decides.
        let is_apart = other.is_login()
            && other.sent < arrived
            && other.key_after.is_some_and(|other| !history.are_related(other, key));
        if is_apart && other.received.is_none_or(|received| received + CLOCKS >= login.sent) {
            return from;
        }
        let replaces = other.is_login() && other.key_after.is_some_and(|other| !history.are_related(other, key));
        // An application that clears the session, or copies one that it cannot see, has another one afterwards.
        let replaces_data = match other.action {
            Action::Clear(_) => true,
            Action::Create(_) => other.is_degraded(),
            _ => false,
        };
        let clears = replaces_data && is_related && other.key.is_some_and(|other| !history.descends(key, other));
        // Until the answer to another rotation arrives, the jar has the key from before it.
        let rotates = other.cycled.and_then(|(old, _)| old).is_some_and(|old| {
            history.keys[old].is_logged_in && history.are_related(old, key) && !history.descends(key, old)
        });
        if rotates {
            return from.min(other.began.max(arrived));
        }
        let is_over = (other.is_logout() || continues) && (is_under_way || is_related) || replaces && is_under_way;
        return if is_over || clears { from } else { Duration::MAX };
    }
    let rotates = other.cycled.and_then(|(old, _)| old);
    let rotates = rotates.is_some_and(|old| history.are_related(old, key) && !history.descends(key, old));
    if other.flush.is_some() && is_related || rotates { from } else { Duration::MAX }
}

impl Login {
    /// Returns whether one of the tokens opens the session of this login: under its key, or one made from it or beside it.
    pub fn is_in(&self, history: &History, tokens: &[usize]) -> bool {
        tokens.iter().map(|token| &history.tokens[*token]).any(|token| {
            !token.is_ending && history.are_related(token.key, self.key) && !history.descends(self.key, token.key)
        })
    }

    /// The first change of the jar by which the cookie disappeared.
    pub fn loss(&self, history: &History, until: Duration) -> Option<(Id, LoginLoss)> {
        let during = |at: Duration| at >= self.arrived && at < until;
        let mut changes = history.jars.iter().filter(|change| change.browser == self.browser && during(change.at));
        let change = changes.find(|change| !self.is_in(history, &change.tokens))?;
        let given = history.of(change.by).given().map(|token| history.tokens[token].key);
        let loss = match given {
            Some(key) if history.descends(self.key, key) => LoginLoss::OldKey,
            Some(_) => LoginLoss::NewSession,
            None => LoginLoss::Deleted,
        };
        Some((change.by, loss))
    }
}

/// The end of an acknowledged write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// The last record of the session has it, or a write that is not older.
    Kept,
    Lost,
    /// The record under its key has it, the one under the key of a later login does not.
    LostAcrossLogin,
    /// It is not known under which storage key it was.
    Unknown,
}

pub fn fate(history: &History, id: Id, data_key: usize) -> Fate {
    history.of(id).key_after.map_or(Fate::Unknown, |key| fate_under(history, key, id, data_key))
}

fn fate_under(history: &History, key: usize, id: Id, data_key: usize) -> Fate {
    let Some(marks) = history.places.get(&key).and_then(|place| history.stored.get(place)) else {
        return Fate::Unknown;
    };
    if lacks(history, marks[data_key], id, data_key) {
        return Fate::Lost;
    }
    let is_successor = |(_, login): &(Id, &Request)| {
        let is_from =
            |(old, new): (Option<usize>, usize)| old == Some(key) && history.keys[new].origin == Origin::Rotated;
        // A login that could not end the old key says so. What is written under that one afterwards stays there.
        let remains = login.commit.as_ref().is_some_and(|commit| commit.old_record_remains);
        let is_after = remains && login.ended() < history.of(id).committed();
        login.is_acknowledged() && login.cycled.is_some_and(is_from) && !history.rotates_again(login) && !is_after
    };
    let successors: Vec<_> = history.each().filter(is_successor).filter_map(|(_, login)| login.cycled).collect();
    let is_kept = |new: usize| matches!(fate_under(history, new, id, data_key), Fate::Kept | Fate::Unknown);
    if successors.is_empty() || successors.iter().any(|(_, new)| is_kept(*new)) {
        Fate::Kept
    } else {
        Fate::LostAcrossLogin
    }
}

/// The data keys that a request set.
pub fn writes(request: &Request) -> impl Iterator<Item = usize> {
    request.touched.iter().copied().filter(|key| !request.removed.contains(key))
}

/// Returns whether no other isolate wrote to the session within the bound of a request, and no write was applied late: what
/// the isolate remembers is then all there is.
pub fn is_alone(history: &History, id: Id, bound: Duration) -> bool {
    let request = history.of(id);
    let Some(key) = request.key_after.or(request.key) else { return false };
    let is_apart = |other: &Request| {
        let is_before = other.ended().saturating_add(bound) < request.committed();
        other.isolate == request.isolate || is_before || other.began > request.ended().saturating_add(bound)
    };
    let is_related = |other: &Request| {
        let keys = [other.key, other.key_after];
        keys.into_iter().flatten().any(|other| history.are_related(other, key))
    };
    let all_apart = history.each().filter(|(_, other)| !other.puts.is_empty() && is_related(other));
    let mut places = history.places.iter().filter(|(other, _)| history.are_related(**other, key));
    all_apart.into_iter().all(|(_, other)| is_apart(other)) && !places.any(|(_, place)| history.late.contains(place))
}

/// Returns whether something that was read is certainly older than an acknowledged write of the same session.
pub fn lacks(history: &History, seen: SaveMark, id: Id, data_key: usize) -> bool {
    let (write, root) = (history.of(id), history.of(id).key_after.map(|key| history.root(key)));
    let removes = |other: &Request| {
        let is_related = [other.key, other.key_after].into_iter().flatten().any(|key| Some(history.root(key)) == root);
        other.removed.contains(&data_key) && is_related && other.ended() >= write.committed()
    };
    history.is_older(seen, id) && (seen.present || !history.each().any(|(_, other)| removes(other)))
}

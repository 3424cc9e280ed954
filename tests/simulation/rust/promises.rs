//! What sessions promise, and whether a history keeps it.

use std::collections::BTreeMap;
use std::time::Duration;

use edge_session::{EventKind, LoadReason};

use crate::history::{Exchange, Given, History, Id, Mark};
use crate::plan::{Deed, SHORT, SKEW, Shape, USER};
use crate::world::World;

/// A request that ran longer than this sends no cookie for an identity that it did not change.
const LATE: Duration = Duration::from_secs(5);

/// From then on every location shows what was saved, if KV's propagation takes no longer than it does as a rule.
const VISIBLE: Duration = Duration::from_secs(100);

/// So many saves a record remembers.
const REMEMBERED: usize = 8;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Promise {
    OwnDataOnly,
    LogoutIsFinal,
    NoSaveAfterLogout,
    OldKeyEnds,
    LoginStays,
    SessionStays,
    FailedLoginChangesNothing,
    LiveSessionStays,
    OwnWritesAreRead,
    KnownWritesAreKept,
    LostIsTrue,
    StalePasses,
    NothingNewerIsReverted,
    AbsoluteDeadlineStays,
    OutageLogsNobodyOut,
    OutageCreatesNothing,
    LateAnswerReplacesNoLogin,
}

impl Promise {
    pub const ALL: [Self; 17] = [
        Self::OwnDataOnly,
        Self::LogoutIsFinal,
        Self::NoSaveAfterLogout,
        Self::OldKeyEnds,
        Self::LoginStays,
        Self::SessionStays,
        Self::FailedLoginChangesNothing,
        Self::LiveSessionStays,
        Self::OwnWritesAreRead,
        Self::KnownWritesAreKept,
        Self::LostIsTrue,
        Self::StalePasses,
        Self::NothingNewerIsReverted,
        Self::AbsoluteDeadlineStays,
        Self::OutageLogsNobodyOut,
        Self::OutageCreatesNothing,
        Self::LateAnswerReplacesNoLogin,
    ];

    pub const fn text(self) -> &'static str {
        match self {
            Self::OwnDataOnly => "no response holds data of another session than its cookie's",
            Self::LogoutIsFinal => {
                "after an acknowledged logout and the bound, no cookie of the session opens anything"
            }
            Self::NoSaveAfterLogout => "after an acknowledged logout and the bound, nothing of the session is saved",
            Self::OldKeyEnds => "after a login and the bound, the key before it opens nothing",
            Self::LoginStays => "a login that was acknowledged stays logged in",
            Self::SessionStays => "a session that was saved can be seen everywhere after the bound",
            Self::FailedLoginChangesNothing => "a login that failed leaves the session as it was",
            Self::LiveSessionStays => "no response takes the cookie of a live session away",
            Self::OwnWritesAreRead => "a browser in sequence reads what its cookie knows of, or is told",
            Self::KnownWritesAreKept => "a save keeps what its cookie knows of, unless that is told lost",
            Self::LostIsTrue => "nothing is told lost that could still come",
            Self::StalePasses => "nothing is told stale that can come no more",
            Self::NothingNewerIsReverted => "a save reverts nothing newer that it read",
            Self::AbsoluteDeadlineStays => "nothing outlives the absolute deadline by more than the clocks differ",
            Self::OutageLogsNobodyOut => "a read that failed takes no cookie away",
            Self::OutageCreatesNothing => "a read that failed creates no session",
            Self::LateAnswerReplacesNoLogin => "a late answer replaces no cookie of a newer login",
        }
    }
}

#[derive(Clone, Debug)]
pub struct Violation {
    pub promise: Promise,
    pub at: Id,
    pub why: String,
}

/// What the checks found in a history, and how often each promise was put to the test.
#[derive(Default)]
pub struct Findings {
    pub violations: Vec<Violation>,
    pub tested: BTreeMap<Promise, u64>,
}

impl Findings {
    /// The promise was put to the test at a request: was it kept?
    fn test(&mut self, promise: Promise, at: Id, kept: bool, why: impl FnOnce() -> String) {
        *self.tested.entry(promise).or_default() += 1;
        if !kept {
            self.violations.push(Violation { promise, at, why: why() });
        }
    }
}

/// Sessions in this world can expire while it runs.
fn is_short_lived(world: &World) -> bool {
    world.plan.cookie_age < SHORT || world.plan.absolute_age < SHORT
}

pub fn check(world: &World) -> Findings {
    let history = world.history.borrow();
    let mut findings = Findings::default();
    for (id, exchange) in history.each() {
        own_data_only(&history, id, exchange, &mut findings);
        after_the_end(world, &history, id, exchange, &mut findings);
        absolute_deadline(world, &history, id, exchange, &mut findings);
        outage(id, exchange, &mut findings);
        kept_writes(world, &history, id, exchange, &mut findings);
        lost(&history, id, exchange, &mut findings);
        stale(&history, id, exchange, &mut findings);
        late_answer(&history, id, exchange, &mut findings);
        if world.plan.shape == Shape::Sequence && !world.plan.merge_stale {
            own_writes(world, &history, id, exchange, &mut findings);
        }
        if !is_short_lived(world) {
            live_session(&history, id, exchange, &mut findings);
            logins(&history, id, exchange, &mut findings);
            saved_session(&history, id, exchange, &mut findings);
        }
    }
    findings
}

fn own_data_only(history: &History, id: Id, exchange: &Exchange, findings: &mut Findings) {
    let Some(seen) = exchange.seen else { return };
    for mark in seen.into_iter().filter(|mark| mark.present) {
        let writer = history.of(mark.by);
        let wrote_to = writer.key_after.or(writer.key).map(|key| history.root(key));
        let own = exchange.key.map(|key| history.root(key));
        findings.test(Promise::OwnDataOnly, id, own.is_some() && own == wrote_to, || {
            format!("it shows what request {} wrote into another session", mark.by)
        });
    }
}

/// What a session's end ends: by a logout, or by a login that gave it another key.
fn after_the_end(world: &World, history: &History, id: Id, ending: &Exchange, findings: &mut Findings) {
    let Some(ended) = ending.key else { return };
    if let Some(flush) = ending.flush.as_ref().filter(|flush| flush.outcome.is_ok()) {
        let bound = flush.ended + world.bound;
        for (other, exchange) in history.each() {
            let Some(key) = exchange.key.filter(|key| history.ends(ended, *key)) else { continue };
            // Without a look at the tombstone only the record's own end counts.
            if let Some(seen) = exchange.seen.filter(|_| exchange.began > bound && world.plan.check_ended) {
                let is_empty = !seen.iter().any(|mark| mark.present);
                findings.test(Promise::LogoutIsFinal, other, is_empty, || {
                    format!("request {id} had logged it out {:?} before", exchange.began - flush.ended)
                });
            }
            let committed = exchange.commit.as_ref().filter(|commit| commit.began > bound);
            if let Some(commit) = committed.filter(|_| !exchange.touched.is_empty()) {
                // Under its own key, or a login's new one.
                let goes_on =
                    exchange.key_after == Some(key) || exchange.cycled.is_some_and(|(old, _)| old == Some(key));
                let saved = exchange.is_acknowledged() && exchange.has_put() && goes_on;
                findings.test(Promise::NoSaveAfterLogout, other, !saved, || {
                    format!("request {id} had logged it out {:?} before", commit.began - flush.ended)
                });
            }
        }
    }
    let cycled = ending.cycled.filter(|_| ending.is_acknowledged() && ending.has_put());
    let remains = ending.commit.as_ref().is_none_or(|commit| commit.old_record_remains);
    if let Some((Some(old), _)) = cycled.filter(|_| !remains && world.plan.check_ended) {
        let bound = ending.commit.as_ref().map_or(Duration::MAX, |commit| commit.ended + world.bound);
        for (other, exchange) in history.each().filter(|(_, other)| other.key == Some(old) && other.began > bound) {
            let Some(seen) = exchange.seen else { continue };
            let is_empty = !seen.iter().any(|mark| mark.present);
            findings.test(Promise::OldKeyEnds, other, is_empty, || format!("request {id} had cycled its key"));
        }
    }
}

fn absolute_deadline(world: &World, history: &History, id: Id, exchange: &Exchange, findings: &mut Findings) {
    let (Some(seen), Some(key)) = (exchange.seen, exchange.key) else { return };
    let made = history.keys[history.keys[key].family.unwrap_or(key)].made;
    let age = Duration::from_secs(world.plan.absolute_age as u64) + Duration::from_millis(2 * SKEW);
    if exchange.began > made + age {
        let is_empty = !seen.iter().any(|mark| mark.present);
        findings.test(Promise::AbsoluteDeadlineStays, id, is_empty, || format!("it began at {made:?}"));
    }
}

fn outage(id: Id, exchange: &Exchange, findings: &mut Findings) {
    if !exchange.read_failed_in_load || exchange.flush.is_some() || exchange.commit.is_none() {
        return;
    }
    let kept = exchange.given != Given::TakenAway;
    findings.test(Promise::OutageLogsNobodyOut, id, kept, || "the cookie was deleted".to_owned());
    let made = exchange.puts.iter().any(|put| put.is_new_key);
    findings.test(Promise::OutageCreatesNothing, id, !made, || "a new record was put".to_owned());
}

/// What a request did not touch is never older in what it puts than in what it read, or than its cookie knows of. Of two
/// writes within the difference of the clocks either may count as the newer one.
fn kept_writes(world: &World, history: &History, id: Id, exchange: &Exchange, findings: &mut Findings) {
    let ended = exchange.commit.as_ref().map_or(Duration::MAX, |commit| commit.ended);
    let order = |mark: Mark| if mark.by == 0 { Duration::ZERO } else { history.of(mark.by).committed() };
    for put in &exchange.puts {
        let Some(base) = put.base else { continue };
        // A login that finds the session ended goes on with what it has.
        if put.is_new_key && exchange.key.is_some_and(|key| is_touched(history, id, key, ended)) {
            continue;
        }
        let latest = |mark: Mark| if mark.by == 0 { Duration::ZERO } else { history.of(mark.by).ended() };
        let is_kept = |old: Mark, new: Mark| {
            old == new || latest(new).saturating_add(Duration::from_millis(2 * SKEW)) >= order(old)
        };
        for key in (0..base.len()).filter(|key| !put.touched.contains(key)) {
            let new = put.marks[key];
            if base[key].by > 0 && !writes_are_unknown(world) {
                findings.test(Promise::NothingNewerIsReverted, id, is_kept(base[key], new), || {
                    format!(
                        "what request {} wrote under key {key} gave way to what request {} had",
                        base[key].by, new.by
                    )
                });
            }
            let known = exchange.token.map_or(Mark::default(), |token| history.tokens[token].known[key]);
            let told = world.plan.merge_stale || exchange.events.contains(&EventKind::Load(LoadReason::Lost));
            if known.by > 0 && put.acknowledged && !told {
                findings.test(Promise::KnownWritesAreKept, id, is_kept(known, new), || {
                    format!("what request {} wrote under key {key} gave way to what request {} had", known.by, new.by)
                });
            }
        }
    }
}

/// Older code keeps no list of who wrote what, by which a newer write is told from an older one.
fn writes_are_unknown(world: &World) -> bool {
    world.plan.older.iter().any(|until| !until.is_zero())
}

/// A save is lost once no location can show it any more, or once so many came after it that a record has forgotten it.
fn lost(history: &History, id: Id, exchange: &Exchange, findings: &mut Findings) {
    let (Some(token), Some(LoadReason::Lost)) = (exchange.token, exchange.reason) else { return };
    let (token, key) = (&history.tokens[token], history.tokens[token].key);
    let since = history.of(token.by).committed();
    let saves = history.each().filter(|(_, other)| other.key_after == Some(key) && other.ended() >= since);
    let saves: usize = saves.map(|(_, other)| other.puts.len()).sum();
    let age = exchange.began - since;
    let kept = saves >= REMEMBERED || age + Duration::from_millis(2 * SKEW) >= VISIBLE;
    findings
        .test(Promise::LostIsTrue, id, kept, || format!("its cookie is {age:?} old, and {saves} saves came after it"));
}

/// A record that has forgotten what the cookie knows of will not show it again, however young the cookie is.
fn stale(history: &History, id: Id, exchange: &Exchange, findings: &mut Findings) {
    let (Some(token), Some(LoadReason::Stale), Some(loaded)) = (exchange.token, exchange.reason, exchange.loaded)
    else {
        return;
    };
    let Some(known) = history.tokens[token].saves else { return };
    findings.test(Promise::StalePasses, id, loaded.least < known.most + REMEMBERED, || {
        format!("the record has {} saves or more behind it, its cookie {} or less", loaded.least, known.most)
    });
}

/// Everybody who can have ended or cycled `key` until a moment.
pub fn is_touched(history: &History, but: Id, key: usize, until: Duration) -> bool {
    history.each().filter(|(id, other)| *id != but && other.began <= until).any(|(_, other)| {
        let ended = other.flush.is_some() && other.key.is_some_and(|ended| history.ends(ended, key));
        let cycled = other.cycled.is_some_and(|(old, _)| old == Some(key));
        ended || cycled
    })
}

fn live_session(history: &History, id: Id, exchange: &Exchange, findings: &mut Findings) {
    let (Some(token), Some(commit)) = (exchange.token, &exchange.commit) else { return };
    let key = history.tokens[token].key;
    let meant = exchange.flush.is_some() || exchange.cycled.is_some();
    if meant || is_touched(history, id, key, commit.ended) {
        return;
    }
    let kept = match exchange.given {
        Given::Nothing => true,
        Given::TakenAway => false,
        Given::Token(token) => history.tokens[token].key == key,
    };
    findings.test(Promise::LiveSessionStays, id, kept, || {
        let what = if exchange.given == Given::TakenAway { "deleted" } else { "replaced by a new session's" };
        format!("the cookie was {what}; the application found it {}", exchange.reason())
    });
}

/// Whether a record was found, whatever KV shows of it: a late put can leave it behind what its cookie knows, which is told.
fn is_there(probe: &Exchange) -> bool {
    use LoadReason::{Live, Lost, Stale, StaleRepaired};
    matches!(probe.reason, Some(Live | StaleRepaired | Stale | Lost))
}

fn saved_session(history: &History, id: Id, probe: &Exchange, findings: &mut Findings) {
    let Some(token) = probe.token.filter(|_| probe.deed == Deed::Probe) else { return };
    let key = history.tokens[token].key;
    if is_touched(history, id, key, Duration::MAX) {
        return;
    }
    findings.test(Promise::SessionStays, id, is_there(probe), || {
        format!("request {} had its cookie; now it is {}", history.tokens[token].by, probe.reason())
    });
}

fn logins(history: &History, id: Id, exchange: &Exchange, findings: &mut Findings) {
    if !matches!(exchange.deed, Deed::Login { .. }) || exchange.commit.is_none() {
        return;
    }
    let probe = |token: usize| {
        let mut probes = history.each().filter(|(_, probe)| probe.deed == Deed::Probe && probe.token == Some(token));
        probes.next().unwrap()
    };
    match (exchange.is_acknowledged(), exchange.given, exchange.token, exchange.cycled) {
        (true, Given::Token(token), ..) if !is_touched(history, id, history.tokens[token].key, Duration::MAX) => {
            let (at, probe) = probe(token);
            let is_in = probe.seen.is_some_and(|seen| seen[USER].present);
            findings.test(Promise::LoginStays, at, is_in, || {
                format!("request {id} had logged it in; now it is {}", probe.reason())
            });
        }
        (false, _, Some(token), Some((Some(old), _))) if !is_touched(history, id, old, Duration::MAX) => {
            let had = |seen: Option<[Mark; 8]>| seen.is_some_and(|seen| seen.iter().any(|mark| mark.present));
            if had(exchange.seen) && history.tokens[token].key == old {
                let (at, probe) = probe(token);
                findings.test(Promise::FailedLoginChangesNothing, at, is_there(probe), || {
                    format!("request {id} had tried to log it in; now it is {}", probe.reason())
                });
            }
        }
        _ => {}
    }
}

/// Whether the application is told that what it sees may not be all.
pub fn is_told(exchange: &Exchange) -> bool {
    use LoadReason::{Lost, NotYetVisible, Stale, Unavailable};
    matches!(exchange.reason, Some(Lost | NotYetVisible | Stale | Unavailable))
}

fn own_writes(world: &World, history: &History, id: Id, exchange: &Exchange, findings: &mut Findings) {
    let (Some(seen), Some(token)) = (exchange.seen, exchange.token) else { return };
    let token = &history.tokens[token];
    let is_over = is_short_lived(world) && seen.iter().all(|mark| !mark.present);
    if is_told(exchange) || is_over || is_touched(history, id, token.key, exchange.began) {
        return;
    }
    let is_older = |key: &usize| {
        let (seen, known) = (seen[*key], token.known[*key]);
        known.by > newest(*key, seen, known, history) && !has_rival(*key, seen, known.by, history)
    };
    let missing = (0..seen.len()).find(is_older);
    findings.test(Promise::OwnWritesAreRead, id, missing.is_none(), || {
        let key = missing.unwrap_or_default();
        format!("what request {} wrote is not there; the session is {}", token.known[key].by, exchange.reason())
    });
}

/// How new at least what was seen under a key is: one that is not there may have been removed by whoever tried to.
fn newest(key: usize, seen: Mark, known: Mark, history: &History) -> Id {
    if seen.present {
        return seen.by;
    }
    let removed = |other: &Exchange| matches!(other.deed, Deed::Remove(_)) && other.touched.contains(&key);
    history.each().filter(|(id, other)| *id >= known.by && removed(other)).map(|(id, _)| id).max().unwrap_or_default()
}

/// Whether what is seen was written by a request that never told the browser of it, beside the write that the cookie knows:
/// neither builds on the other. Within the difference of the clocks either may count as the newer one.
fn has_rival(key: usize, seen: Mark, known: Id, history: &History) -> bool {
    let is_it = |id, other: &Exchange| match seen.present {
        true => id == seen.by,
        false => matches!(other.deed, Deed::Remove(_)) && other.touched.contains(&key),
    };
    let known = history.of(known);
    history.each().filter(|(id, other)| is_it(*id, other)).any(|(_, other)| {
        let told = matches!(other.given, Given::Token(_)) && other.received.is_some();
        !told && other.apart(known) <= Duration::from_millis(2 * SKEW)
    })
}

/// A request that ran for long sends no cookie for the identity that it came with, and none goes but by a logout.
fn late_answer(history: &History, id: Id, exchange: &Exchange, findings: &mut Findings) {
    let (Some(token), Some(commit)) = (exchange.token, &exchange.commit) else { return };
    if commit.began <= exchange.began + LATE || exchange.flush.is_some() {
        return;
    }
    let kept = match exchange.given {
        Given::Nothing => true,
        Given::TakenAway => false,
        Given::Token(given) => history.tokens[given].key != history.tokens[token].key,
    };
    findings.test(Promise::LateAnswerReplacesNoLogin, id, kept, || {
        format!("it ran for {:?}; the application found it {}", commit.began - exchange.began, exchange.reason())
    });
}

//! The end of keys: by a logout, by a login that rotates the key, and by a deletion.
//!
//! Every key that was made from the first key of a session belongs to the session: the successors, the siblings that a login
//! made that was sent twice, and the copies that `create` made. A logout or deletion with any of them ends all of them.
//! (Before, only keys made by later logins belonged to it.)

use std::time::Duration;

use super::{Case, Invariant, REMEMBERED, SUPERSEDED, is_empty};
use crate::history::{Flush, Id, Request};
use crate::plan::Action;

pub fn check(case: &mut Case<'_>, id: Id, request: &Request) {
    if case.simulation.plan.is_partitioned() {
        return;
    }
    ended_session(case, id, request);
    failed_logout(case, id, request);
    rotated_key(case, id, request);
    old_key(case, id, request);
    cleared(case, id, request);
    for end in ends(request) {
        known_in_isolate(case, id, request, end);
        cookies(case, id, request, end);
    }
}

/// What an acknowledged operation has ended.
#[derive(Clone, Copy)]
struct End {
    at: Duration,
    key: usize,
    /// How many rotations ahead of the key it ended the session's keys; `None` if it ended this one alone.
    reach: Option<usize>,
    /// Whether it was a deletion that did not see the key's record: then it counts from the last tombstone that it saw.
    is_blind: bool,
}

impl End {
    fn ends(self, case: &Case<'_>, key: usize) -> bool {
        let history = case.history;
        match self.reach {
            Some(reach) => {
                let seen = if self.is_blind { 0 } else { history.rotations(self.key) };
                let is_within_reach = history.rotations(key) <= seen + reach;
                // A login says so if the anonymous key before it could not be ended. It lives until it expires.
                let is_left =
                    history.keys[self.key].is_logged_in && !history.keys[key].is_logged_in && history.remains(key);
                history.are_related(self.key, key) && is_within_reach && !is_left
            }
            None => self.key == key,
        }
    }
}

fn ends(request: &Request) -> impl Iterator<Item = End> {
    let at = request.flush.as_ref().filter(|flush| flush.outcome.is_ok()).map(|Flush { ended, .. }| *ended);
    let reach = Some(reach(request));
    let is_deletion = matches!(request.action, Action::Delete(_) | Action::FlushOpened(_));
    let is_blind = is_deletion && !matches!(request.reason(), "live" | "stale" | "stale-repaired" | "lost" | "expired");
    let session = at.zip(request.key).map(|(at, key)| End { at, key, reach, is_blind });
    let rotated = request.cycled.and_then(|(old, _)| old).filter(|_| request.is_acknowledged() && request.has_put());
    let commit = request.commit.as_ref().filter(|commit| !commit.old_record_remains);
    let rotated = rotated.zip(commit).map(|(key, commit)| End { at: commit.ended, key, reach: None, is_blind: false });
    session.into_iter().chain(rotated)
}

/// How many rotations ahead of its key a logout reaches. Other clients can rotate the key meanwhile, before they see the logout,
/// or had done so before the logout came with an old cookie. With more rotations than that the session goes on.
fn reach(logout: &Request) -> usize {
    let is_recent = logout.write_began.is_some_and(|began| began <= logout.began + Duration::from_secs(1));
    let is_newest = is_recent && matches!(logout.reason(), "live" | "stale-repaired");
    if is_newest && logout.browser_or_thief() { 1 } else { 3 }
}

/// The logout or deletion, and the requests after the bound.
fn ended_session(case: &mut Case<'_>, id: Id, request: &Request) {
    let history = case.history;
    for end in ends(request).filter(|end| end.reach.is_some()) {
        let bound = end.at + case.bound;
        for (other, later) in history.each() {
            let Some(key) = later.key.filter(|key| end.ends(case, *key)) else { continue };
            let is_deletion = matches!(request.action, Action::Delete(_) | Action::FlushOpened(_));
            let invariant = match key == end.key {
                _ if is_deletion => Invariant::DeleteEndsSession,
                true => Invariant::LogoutIsFinal,
                false => Invariant::LogoutEndsEveryKey,
            };
            // Without a look at tombstones only the end of the record counts.
            let is_checked = later.began > bound && case.simulation.plan.check_ended;
            if let Some(is_empty) = is_empty(later).filter(|_| is_checked) {
                case.test(invariant, other, is_empty, || {
                    format!("request {id} had ended the session {:?} before", later.began - end.at)
                });
            }
            let commit = later.commit.as_ref().filter(|commit| commit.began > bound && !later.touched.is_empty());
            if let Some(commit) = commit.filter(|_| key == end.key) {
                // Under its own key, or under the new one of a login.
                let continues = later.key_after == Some(key) || later.cycled.is_some_and(|(old, _)| old == Some(key));
                let saved = later.is_acknowledged() && later.has_put() && continues;
                case.test(Invariant::NoSaveAfterLogout, other, !saved, || {
                    format!("request {id} had ended the session {:?} before", commit.began - end.at)
                });
            }
        }
    }
}

/// A logout whose tombstone could not be put leaves the browser a token that opens nothing, and by which its next requests
/// put the tombstone. A request that succeeds shows that it is put.
fn failed_logout(case: &mut Case<'_>, id: Id, logout: &Request) {
    let has_failed = logout.flush.as_ref().is_some_and(|flush| flush.outcome.is_err()) && logout.commit.is_some();
    let (history, Some(key), Some(browser)) = (case.history, logout.key, logout.browser()) else { return };
    let Some(received) = logout.received.filter(|_| has_failed && case.simulation.plan.is_usual()) else { return };
    let mut later: Vec<_> = history.of_browser(browser).filter(|(_, later)| later.sent >= received).collect();
    later.sort_by_key(|(_, later)| later.sent);
    for (other, later) in later {
        // The answer to an earlier request of the session can bring its cookie back.
        let is_open =
            |token: &usize| !history.tokens[*token].is_ending && history.are_related(history.tokens[*token].key, key);
        // Or replace the token: both have one name.
        let is_replaced = history.jars.iter().any(|change| {
            let is_earlier = history.of(change.by).sent < received && change.by != id;
            is_earlier && change.browser == browser && (received..=later.sent).contains(&change.at)
        });
        if later.presented.iter().any(is_open) || is_replaced && !history.is_ending(later, key) {
            return;
        }
        // With any outcome and action, its load had finished the logout.
        let has_finished = later.events.contains(&edge_session::EventKind::Flushed);
        let is_checked = later.action != Action::Pass || has_finished;
        let Some(commit) = later.commit.as_ref().filter(|_| is_checked) else { continue };
        if commit.outcome.is_err() && !has_finished {
            let gives = later.given().is_some_and(|token| !history.tokens[token].is_ending);
            let creates = later.puts.iter().any(|put| put.is_new_key) || gives;
            case.test(Invariant::FailedLogoutFinishes, other, !creates, || {
                format!("it created a session though the logout of request {id} is not finished")
            });
            continue;
        }
        let bound = commit.ended + case.bound;
        for (probe, last) in history.each().filter(|(_, last)| last.began > bound) {
            let end = End { at: commit.ended, key, reach: Some(1), is_blind: false };
            let is_related = last.key.is_some_and(|other| end.ends(case, other));
            if let Some(is_empty) = is_empty(last).filter(|_| is_related) {
                case.test(Invariant::FailedLogoutFinishes, probe, is_empty, || {
                    format!("the logout of request {id} failed, and request {other} of the same browser succeeded")
                });
            }
        }
        return;
    }
}

fn rotated_key(case: &mut Case<'_>, id: Id, login: &Request) {
    if !case.simulation.plan.check_ended {
        return;
    }
    for end in ends(login).filter(|end| end.reach.is_none()) {
        let bound = end.at + case.bound;
        for (other, later) in case.history.each().filter(|(_, later)| later.key == Some(end.key) && later.began > bound)
        {
            if let Some(is_empty) = is_empty(later) {
                case.test(Invariant::OldKeyEnds, other, is_empty, || format!("request {id} had rotated its key"));
            }
        }
    }
}

fn known_in_isolate(case: &mut Case<'_>, id: Id, request: &Request, end: End) {
    if !case.simulation.plan.check_ended {
        return;
    }
    let during = |later: &Request| later.began > end.at && later.began <= end.at + REMEMBERED;
    for (other, later) in case.history.each().filter(|(_, later)| later.isolate == request.isolate && during(later)) {
        let is_ended = later.key.is_some_and(|key| end.ends(case, key));
        if let Some(is_empty) = is_empty(later).filter(|_| is_ended) {
            case.test(Invariant::IsolateKnowsRevocations, other, is_empty, || {
                format!("request {id} had ended its key {:?} before", later.began - end.at)
            });
        }
    }
}

fn cookies(case: &mut Case<'_>, id: Id, request: &Request, end: End) {
    let history = case.history;
    if !case.simulation.plan.check_ended {
        return;
    }
    for (other, later) in history.each().filter(|(other, _)| *other != id) {
        let Some(began) = later.commit.as_ref().map(|commit| commit.began).filter(|began| *began > end.at) else {
            continue;
        };
        let is_remembered = later.isolate == request.isolate && began <= end.at + REMEMBERED;
        let named = later.token.map(|token| history.tokens[token].key);
        let carries = named.or(later.key_after).is_some_and(|key| end.ends(case, key));
        if carries && (is_remembered || began > end.at + case.bound) {
            let given = later.given().map(|token| &history.tokens[token]);
            let is_ended = given.is_some_and(|token| !token.is_ending && end.ends(case, token.key));
            case.test(Invariant::NoCookieOfEndedKey, other, !is_ended, || {
                format!("request {id} had ended the key {:?} before", began - end.at)
            });
        }
    }
}

/// For some time after a login, a request with the key before it is refused. It does not begin a session in which the login is
/// missing. (Before, it began one.)
fn old_key(case: &mut Case<'_>, id: Id, login: &Request) {
    let history = case.history;
    if !case.simulation.plan.is_usual() || !case.has_published_propagation() || !login.disturbances.is_empty() {
        return;
    }
    // The time counts from the first rotation of a key.
    for end in ends(login).filter(|end| end.reach.is_none() && login.reason() != "superseded") {
        for (other, later) in history.each() {
            let during = later.began >= end.at && later.began <= end.at + SUPERSEDED;
            let is_it = during && later.key == Some(end.key) && !later.touched.is_empty() && !later.is_login();
            // What is saved from outside of requests under a key that is not visible goes to no browser.
            let is_it = is_it && later.browser().is_some();
            let Some(commit) = later.commit.as_ref().filter(|_| is_it) else { continue };
            let is_ended = |(_, ended): (Id, &Request)| {
                let is_related = ended.key.is_some_and(|key| history.are_related(key, end.key));
                ended.flush.is_some() && is_related && ended.began <= commit.ended
            };
            if history.each().any(is_ended) {
                continue;
            }
            let is_other = |token: usize| history.tokens[token].key != end.key;
            // A copy that `create` makes elsewhere, before the rotation is visible there, ends with the key.
            let is_unaware = later.isolate != login.isolate && later.began <= end.at + case.bound;
            // So does one that sees elsewhere that the record is gone, before it sees why: the session seems to have expired.
            if is_unaware && (later.created.is_some() || later.reason() == "unknown") {
                continue;
            }
            let creates = later.puts.iter().any(|put| put.is_new_key) || later.given().is_some_and(is_other);
            case.test(Invariant::OldKeyStartsNoSession, other, !creates, || {
                format!("request {id} had rotated its key {:?} before", later.began - end.at)
            });
        }
    }
}

/// As in Django: a cleared session keeps its key until the save, which finds it gone.
fn cleared(case: &mut Case<'_>, id: Id, request: &Request) {
    let Some(commit) = &request.commit else { return };
    let is_ended = matches!(request.reason(), "revoked" | "superseded");
    if matches!(request.action, Action::Clear(_)) && request.token.is_some() && is_ended {
        let is_refused = commit.outcome.is_err() && request.given().is_none();
        case.test(Invariant::ClearRevivesNothing, id, is_refused, || "it was saved as a new session".to_owned());
    }
}

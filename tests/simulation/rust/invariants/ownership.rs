//! Data and cookies of one visitor never reach another one, and a failed request leaves nothing behind.

use std::time::Duration;

use super::{Case, Invariant, is_empty};
use crate::history::{Id, Request};
use crate::plan::{Action, CLOCKS};

pub fn check(case: &mut Case<'_>, id: Id, request: &Request) {
    own_data_only(case, id, request);
    foreign_cookie(case, id, request);
    failed_request(case, id, request);
    absolute_deadline(case, id, request);
    outage(case, id, request);
}

fn own_data_only(case: &mut Case<'_>, id: Id, request: &Request) {
    let (history, Some(seen)) = (case.history, request.seen) else { return };
    for mark in seen.into_iter().filter(|mark| mark.present) {
        let writer = history.of(mark.by);
        let written_to = writer.key_after.or(writer.key).map(|key| history.root(key));
        let own = request.key.map(|key| history.root(key));
        case.test(Invariant::OwnDataOnly, id, own.is_some() && own == written_to, || {
            format!("it shows what request {} wrote into another session", mark.by)
        });
    }
}

/// A response gives cookies of the sessions that its request named, and of those that it made.
fn foreign_cookie(case: &mut Case<'_>, id: Id, request: &Request) {
    let history = case.history;
    for token in request.cookies.iter().filter_map(|change| change.token) {
        let key = history.tokens[token].key;
        let is_named = request.presented.iter().any(|token| history.are_related(history.tokens[*token].key, key));
        let place = history.places.get(&key);
        let is_made = request.puts.iter().any(|put| put.is_new_key && Some(&put.place) == place);
        case.test(Invariant::NoForeignCookie, id, is_named || is_made, || {
            format!("it gives a cookie of a session that began at {:?}", history.keys[history.root(key)].made)
        });
    }
}

/// Without a commit nothing is saved; nor with a commit of a response with status 500, as in Django.
fn failed_request(case: &mut Case<'_>, id: Id, request: &Request) {
    let has_failed = match request.action {
        Action::Throw { .. } => true,
        Action::Break(_) => request.commit.is_some(),
        _ => request.aborted && request.write_began.is_none(),
    };
    if !has_failed {
        return;
    }
    let shows = |marks: &[crate::history::SaveMark]| marks.iter().any(|mark| mark.by == id);
    let put = case.history.records.values().any(|record| shows(&record.marks));
    let seen = case.history.each().filter_map(|(_, other)| other.seen).any(|seen| shows(&seen));
    let has_saved = !request.puts.is_empty() || put || seen || request.given().is_some();
    case.test(Invariant::FailedRequestSavesNothing, id, !has_saved, || "it has saved something".to_owned());
}

fn absolute_deadline(case: &mut Case<'_>, id: Id, request: &Request) {
    let (Some(is_empty), Some(key)) = (is_empty(request), request.key) else { return };
    let made = case.history.keys[case.history.keys[key].absolute_from].made;
    let age = Duration::from_secs(case.simulation.plan.absolute_age as u64) + CLOCKS;
    if request.began > made + age {
        case.test(Invariant::AbsoluteDeadlineStays, id, is_empty, || format!("the session began at {made:?}"));
    }
}

fn outage(case: &mut Case<'_>, id: Id, request: &Request) {
    if !request.read_failed_in_load || request.flush.is_some() || request.commit.is_none() {
        return;
    }
    // The cookie of a logged-in session takes the anonymous one away, and the end of a session its ending token.
    let ends = request.presented.iter().any(|token| case.history.tokens[*token].is_ending);
    let deletes = request.takes_cookie_away() && request.given().is_none() && !ends;
    case.test(Invariant::OutageLogsNoOneOut, id, !deletes, || "the cookie was deleted".to_owned());
    let is_unchanged = request.token.is_some() && request.key_after == request.key;
    let creates = request.puts.iter().any(|put| put.is_new_key) && !is_unchanged;
    case.test(Invariant::OutageCreatesNothing, id, !creates, || "a new record was put".to_owned());
}

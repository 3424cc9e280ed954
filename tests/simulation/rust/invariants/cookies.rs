//! A live session keeps its cookie, and a slow answer brings it up to date.

use super::{Case, Invariant, LATE, is_there};
use crate::history::{Id, Request};

pub fn check(case: &mut Case<'_>, id: Id, request: &Request) {
    late_answer(case, id, request);
    if !case.simulation.plan.is_short_lived() {
        live_session(case, id, request);
        saved_session(case, id, request);
    }
}

fn live_session(case: &mut Case<'_>, id: Id, request: &Request) {
    let history = case.history;
    let (Some(token), Some(commit)) = (request.token, &request.commit) else { return };
    let (key, name) = (history.tokens[token].key, &history.tokens[token].name);
    let is_meant = request.flush.is_some() || request.cycled.is_some() || request.created.is_some();
    // Versions that cannot read each other's records keep the cookie of a session that is only read.
    let is_foreign = case.simulation.plan.is_partitioned() && !request.touched.is_empty();
    // Of two sessions under one name none is the request's.
    let of_name = request.presented.iter().filter(|token| history.tokens[**token].name == *name).count();
    let is_invisible = !case.has_published_propagation() && matches!(request.reason(), "unknown" | "lost");
    if is_meant || is_foreign || of_name > 1 || is_invisible || history.is_touched(id, key, commit.ended) {
        return;
    }
    let is_deleted = request.cookies.iter().any(|change| change.token.is_none() && change.name == *name);
    let is_replaced = request.given().is_some_and(|token| history.tokens[token].key != key);
    case.test(Invariant::LiveSessionStays, id, !is_deleted && !is_replaced, || {
        let what = if is_deleted { "deleted" } else { "replaced by a new session's" };
        format!("the cookie was {what}; the application found it {}", request.reason())
    });
}

fn saved_session(case: &mut Case<'_>, id: Id, probe: &Request) {
    let history = case.history;
    let Some(token) = probe.token.filter(|_| probe.is_probe()) else { return };
    let key = history.tokens[token].key;
    if case.simulation.plan.is_partitioned() || history.is_touched(id, key, std::time::Duration::MAX) {
        return;
    }
    case.test(Invariant::SessionStays, id, is_there(probe), || {
        format!("request {} had its cookie; now it is {}", history.tokens[token].by, probe.reason())
    });
}

/// A slow request gives the cookie of what it saved: the login that it could undo has a cookie of another name, or the
/// tombstone of the old key is seen. Only a deletion is withheld. (Before, a request of more than five seconds gave no cookie
/// of an unchanged key.)
fn late_answer(case: &mut Case<'_>, id: Id, request: &Request) {
    let (history, Some(commit)) = (case.history, &request.commit) else { return };
    let continues = request.presented.iter().any(|token| history.tokens[*token].is_ending);
    if commit.began <= request.began + LATE || request.flush.is_some() || request.cycled.is_some() || continues {
        return;
    }
    for token in &request.presented {
        let name = &history.tokens[*token].name;
        let deletes = request.cookies.iter().any(|change| change.token.is_none() && change.name == *name);
        case.test(Invariant::LateDeletionIsWithheld, id, !deletes, || {
            format!("it ran for {:?}; the application found it {}", commit.began - request.began, request.reason())
        });
    }
    let Some(key) = request.token.map(|token| history.tokens[token].key) else { return };
    let is_unchanged = request.key_after == Some(key) && request.is_acknowledged_write();
    let is_undisturbed = request.disturbances.is_empty() && !history.is_touched(id, key, commit.ended);
    if is_unchanged && is_undisturbed && case.simulation.plan.is_usual() && !case.simulation.plan.is_short_lived() {
        let gives = request.given().is_some_and(|given| history.tokens[given].key == key);
        case.test(Invariant::LateAnswerGivesItsCookie, id, gives, || {
            format!("it ran for {:?} and saved", commit.began - request.began)
        });
    }
}

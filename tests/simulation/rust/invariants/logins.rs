//! A login stays: in the browser's jar, on the next page, and in the store.

use std::time::Duration;

use super::{Case, Invariant, is_there};
use crate::analysis::{self, Login};
use crate::history::{Id, Request};
use crate::plan::{Action, CLOCKS, Scope, Traffic, USER};

/// What concerns one request.
pub fn check(case: &mut Case<'_>, id: Id, request: &Request) {
    if case.simulation.plan.traffic == Traffic::ActiveVisitor {
        active_visitor(case, id, request);
    }
    if case.simulation.plan.is_short_lived() || case.simulation.plan.is_partitioned() {
        return;
    }
    stored_login(case, id, request);
    if case.simulation.plan.is_usual() {
        sent_twice(case, id, request);
    }
}

/// What concerns a browser after a login.
pub fn check_browser(case: &mut Case<'_>, login: &Login) {
    if !case.simulation.plan.is_usual() || case.simulation.plan.is_short_lived() {
        return;
    }
    jar(case, login);
    next_page(case, login);
}

/// The answers to an anonymous session's requests cannot take the cookie of a login away, wherever they come from: it has
/// another name. If the login rotated a key that was logged in before, the names are the same, and an answer to an earlier
/// request that arrives later gives the old key's cookie.
fn jar(case: &mut Case<'_>, login: &Login) {
    let (history, until) = (case.history, login.until.min(login.overtaken));
    let during = |at: Duration| at >= login.arrived && at < until;
    let changes = history.jars.iter().filter(|change| change.browser == login.browser && during(change.at));
    for change in changes {
        if is_excused(case, login, change.by) {
            return;
        }
        let holds = login.is_in(history, &change.tokens);
        case.test(Invariant::LoginCookieStays, change.by, holds, || {
            format!("the answer took the cookie of request {}'s login away", login.id)
        });
        if !holds {
            return;
        }
    }
}

/// Where propagation takes longer than the published bound, a location can take a session for unknown. A login there begins
/// another one; after a change of the cookie's path or domain the browser has both.
fn is_excused(case: &Case<'_>, login: &Login, by: Id) -> bool {
    let (one, other) = (case.history.of(login.id), case.history.of(by));
    // On a linearizable store, a copy of a login is a session of its own.
    if case.history.is_linearizable && other.created.is_some() {
        return true;
    }
    let is_unknown = matches!(other.reason(), "unknown" | "new" | "lost" | "malformed");
    !case.has_published_propagation() && one.isolate != other.isolate && is_unknown
}

/// Whether a page whose request was sent after the login's answer arrived shows it.
fn next_page(case: &mut Case<'_>, login: &Login) {
    let history = case.history;
    let made = history.of(login.id);
    let until = login.until.min(login.overtaken);
    let (last, versions) = (case.simulation.plan.versions.len() - 1, &case.simulation.plan.versions);
    for (id, page) in history.of_browser(login.browser) {
        let during = page.sent >= login.arrived && page.loaded_at < until;
        let Some(seen) = page.seen.filter(|_| during && login.is_in(history, &page.presented)) else { continue };
        // The cookie of a second login beside this one: whether its session is visible is that login's question. So it is where
        // the browser has a cookie of both, which have different paths or domains: the younger one counts.
        let is_own = |key: usize| key == login.key || history.descends(key, login.key);
        let is_beside =
            |key: usize| history.are_related(key, login.key) && !is_own(key) && !history.descends(login.key, key);
        let presents_own = page.presented.iter().any(|token| is_own(history.tokens[*token].key));
        if !presents_own || page.key.is_some_and(is_beside) {
            continue;
        }
        // A copy that `create` made of it elsewhere becomes visible with the copy.
        let made = page.key.filter(|key| is_own(*key)).and_then(|key| history.maker(key)).unwrap_or(made);
        // Versions with cookies of different names do not see each other's.
        let is_host = |version: usize| versions[version].scope == Scope::Host;
        if is_host(page.version) != is_host(made.version) {
            continue;
        }
        // A page beside a later login has the key that the login rotates.
        if page.key.is_some_and(|key| history.is_touched(id, key, page.loaded_at)) {
            continue;
        }
        let ended = made.commit.as_ref().map_or(Duration::MAX, |commit| commit.ended);
        let is_exact = page.isolate == made.isolate || case.simulation.plan.profile.is_consistent();
        let may_lack = page.is_degraded() && !is_exact && page.began <= ended.saturating_add(case.bound);
        if !case.has_published_propagation() && page.isolate != made.isolate {
            continue;
        }
        let mut names: Vec<_> = page.presented.iter().map(|token| &history.tokens[*token].name).collect();
        names.sort_unstable();
        let is_double = names.windows(2).any(|pair| pair[0] == pair[1]);
        let invariant = match is_double {
            true if made.version == last && page.version == last => Invariant::MovedCookieLogsIn,
            true => continue,
            false => Invariant::NextPageIsLoggedIn,
        };
        case.test(invariant, id, seen[USER].present || may_lack, || {
            format!("request {} had logged in; now the session is {}", login.id, page.reason())
        });
    }
}

/// Two logins from one anonymous session, the second sent before the answer to the first one: both succeed, and both keep
/// what the session held. (Before, the second one began a session without it, unless both loaded before either saved.)
fn sent_twice(case: &mut Case<'_>, id: Id, second: &Request) {
    let (history, Some(key)) = (case.history, second.key) else { return };
    if !second.is_login() || second.is_logout() || history.keys[key].is_logged_in || !case.has_published_propagation() {
        return;
    }
    let Some(commit) = &second.commit else { return };
    let is_first = |(other, first): &(Id, &Request)| {
        let is_login = first.is_login() && !first.is_logout() && first.is_acknowledged() && *other != id;
        let in_time = first.ended().saturating_add(super::SUPERSEDED) >= commit.ended;
        let rotates = first.cycled.is_some_and(|(old, _)| old == Some(key));
        is_login && rotates && first.key == Some(key) && first.who == second.who && in_time
    };
    let is_twice = |(_, first): &(Id, &Request)| {
        first.received.is_none_or(|received| received >= second.sent)
            && second.received.is_none_or(|received| received >= first.sent)
    };
    let Some((first, _)) = history.each().filter(is_first).find(is_twice) else { return };
    // A logout in between ends what both go on with.
    let is_ended = |(_, other): (Id, &Request)| {
        other.flush.is_some() && other.key.is_some_and(|other| history.are_related(other, key))
    };
    if history.each().any(is_ended) {
        return;
    }
    // A third login has rotated the first one's key: the second one's would have ended with it.
    let is_rotated = |(_, third): (Id, &Request)| {
        let old = third.cycled.and_then(|(old, _)| old);
        third.began <= commit.ended && old.is_some_and(|old| history.descends(old, key))
    };
    if history.each().any(is_rotated) {
        return;
    }
    let is_refused = matches!(second.error(), Some("ES_SESSION_INTERRUPTED" | "ES_SUPERSEDED"));
    case.test(Invariant::DoubleLoginKeepsCart, id, !is_refused, || {
        format!("the login was refused, since request {first} had logged in from the same session")
    });
    let (Some(token), Some(new), true) = (second.token, second.key_after, second.is_acknowledged()) else { return };
    if second.reason() == "lost" {
        return; // An outcome reported to its page that a save had been overwritten before.
    }
    let known = history.tokens[token].known;
    for (page_id, page) in history.each().filter(|(_, page)| page.key == Some(new) && page.reason() == "live") {
        let Some(seen) = page.seen else { continue };
        let lacking = known.into_iter().enumerate().find(|(data_key, mark)| {
            let cleared = history.each().any(|(_, other)| {
                matches!(other.action, Action::Clear(_))
                    && other.key.is_some_and(|other| history.are_related(other, key))
            });
            mark.by > 0 && mark.present && !cleared && analysis::lacks(history, seen[*data_key], mark.by, *data_key)
        });
        case.test(Invariant::DoubleLoginKeepsCart, page_id, lacking.is_none(), || {
            let (data_key, mark) = lacking.unwrap_or_default();
            format!("what request {} wrote under key {data_key} is missing since the login of request {id}", mark.by)
        });
    }
}

/// The login by its own cookie, after everything else.
fn stored_login(case: &mut Case<'_>, id: Id, request: &Request) {
    let history = case.history;
    if !request.is_login() || request.commit.is_none() || !case.simulation.plan.check_ended {
        return;
    }
    let probe = |token: usize| history.each().find(|(_, probe)| probe.is_probe() && probe.token == Some(token));
    match (request.is_acknowledged(), request.given(), request.token, request.cycled) {
        (true, Some(token), ..) if !history.is_touched(id, history.tokens[token].key, Duration::MAX) => {
            let cleared = history.each().any(|(_, other)| {
                let key = history.tokens[token].key;
                let is_related = other.key.is_some_and(|other| history.are_related(other, key));
                matches!(other.action, Action::Clear(_)) && is_related
            });
            let Some((at, probe)) = probe(token).filter(|_| !cleared) else { return };
            let is_in = probe.seen.is_some_and(|seen| seen[USER].present);
            case.test(Invariant::LoginStays, at, is_in, || {
                format!("request {id} had logged it in; now it is {}", probe.reason())
            });
        }
        (false, _, Some(token), Some((Some(old), _))) if !history.is_touched(id, old, Duration::MAX) => {
            let had = request.seen.is_some_and(|seen| seen.iter().any(|mark| mark.present));
            // On a linearizable store all puts of a login may fail, and one of them be applied later.
            if had && history.tokens[token].key == old && !history.is_linearizable {
                let Some((at, probe)) = probe(token) else { return };
                case.test(Invariant::FailedLoginChangesNothing, at, is_there(probe), || {
                    format!("request {id} had tried to log it in; now it is {}", probe.reason())
                });
            }
        }
        _ => {}
    }
}

/// A renewal writes when the deadline moves by a tenth of the life, so that a session lives for nine tenths of it after each
/// request that wants a save. Seven tenths leave room for clocks and for answers under way.
fn active_visitor(case: &mut Case<'_>, id: Id, page: &Request) {
    let (history, Some(browser)) = (case.history, page.browser()) else { return };
    if page.is_probe() || !case.simulation.plan.is_usual() || !case.has_published_propagation() {
        return;
    }
    let age = Duration::from_secs(case.simulation.plan.cookie_age as u64) * 7 / 10;
    let renews = |before: &Request| {
        let began = before.commit.as_ref().filter(|commit| commit.outcome.is_ok()).map(|commit| commit.began);
        let in_time = began.is_some_and(|began| began + age > page.sent + CLOCKS);
        let is_answered = before.received.is_some_and(|received| received <= page.sent);
        let is_logged_in = before.seen.is_some_and(|seen| seen[USER].present) || before.is_login();
        in_time
            && is_answered
            && is_logged_in
            && before.disturbances.is_empty()
            && matches!(before.reason(), "live" | "stale-repaired")
    };
    if !history.of_browser(browser).any(|(_, before)| renews(before)) {
        return;
    }
    let is_exact = case.simulation.plan.profile.is_consistent();
    let is_in = page.seen.is_some_and(|seen| seen[USER].present);
    let may_lack = page.is_degraded() && !is_exact;
    if page.seen.is_some() || page.reason() == "new" {
        case.test(Invariant::ActiveVisitorStays, id, is_in || may_lack || page.is_login(), || {
            format!("the visitor was logged in and active; now the session is {}", page.reason())
        });
    }
}

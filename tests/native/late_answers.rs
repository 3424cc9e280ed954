//! Slow requests: their responses set their cookies as others do, and delete no cookie that may be newer.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use chrono::TimeDelta;
use edge_session::store::Op;
use edge_session::{ErrorKind, LoadReason, Session, Store};
use edge_session_kv_model::{Fault, KvModel, OperationKind};

use crate::support::isolate::{Isolate, Outcome, millis, usual};
use crate::support::{ANONYMOUS, Browser, COOKIE_NAMES, Site, cookies, defaults, run, site, site_with};

/// Runs a request whose handler takes a given time. Returns the effect of its response on the cookies.
fn slow(site: &Site, browser: &mut Browser, milliseconds: i64, handler: impl FnOnce(&mut Session)) -> Vec<String> {
    let mut session = site.load(browser);
    site.now.set(site.now.get() + TimeDelta::milliseconds(milliseconds));
    handler(&mut session);
    cookies(&site.commit(browser, session, 200))
}

/// A logged-in and an anonymous visitor, each with the name of the cookie.
fn visitors(site: &Site) -> [(Browser, &'static str); 2] {
    let (mut user, anonymous) = (site.visitor(), site.visitor());
    site.login(&mut user);
    [(user, COOKIE_NAMES[0]), (anonymous, COOKIE_NAMES[1])]
}

#[test]
fn a_slow_request_that_saves_gives_its_cookie_and_the_next_one_reads_what_it_saved() {
    for milliseconds in [0, 5_000, 5_001, 6_000, 20_000, 600_000] {
        let site = site();
        for (mut browser, name) in visitors(&site) {
            let given = slow(&site, &mut browser, milliseconds, |session| session.set("page", milliseconds).unwrap());
            assert_eq!(given, [format!("+{name}")], "{milliseconds}");
            let mut session = site.load(&browser);
            assert_eq!((session.load_reason(), session.get("page").unwrap()), (LoadReason::Live, Some(milliseconds)));
            assert_eq!(
                slow(&site, &mut browser, milliseconds, |session| session.cycle_key().unwrap())[0],
                "+__Host-sessionid"
            );
        }
        let given = slow(&site, &mut Browser::default(), milliseconds, |session| session.set("page", 1).unwrap());
        assert_eq!(given, ["+__Host-sessionid-anonymous"], "a first session");
    }
}

// Handlers of six seconds logged an active visitor out after half an hour: no response set the renewed cookie.
#[test]
fn an_active_visitor_of_slow_pages_stays_logged_in() {
    for which in 0..2 {
        let site = site_with(defaults().save_every_request(true).cookie_age(1_800));
        let (mut browser, _) = visitors(&site)[which].clone();
        for minute in 0..240 {
            slow(&site, &mut browser, 6_000, |session| {
                assert_eq!(session.get::<String>("user").unwrap().as_deref(), Some("alice"), "after {minute} minutes");
            });
            site.advance(54);
        }
    }
}

#[test]
fn a_slow_request_deletes_no_cookie_that_may_have_been_replaced_meanwhile() {
    let reads = |session: &mut Session| assert!(session.keys().unwrap().is_empty());
    for (milliseconds, is_late) in [(0, false), (5_000, false), (5_001, true), (20_000, true)] {
        for name in COOKIE_NAMES {
            let deletion = if is_late { vec![] } else { vec![format!("-{name}")] };
            let site = site_with(defaults().cookie_age(1_000));
            let visitor = || visitors(&site).into_iter().find(|(_, other)| *other == name).unwrap().0;
            let forged = Browser(Some(format!("{name}=forged")));
            assert_eq!(slow(&site, &mut forged.clone(), milliseconds, reads), deletion, "{milliseconds}: a forged one");
            let expired = visitor();
            site.advance(1_000);
            assert_eq!(
                slow(&site, &mut expired.clone(), milliseconds, reads),
                deletion,
                "{milliseconds}: an expired one"
            );
            let unknown = visitor();
            for (key, _) in site.store.memory.entries() {
                run(site.store.memory.write(vec![Op::Delete { key }])).unwrap();
            }
            site.advance(131);
            let kept = if name == ANONYMOUS { deletion } else { vec![] };
            assert_eq!(slow(&site, &mut unknown.clone(), milliseconds, reads), kept, "{milliseconds}: an unknown one");
            let write = |session: &mut Session| session.set("page", 1).unwrap();
            let given = slow(&site, &mut unknown.clone(), milliseconds, write);
            assert_eq!(given[0], "+__Host-sessionid-anonymous", "the replacement is set as a cookie");
        }
    }
}

#[test]
fn a_slow_logout_deletes_its_cookies() {
    let site = site();
    for (mut browser, name) in visitors(&site) {
        let mut session = site.load(&browser);
        site.advance(60);
        run(site.sessions.flush(&mut session)).unwrap();
        site.advance(60);
        assert_eq!(cookies(&site.commit(&mut browser, session, 200)), [format!("-{name}")]);
    }
}

// A request that loads the login and gets its response after the visitor logged out and in again.
#[test]
fn a_slow_response_does_not_delete_the_anonymous_cookie_unless_the_login_is_its_own() {
    let site = site();
    let [(user, _), (anonymous, _)] = visitors(&site);
    for (milliseconds, deletes) in [(0, true), (5_000, true), (5_001, false)] {
        let mut browser = Browser(Some(format!("{}; {}", user.header(), anonymous.header())));
        let done = slow(&site, &mut browser, milliseconds, |session| session.set("page", milliseconds + 1).unwrap());
        let expected: &[&str] =
            if deletes { &["+__Host-sessionid", "-__Host-sessionid-anonymous"] } else { &["+__Host-sessionid"] };
        assert_eq!(done, expected, "{milliseconds}");
    }
    let mut browser = anonymous.clone();
    let done = slow(&site, &mut browser, 20_000, |session| session.cycle_key().unwrap());
    assert_eq!(done, ["+__Host-sessionid", "-__Host-sessionid-anonymous"]);
}

#[test]
fn without_tombstones_a_slow_request_gives_no_cookie_of_an_unchanged_key() {
    let site = site_with(defaults().check_ended(false));
    for (milliseconds, is_given) in [(5_000, true), (5_001, false)] {
        for (mut browser, name) in visitors(&site) {
            let write = |session: &mut Session| session.set("page", milliseconds).unwrap();
            let given = slow(&site, &mut browser.clone(), milliseconds, write);
            assert_eq!(given, if is_given { vec![format!("+{name}")] } else { vec![] }, "{milliseconds}");
            assert_eq!(site.load(&browser).get("page").unwrap(), Some(milliseconds), "it was stored all the same");
            let given = slow(&site, &mut browser, milliseconds, |session| session.cycle_key().unwrap());
            assert_eq!(given[0], "+__Host-sessionid", "a new key");
        }
    }
}

/// A save whose put takes a given time, and an action meanwhile.
fn slow_put(seconds: u64, meanwhile: impl FnOnce(&Isolate, &Browser)) -> (Isolate, Browser, Outcome) {
    let (model, isolate, browser) = Isolate::with_visitor(usual());
    model.fail_next(OperationKind::Put, Fault::Slow(Duration::from_secs(seconds)));
    let save = isolate.start(isolate.load(&browser), &browser, |session| session.set("page", 1).unwrap());
    model.run_for(millis(500));
    meanwhile(&isolate, &browser);
    model.run_for(Duration::from_secs(20));
    (isolate, browser, save.outcome())
}

/// Records the keys that are read from now on.
fn watch_reads(model: &KvModel) -> Rc<RefCell<Vec<String>>> {
    let reads = Rc::<RefCell<Vec<String>>>::default();
    let noted = Rc::clone(&reads);
    model.on_operation(move |operation| {
        if operation.kind == OperationKind::Get {
            noted.borrow_mut().push(operation.key.split(':').nth(1).unwrap().to_owned());
        }
        None
    });
    reads
}

#[test]
fn after_a_put_of_over_a_second_the_tombstone_is_read_again_before_the_cookie_is_given() {
    for (seconds, expected) in [(0, &[][..]), (2, &["ended"][..])] {
        let mut reads = Rc::default();
        let (_, _, outcome) = slow_put(seconds, |isolate, _| reads = watch_reads(&isolate.model));
        assert_eq!(cookies(&outcome.result.unwrap()), ["+__Host-sessionid-anonymous"]);
        assert_eq!(*reads.borrow(), expected);
    }
}

#[test]
fn a_slow_save_gives_no_cookie_of_a_session_that_was_seen_to_end_meanwhile() {
    for (cycles, in_another_isolate) in [(false, false), (false, true), (true, true)] {
        let (isolate, before, outcome) = slow_put(5, |isolate, browser| {
            let isolate = if in_another_isolate { Isolate::at(&isolate.model, "AMS") } else { isolate.clone() };
            let mut session = isolate.load(browser);
            let sessions = isolate.sessions();
            let done = isolate.model.block_on(async {
                if cycles {
                    session.cycle_key().unwrap();
                    sessions.save(&mut session).await.map(drop)
                } else {
                    sessions.flush(&mut session).await
                }
            });
            done.unwrap().unwrap();
        });
        match outcome.result {
            Ok(headers) if in_another_isolate => {
                assert!(headers.set_cookies().is_empty() && headers.depends_on_cookie(), "{cycles}");
            }
            // Isolate memory has the logout, so that a save which no load can read is not acknowledged.
            result => {
                assert_eq!(result.unwrap_err(), ErrorKind::SessionInterrupted, "{cycles} {in_another_isolate}")
            }
        }
        assert_eq!(outcome.browser, before);
        assert_ne!(isolate.load(&before).load_reason(), LoadReason::Live);
    }
}

#[test]
fn a_slow_save_gives_no_cookie_where_the_tombstone_cannot_be_read_again() {
    let (isolate, before, outcome) = slow_put(3, |isolate, _| {
        isolate.model.on_operation(|operation| (operation.kind == OperationKind::Get).then_some(Fault::Status(503)));
    });
    let headers = outcome.result.unwrap();
    assert!(headers.set_cookies().is_empty() && headers.depends_on_cookie());
    isolate.model.on_operation(|_| None);
    assert_eq!(isolate.get(&before, "page"), Some(1), "the save itself succeeded");
}

#[test]
fn a_slow_response_with_a_copy_of_a_login_does_not_delete_the_anonymous_cookie() {
    let site = site();
    let [(user, _), (anonymous, _)] = visitors(&site);
    for (milliseconds, deletes) in [(0, true), (5_000, true), (5_001, false)] {
        let mut browser = Browser(Some(format!("{}; {}", user.header(), anonymous.header())));
        let done = slow(&site, &mut browser, milliseconds, |session| {
            session.keys().unwrap();
            session.create();
        });
        let expected: &[&str] =
            if deletes { &["+__Host-sessionid", "-__Host-sessionid-anonymous"] } else { &["+__Host-sessionid"] };
        assert_eq!(done, expected, "{milliseconds}");
    }
}

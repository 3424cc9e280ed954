//! A session of the maximum size: which changes are possible.

use chrono::TimeDelta;
use edge_session::settings::SettingsBuilder;
use edge_session::{ErrorKind, Expiry, LoadReason, Session};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use crate::support::{Browser, Site, cookies, defaults, run, site_on, site_with};

const LIMIT: usize = 4_096;

fn settings() -> SettingsBuilder {
    defaults().max_record_bytes(LIMIT).cookie_age(3_600)
}

/// A visitor whose session holds `a`, `b` and the longest `fill` that is accepted, with a number of saves since.
fn full(site: &Site, is_login: bool, saves: usize) -> Browser {
    let mut browser = Browser::default();
    site.request(&mut browser, |session| {
        if is_login {
            session.cycle_key().unwrap();
        }
        session.update([("a", 1), ("b", 1)]).unwrap();
    });
    let (mut fits, mut too_large) = (0, LIMIT);
    while too_large - fits > 1 {
        let middle = usize::midpoint(fits, too_large);
        let mut session = site.load(&browser);
        session.set("fill", "x".repeat(middle)).unwrap();
        match run(site.sessions.commit_headers(&mut session, 200)) {
            Ok(headers) => {
                browser.take(&headers);
                fits = middle;
            }
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::TooLarge);
                too_large = middle;
            }
        }
    }
    assert!(fits > LIMIT - 100, "{fits}");
    for value in 2..saves + 2 {
        site.request(&mut browser, |session| session.set("b", value % 10).unwrap());
    }
    site.event_kinds();
    site.operations();
    browser
}

/// Full sessions of every kind: with and without a rotation, and with each number of saves that the record remembers.
fn each(test: impl Fn(&Site, Browser)) {
    for is_login in [false, true] {
        for saves in [0, 20] {
            let site = site_with(settings());
            let browser = full(&site, is_login, saves);
            test(&site, browser);
        }
    }
}

/// Runs one request. Returns the data that this isolate and another one read afterwards.
fn after(site: &Site, browser: &mut Browser, call: impl FnOnce(&mut Session)) -> Vec<String> {
    let mut session = site.load(browser);
    call(&mut session);
    let expected = session.keys().unwrap();
    browser.take(&run(site.sessions.commit_headers(&mut session, 200)).unwrap());
    for site in [site, &site_on(site.store.clone(), settings())] {
        let mut session = site.load(browser);
        assert_eq!((session.load_reason(), session.keys().unwrap()), (LoadReason::Live, expected.clone()));
    }
    expected
}

#[test]
fn changes_that_do_not_enlarge_a_full_session_succeed() {
    let calls: [fn(&mut Session); 8] = [
        |session| session.remove("a").unwrap(),
        |session| session.set("b", 0).unwrap(),
        |session| session.set("fill", "x").unwrap(),
        |session| _ = session.pop::<String>("fill").unwrap(),
        Session::clear,
        |session| session.set_modified(true),
        |session| session.cycle_key().unwrap(),
        |session| {
            assert!(session.contains_key("a").unwrap());
            session.create();
        },
    ];
    for call in calls {
        each(|site, mut browser| _ = after(site, &mut browser, call));
    }
}

#[test]
fn expiry_and_test_cookie_find_room_in_a_full_session() {
    let calls: [fn(&mut Session); 5] = [
        |session| session.set_expiry(Expiry::BROWSER_CLOSE).unwrap(),
        |session| session.set_expiry(Expiry::Seconds(1_000_000)).unwrap(),
        |session| session.set_expiry(Expiry::In(TimeDelta::microseconds(3_000_000_001))).unwrap(),
        |session| session.set_test_cookie().unwrap(),
        |session| {
            session.set_test_cookie().unwrap();
            session.set_expiry(Expiry::In(TimeDelta::microseconds(3_000_000_001))).unwrap();
            session.cycle_key().unwrap();
        },
    ];
    for call in calls {
        each(|site, mut browser| {
            let keys = after(site, &mut browser, call);
            assert!(keys.len() > 3);
            // They can be removed, and the rest has the same size as before.
            let keys = after(site, &mut browser, |session| {
                session.set_expiry(Expiry::Policy).unwrap();
                let _ = session.delete_test_cookie();
            });
            assert_eq!(keys, ["a", "b", "fill"]);
        });
    }
}

#[test]
fn changes_that_enlarge_a_full_session_are_refused_and_store_nothing() {
    each(|site, browser| {
        let calls: [fn(&mut Session); 4] = [
            |session| session.set("c", 1).unwrap(),
            |session| session.set("b", 10).unwrap(),
            |session| {
                let fill = session.item::<String>("fill").unwrap();
                session.set("fill", fill + "x").unwrap();
            },
            |session| {
                session.cycle_key().unwrap();
                session.set("c", 1).unwrap();
            },
        ];
        for call in calls {
            let before = site.store.memory.entries();
            let mut session = site.load(&browser);
            call(&mut session);
            assert_eq!(site.failed_commit(&mut session).kind(), ErrorKind::TooLarge);
            assert_eq!(site.store.memory.entries(), before);
        }
    });
}

#[test]
fn a_session_that_was_too_large_can_be_made_smaller_and_saved() {
    each(|site, mut browser| {
        let mut session = site.load(&browser);
        session.set("c", 1).unwrap();
        assert_eq!(site.failed_commit(&mut session).kind(), ErrorKind::TooLarge);
        session.remove("a").unwrap();
        browser.take(&run(site.sessions.commit_headers(&mut session, 200)).unwrap());
        assert_eq!(site.load(&browser).keys().unwrap(), ["b", "fill", "c"]);
    });
}

// A renewal adds the tag of its save to the record: pages that only read got a 413.
#[test]
fn pages_that_read_a_full_session_are_served_and_renew_it() {
    for is_login in [false, true] {
        let site = site_with(settings().save_every_request(true));
        let mut browser = full(&site, is_login, 0);
        for page in 0..20 {
            site.advance(400);
            let headers =
                site.request(&mut browser, |session| assert_eq!(session.get("a").unwrap(), Some(1), "{page}"));
            assert_eq!(cookies(&headers).len(), 1, "it is renewed");
        }
        assert!(site.event_kinds().is_empty());
    }
}

// The limit was lowered after the record was written, but not below the size that marks it as another deployment's.
#[test]
fn a_renewal_of_a_record_over_the_limit_does_not_fail_the_response() {
    let site = site_with(settings());
    let mut browser = full(&site, true, 0);
    let lower = site_on(site.store.clone(), settings().max_record_bytes(LIMIT - 500).save_every_request(true));
    site.advance(2_000);
    let before = site.store.memory.entries();
    for status in [200, 404] {
        let headers = lower.request_answered(status, &mut browser, |session| {
            assert_eq!((session.load_reason(), session.get("a").unwrap()), (LoadReason::Live, Some(1)));
        });
        assert!(headers.set_cookies().is_empty() && headers.depends_on_cookie());
        assert_eq!(lower.event_kinds(), ["renewal-failed"]);
    }
    assert_eq!(site.store.memory.entries(), before);
    let mut session = lower.load(&browser);
    session.set("b", 0).unwrap();
    assert_eq!(lower.failed_commit(&mut session).kind(), ErrorKind::TooLarge);
    lower.request(&mut browser, |session| session.remove("fill").unwrap());
    assert_eq!(lower.load(&browser).keys().unwrap(), ["a", "b"], "a change that makes it fit succeeds");
}

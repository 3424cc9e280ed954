//! Sessions outside of the browser's requests: opened and deleted by key, saved beside a request, and copied.

use edge_session::{ErrorKind, LoadReason, Session};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use crate::support::{self, Browser, Failing, Site, cookies, defaults, run, site, site_with};

fn open(site: &Site, key: &str) -> Session {
    run(site.sessions.open(key)).unwrap()
}

/// A browser whose key was rotated a number of times, with all its cookies and keys.
fn rotated(site: &Site, rotations: usize) -> (Browser, Vec<(Browser, String)>) {
    let mut browser = site.visitor();
    let mut all = vec![(browser.clone(), site.session_key(&browser))];
    for _ in 0..rotations {
        site.login(&mut browser);
        all.push((browser.clone(), site.session_key(&browser)));
    }
    site.operations();
    site.event_kinds();
    (browser, all)
}

fn is_ended(site: &Site, browser: &Browser) -> bool {
    let mut session = site.load(browser);
    session.load_reason() == LoadReason::Revoked && session.keys().unwrap().is_empty()
}

// A commit returned the cookie of another visitor's session.
#[test]
fn the_commit_of_a_session_that_was_opened_by_its_key_is_an_error_and_gives_no_cookie() {
    let handlers: [fn(&Site, &mut Session); 6] = [
        |_, _| (),
        |_, session| _ = session.keys().unwrap(),
        |_, session| session.set("page", 1).unwrap(),
        |_, session| session.cycle_key().unwrap(),
        |_, session| session.create(),
        |site, session| {
            session.set("page", 2).unwrap();
            run(site.sessions.save(session)).unwrap();
        },
    ];
    for handler in handlers {
        let site = site();
        let browser = site.visitor();
        let key = site.session_key(&browser);
        for status in [200, 500] {
            let mut session = open(&site, &key);
            handler(&site, &mut session);
            let before = site.store.memory.entries();
            let error = run(site.sessions.commit_headers(&mut session, status)).unwrap_err();
            assert_eq!((error.kind(), error.code()), (ErrorKind::Usage, "ES_USAGE"));
            assert!(error.to_string().contains("`save`") && error.to_string().contains("`load`"), "{error}");
            assert_eq!(site.store.memory.entries(), before);
        }
    }
    // Also after a logout, and for a key under which nothing is stored.
    let site = site();
    let mut session = open(&site, &site.session_key(&site.visitor()));
    run(site.sessions.flush(&mut session)).unwrap();
    assert_eq!(site.failed_commit(&mut session).kind(), ErrorKind::Usage);
    let mut session = open(&site, "0123456789abcdefghijklmnopqrstuv");
    assert_eq!(site.failed_commit(&mut session).kind(), ErrorKind::Usage);
    // A session without a key belongs to no other visitor.
    let mut session = site.sessions.new_session().unwrap();
    session.set("page", 1).unwrap();
    assert!(run(site.sessions.commit_headers(&mut session, 200)).unwrap().set_cookie().is_some());
}

#[test]
fn a_save_beside_a_request_and_the_requests_own_are_both_kept() {
    for outside_first in [false, true] {
        let site = site();
        let mut browser = site.visitor();
        let key = site.session_key(&browser);
        let (mut outside, mut inside) = (open(&site, &key), site.load(&browser));
        outside.set("notice", "sent").unwrap();
        inside.set("page", 1).unwrap();
        if outside_first {
            run(site.sessions.save(&mut outside)).unwrap();
            site.commit(&mut browser, inside, 200);
        } else {
            site.commit(&mut browser, inside, 200);
            run(site.sessions.save(&mut outside)).unwrap();
        }
        for site in [&site, &site.another_isolate()] {
            assert_eq!(site.load(&browser).keys().unwrap().len(), 3, "{outside_first}");
            assert_eq!(site.load(&browser).load_reason(), LoadReason::Live);
        }
    }
}

#[test]
fn an_event_reports_a_save_from_outside_that_the_isolate_lost_and_restores() {
    // The store shows the isolate of the outside save a record of another isolate, which lacks that save.
    let site = site();
    let mut browser = site.visitor();
    let far = site.elsewhere(defaults());
    let mut outside = open(&site, &site.session_key(&browser));
    outside.set("notice", "sent").unwrap();
    run(site.sessions.save(&mut outside)).unwrap();
    far.request(&mut browser, |session| session.set("page", 1).unwrap());
    site.catch_up(&far);
    site.event_kinds();
    let mut session = site.load(&browser);
    assert_eq!(site.event_kinds(), ["diverged"]);
    assert_eq!(session.keys().unwrap(), ["user", "page", "notice"]);
    // A commit without a change stores it, and the cookie's token names both.
    let headers = site.commit(&mut browser, session, 200);
    assert_eq!(cookies(&headers), ["+__Host-sessionid-anonymous"]);
    assert_eq!(site.record()["data"], serde_json::json!({ "user": "alice", "page": 1, "notice": "sent" }));
    assert_eq!(site.another_isolate().load(&browser).load_reason(), LoadReason::Live);
}

#[test]
fn delete_ends_the_session_of_a_key_under_every_key_that_was_made_of_it() {
    for rotations in 0..=8 {
        for (at, reach) in (0..=rotations).map(|at| (at, rotations - at)).filter(|(_, reach)| *reach <= 3) {
            let site = site();
            let (_, all) = rotated(&site, rotations);
            site.advance(200);
            let elsewhere = site.another_isolate();
            run(elsewhere.sessions.delete(&all[at].1)).unwrap();
            for site in [&site, &elsewhere, &site.another_isolate()] {
                for (browser, _) in &all[at..] {
                    assert!(is_ended(site, browser), "key {at}, {reach} rotations ahead of it");
                }
            }
        }
    }
}

#[test]
fn open_and_flush_end_the_same_keys_as_delete() {
    for (at, rotations) in [(0, 0), (0, 1), (1, 2), (1, 4), (2, 3)] {
        let site = site();
        let (browser, all) = rotated(&site, rotations);
        site.advance(200);
        let elsewhere = site.another_isolate();
        let mut session = open(&elsewhere, &all[at].1);
        run(elsewhere.sessions.flush(&mut session)).unwrap();
        for site in [&site, &elsewhere] {
            assert!(is_ended(site, &browser), "key {at} of {rotations}");
        }
    }
}

#[test]
fn delete_ends_a_sibling_of_a_double_login() {
    let site = site();
    let browser = site.visitor();
    let (mut one, mut other) = (browser.clone(), browser.clone());
    site.login(&mut one);
    site.login(&mut other);
    run(site.sessions.delete(&site.session_key(&one))).unwrap();
    assert!(is_ended(&site, &one) && is_ended(&site, &other));
}

#[test]
fn delete_interrupts_a_login_and_a_save_that_run_beside_it() {
    for cycles in [false, true] {
        let site = site();
        let browser = site.visitor();
        let mut slow = site.load(&browser);
        slow.set("page", 1).unwrap();
        if cycles {
            slow.cycle_key().unwrap();
        }
        run(site.another_isolate().sessions.delete(&site.session_key(&browser))).unwrap();
        site.advance(1);
        let error = site.failed_commit(&mut slow);
        assert_eq!(error.kind(), ErrorKind::SessionInterrupted);
        assert_eq!(site.stored().0, 0);
    }
}

#[test]
fn delete_tries_each_tombstone_once_more_and_reports_what_failed() {
    let (ended, site) = (|number: usize| vec!["put ended"; number], site());
    for (refused, puts, is_ok) in [(0, 4, true), (1, 5, true), (4, 8, true), (5, 8, false), (8, 8, false)] {
        let key = site.session_key(&site.visitor());
        for _ in 0..refused {
            site.refuse(["put ended"]);
        }
        site.operations();
        let result = run(site.sessions.delete(&key));
        assert_eq!(
            result.as_ref().err().map(edge_session::Error::kind),
            (!is_ok).then_some(ErrorKind::StoreUnavailable)
        );
        assert_eq!(site.operations(), [vec!["read"; 2], ended(puts), vec!["delete"]].concat());
    }
    // A failed read does not prevent the revocation of the key.
    let browser = site.visitor();
    let key = site.session_key(&browser);
    site.fail(Failing::Reads);
    run(site.sessions.delete(&key)).unwrap();
    site.fail(Failing::Nothing);
    assert!(is_ended(&site, &browser) && is_ended(&site.another_isolate(), &browser));
}

#[test]
fn a_copy_of_a_login_ends_with_it_and_the_login_with_the_copy() {
    for leaves_copy in [false, true] {
        let site = site();
        let mut browser = site.visitor();
        site.login(&mut browser);
        let original = browser.clone();
        site.request(&mut browser, |session| {
            assert_eq!(session.get::<String>("user").unwrap().as_deref(), Some("alice"));
            session.create();
        });
        let copy = browser;
        assert_ne!(copy, original);
        assert_eq!((site.user(&original).as_deref(), site.user(&copy).as_deref()), (Some("alice"), Some("alice")));
        assert_eq!(site.record_of(&copy)["rotations"], 1);
        site.logout(&mut if leaves_copy { copy.clone() } else { original.clone() }, 200);
        for site in [&site, &site.another_isolate()] {
            assert!(is_ended(site, &original) && is_ended(site, &copy));
        }
    }
}

#[test]
fn a_copy_has_the_absolute_deadline_of_the_session_whose_data_it_holds() {
    for is_login in [false, true] {
        let site = site_with(defaults().absolute_age(1_000).cookie_age(1_000));
        let mut browser = site.visitor();
        if is_login {
            site.login(&mut browser);
        }
        for _ in 0..4 {
            site.advance(240);
            site.request(&mut browser, |session| {
                assert!(session.contains_key("user").unwrap());
                session.create();
            });
        }
        site.advance(40);
        assert_eq!((site.load(&browser).load_reason(), site.user(&browser)), (LoadReason::Expired, None));
    }
}

#[test]
fn create_without_a_read_of_the_old_session_starts_another_one() {
    let site = site_with(defaults().absolute_age(1_000).cookie_age(1_000));
    let mut browser = site.visitor();
    site.login(&mut browser);
    let original = browser.clone();
    site.advance(900);
    let headers = site.request(&mut browser, |session| {
        session.create();
        session.set("user", "bob").unwrap();
    });
    assert_eq!(cookies(&headers)[0], "+__Host-sessionid-anonymous");
    let created = Browser(browser.cookie(support::ANONYMOUS).map(|token| format!("{}={token}", support::ANONYMOUS)));
    site.logout(&mut original.clone(), 200);
    site.advance(900);
    assert_eq!(site.user(&created).as_deref(), Some("bob"), "neither its deadline nor its family is the old one's");
}

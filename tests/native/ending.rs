//! An unfinished logout: its cookie becomes an ending token, with which later requests finish it.

use edge_session::{ErrorKind, LoadReason, Session};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use crate::support::{ANONYMOUS, Browser, Failing, ROTATED, Site, cookies, defaults, run, site, site_with};

/// The cookies before and after a logout that put no tombstone.
fn failed_logout(site: &Site, is_login: bool) -> (Browser, Browser) {
    let mut browser = site.visitor();
    if is_login {
        site.login(&mut browser);
    }
    let old = browser.clone();
    site.fail(Failing::Puts);
    let mut session = site.load(&browser);
    assert_eq!(run(site.sessions.flush(&mut session)).unwrap_err().kind(), ErrorKind::StoreUnavailable);
    let headers = site.commit(&mut browser, session, 503);
    let expected: &[&str] =
        if is_login { &["+__Host-sessionid"] } else { &["+__Host-sessionid", "-__Host-sessionid-anonymous"] };
    assert_eq!(cookies(&headers), expected);
    assert!(headers.depends_on_cookie());
    site.event_kinds();
    site.operations();
    (old, browser)
}

#[test]
fn a_logout_that_failed_replaces_the_cookie_by_a_token_that_opens_no_session() {
    for is_login in [false, true] {
        let site = site();
        let (old, ending) = failed_logout(&site, is_login);
        let token = ending.cookie(ROTATED).unwrap();
        assert_ne!(old.cookie(ROTATED).or(old.cookie(ANONYMOUS)), Some(token.clone()));
        // The store still fails: it is unknown whether the session has ended.
        for site in [&site, &site.another_isolate()] {
            site.fail(Failing::Puts);
            let mut session = site.load(&ending);
            assert_eq!(session.load_reason(), LoadReason::Unavailable);
            assert_eq!(session.get::<String>("user").unwrap_err().kind(), ErrorKind::StoreUnavailable);
        }
        // Under the other cookie name it is an invalid token.
        let renamed = Browser(Some(format!("{ANONYMOUS}={token}")));
        assert_eq!(site.load(&renamed).load_reason(), LoadReason::Malformed);
    }
}

#[test]
fn the_cookie_of_a_logout_that_failed_lasts_to_the_absolute_deadline_of_the_session() {
    let site = site_with(defaults().absolute_age(1_000).cookie_age(100));
    let mut browser = site.visitor();
    site.login(&mut browser);
    site.advance(50);
    site.fail(Failing::Puts);
    let mut session = site.load(&browser);
    run(site.sessions.flush(&mut session)).unwrap_err();
    let headers = site.commit(&mut browser, session, 503);
    let cookie = headers.set_cookie().unwrap();
    // The retry happened a second later.
    assert!(cookie.ends_with("; Max-Age=949; Path=/; Secure; HttpOnly; SameSite=Lax"), "{cookie}");
}

#[test]
fn the_next_request_finishes_the_logout_before_anything_else_and_deletes_its_cookie() {
    for is_login in [false, true] {
        for touches in [false, true] {
            let site = site();
            let (old, mut ending) = failed_logout(&site, is_login);
            site.fail(Failing::Nothing);
            let elsewhere = site.another_isolate();
            site.operations();
            let headers = elsewhere.request(&mut ending, |session| {
                assert_eq!(session.load_reason(), LoadReason::Revoked);
                if touches {
                    assert!(session.keys().unwrap().is_empty() && session.session_key().is_none());
                }
            });
            assert_eq!(site.operations(), ["put ended", "put ended", "delete"]);
            assert_eq!(cookies(&headers), ["-__Host-sessionid"]);
            assert_eq!(ending.0, None);
            for site in [&site, &elsewhere, &site.another_isolate()] {
                assert_eq!((site.load(&old).load_reason(), site.user(&old)), (LoadReason::Revoked, None));
            }
        }
    }
}

#[test]
fn a_logout_is_finished_with_the_tombstones_of_the_key_and_of_the_next_rotation() {
    let site = site();
    let (_, mut ending) = failed_logout(&site, true);
    site.fail(Failing::Nothing);
    site.event_kinds();
    site.request(&mut ending, |_| ());
    assert_eq!(site.operations(), ["put ended", "put ended", "delete"]);
    assert_eq!(site.event_kinds(), ["flushed", "revoked"]);
    site.request(&mut ending, |_| ());
    assert!(site.operations().is_empty(), "that was all");
}

#[test]
fn while_the_store_fails_the_cookie_stays_and_nothing_is_created() {
    let calls: [fn(&mut Session); 6] = [
        |session| _ = session.set("user", "bob"),
        |session| _ = session.cycle_key(),
        |session| {
            session.clear();
            _ = session.set("user", "bob");
        },
        |session| {
            session.create();
            _ = session.set("user", "bob");
        },
        Session::create,
        |session| session.set_modified(true),
    ];
    for failing in [Failing::Puts, Failing::Everything] {
        for (at, call) in calls.into_iter().enumerate() {
            let site = site();
            let (old, ending) = failed_logout(&site, true);
            site.fail(failing);
            let mut session = site.load(&ending);
            call(&mut session);
            let before = site.store.memory.entries();
            site.fail(Failing::Nothing);
            // The store works again, so that this request could create a session.
            let result = run(site.sessions.commit_headers(&mut session, 200));
            assert!(result.as_ref().map_or(true, |headers| headers.set_cookies().is_empty()), "{at}: {result:?}");
            if let Err(error) = result {
                assert_eq!(error.kind(), ErrorKind::StoreUnavailable, "{at}");
            }
            assert!(at < 2 || run(site.sessions.save(&mut session)).is_err(), "{at}");
            assert_eq!(site.store.memory.entries(), before, "{at}");
            assert_eq!(site.another_isolate().user(&old), None, "its record was deleted");
        }
    }
}

#[test]
fn a_page_that_does_not_touch_its_session_is_served_while_the_store_fails() {
    let site = site();
    let (_, ending) = failed_logout(&site, true);
    for _ in 0..3 {
        let headers = site.request(&mut ending.clone(), |_| ());
        assert!(headers.set_cookies().is_empty() && !headers.depends_on_cookie());
    }
    site.fail(Failing::Nothing);
    assert_eq!(
        cookies(&site.request(&mut ending.clone(), |_| ())),
        ["-__Host-sessionid"],
        "it is tried again each time"
    );
}

#[test]
fn an_explicit_logout_with_an_ending_token_can_fail_again_and_succeed() {
    let site = site();
    let (_, mut browser) = failed_logout(&site, true);
    let mut session = site.load(&browser);
    assert_eq!(run(site.sessions.flush(&mut session)).unwrap_err().kind(), ErrorKind::StoreUnavailable);
    assert_eq!(cookies(&site.commit(&mut browser, session, 503)), ["+__Host-sessionid"]);
    let mut session = site.load(&browser);
    site.fail(Failing::Nothing);
    run(site.sessions.flush(&mut session)).unwrap();
    assert_eq!(cookies(&site.commit(&mut browser, session, 200)), ["-__Host-sessionid"]);
    assert_eq!(site.user(&browser), None);
}

#[test]
fn in_the_request_of_a_failed_logout_nothing_can_be_stored() {
    let site = site();
    let mut browser = site.visitor();
    site.fail(Failing::Puts);
    let mut session = site.load(&browser);
    run(site.sessions.flush(&mut session)).unwrap_err();
    site.fail(Failing::Nothing);
    session.set("user", "bob").unwrap();
    let before = site.store.memory.entries();
    assert_eq!(run(site.sessions.save(&mut session)).unwrap_err().kind(), ErrorKind::StoreUnavailable);
    let error = site.failed_commit(&mut session);
    assert_eq!(error.kind(), ErrorKind::StoreUnavailable);
    assert_eq!(site.store.memory.entries(), before);
    // The error page still carries the ending token.
    let headers = site.commit(&mut browser, session, 503);
    assert_eq!(cookies(&headers), ["+__Host-sessionid", "-__Host-sessionid-anonymous"]);
    assert_eq!(site.user(&browser), None);
}

#[test]
fn data_stored_in_the_request_that_finishes_a_logout_belong_to_a_new_session() {
    let site = site();
    let (old, mut browser) = failed_logout(&site, true);
    site.fail(Failing::Nothing);
    let headers = site.request(&mut browser, |session| session.set("user", "bob").unwrap());
    assert_eq!(cookies(&headers), ["+__Host-sessionid-anonymous", "-__Host-sessionid"]);
    assert_eq!((site.user(&browser).as_deref(), site.user(&old)), (Some("bob"), None));
}

// The response to a save in another tab set its cookie beside the ending token.
#[test]
fn an_anonymous_session_beside_an_ending_token_opens_once_the_logout_has_finished() {
    let site = site();
    let (_, ending) = failed_logout(&site, true);
    site.fail(Failing::Nothing);
    let anonymous = site.visitor();
    site.fail(Failing::Puts);
    let mut browser = Browser(Some(format!("{}; {}", ending.header(), anonymous.header())));
    assert_eq!(site.load(&browser).load_reason(), LoadReason::Unavailable, "not before");
    site.fail(Failing::Nothing);
    let headers = site.request(&mut browser, |session| {
        assert_eq!(session.get::<String>("user").unwrap().as_deref(), Some("alice"));
    });
    assert_eq!(cookies(&headers), ["-__Host-sessionid"]);
    assert_eq!(browser, anonymous);
}

#[test]
fn a_late_response_with_the_old_cookie_does_not_undo_a_failed_logout() {
    let site = site();
    let mut browser = site.visitor();
    site.login(&mut browser);
    let mut slow = site.load(&browser);
    slow.set("page", 1).unwrap();
    site.fail(Failing::Puts);
    let mut session = site.load(&browser);
    run(site.sessions.flush(&mut session)).unwrap_err();
    site.commit(&mut browser, session, 503);
    site.fail(Failing::Nothing);
    // Isolate memory has the logout; elsewhere the record is missing.
    let error = site.failed_commit(&mut slow);
    assert_eq!(error.kind(), ErrorKind::SessionInterrupted);
    site.request(&mut browser, |_| ());
    assert_eq!(browser.0, None);
}

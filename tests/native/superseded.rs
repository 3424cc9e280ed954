//! Superseded keys: requests with a key that another request, such as a login, rotated a moment before.

use edge_session::{ErrorKind, LoadReason, Session};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use crate::support::{self, ANONYMOUS, Browser, Site, cookies, defaults, run, site, site_with};

/// A site, the cookies before a login, and those after it. The session holds a cart.
fn logged_in(site: &Site) -> (Browser, Browser) {
    let mut browser = site.visitor();
    site.request(&mut browser, |session| session.set("cart", ["apple"]).unwrap());
    let old = browser.clone();
    site.request(&mut browser, |session| {
        session.cycle_key().unwrap();
        session.set("user", "member").unwrap();
    });
    site.event_kinds();
    site.operations();
    (old, browser)
}

fn reason(site: &Site, browser: &Browser) -> LoadReason {
    site.load(browser).load_reason()
}

fn cart(site: &Site, browser: &Browser) -> Option<Vec<String>> {
    site.load(browser).get("cart").unwrap()
}

#[test]
fn a_key_is_superseded_for_100_seconds_after_its_rotation_and_revoked_from_then_on() {
    let site = site();
    let (old, mut user) = logged_in(&site);
    let between = user.clone();
    site.login(&mut user);
    site.event_kinds();
    let elsewhere = site.another_isolate();
    for (seconds, expected) in [(0, "superseded"), (100, "superseded"), (1, "revoked"), (1_000, "revoked")] {
        site.advance(seconds);
        for site in [&site, &elsewhere] {
            for old in [&old, &between] {
                let mut session = site.load(old);
                assert_eq!(session.load_reason().as_str(), expected, "{seconds}");
                assert!(session.keys().unwrap().is_empty(), "it reads as empty");
                assert!(session.session_key().is_none());
            }
            assert_eq!(site.event_kinds(), [expected, expected]);
            assert_eq!(site.user(&user).as_deref(), Some("member"));
        }
    }
}

#[test]
fn a_superseded_session_is_read_without_a_change_of_its_cookies() {
    for settings in [defaults(), defaults().save_every_request(true)] {
        let site = site_with(settings);
        let (old, _) = logged_in(&site);
        site.advance(50);
        let before = site.store.memory.entries();
        let handlers: [fn(&mut Session); 3] =
            [|_| (), |session| assert!(session.keys().unwrap().is_empty()), |session| _ = session.is_new().unwrap()];
        for (at, handler) in handlers.into_iter().enumerate() {
            for status in [200, 404, 500] {
                let headers = site.request_answered(status, &mut old.clone(), handler);
                assert!(headers.set_cookies().is_empty(), "{at}");
                assert_eq!(headers.depends_on_cookie(), at > 0);
            }
        }
        assert_eq!(site.store.memory.entries(), before);
    }
}

#[test]
fn every_save_of_a_superseded_session_but_that_of_a_new_key_is_refused() {
    let calls: [fn(&mut Session); 6] = [
        |session| session.set("draft", 1).unwrap(),
        |session| {
            session.get::<String>("user").unwrap();
            session.set("draft", 1).unwrap();
        },
        Session::clear,
        Session::create,
        |session| session.set_modified(true),
        |session| session.set_test_cookie().unwrap(),
    ];
    for is_login in [true, false] {
        for (at, call) in calls.into_iter().enumerate() {
            let site = site();
            let (mut old, mut user) = logged_in(&site);
            if !is_login {
                old = user.clone();
                site.login(&mut user);
                site.event_kinds();
            }
            let before = site.store.memory.entries();
            for site in [&site, &site.another_isolate()] {
                for explicitly in [false, true] {
                    let mut session = site.load(&old);
                    call(&mut session);
                    let error = match explicitly {
                        true => run(site.sessions.save(&mut session)).unwrap_err(),
                        false => site.failed_commit(&mut session),
                    };
                    assert_eq!((error.kind(), error.code()), (ErrorKind::Superseded, "ES_SUPERSEDED"), "{at}");
                    assert_eq!(site.event_kinds(), ["superseded", "refused-superseded"]);
                }
            }
            assert_eq!(site.store.memory.entries(), before);
            assert_eq!(site.user(&user).as_deref(), Some("member"));
        }
    }
}

#[test]
fn a_write_that_was_loaded_before_a_login_and_is_saved_after_it_is_refused() {
    let site = site();
    let mut browser = site.visitor();
    let elsewhere = site.another_isolate();
    let saving: Vec<_> = [&site, &elsewhere].map(|site| site.load(&browser)).into();
    site.login(&mut browser);
    site.advance(1);
    let before = site.store.memory.entries();
    for (mut session, site) in saving.into_iter().zip([&site, &elsewhere]) {
        session.set("draft", 1).unwrap();
        let error = site.failed_commit(&mut session);
        assert_eq!(error.kind(), ErrorKind::Superseded);
    }
    assert_eq!(site.store.memory.entries(), before);
    assert_eq!(site.load(&browser).get::<u8>("draft").unwrap(), None);
}

// A login form that was sent twice: the second request has the cookie from before the first one, and gets its response last.
#[test]
fn a_second_login_keeps_the_cart_and_belongs_to_the_same_family() {
    for another_isolate in [false, true] {
        let site = site();
        let (old, first) = logged_in(&site);
        let second_site = if another_isolate { &site.another_isolate() } else { &site };
        site.advance(2);
        let mut second = old.clone();
        let headers = second_site.request(&mut second, |session| {
            session.cycle_key().unwrap();
            assert!(session.contains_key("cart").unwrap(), "it is there at once");
            session.set("user", "member").unwrap();
        });
        assert_eq!(cookies(&headers), ["+__Host-sessionid", "-__Host-sessionid-anonymous"]);
        assert_eq!(second_site.event_kinds(), ["superseded", "cycled"]);
        for site in [&site, second_site] {
            assert_eq!(site.load(&second).keys().unwrap(), ["user", "cart"]);
            assert_eq!(cart(site, &second).as_deref(), Some(&["apple".to_owned()][..]));
            assert_eq!(site.user(&first).as_deref(), Some("member"), "the first one lives beside it");
        }
        let keys = [&old, &first, &second].map(|browser| match browser.cookie(ANONYMOUS) {
            Some(_) => None,
            None => Some(site.session_key(browser)),
        });
        let [None, Some(first_key), Some(second_key)] = keys else { panic!("one anonymous, two logins") };
        assert!(first_key != second_key && first_key[..12] == second_key[..12]);
        // A logout with either key revokes both.
        let leaving = if another_isolate { &first } else { &second };
        second_site.logout(&mut leaving.clone(), 200);
        for browser in [&first, &second] {
            assert_eq!(second_site.user(browser), None);
            assert_eq!(site.another_isolate().user(browser), None);
        }
    }
}

#[test]
fn values_that_a_second_login_set_before_its_rotation_are_kept() {
    let site = site();
    let (old, _) = logged_in(&site);
    let mut second = old;
    site.request(&mut second, |session| {
        session.set("theme", "dark").unwrap();
        session.cycle_key().unwrap();
        session.set("user", "other").unwrap();
    });
    let mut session = site.load(&second);
    assert_eq!(session.get::<String>("theme").unwrap().as_deref(), Some("dark"));
    assert_eq!(session.get::<String>("user").unwrap().as_deref(), Some("other"));
    assert!(session.contains_key("cart").unwrap());
}

#[test]
fn data_that_the_first_login_stored_are_not_visible_to_the_second_one() {
    let site = site();
    let (old, mut first) = logged_in(&site);
    site.request(&mut first, |session| session.set("secret", 1).unwrap());
    let mut second = old;
    site.login(&mut second);
    assert_eq!(site.user(&second).as_deref(), Some("alice"), "it starts from the anonymous record");
    assert!(!site.load(&second).contains_key("secret").unwrap());
}

#[test]
fn a_new_key_for_a_superseded_key_of_a_login_has_none_of_its_data_and_ends_with_it() {
    let site = site();
    let (_, mut user) = logged_in(&site);
    let old = user.clone();
    site.login(&mut user);
    let mut again = old;
    site.request(&mut again, |session| {
        session.cycle_key().unwrap();
        session.set("own", 1).unwrap();
    });
    assert_eq!(site.load(&again).keys().unwrap(), ["own"], "the old key gets no data of the login");
    assert_eq!(site.user(&user).as_deref(), Some("member"));
    site.logout(&mut user.clone(), 200);
    for site in [&site, &site.another_isolate()] {
        assert_eq!((reason(site, &user), reason(site, &again)), (LoadReason::Revoked, LoadReason::Revoked));
    }
}

#[test]
fn a_logout_with_a_superseded_key_ends_the_login_that_replaced_it() {
    let site = site();
    let (old, user) = logged_in(&site);
    let mut again = user.clone();
    site.login(&mut again);
    for key in [&old, &user] {
        assert_eq!(reason(&site, key), LoadReason::Superseded);
    }
    let headers = site.logout(&mut old.clone(), 200);
    assert_eq!(cookies(&headers), ["-__Host-sessionid-anonymous"]);
    for site in [&site, &site.another_isolate()] {
        for key in [&old, &user, &again] {
            assert_eq!((reason(site, key), site.user(key)), (LoadReason::Revoked, None));
        }
    }
}

#[test]
fn a_superseded_key_is_revoked_once_the_login_that_replaced_it_has_ended() {
    let site = site();
    let (old, user) = logged_in(&site);
    let elsewhere = site.another_isolate();
    // The load also reads the tombstone of the login.
    elsewhere.store.reads.take();
    assert_eq!(reason(&elsewhere, &old), LoadReason::Superseded);
    assert_eq!(elsewhere.store.reads.take(), [vec!["session", "ended"], vec!["ended"]]);
    // A second login, loaded before the logout and committed after it.
    let mut second = elsewhere.load(&old);
    second.cycle_key().unwrap();
    site.logout(&mut user.clone(), 200);
    let error = elsewhere.failed_commit(&mut second);
    assert_eq!(error.kind(), ErrorKind::SessionInterrupted);
    for site in [&site, &elsewhere] {
        assert_eq!(reason(site, &old), LoadReason::Revoked);
        // A session made from it now has none of the ended session's data.
        let mut new = old.clone();
        site.request(&mut new, |session| session.cycle_key().unwrap());
        assert_eq!((site.user(&new), cart(site, &new)), (None, None));
    }
}

#[test]
fn where_tombstones_are_not_read_a_rotated_key_reads_as_empty_since_its_record_was_deleted() {
    let settings = || defaults().check_ended(false);
    let site = site_with(settings());
    let (old, user) = logged_in(&site);
    let elsewhere = support::site_on(site.store.clone(), settings());
    for (seconds, here, there) in
        [(0, LoadReason::NotYetVisible, LoadReason::NotYetVisible), (101, LoadReason::Revoked, LoadReason::Unknown)]
    {
        site.advance(seconds);
        assert_eq!((reason(&site, &old), reason(&elsewhere, &old)), (here, there));
        for site in [&site, &elsewhere] {
            assert_eq!((site.user(&old), site.user(&user).as_deref()), (None, Some("member")));
        }
    }
}

// The first rotation stored its record, but no tombstone.
#[test]
fn a_second_new_key_ends_the_old_one_where_the_first_one_could_not() {
    let site = site();
    let (_, mut user) = logged_in(&site);
    let old = user.clone();
    site.refuse(["put cycled", "put cycled", "delete"]);
    site.login(&mut user);
    assert_eq!(reason(&site.another_isolate(), &old), LoadReason::Live);
    assert_eq!(reason(&site, &old), LoadReason::Superseded);
    let mut again = old.clone();
    let headers = site.request(&mut again, |session| session.cycle_key().unwrap());
    assert!(!headers.saved().old_record_remains);
    assert_eq!(reason(&site.another_isolate(), &old), LoadReason::Superseded);
    assert_eq!(site.user(&old), None);
}

#[test]
fn a_second_login_puts_no_second_tombstone() {
    for is_anonymous in [true, false] {
        let site = site();
        let (mut old, mut user) = logged_in(&site);
        if !is_anonymous {
            old = user.clone();
            site.login(&mut user);
        }
        site.operations();
        site.request(&mut old.clone(), |session| session.cycle_key().unwrap());
        assert!(!site.operations().contains(&"put cycled".to_owned()), "{is_anonymous}");
    }
}

#[test]
fn a_new_key_beside_another_one_is_refused_once_the_session_has_ended() {
    for is_copy in [true, false] {
        let site = site();
        let (_, mut user) = logged_in(&site);
        let (old, elsewhere) = (user.clone(), site.another_isolate());
        if !is_copy {
            site.login(&mut user);
        }
        let mut session = elsewhere.load(&old);
        assert_eq!(session.contains_key("cart").unwrap(), is_copy);
        if is_copy {
            session.create()
        } else {
            session.cycle_key().unwrap()
        }
        site.logout(&mut user.clone(), 200);
        let before = site.store.memory.entries();
        let error = elsewhere.failed_commit(&mut session);
        assert_eq!(error.kind(), ErrorKind::SessionInterrupted, "{is_copy}");
        assert_eq!(site.store.memory.entries(), before);
    }
}

#[test]
fn a_login_that_was_loaded_before_the_first_one_is_refused_once_that_has_ended() {
    let site = site();
    let mut browser = site.visitor();
    let elsewhere = site.another_isolate();
    let mut second = elsewhere.load(&browser);
    second.cycle_key().unwrap();
    site.login(&mut browser);
    site.logout(&mut browser, 200);
    let before = site.store.memory.entries();
    let error = elsewhere.failed_commit(&mut second);
    assert_eq!(error.kind(), ErrorKind::SessionInterrupted);
    assert_eq!(site.store.memory.entries(), before);
}

#[test]
fn a_login_that_was_loaded_before_the_first_one_elsewhere_keeps_the_time_of_the_tombstone() {
    let site = site();
    let mut browser = site.visitor();
    site.request(&mut browser, |session| session.set("cart", ["apple"]).unwrap());
    let (old, elsewhere) = (browser.clone(), site.another_isolate());
    let mut second = elsewhere.load(&old);
    second.cycle_key().unwrap();
    site.login(&mut browser);
    site.advance(60);
    run(elsewhere.sessions.commit_headers(&mut second, 200)).unwrap();
    site.advance(41);
    assert_eq!(reason(&site.another_isolate(), &old), LoadReason::Revoked);
}

#[test]
fn a_second_login_is_refused_once_the_first_ones_key_was_rotated() {
    let site = site();
    let (old, mut user) = logged_in(&site);
    site.login(&mut user);
    for site in [&site, &site.another_isolate()] {
        let mut session = site.load(&old);
        session.cycle_key().unwrap();
        let error = site.failed_commit(&mut session);
        assert_eq!(error.kind(), ErrorKind::Superseded, "its key would have been revoked with the first one's");
    }
    assert_eq!(site.user(&user).as_deref(), Some("member"));
}

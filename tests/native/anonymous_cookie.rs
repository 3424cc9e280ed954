//! Two cookie names: a session before its first `cycle_key` has a cookie name of its own, so that no response to it replaces or
//! deletes the cookie of a login.

use edge_session::store::Op;
use edge_session::{ErrorKind, LoadReason, Session, Store};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use crate::support::{
    ANONYMOUS, Browser, COOKIE_NAMES, Failing, ROTATED, Site, cookies, defaults, record_key, run, site, site_on,
    site_with,
};

/// A logged-in visitor.
fn user(site: &Site, name: &str) -> Browser {
    let mut browser = Browser::default();
    site.request(&mut browser, |session| {
        session.cycle_key().unwrap();
        session.set("user", name).unwrap();
    });
    browser
}

fn anonymous(site: &Site, name: &str) -> Browser {
    let mut browser = Browser::default();
    site.request(&mut browser, |session| session.set("user", name).unwrap());
    browser
}

fn both(one: &Browser, other: &Browser) -> Browser {
    Browser(Some(format!("{}; {}", one.header(), other.header())))
}

/// Takes the record of a browser's session out of the store, or changes it.
fn change_record(site: &Site, browser: &Browser, change: Option<&[u8]>) {
    let key = record_key(&site.session_key(browser));
    match change {
        Some(bytes) => site.store.memory.put(key, bytes.to_vec()),
        None => _ = run(site.store.memory.write(vec![Op::Delete { key }])).unwrap(),
    }
}

const GIVEN: &str = "+__Host-sessionid";
const GIVEN_ANONYMOUS: &str = "+__Host-sessionid-anonymous";
const DELETED: &str = "-__Host-sessionid";
const DELETED_ANONYMOUS: &str = "-__Host-sessionid-anonymous";

#[test]
fn a_session_has_the_anonymous_cookie_name_until_its_key_is_rotated() {
    let site = site();
    let mut browser = Browser::default();
    for page in 0..3 {
        let headers = site.request(&mut browser, |session| session.set("page", page).unwrap());
        assert_eq!(cookies(&headers), [GIVEN_ANONYMOUS]);
    }
    let headers = site.login(&mut browser);
    assert_eq!(cookies(&headers), [GIVEN, DELETED_ANONYMOUS]);
    assert!(browser.cookie(ANONYMOUS).is_none());
    for page in 0..3 {
        assert_eq!(cookies(&site.request(&mut browser, |session| session.set("page", page).unwrap())), [GIVEN]);
        assert_eq!(cookies(&site.login(&mut browser)), [GIVEN]);
    }
    assert_eq!(cookies(&site.logout(&mut browser, 200)), [DELETED]);
}

#[test]
fn the_names_follow_the_setting() {
    let site = site_with(defaults().cookie_name("__Secure-shop"));
    assert_eq!(site.sessions.settings().anonymous_cookie_name(), "__Secure-shop-anonymous");
    let mut browser = Browser::default();
    let headers = site.request(&mut browser, |session| session.set("page", 1).unwrap());
    assert_eq!(cookies(&headers), ["+__Secure-shop-anonymous"]);
    assert_eq!(cookies(&site.login(&mut browser)), ["+__Secure-shop", "-__Secure-shop-anonymous"]);
}

#[test]
fn a_login_deletes_the_anonymous_cookie_only_where_the_request_brought_one() {
    let site = site();
    let headers = site.login(&mut Browser::default());
    assert_eq!(cookies(&headers), [GIVEN]);
    let headers = site.login(&mut Browser(Some(format!("{ANONYMOUS}=forged"))));
    assert_eq!(cookies(&headers), [GIVEN, DELETED_ANONYMOUS]);
}

#[test]
fn a_logout_ends_the_sessions_of_both_names_and_deletes_both_cookies() {
    let site = site();
    let (alice, bob) = (user(&site, "alice"), anonymous(&site, "bob"));
    let headers = site.logout(&mut both(&alice, &bob), 200);
    assert_eq!(cookies(&headers), [DELETED, DELETED_ANONYMOUS]);
    for site in [&site, &site.another_isolate()] {
        assert_eq!((site.user(&alice), site.user(&bob)), (None, None));
    }
}

#[test]
fn the_logged_in_cookie_takes_precedence_and_the_other_one_is_not_read() {
    let site = site();
    let (alice, bob) = (user(&site, "alice"), anonymous(&site, "bob"));
    for browser in [both(&alice, &bob), both(&bob, &alice)] {
        site.store.reads.take();
        assert_eq!(site.user(&browser).as_deref(), Some("alice"));
        assert_eq!(site.store.reads.take(), [["session", "ended"]]);
        let mut browser = browser;
        site.request(&mut browser, |session| session.set("page", 1).unwrap());
        assert_eq!(site.load(&alice).get("page").unwrap(), Some(1));
        assert_eq!(site.load(&bob).get::<u8>("page").unwrap(), None);
    }
}

#[test]
fn a_logged_in_cookie_whose_session_has_ended_yields_to_the_anonymous_one() {
    for reason in [LoadReason::Expired, LoadReason::Unknown, LoadReason::Revoked, LoadReason::Corrupt] {
        let site = site_with(defaults().cookie_age(1_000).absolute_age(2_000));
        let alice = user(&site, "alice");
        match reason {
            LoadReason::Expired => site.advance(1_000),
            LoadReason::Unknown => {
                change_record(&site, &alice, None);
                site.advance(131);
            }
            LoadReason::Revoked => _ = site.logout(&mut alice.clone(), 200),
            _ => change_record(&site, &alice, Some(b"junk")),
        }
        let bob = anonymous(&site, "bob");
        for (page, browser) in [both(&alice, &bob), both(&bob, &alice)].into_iter().enumerate() {
            let mut session = site.load(&browser);
            assert_eq!(
                (session.load_reason(), session.get("user").unwrap()),
                (LoadReason::Live, Some("bob".to_owned()))
            );
            let mut after = browser.clone();
            let headers = site.request(&mut after, |session| session.set("page", page).unwrap());
            assert_eq!(cookies(&headers), [GIVEN_ANONYMOUS], "{reason}");
            assert_eq!(site.load(&after).get("page").unwrap(), Some(page));
        }
        // If both sessions have ended, the load outcome is that of the logged-in one.
        site.logout(&mut bob.clone(), 200);
        assert_eq!(site.load(&both(&bob, &alice)).load_reason(), reason);
    }
    // Past its absolute deadline it costs no read.
    let site = site_with(defaults().absolute_age(1_000));
    let alice = user(&site, "alice");
    site.advance(1_000);
    let bob = anonymous(&site, "bob");
    site.store.reads.take();
    assert_eq!(site.user(&both(&alice, &bob)).as_deref(), Some("bob"));
    assert_eq!(site.store.reads.take(), [["session", "ended"]]);
}

// A location can show that the record of a rotated key was deleted before it shows the tombstone. The browser has the new cookie,
// under the same name.
#[test]
fn the_cookie_of_a_login_whose_record_is_gone_stays() {
    let site = site();
    for (mut browser, deleted) in [(user(&site, "alice"), None), (anonymous(&site, "bob"), Some(ANONYMOUS))] {
        change_record(&site, &browser, None);
        site.advance(131);
        let headers = site.request(&mut browser, |session| assert!(session.keys().unwrap().is_empty()));
        assert_eq!(cookies(&headers), Vec::from_iter(deleted.map(|name| format!("-{name}"))));
        let headers = site.request(&mut browser, |session| session.set("page", 1).unwrap());
        assert_eq!(cookies(&headers), [GIVEN_ANONYMOUS]);
    }
}

#[test]
fn a_logged_in_cookie_that_may_still_open_its_session_does_not_yield() {
    let reasons =
        [LoadReason::NotYetVisible, LoadReason::Superseded, LoadReason::NewerVersion, LoadReason::Unavailable];
    for reason in reasons {
        let site = site();
        let bob = anonymous(&site, "bob");
        let far = site.elsewhere(defaults());
        let alice = user(&site, "alice");
        let browser = both(&bob, &alice);
        let mut shown = &site;
        match reason {
            LoadReason::NotYetVisible => shown = &far,
            LoadReason::Superseded => _ = site.login(&mut alice.clone()),
            LoadReason::NewerVersion => change_record(&site, &alice, Some(b"{\"edge-session\":2}")),
            _ => site.fail(Failing::Reads),
        }
        let mut session = shown.load(&browser);
        assert_eq!(session.load_reason(), reason);
        assert_ne!(session.get::<String>("user").ok().flatten().as_deref(), Some("bob"), "{reason}");
        let headers = run(shown.sessions.commit_headers(&mut session, 200));
        assert!(headers.is_ok_and(|headers| headers.set_cookies().is_empty()), "{reason}");
    }
}

#[test]
fn both_cookies_are_deleted_if_both_sessions_have_ended() {
    let site = site_with(defaults().cookie_age(100));
    let browser = both(&user(&site, "alice"), &anonymous(&site, "bob"));
    site.advance(100);
    let headers = site.request(&mut browser.clone(), |session| assert!(session.keys().unwrap().is_empty()));
    assert_eq!(cookies(&headers), [DELETED, DELETED_ANONYMOUS]);
}

// Django's `login` flushes the session of another user and begins a new one.
#[test]
fn a_save_after_a_flush_in_the_same_request_has_the_logged_in_cookie_name() {
    let site = site();
    for mut browser in [both(&user(&site, "alice"), &anonymous(&site, "bob")), anonymous(&site, "bob")] {
        let mut session = site.load(&browser);
        run(site.sessions.flush(&mut session)).unwrap();
        session.set("user", "carol").unwrap();
        let headers = site.commit(&mut browser, session, 200);
        assert_eq!(cookies(&headers), [GIVEN, DELETED_ANONYMOUS]);
        assert_eq!(site.user(&browser).as_deref(), Some("carol"));
        assert_eq!(site.record_of(&browser)["rotations"], 1);
    }
}

#[test]
fn a_token_is_valid_under_its_own_cookie_name_only() {
    let site = site();
    let alice = user(&site, "alice").cookie(ROTATED).unwrap();
    let bob = anonymous(&site, "bob").cookie(ANONYMOUS).unwrap();
    for (name, token) in [(ANONYMOUS, &alice), (ROTATED, &bob)] {
        let mut browser = Browser(Some(format!("{name}={token}")));
        site.operations();
        let mut session = site.load(&browser);
        assert_eq!(session.load_reason(), LoadReason::Malformed);
        assert!(session.keys().unwrap().is_empty());
        assert_eq!(cookies(&site.commit(&mut browser, session, 200)), [format!("-{name}")]);
        assert!(site.operations().is_empty());
        // A logout with it revokes nothing.
        site.logout(&mut Browser(Some(format!("{name}={token}"))), 200);
        assert!(site.operations().is_empty());
    }
}

// The late response to a save replaced the cookie of the login.
#[test]
fn no_response_to_an_anonymous_request_replaces_or_deletes_the_cookie_of_a_login() {
    for seconds in [0, 2, 60] {
        let site = site();
        let mut browser = site.visitor();
        // Three requests loaded the anonymous session before the login. One was saved before it and gets its response after it,
        // one is saved after it, and one finds that its session has ended.
        let (mut before, mut after, mut reading) = (site.load(&browser), site.load(&browser), site.load(&browser));
        before.set("draft", 1).unwrap();
        let before = run(site.sessions.commit_headers(&mut before, 200)).unwrap();
        let login = site.request(&mut browser, |session| {
            session.cycle_key().unwrap();
            session.set("user", "member").unwrap();
        });
        assert_eq!(cookies(&login), [GIVEN, DELETED_ANONYMOUS]);
        site.advance(seconds);
        after.set("draft", 2).unwrap();
        assert_eq!(site.failed_commit(&mut after).kind(), ErrorKind::Superseded);
        assert_eq!(reading.get::<String>("user").unwrap().as_deref(), Some("alice"));
        let reading = run(site.sessions.commit_headers(&mut reading, 200)).unwrap();
        for headers in [&before, &reading] {
            assert!(cookies(headers).iter().all(|cookie| cookie.ends_with("-anonymous")));
            browser.take(headers);
        }
        for site in [&site, &site.another_isolate()] {
            let mut session = site.load(&browser);
            assert_eq!(session.load_reason(), LoadReason::Live, "{seconds}");
            assert_eq!(session.get::<String>("user").unwrap().as_deref(), Some("member"), "{seconds}");
            assert_eq!(session.get("draft").unwrap(), Some(1), "what was acknowledged before the login came along");
        }
    }
}

#[test]
fn a_first_save_beside_a_login_replaces_no_cookie_of_it() {
    let site = site();
    let mut browser = Browser::default();
    // Two requests without a cookie: one saves data, the other one logs in. The response to the login arrives first.
    let (mut saving, mut login) = (site.load(&browser), site.load(&browser));
    saving.set("draft", 1).unwrap();
    login.cycle_key().unwrap();
    login.set("user", "member").unwrap();
    let saved = run(site.sessions.commit_headers(&mut saving, 200)).unwrap();
    site.commit(&mut browser, login, 200);
    browser.take(&saved);
    assert_eq!(site.user(&browser).as_deref(), Some("member"));
}

/// Two cookies of one name, as after a change of `SESSION_COOKIE_PATH` or `SESSION_COOKIE_DOMAIN`, in both orders.
fn two_of_one_name(old: &Browser, new: &Browser) -> [Browser; 2] {
    [both(old, new), both(new, old)]
}

#[test]
fn of_two_valid_tokens_of_one_name_the_one_with_a_live_session_is_used() {
    for is_login in [false, true] {
        for end in ["logout", "expiry", "absolute deadline", "deletion", "damage", "rotation"] {
            let site = site_with(defaults().cookie_age(1_000).absolute_age(1_500));
            let make = |name| if is_login { user(&site, name) } else { anonymous(&site, name) };
            let old = make("old");
            match end {
                "logout" => _ = site.logout(&mut old.clone(), 200),
                "expiry" => site.advance(1_000),
                "absolute deadline" => site.advance(1_500),
                "deletion" => {
                    change_record(&site, &old, None);
                    site.advance(131);
                }
                "damage" => change_record(&site, &old, Some(b"junk")),
                _ => _ = site.login(&mut old.clone()),
            }
            let new = make("new");
            for browser in two_of_one_name(&old, &new) {
                site.store.reads.take();
                let mut session = site.load(&browser);
                assert_eq!(session.get("user").unwrap(), Some("new".to_owned()), "{end}");
                assert_eq!(session.load_reason(), LoadReason::Live);
                let reads = site.store.reads.take();
                assert_eq!(reads.len(), 1, "one read has the entries of both");
                assert_eq!(reads[0].len(), if end == "absolute deadline" { 2 } else { 4 });
                // It is the one that is written. A logout revokes both.
                let mut after = browser.clone();
                site.request(&mut after, |session| session.set("page", 1).unwrap());
                assert_eq!(site.load(&new).get("page").unwrap(), Some(1));
            }
            site.logout(&mut both(&old, &new), 200);
            assert_eq!((site.user(&old), site.user(&new)), (None, None), "{end}");
        }
    }
}

// After a change of the cookie's path no login lasted: the old cookie stayed beside the new one.
#[test]
fn the_first_login_after_a_change_of_the_cookies_path_holds() {
    let site = site();
    let old = user(&site, "old");
    let old_and_new = |new: &Browser| two_of_one_name(&old, new);
    // The visitor logs out and in again; the deletion does not reach the cookie of the other path.
    site.logout(&mut old.clone(), 200);
    let new = user(&site, "new");
    for browser in old_and_new(&new) {
        for site in [&site, &site.another_isolate()] {
            assert_eq!(site.user(&browser).as_deref(), Some("new"));
        }
    }
}

#[test]
fn of_two_tokens_of_one_session_the_one_issued_last_is_used() {
    let site = site();
    let mut browser = site.visitor();
    let far = site.elsewhere(defaults());
    let old = browser.clone();
    site.advance(1);
    site.request(&mut browser, |session| session.set("page", 1).unwrap());
    for browser in two_of_one_name(&old, &browser) {
        let mut session = far.load(&browser);
        assert_eq!(session.load_reason(), LoadReason::StaleRepaired, "the newer one carries the save");
        assert_eq!(session.get("page").unwrap(), Some(1));
    }
}

#[test]
fn a_failed_read_of_two_tokens_keeps_both_cookies_and_opens_neither() {
    let site = site();
    let browser = both(&anonymous(&site, "old"), &anonymous(&site, "new"));
    site.fail(Failing::Reads);
    let mut session = site.load(&browser);
    assert_eq!(session.get::<String>("user").unwrap_err().kind(), ErrorKind::StoreUnavailable);
    let headers = run(site.sessions.commit_headers(&mut session, 503)).unwrap();
    assert!(headers.set_cookies().is_empty());
}

#[test]
fn without_tombstones_the_live_one_of_two_tokens_is_used_as_well() {
    let settings = || defaults().check_ended(false);
    let site = site_with(settings());
    let (old, new) = (user(&site, "old"), user(&site, "new"));
    site.logout(&mut old.clone(), 200);
    let site = site_on(site.store.clone(), settings());
    site.advance(101);
    for browser in two_of_one_name(&old, &new) {
        site.store.reads.take();
        assert_eq!(site.user(&browser).as_deref(), Some("new"));
        assert_eq!(site.store.reads.take(), [["session", "session"]]);
    }
}

#[test]
fn a_visitor_without_a_session_costs_no_read_under_either_name() {
    let site = site();
    for name in COOKIE_NAMES {
        let mut session: Session = site.load(&Browser(Some(format!("{name}=x; theme=dark"))));
        assert!(session.keys().unwrap().is_empty());
    }
    assert!(site.operations().is_empty());
}

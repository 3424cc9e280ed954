//! Django's `SessionInterrupted`: a request whose session ended meanwhile stores nothing and gets an error.

use edge_session::store::Op;
use edge_session::{ErrorKind, LoadReason, Session, Store};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use crate::support::{Browser, Failing, Site, defaults, record_key, run, site, site_with};

/// The ways in which a session can end.
const ENDS: [&str; 5] = ["logout", "delete", "expiry", "absolute deadline", "loss"];

fn end(site: &Site, browser: &Browser, how: &str) {
    match how {
        "logout" => _ = site.logout(&mut browser.clone(), 200),
        "delete" => run(site.sessions.delete(&site.session_key(browser))).unwrap(),
        "expiry" => site.advance(1_000),
        "absolute deadline" => site.advance(1_500),
        _ => {
            let key = record_key(&site.session_key(browser));
            run(site.store.memory.write(vec![Op::Delete { key }])).unwrap();
            site.advance(131);
        }
    }
    site.event_kinds();
}

/// A site without isolate memory of its saves, and a visitor, logged in or not.
fn visited(is_login: bool) -> (Site, Browser) {
    let site = site_with(defaults().cookie_age(1_000).absolute_age(1_500));
    let mut browser = site.visitor();
    if is_login {
        site.login(&mut browser);
        site.event_kinds();
    }
    (site, browser)
}

// Django keeps the key of a session that is cleared before a read, and its save finds no row to update.
#[test]
fn clearing_a_session_that_has_ended_starts_no_new_one() {
    let calls: [fn(&mut Session); 2] = [Session::clear, |session| {
        session.clear();
        session.set("note", 1).unwrap();
    }];
    for is_login in [false, true] {
        for how in ENDS {
            for call in calls {
                let (site, browser) = visited(is_login);
                end(&site, &browser, how);
                for explicitly in [false, true] {
                    let mut session = site.load(&browser);
                    call(&mut session);
                    assert!(session.session_key().is_some(), "{how}: the key stays");
                    let before = site.store.memory.entries();
                    let error = match explicitly {
                        true => run(site.sessions.save(&mut session)).unwrap_err(),
                        false => site.failed_commit(&mut session),
                    };
                    assert_eq!(error.kind(), ErrorKind::SessionInterrupted, "{how}");
                    assert_eq!(site.event_kinds().last().unwrap(), "interrupted");
                    assert_eq!(site.store.memory.entries(), before);
                }
            }
        }
    }
}

#[test]
fn clearing_without_reading_stores_an_empty_session_under_its_key() {
    let (site, mut browser) = visited(true);
    let key = site.session_key(&browser);
    site.request(&mut browser, Session::clear);
    assert!(site.load(&browser).keys().unwrap().is_empty());
    assert_eq!(site.session_key(&browser), key);
}

#[test]
fn the_commit_after_an_explicit_save_finds_out_that_the_session_has_ended() {
    for is_new in [false, true] {
        for (how, in_another_isolate) in [("logout", false), ("logout", true), ("delete", false), ("delete", true)] {
            for changes in [false, true] {
                let (site, visitor) = visited(true);
                let browser = if is_new { Browser::default() } else { visitor };
                let mut session = site.load(&browser);
                session.set("page", 1).unwrap();
                if !changes && !is_new {
                    session.set_modified(false);
                }
                run(site.sessions.save(&mut session)).unwrap();
                let key = session.session_key().unwrap().as_str().to_owned();
                let ending = if in_another_isolate { &site.another_isolate() } else { &site };
                if how == "logout" {
                    let mut other = run(ending.sessions.open(&key)).unwrap();
                    run(ending.sessions.flush(&mut other)).unwrap();
                } else {
                    run(ending.sessions.delete(&key)).unwrap();
                }
                session.set_modified(true);
                site.event_kinds();
                let error = site.failed_commit(&mut session);
                assert_eq!(error.kind(), ErrorKind::SessionInterrupted, "{how}");
                assert_eq!(site.event_kinds(), ["interrupted"]);
                let visitors = if is_new { 2 } else { 1 };
                assert_eq!(site.stored().0, visitors, "the session is deleted");
            }
        }
    }
}

#[test]
fn the_commit_after_an_explicit_save_gives_no_cookie_where_the_tombstone_cannot_be_read() {
    let site = site();
    let mut session = site.load(&Browser::default());
    session.set("page", 1).unwrap();
    run(site.sessions.save(&mut session)).unwrap();
    site.fail(Failing::Reads);
    let headers = run(site.sessions.commit_headers(&mut session, 200)).unwrap();
    assert!(headers.set_cookies().is_empty() && headers.depends_on_cookie());
}

#[test]
fn a_session_that_has_ended_and_is_read_first_is_a_new_one() {
    for how in ENDS {
        let (site, mut browser) = visited(false);
        let old = site.session_key(&browser);
        end(&site, &browser, how);
        site.request(&mut browser, |session| {
            assert_eq!(session.get::<String>("user").unwrap(), None, "{how}");
            session.set("user", "bob").unwrap();
        });
        assert_eq!(site.user(&browser).as_deref(), Some("bob"));
        assert_ne!(site.session_key(&browser), old);
        assert_eq!(site.load(&browser).load_reason(), LoadReason::Live);
    }
}

//! Sessions on a linearizable store: one read, one conditional put, and promises without a bound.

use std::rc::Rc;

use edge_session::settings::SettingsBuilder;
use edge_session::{ErrorKind, Expiry, LoadReason, Session};

use crate::support::{Browser, Failing, Site, cookies, defaults, linearizable, run};

fn site() -> Rc<Site> {
    site_with(defaults())
}

fn site_with(settings: SettingsBuilder) -> Rc<Site> {
    Rc::new(linearizable(settings))
}

/// Sets a key in a request of its own, whose response the browser loses.
fn set(site: &Site, browser: &Browser, key: &str, value: &str) -> Result<(), ErrorKind> {
    let mut session = site.load(browser);
    session.set(key, value).unwrap();
    commit(site, &mut session)
}

fn commit(site: &Site, session: &mut Session) -> Result<(), ErrorKind> {
    run(site.sessions.commit_headers(session, 200)).map(|_| ()).map_err(|error| error.kind())
}

fn reason(site: &Site, browser: &Browser) -> LoadReason {
    site.load(browser).load_reason()
}

fn get(site: &Site, browser: &Browser, key: &str) -> Option<String> {
    site.load(browser).get(key).unwrap()
}

#[test]
fn a_load_is_one_read_and_a_save_one_put() {
    let site = site();
    let mut browser = Browser::default();
    site.request(&mut browser, |session| session.set("a", 1).unwrap());
    assert_eq!(site.operations(), ["put"], "a new session");
    site.request(&mut browser, |session| assert_eq!(session.get("a").unwrap(), Some(1)));
    assert_eq!(
        (site.operations(), site.store.reads.take()),
        (vec!["read".to_owned()], vec![vec!["session".to_owned()]])
    );
    site.request(&mut browser, |session| session.set("a", 2).unwrap());
    assert_eq!(site.operations(), ["read", "put"]);
    site.login(&mut browser);
    assert_eq!(site.operations(), ["read", "put", "put"], "a login ends the anonymous record as well");
    site.login(&mut browser);
    assert_eq!(site.operations(), ["read", "put"], "a later rotation is one put");
    site.logout(&mut browser, 200);
    assert_eq!(site.operations(), ["read", "delete"]);
    assert_eq!(site.stored(), (1, 0), "no tombstone; the anonymous record expires by itself");
}

#[test]
fn the_cookie_does_not_grow_with_the_saves() {
    let site = site();
    let mut browser = site.visitor();
    let length = browser.header().len();
    for number in 0..20 {
        site.request(&mut browser, |session| session.set("number", number).unwrap());
    }
    assert_eq!(browser.header().len(), length);
}

#[test]
fn parallel_saves_of_different_keys_are_all_kept() {
    let site = site();
    let browser = site.visitor();
    let mut sessions: Vec<_> = (0..8).map(|_| site.load(&browser)).collect();
    for (number, session) in sessions.iter_mut().enumerate() {
        session.set(&number.to_string(), number).unwrap();
    }
    for session in &mut sessions {
        assert_eq!(commit(&site, session), Ok(()));
    }
    let mut session = site.load(&browser);
    assert_eq!(session.keys().unwrap().len(), 9);
    assert_eq!(site.event_kinds(), ["merged"; 7]);
}

#[test]
fn a_save_after_a_logout_is_refused_at_once() {
    let site = site();
    let mut browser = site.visitor();
    let mut slow = site.load(&browser);
    slow.set("late", 1).unwrap();
    let kept = browser.clone();
    site.logout(&mut browser, 200);
    assert_eq!(commit(&site, &mut slow), Err(ErrorKind::SessionInterrupted));
    assert_eq!(site.stored(), (0, 0));
    assert_eq!(reason(&site, &kept), LoadReason::Unknown);
}

// Found by the simulation: a session that was cleared without a look at it was stored again under its old key.
#[test]
fn clearing_a_session_that_has_ended_is_refused() {
    let site = site();
    let mut browser = site.visitor();
    let kept = browser.clone();
    site.logout(&mut browser, 200);
    let mut session = site.load(&kept);
    session.clear();
    session.set("a", 1).unwrap();
    assert_eq!(commit(&site, &mut session), Err(ErrorKind::SessionInterrupted));
    assert_eq!(site.stored(), (0, 0));
}

#[test]
fn a_session_that_was_saved_and_then_ended_by_another_request_sends_no_cookie() {
    let site = site();
    let mut browser = site.visitor();
    let mut session = site.load(&browser);
    session.set("a", 1).unwrap();
    run(site.sessions.save(&mut session)).unwrap();
    site.logout(&mut browser, 200);
    assert_eq!(commit(&site, &mut session), Err(ErrorKind::SessionInterrupted));
}

#[test]
fn a_login_contains_a_save_that_is_acknowledged_while_it_is_stored() {
    for operation in ["put", "second put"] {
        let site = site();
        let browser = site.visitor();
        let mut login = site.load(&browser);
        login.cycle_key().unwrap();
        login.set("user", "bob").unwrap();
        let (same, other) = (Rc::clone(&site), browser.clone());
        let save = move || assert_eq!(set(&same, &other, "cart", "apple"), Ok(()));
        if operation == "put" {
            site.before("put", save);
        } else {
            // Between the put of the login's record and that of the anonymous one.
            let same = Rc::clone(&site);
            site.before("put", move || same.before("put", save));
        }
        let headers = run(site.sessions.commit_headers(&mut login, 200)).unwrap();
        let mut browser = browser;
        browser.take(&headers);
        assert_eq!(get(&site, &browser, "cart").as_deref(), Some("apple"), "{operation}");
        assert_eq!(get(&site, &browser, "user").as_deref(), Some("bob"));
    }
}

#[test]
fn a_login_during_a_logout_is_withdrawn() {
    for is_stored in [false, true] {
        let site = site();
        let browser = site.visitor();
        let mut login = site.load(&browser);
        login.cycle_key().unwrap();
        let (same, mut other) = (Rc::clone(&site), browser);
        let logout = move || _ = same.logout(&mut other, 200);
        if is_stored {
            // Between the put of the login's record and that of the anonymous one.
            let same = Rc::clone(&site);
            site.before("put", move || same.before("put", logout));
        } else {
            site.before("put", logout);
        }
        assert_eq!(commit(&site, &mut login), Err(ErrorKind::SessionInterrupted));
        assert_eq!(site.stored(), (0, 0));
    }
}

#[test]
fn a_logout_with_the_anonymous_cookie_ends_the_login_that_replaced_it() {
    let site = site();
    let mut browser = site.visitor();
    let mut before = browser.clone();
    site.login(&mut browser);
    site.logout(&mut before, 200);
    assert_eq!(site.stored(), (0, 0));
    assert_eq!(get(&site, &browser, "user"), None);
}

#[test]
fn after_a_logout_the_anonymous_cookie_from_before_the_login_opens_nothing_and_begins_anew() {
    let site = site();
    let mut browser = site.visitor();
    let mut before = browser.clone();
    site.login(&mut browser);
    assert_eq!(reason(&site, &before), LoadReason::Superseded);
    site.logout(&mut browser, 200);
    assert_eq!(reason(&site, &before), LoadReason::Revoked);
    site.request(&mut before, |session| session.set("user", "bob").unwrap());
    assert_eq!(get(&site, &before, "user").as_deref(), Some("bob"));
}

// Django, and the protocol on KV: both logins succeed. Each has a session of its own, so neither sees what the other stored.
#[test]
fn two_logins_at_once_both_succeed_and_share_only_the_anonymous_data() {
    for is_loaded_after in [false, true] {
        let site = site();
        let anonymous = site.visitor();
        let mut first = site.load(&anonymous);
        let mut second = site.load(&anonymous);
        first.cycle_key().unwrap();
        first.set("account", "victim").unwrap();
        let headers = run(site.sessions.commit_headers(&mut first, 200)).unwrap();
        let mut victim = anonymous.clone();
        victim.take(&headers);
        if is_loaded_after {
            second = site.load(&anonymous);
            assert_eq!(second.load_reason(), LoadReason::Superseded);
            assert_eq!(second.get::<String>("account").unwrap(), None);
        }
        second.cycle_key().unwrap();
        assert_eq!(second.get::<String>("account").unwrap(), None);
        assert_eq!(second.get::<String>("user").unwrap().as_deref(), Some("alice"), "the anonymous data");
        let headers = run(site.sessions.commit_headers(&mut second, 200)).unwrap();
        let mut other = anonymous.clone();
        other.take(&headers);
        assert_eq!(get(&site, &other, "account"), None);
        assert_eq!(get(&site, &victim, "account").as_deref(), Some("victim"));
        site.logout(&mut victim, 200);
        assert_eq!(get(&site, &other, "user").as_deref(), Some("alice"));
    }
}

// Session fixation: whoever planted the anonymous cookie gets nothing of the login, neither by it nor by a login of their own.
#[test]
fn the_anonymous_cookie_opens_nothing_of_the_login() {
    let site = site();
    let mut victim = site.visitor();
    let attacker = victim.clone();
    site.login(&mut victim);
    site.request(&mut victim, |session| session.set("account", "victim").unwrap());
    let mut session = site.load(&attacker);
    assert_eq!((session.load_reason(), session.keys().unwrap().len()), (LoadReason::Superseded, 0));
    session.set("page", 1).unwrap();
    assert_eq!(commit(&site, &mut session), Err(ErrorKind::Superseded));
    site.advance(101);
    assert_eq!(reason(&site, &attacker), LoadReason::Revoked);
    site.advance(60);
    assert_eq!(get(&site, &attacker, "account"), None);
    assert_eq!(get(&site, &victim, "account").as_deref(), Some("victim"));
}

#[test]
fn a_rotation_of_a_login_supersedes_the_old_key_and_refuses_its_saves() {
    let site = site();
    let mut browser = site.visitor();
    site.login(&mut browser);
    let old = browser.clone();
    let mut slow = site.load(&old);
    slow.set("late", 1).unwrap();
    let mut second = site.load(&old);
    site.login(&mut browser);
    assert_eq!(site.stored(), (2, 0), "the rotated key shares its record");
    assert_eq!(commit(&site, &mut slow), Err(ErrorKind::Superseded));
    second.cycle_key().unwrap();
    assert_eq!(commit(&site, &mut second), Err(ErrorKind::Superseded), "a second rotation");
    assert_eq!(reason(&site, &old), LoadReason::Superseded);
    assert_eq!(get(&site, &browser, "late"), None);
    site.advance(101);
    assert_eq!((reason(&site, &old), reason(&site, &browser)), (LoadReason::Revoked, LoadReason::Live));
    let mut old = old;
    site.logout(&mut old, 200);
    assert_eq!(get(&site, &browser, "user"), None, "a logout with an old key ends the session");
}

#[test]
fn a_rotation_contains_a_save_that_was_stored_meanwhile() {
    let site = site();
    let mut browser = site.visitor();
    site.login(&mut browser);
    let mut rotation = site.load(&browser);
    rotation.cycle_key().unwrap();
    assert_eq!(set(&site, &browser, "cart", "apple"), Ok(()));
    site.commit(&mut browser, rotation, 200);
    assert_eq!(get(&site, &browser, "cart").as_deref(), Some("apple"));
}

// A store may try a put again after a failure: then the condition fails because of the first attempt.
#[test]
fn a_put_that_the_store_repeated_counts_once() {
    for step in ["create", "save", "login", "rotation"] {
        let site = site();
        let mut browser = Browser::default();
        if step != "create" {
            browser = site.visitor();
        }
        if step == "rotation" {
            site.login(&mut browser);
        }
        site.event_kinds();
        site.store.conflicts.set(if step == "login" { 2 } else { 1 });
        site.request(&mut browser, |session| {
            session.set("a", step).unwrap();
            if step == "login" || step == "rotation" {
                session.cycle_key().unwrap();
            }
        });
        assert_eq!(site.store.conflicts.get(), 0);
        assert_eq!(get(&site, &browser, "a").as_deref(), Some(step));
        let expected = match step {
            "create" => vec!["created"],
            "save" => vec![],
            _ => vec!["cycled"],
        };
        assert_eq!(site.event_kinds(), expected, "{step}");
    }
}

#[test]
fn a_save_that_meets_ever_new_records_fails_in_the_end() {
    let site = site();
    let browser = site.visitor();
    let mut session = site.load(&browser);
    session.set("a", "mine").unwrap();
    for number in 0..40 {
        let (same, browser) = (Rc::clone(&site), browser.clone());
        // Each put of this session is preceded by another one.
        site.before("put", move || {
            let before = core::mem::take(&mut *same.store.before_all().borrow_mut());
            assert_eq!(set(&same, &browser, "other", &number.to_string()), Ok(()));
            same.store.before_all().replace(before);
        });
    }
    assert_eq!(commit(&site, &mut session), Err(ErrorKind::StoreUnavailable));
}

#[test]
fn a_failed_put_is_repeated_and_a_login_that_cannot_end_the_old_key_is_withdrawn() {
    let site = site();
    let mut browser = site.visitor();
    let before = site.store.memory.entries();
    site.fail(Failing::Puts);
    assert_eq!(set(&site, &browser, "a", "1"), Err(ErrorKind::StoreUnavailable));
    assert_eq!(site.store.memory.entries(), before);
    site.fail(Failing::Nothing);
    site.event_kinds();
    // The put of the anonymous record fails, up to three times.
    for fails in 0..4 {
        site.allow("put");
        (0..fails).for_each(|_| site.refuse(["put"]));
        let before = site.stored().0;
        let mut login = site.load(&browser);
        login.cycle_key().unwrap();
        let outcome = commit(&site, &mut login);
        assert_eq!(outcome, if fails < 3 { Ok(()) } else { Err(ErrorKind::StoreUnavailable) });
        let added = if fails < 3 { 1 } else { 0 };
        assert_eq!(site.stored(), (before + added, 0), "the record of a login that fails is withdrawn");
        browser = site.visitor();
    }
    // The put of the record itself fails.
    for fails in 1..4 {
        (0..fails).for_each(|_| site.refuse(["put"]));
        let outcome = set(&site, &browser, "a", &fails.to_string());
        assert_eq!(outcome, if fails < 3 { Ok(()) } else { Err(ErrorKind::StoreUnavailable) });
    }
    assert_eq!(get(&site, &browser, "a").as_deref(), Some("2"));
}

#[test]
fn a_store_that_is_overloaded_gets_no_second_attempt() {
    let site = site();
    let browser = site.visitor();
    site.store.overloaded.set(true);
    site.fail(Failing::Puts);
    assert_eq!(set(&site, &browser, "a", "1"), Err(ErrorKind::StoreUnavailable));
    assert_eq!(site.operations(), ["read", "put"]);
    site.store.overloaded.set(false);
    assert_eq!(set(&site, &browser, "a", "1"), Err(ErrorKind::StoreUnavailable));
    assert_eq!(site.operations(), ["read", "put", "put", "put"]);
}

// A put that failed may be applied later. It must not revive a session that has ended meanwhile.
#[test]
fn a_new_record_whose_put_failed_is_stored_under_another_key() {
    let site = site();
    let mut browser = Browser::default();
    site.apply_but_fail("put");
    let mut session = site.load(&browser);
    session.set("user", "alice").unwrap();
    session.create();
    let before = session.session_key().unwrap().clone();
    site.commit(&mut browser, session, 200);
    assert_ne!(site.session_key(&browser), before.as_str());
    assert_eq!(site.stored(), (2, 0), "nobody has the key of the first one");
    site.logout(&mut browser, 200);
    assert_eq!(site.stored(), (1, 0));
}

#[test]
fn a_logout_that_fails_is_finished_by_the_next_request() {
    let site = site();
    let mut browser = site.visitor();
    site.login(&mut browser);
    let mut session = site.load(&browser);
    site.refuse(["delete"]);
    assert!(run(site.sessions.flush(&mut session)).is_err());
    site.commit(&mut browser, session, 503);
    assert_eq!(site.stored().0, 2);
    assert_eq!(get(&site, &browser, "user"), None);
    assert_eq!(site.stored().0, 1, "the record of the login is gone");
}

// Found by the comparison with Django.
#[test]
fn a_save_after_the_deadline_is_refused_even_if_the_store_keeps_the_record() {
    for is_used in [false, true] {
        let site = site_with(defaults().cookie_age(100));
        let browser = site.visitor();
        let mut session = site.load(&browser);
        if is_used {
            session.set("late", 1).unwrap();
        }
        site.advance(101);
        let error = run(site.sessions.save(&mut session)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::SessionInterrupted, "{is_used}");
    }
}

// Found by the comparison with Django: each login with this cookie was refused.
#[test]
fn a_login_that_clears_a_missing_session_without_a_look_at_it_succeeds() {
    for logins in 0..2 {
        let site = site();
        let mut browser = site.visitor();
        for _ in 0..logins {
            site.login(&mut browser);
        }
        let kept = browser.clone();
        site.logout(&mut browser, 200);
        let mut browser = kept;
        site.request(&mut browser, |session| {
            session.clear();
            session.cycle_key().unwrap();
            session.set("user", "bob").unwrap();
        });
        assert_eq!(get(&site, &browser, "user").as_deref(), Some("bob"));
    }
}

#[test]
fn a_renewal_that_meets_another_one_is_not_made_again() {
    let site = site_with(defaults().save_every_request(true).cookie_age(100));
    let browser = site.visitor();
    site.advance(30);
    let (mut one, mut other) = (site.load(&browser), site.load(&browser));
    assert_eq!(commit(&site, &mut one), Ok(()));
    site.operations();
    assert_eq!(commit(&site, &mut other), Ok(()));
    assert_eq!(site.operations(), ["put", "read"]);
}

#[test]
fn an_expiry_in_the_past_ends_the_session_but_not_the_one_that_replaced_it() {
    let site = site();
    let mut browser = site.visitor();
    site.login(&mut browser);
    let mut slow = site.load(&browser);
    slow.set_expiry(Expiry::Seconds(-1)).unwrap();
    site.login(&mut browser);
    assert_eq!(commit(&site, &mut slow), Err(ErrorKind::Superseded));
    assert_eq!(get(&site, &browser, "user").as_deref(), Some("alice"));
    let kept = browser.clone();
    site.request(&mut browser, |session| session.set_expiry(Expiry::Seconds(-1)).unwrap());
    assert_eq!(get(&site, &kept, "user"), None);
}

#[test]
fn a_session_is_opened_and_deleted_by_its_key() {
    for logins in 0..3 {
        let site = site();
        let mut browser = site.visitor();
        for _ in 0..logins {
            site.login(&mut browser);
        }
        let key = site.session_key(&browser);
        assert!(run(site.sessions.exists(&key)).unwrap());
        let mut session = run(site.sessions.open(&key)).unwrap();
        assert_eq!(session.get::<String>("user").unwrap().as_deref(), Some("alice"));
        session.set("notice", "sent").unwrap();
        run(site.sessions.save(&mut session)).unwrap();
        assert_eq!(get(&site, &browser, "notice").as_deref(), Some("sent"));
        // A key of the family that was never given.
        let forged: String =
            key.chars().take(12).chain(key.chars().skip(12).map(|c| if c == 'a' { 'b' } else { 'a' })).collect();
        assert!(!run(site.sessions.exists(&forged)).unwrap());
        run(site.sessions.delete(&key)).unwrap();
        assert!(!run(site.sessions.exists(&key)).unwrap());
        assert_eq!(get(&site, &browser, "user"), None);
    }
}

#[test]
fn a_copy_of_a_login_is_a_session_of_its_own() {
    let site = site();
    let mut browser = site.visitor();
    site.login(&mut browser);
    let original = browser.clone();
    site.request(&mut browser, |session| {
        session.get::<String>("user").unwrap();
        session.create();
    });
    assert_eq!(get(&site, &browser, "user").as_deref(), Some("alice"));
    site.logout(&mut browser, 200);
    assert_eq!(get(&site, &original, "user").as_deref(), Some("alice"), "as in Django");
}

#[test]
fn a_login_as_another_user_flushes_the_session_and_begins_one() {
    let site = site();
    let mut browser = site.visitor();
    site.login(&mut browser);
    let before = browser.clone();
    let mut session = site.load(&browser);
    run(site.sessions.flush(&mut session)).unwrap();
    session.set("user", "bob").unwrap();
    let headers = run(site.sessions.commit_headers(&mut session, 200)).unwrap();
    assert_eq!(cookies(&headers), ["+__Host-sessionid"]);
    browser.take(&headers);
    assert_eq!((get(&site, &browser, "user").as_deref(), get(&site, &before, "user")), (Some("bob"), None));
}

#[test]
fn a_record_that_was_edited_or_damaged_opens_nothing() {
    let site = site();
    let browser = site.visitor();
    let (key, bytes) = site.store.memory.entries().remove(0);
    let text = String::from_utf8(bytes).unwrap();
    for (damaged, expected) in [
        (text[..20].to_owned(), LoadReason::Corrupt),
        (text.replace("\"key\":\"", "\"key\":\"x"), LoadReason::Corrupt),
        (text.replace("\"key\":\"", "\"other\":\""), LoadReason::Revoked),
        (text.replace("{\"edge-session\":1", "{\"edge-session\":2"), LoadReason::NewerVersion),
        (text.clone(), LoadReason::Live),
    ] {
        site.store.memory.put(key.clone(), damaged.into_bytes());
        assert_eq!(reason(&site, &browser), expected);
    }
}

#[test]
fn a_session_that_was_saved_with_an_expiry_in_the_past_can_be_rotated() {
    let site = site();
    let mut session = run(site.sessions.load("")).unwrap();
    session.set_expiry(Expiry::Seconds(-1)).unwrap();
    run(site.sessions.save(&mut session)).unwrap();
    session.cycle_key().unwrap();
    run(site.sessions.save(&mut session)).unwrap();
    assert!(site.store.memory.entries().is_empty());
}

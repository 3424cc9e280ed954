//! How a session ends for good: logouts and logins leave tombstones, and whatever comes later meets them.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, clippy::arithmetic_side_effects)]
#![allow(missing_docs, unused_must_use)]

mod support;

use chrono::TimeDelta;
use edge_session::{ErrorKind, LoadReason, Op, Session, Store};
use support::{Browser, Failing, Site, defaults, kind, run, site, site_on, site_with};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

const DAY: u64 = 86_400;

fn key(session: &Session) -> String {
    session.session_key().unwrap().as_str().to_owned()
}

fn reason(site: &Site, browser: &Browser) -> LoadReason {
    site.load(browser).load_reason()
}

/// Takes everything of one kind out of the store.
fn lose(site: &Site, what: &str) {
    for (key, _) in site.store.memory.entries() {
        if kind(&key) == what {
            run(site.store.memory.write(vec![Op::Delete { key }])).unwrap();
        }
    }
}

fn is_deletion(cookie: Option<&str>) -> bool {
    cookie.is_some_and(|cookie| cookie.contains("; Max-Age=0;"))
}

// CVE-2025-32441 and CVE-2025-46336 (Rack): a slow request stored the session again after its logout.
#[test]
fn cve_2025_46336_a_logout_cannot_be_undone_by_a_slow_request() {
    let site = site();
    let browser = site.visitor();
    let (mut slow, record) = (site.load(&browser), site.store.memory.entries());
    slow.set("page", 2).unwrap();
    site.logout(&mut browser.clone(), 200);
    site.told();
    // Even where the record itself is still shown, or came back.
    site.store.memory.put(record[0].0.clone(), record[0].1.clone());
    assert_eq!(run(site.sessions.commit_headers(&mut slow, 200)).unwrap_err().kind(), ErrorKind::SessionInterrupted);
    assert_eq!(site.told(), ["interrupted"]);
    assert_eq!(site.stored(), (1, 1, 0));
    assert_eq!(site.store.memory.entries()[1], record[0], "and it is not written");
    assert_eq!((reason(&site, &browser), site.user(&browser)), (LoadReason::Revoked, None));
    for call in [|s: &mut Session| s.cycle_key().unwrap(), |s: &mut Session| s.set("page", 3).unwrap()] {
        let mut other = browser.clone();
        site.request(&mut other, call);
        assert_eq!(site.user(&other), None, "what follows is a session of its own");
        assert_eq!(reason(&site, &browser), LoadReason::Revoked);
    }
}

#[test]
fn a_login_that_meets_a_logout_is_interrupted() {
    let site = site();
    let mut browser = site.visitor();
    site.login(&mut browser);
    let mut login = site.load(&browser);
    login.cycle_key().unwrap();
    site.logout(&mut browser, 200);
    assert_eq!(run(site.sessions.commit_headers(&mut login, 200)).unwrap_err().kind(), ErrorKind::SessionInterrupted);
    assert_eq!(site.stored(), (0, 2, 1));
}

// An application can have a user in a session whose key it never changed.
#[test]
fn a_new_key_brings_back_no_session_that_was_logged_out_whether_it_ever_had_another_one_or_not() {
    for by_key in [false, true] {
        let site = site();
        let browser = site.visitor();
        let mut slow = site.load(&browser);
        slow.cycle_key().unwrap();
        if by_key {
            run(site.sessions.delete(&key(&site.load(&browser)))).unwrap();
        } else {
            site.logout(&mut browser.clone(), 200);
        }
        let error = run(site.sessions.commit_headers(&mut slow, 200)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::SessionInterrupted);
        assert_eq!(site.stored(), (0, 1, 0));
    }
}

#[test]
fn two_logins_at_once_from_an_anonymous_session_are_both_one() {
    let site = site();
    let mut browser = site.visitor();
    let mut parallel = browser.clone();
    let (mut one, mut other) = (site.load(&browser), site.load(&browser));
    one.cycle_key().unwrap();
    other.cycle_key().unwrap();
    site.commit(&mut browser, one, 200);
    site.commit(&mut parallel, other, 200);
    assert_eq!((site.user(&browser).as_deref(), site.user(&parallel).as_deref()), (Some("alice"), Some("alice")));
    assert_eq!(site.stored(), (2, 1, 0));
    site.logout(&mut browser, 200);
    assert_eq!(site.user(&parallel).as_deref(), Some("alice"), "each began a family of its own");
}

#[test]
fn two_new_keys_at_once_for_somebody_who_is_logged_in_are_one_and_an_interruption() {
    let site = site();
    let mut browser = site.visitor();
    site.login(&mut browser);
    let (mut one, mut other) = (site.load(&browser), site.load(&browser));
    one.cycle_key().unwrap();
    other.cycle_key().unwrap();
    site.commit(&mut browser, one, 200);
    assert_eq!(run(site.sessions.commit_headers(&mut other, 200)).unwrap_err().kind(), ErrorKind::SessionInterrupted);
    assert_eq!((site.user(&browser).as_deref(), site.stored()), (Some("alice"), (1, 2, 0)));
}

// A late answer must not clear the cookie of a new login, and here it cannot be told which one the browser has.
#[test]
fn the_cookie_of_an_ended_session_is_left_alone() {
    let site = site();
    let mut browser = site.visitor();
    site.logout(&mut browser.clone(), 200);
    site.operations();
    site.told();
    let kept = browser.clone();
    let headers = site.request(&mut browser, |session| {
        assert_eq!(session.load_reason(), LoadReason::Revoked);
        assert!(session.keys().unwrap().is_empty() && session.session_key().is_none());
    });
    assert!(headers.set_cookie().is_none() && headers.depends_on_cookie());
    assert_eq!((browser.0.clone(), site.operations()), (kept.0, vec!["read".to_owned()]));
    assert_eq!(site.told(), ["revoked"]);
    site.request(&mut browser, |session| session.set("user", "bob").unwrap());
    assert_eq!(site.user(&browser).as_deref(), Some("bob"), "what is set then is a new session");
}

// The cookie may have been replaced by a login meanwhile.
#[test]
fn after_five_seconds_a_request_says_nothing_about_the_cookie_that_it_came_with() {
    for (milliseconds, late) in [(5_000, false), (5_001, true)] {
        // Begun just before the second is full.
        let slow = |browser: &mut Browser, site: &Site, handler: &dyn Fn(&mut Session)| {
            site.now.set(site.now.get() + TimeDelta::milliseconds(900));
            let mut session = site.load(browser);
            site.now.set(site.now.get() + TimeDelta::milliseconds(milliseconds));
            handler(&mut session);
            let headers = site.commit(browser, session, 200);
            headers.set_cookie().map(|cookie| !cookie.contains("; Max-Age=0;"))
        };
        let site = site();
        let browser = site.visitor();
        let change = |session: &mut Session| session.set("page", 1).unwrap();
        let given = slow(&mut browser.clone(), &site, &change);
        assert_eq!(given, (!late).then_some(true), "an identity that is as it was");
        assert_eq!(slow(&mut Browser::default(), &site, &change), Some(true), "a new session");
        assert_eq!(slow(&mut browser.clone(), &site, &|session| session.cycle_key().unwrap()), Some(true), "a login");
        let gone = site.visitor();
        lose(&site, "session");
        site.pass(200);
        let looked = |session: &mut Session| assert!(session.keys().unwrap().is_empty());
        assert_eq!(slow(&mut gone.clone(), &site, &looked), (!late).then_some(false), "a session that is gone");
        assert_eq!(slow(&mut gone.clone(), &site, &change), Some(true), "a new session in its place");
    }
}

#[test]
fn a_tombstone_counts_whatever_stands_beside_it() {
    for beside in ["the record", "nothing", "junk", "a newer version's"] {
        let site = site();
        let browser = site.visitor();
        let (key, record) = site.store.memory.entries().remove(0);
        site.logout(&mut browser.clone(), 200);
        match beside {
            "the record" => site.store.memory.put(key, record),
            "junk" => site.store.memory.put(key, b"junk".to_vec()),
            "a newer version's" => site.store.memory.put(key, b"{\"edge-session\":2}".to_vec()),
            _ => {}
        }
        assert_eq!(reason(&site, &browser), LoadReason::Revoked, "{beside}");
    }
}

#[test]
fn a_logout_ends_the_whole_family() {
    let site = site();
    let mut browser = site.visitor();
    let mut olds = vec![browser.clone()];
    site.login(&mut browser);
    olds.push(browser.clone());
    // Another tab logs in once more, at a location where this one's login does not show yet.
    let (far, mut parallel) = (site.elsewhere(defaults()), browser.clone());
    far.login(&mut parallel);
    site.login(&mut browser);
    for (key, value) in far.store.memory.entries() {
        site.store.memory.put(key, value);
    }
    assert_eq!((site.user(&browser).as_deref(), site.user(&parallel).as_deref()), (Some("alice"), Some("alice")));

    site.operations();
    let mut leaving = browser.clone();
    site.logout(&mut leaving, 200);
    assert_eq!(site.operations(), ["read", "put ended", "put family", "put ended", "delete"]);
    olds.extend([browser, parallel]);
    for old in &olds {
        assert_eq!(reason(&site, old), LoadReason::Revoked);
    }
    assert_eq!(site.stored().0, 1, "the other tab's record is there, and nobody's");
}

#[test]
fn a_session_that_never_logged_in_has_no_family_and_the_first_key_of_one_ends_with_it() {
    let site = site();
    let mut browser = site.visitor();
    site.logout(&mut browser, 200);
    assert_eq!(site.operations(), ["read", "put ended", "delete"]);
    let mut browser = site.visitor();
    site.login(&mut browser);
    site.operations();
    site.logout(&mut browser.clone(), 200);
    assert_eq!(site.operations(), ["read", "put ended", "put family", "delete"]);
    assert_eq!(site.store.reads.take().last().unwrap(), &["session", "ended"], "its own tombstone says it all");
    assert_eq!(reason(&site, &browser), LoadReason::Revoked);
}

#[test]
fn a_load_reads_the_record_and_its_tombstones_at_once() {
    let site = site();
    let mut browser = site.visitor();
    let take = || std::mem::take(&mut *site.store.reads.borrow_mut());
    site.load(&browser);
    assert_eq!(take(), [["session", "ended"]]);
    site.login(&mut browser);
    take();
    site.load(&browser);
    assert_eq!(take(), [["session", "ended"]], "the family is the key itself");
    site.login(&mut browser);
    take();
    site.request(&mut browser, |session| session.set("page", 2).unwrap());
    assert_eq!(take(), [["session", "ended", "family"], ["session", "ended", "family"]], "load and save");
}

#[test]
fn outside_of_a_request_tombstones_count_too() {
    let site = site();
    let browser = site.visitor();
    let (storage_key, record) = site.store.memory.entries().remove(0);
    let named = key(&site.load(&browser));
    assert!(run(site.sessions.exists(&named)).unwrap());
    site.operations();
    run(site.sessions.delete(&named)).unwrap();
    assert_eq!(site.operations(), ["put ended", "delete"]);
    site.store.memory.put(storage_key, record);
    assert!(!run(site.sessions.exists(&named)).unwrap());
    let mut session = run(site.sessions.open(&named)).unwrap();
    assert_eq!((session.load_reason(), session.session_key().is_some()), (LoadReason::Revoked, true));
    assert!(session.keys().unwrap().is_empty() && session.session_key().is_none());
    assert_eq!(reason(&site, &browser), LoadReason::Revoked);
}

#[test]
fn a_familys_end_that_only_the_record_names_is_found() {
    let site = site();
    let mut browser = site.visitor();
    site.login(&mut browser);
    site.login(&mut browser);
    let named = key(&site.load(&browser));
    let record = site.store.memory.entries().into_iter().find(|(key, _)| kind(key) == "session").unwrap();
    site.logout(&mut browser.clone(), 200);
    lose(&site, "ended");
    site.store.memory.put(record.0, record.1);
    site.store.reads.take();
    assert!(!run(site.sessions.exists(&named)).unwrap());
    assert_eq!(site.store.reads.take(), [vec!["session", "ended"], vec!["family"]]);
    assert_eq!(run(site.sessions.open(&named)).unwrap().load_reason(), LoadReason::Revoked);
    site.refuse(["read family"]);
    let error = run(site.sessions.exists(&named)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::StoreUnavailable, "a failure is no answer");
    lose(&site, "family");
    assert!(run(site.sessions.exists(&named)).unwrap());
}

#[test]
fn a_tombstone_outlives_every_record_that_could_still_be_written() {
    let settings = || defaults().absolute_age(10_000);
    let site = site_with(settings());
    let mut browser = site.visitor();
    site.pass(1_000);
    site.login(&mut browser);
    let ttls = site.store.ttls.take();
    assert_eq!(ttls, [("session".to_owned(), 10_000), ("ended".to_owned(), 9_180)], "to the old key's absolute end");
    site.pass(4_000);
    site.login(&mut browser);
    site.store.ttls.take();
    site.logout(&mut browser, 200);
    let ttls = site.store.ttls.take();
    assert_eq!(ttls, ["ended", "family", "ended"].map(|kind| (kind.to_owned(), 6_180)));

    // Who names a key alone does not know when its session ends.
    let site = support::site();
    let named = key(&site.load(&site.visitor()));
    run(site.sessions.delete(&named)).unwrap();
    assert_eq!(site.store.ttls.take(), [("ended".to_owned(), 400 * DAY + 180)]);
    let site = site_with(settings());
    let mut session = run(site.sessions.open(&key(&site.load(&site.visitor())))).unwrap();
    run(site.sessions.flush(&mut session)).unwrap();
    assert_eq!(site.store.ttls.take(), [("ended".to_owned(), 10_180)], "but where the record was read, it does");
}

#[test]
fn a_session_past_its_absolute_end_is_ended_for_a_few_minutes_still() {
    let site = site_with(defaults().cookie_age(100).absolute_age(100));
    let mut browser = site.visitor();
    site.pass(200);
    site.logout(&mut browser, 200);
    assert_eq!(site.store.ttls.take(), [("ended".to_owned(), 180)], "clocks differ");
}

/// What each way of failing does to a login: what fails, the operations, the error, whether the old key remains, and what
/// is stored.
#[test]
fn a_login_step_by_step_with_each_one_failing() {
    type Row<'a> = (&'a [&'static str], &'a [&'a str], Result<bool, ErrorKind>, (usize, usize, usize), &'a [&'a str]);
    let unavailable = Err(ErrorKind::StoreUnavailable);
    let rows: [Row; 9] = [
        (&[], &["read", "put", "put ended", "delete"], Ok(false), (1, 1, 0), &["cycled"]),
        (&["read"], &["read"], unavailable, (1, 0, 0), &["store-failed"]),
        (
            &["put"],
            &["read", "put", "read", "put", "put ended", "delete"],
            Ok(false),
            (1, 1, 0),
            &["retried", "cycled"],
        ),
        (&["put", "put"], &["read", "put", "read", "put"], unavailable, (1, 0, 0), &["retried", "store-failed"]),
        (&["put ended"], &["read", "put", "put ended", "put ended", "delete"], Ok(false), (1, 1, 0), &["cycled"]),
        (
            &["put ended", "put ended"],
            &["read", "put", "put ended", "put ended", "delete"],
            Ok(true),
            (1, 0, 0),
            &["cycled", "old-key-remains"],
        ),
        (&["delete"], &["read", "put", "put ended", "delete"], Ok(false), (2, 1, 0), &["cycled"]),
        (
            &["put ended", "put ended", "delete"],
            &["read", "put", "put ended", "put ended", "delete"],
            Ok(true),
            (2, 0, 0),
            &["cycled", "old-key-remains"],
        ),
        (
            &["put", "put ended", "delete"],
            &["read", "put", "read", "put", "put ended", "put ended", "delete"],
            Ok(false),
            (2, 1, 0),
            &["retried", "cycled"],
        ),
    ];
    for (failing, operations, result, stored, told) in rows {
        let site = site();
        let mut browser = site.visitor();
        let mut session = site.load(&browser);
        session.cycle_key().unwrap();
        session.set("_auth_user_id", 7).unwrap();
        site.operations();
        for operation in failing {
            site.refuse([*operation]);
        }
        let headers = run(site.sessions.commit_headers(&mut session, 200));
        let outcome = headers.as_ref().map(|headers| headers.saved().old_record_remains);
        assert_eq!(outcome.map_err(edge_session::Error::kind), result, "{failing:?}");
        assert_eq!((site.operations(), site.stored(), site.told()), {
            let texts = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect();
            (texts(operations), stored, texts(told))
        });
        if let Ok(headers) = headers {
            browser.take(&headers);
            assert_eq!(site.load(&browser).get("_auth_user_id").unwrap(), Some(7), "{failing:?}");
        } else {
            assert_eq!(site.user(&browser).as_deref(), Some("alice"), "the session before goes on");
        }
    }
}

/// The same of a logout, of a session with a family whose first key was another one.
#[test]
fn a_logout_step_by_step_with_each_one_failing() {
    let ends = ["put ended", "put family", "put ended", "delete"];
    type Row<'a> = (&'a [&'static str], &'a [&'a str], bool, (usize, usize, usize));
    let twice = |at: usize| {
        let mut all = ends.to_vec();
        all.insert(at, ends[at]);
        all
    };
    let (first, second) = (twice(0), twice(1));
    let rows: [Row; 6] = [
        (&[], &ends, true, (0, 2, 1)),
        (&["put ended"], &first, true, (0, 2, 1)),
        (&["put family"], &second, true, (0, 2, 1)),
        (&["put ended", "put ended"], &first, false, (0, 1, 1)),
        (&["put family", "put family"], &second, false, (0, 2, 0)),
        (&["delete"], &ends, true, (1, 2, 1)),
    ];
    for (failing, operations, is_ok, stored) in rows {
        let site = site();
        let mut browser = site.visitor();
        site.login(&mut browser);
        site.login(&mut browser);
        lose(&site, "ended");
        let mut session = site.load(&browser);
        site.operations();
        site.told();
        for operation in failing {
            site.refuse([*operation]);
        }
        let result = run(site.sessions.flush(&mut session));
        assert_eq!(
            result.as_ref().map_err(edge_session::Error::kind).err(),
            (!is_ok).then_some(ErrorKind::StoreUnavailable)
        );
        assert_eq!(
            (site.operations(), site.stored()),
            (operations.iter().map(|op| (*op).to_owned()).collect(), stored)
        );
        assert_eq!(site.told(), [if is_ok { "flushed" } else { "store-failed" }], "{failing:?}");
        assert!(session.is_empty() && session.session_key().is_none());
        assert_eq!(site.store.waits.take().len(), usize::from(failing.first().is_some_and(|op| op.starts_with("put"))));
        let headers = run(site.sessions.commit_headers(&mut session, if is_ok { 200 } else { 503 })).unwrap();
        assert!(is_deletion(headers.set_cookie()), "the cookie goes all the same");
    }
}

#[test]
fn a_logout_ends_the_tokens_key_whatever_its_load_came_to() {
    /// A site, and a browser whose session's load there comes to that.
    fn coming_to(reason: LoadReason) -> (Site, Browser) {
        let site = site_with(defaults().cookie_age(1_000));
        let far = site.elsewhere(defaults().cookie_age(1_000));
        let mut browser = site.visitor();
        let (key, _) = site.store.memory.entries().remove(0);
        match reason {
            LoadReason::Unknown => {
                site.pass(101);
                lose(&site, "session");
            }
            LoadReason::NotYetVisible => return (far, browser),
            LoadReason::Expired => site.pass(1_000),
            LoadReason::Unavailable => site.refuse(["read"]),
            LoadReason::Corrupt => site.store.memory.put(key, b"junk".to_vec()),
            LoadReason::NewerVersion => site.store.memory.put(key, b"{\"edge-session\":2}".to_vec()),
            LoadReason::Revoked => _ = site.logout(&mut browser.clone(), 200),
            LoadReason::Stale => {
                far.catch_up(&site);
                let mut other = run(site.sessions.open(&self::key(&site.load(&browser)))).unwrap();
                other.set("theirs", 1).unwrap();
                run(site.sessions.save(&mut other)).unwrap();
                site.request(&mut browser, |session| session.set("mine", 1).unwrap());
                return (far, browser);
            }
            LoadReason::StaleRepaired => {
                far.catch_up(&site);
                site.request(&mut browser, |session| session.set("mine", 1).unwrap());
                return (far, browser);
            }
            _ => {}
        }
        (site, browser)
    }
    let all = [
        LoadReason::Live,
        LoadReason::StaleRepaired,
        LoadReason::Stale,
        LoadReason::NotYetVisible,
        LoadReason::Unknown,
        LoadReason::Expired,
        LoadReason::Unavailable,
        LoadReason::Corrupt,
        LoadReason::NewerVersion,
        LoadReason::Revoked,
    ];
    for expected in all {
        for looks in [false, true] {
            let (site, mut browser) = coming_to(expected);
            let old = browser.clone();
            let mut session = site.load(&browser);
            assert_eq!(session.load_reason(), expected);
            if looks {
                _ = session.get::<String>("user");
            }
            site.operations();
            site.told();
            run(site.sessions.flush(&mut session)).unwrap();
            assert_eq!(site.operations(), ["put ended", "delete"], "{expected}");
            assert_eq!((site.told(), site.stored()), (vec!["flushed".to_owned()], (0, 1, 0)));
            let headers = site.commit(&mut browser, session, 200);
            assert!(is_deletion(headers.set_cookie()), "{expected}: who logs out has no cookie any more");
            let reason = reason(&site, &old);
            assert!(reason == LoadReason::Revoked || expected == LoadReason::Expired, "{expected}: {reason}");
        }
    }
}

#[test]
fn a_logout_of_nobody_does_nothing() {
    let site = site();
    for header in [None, Some("__Host-sessionid=forged".to_owned())] {
        let mut session = site.load(&Browser(header.clone()));
        run(site.sessions.flush(&mut session)).unwrap();
        let headers = run(site.sessions.commit_headers(&mut session, 200)).unwrap();
        assert_eq!(is_deletion(headers.set_cookie()), header.is_some());
    }
    assert!(site.operations().is_empty());
    assert_eq!(site.told(), ["malformed"]);
}

#[test]
fn an_answer_after_five_seconds_says_nothing_about_a_cookie_that_may_be_another_one_by_now() {
    let site = site();
    let mut browser = site.visitor();
    for (milliseconds, sent) in [(5_000, true), (6_000, false)] {
        let mut session = site.load(&browser);
        session.set("page", milliseconds).unwrap();
        site.now.set(site.now.get() + TimeDelta::milliseconds(milliseconds.into()));
        let headers = site.commit(&mut browser, session, 200);
        assert_eq!(headers.set_cookie().is_some(), sent);
        assert!(headers.depends_on_cookie());
        assert_eq!(site.load(&browser).get("page").unwrap(), Some(milliseconds), "it was stored all the same");
        assert_eq!(reason(&site, &browser), LoadReason::Live);
    }
    // Nor is a cookie taken away.
    let mut session = site.load(&Browser(Some("__Host-sessionid=forged".to_owned())));
    assert!(session.keys().unwrap().is_empty());
    site.pass(6);
    assert!(run(site.sessions.commit_headers(&mut session, 200)).unwrap().set_cookie().is_none());
    // What was asked for is done: a new key, a logout, a first session.
    let slowly: [fn(&Site, &mut Session); 2] =
        [|_, session| session.cycle_key().unwrap(), |site, session| run(site.sessions.flush(session)).unwrap()];
    for slow in slowly {
        let browser = site.visitor();
        let mut session = site.load(&browser);
        slow(&site, &mut session);
        site.pass(6);
        assert!(run(site.sessions.commit_headers(&mut session, 200)).unwrap().set_cookie().is_some());
    }
    let mut session = site.load(&Browser::default());
    session.set("page", 1).unwrap();
    site.pass(6);
    assert!(run(site.sessions.commit_headers(&mut session, 200)).unwrap().set_cookie().is_some());
}

#[test]
fn without_the_check_a_load_is_one_read_and_a_cached_record_goes_on_being_served() {
    let settings = || defaults().check_ended(false);
    let site = site_with(settings());
    let mut browser = site.visitor();
    site.login(&mut browser);
    site.login(&mut browser);
    site.store.reads.take();
    let far = site.elsewhere(settings());
    let old = browser.clone();
    site.logout(&mut browser, 200);
    assert_eq!(site.store.reads.take(), [["session"]]);
    assert_eq!(site.stored(), (0, 3, 1), "the tombstones are put");
    assert_eq!(site.user(&old), None);

    // This is what is lost: where the record is still shown, the tombstone is not asked for.
    far.store.memory.put(site.store.memory.entries()[0].0.clone(), site.store.memory.entries()[0].1.clone());
    for (key, value) in site.store.memory.entries() {
        far.store.memory.put(key, value);
    }
    assert_eq!(far.user(&old).as_deref(), Some("alice"));
    // But nothing comes back: a save looks.
    let mut session = far.load(&old);
    session.set("page", 2).unwrap();
    assert_eq!(run(far.sessions.commit_headers(&mut session, 200)).unwrap_err().kind(), ErrorKind::SessionInterrupted);
    let checking = site_on(far.store.clone(), defaults());
    assert_eq!(reason(&checking, &old), LoadReason::Revoked);
}

#[test]
fn each_event_comes_once_and_holds_a_keyed_hash_and_nothing_else() {
    let site = site();
    let mut browser = Browser::default();
    site.request(&mut browser, |session| session.set("user", "alice-in-secret").unwrap());
    let mut secrets = vec![key(&site.load(&browser)), browser.header()];
    let first = site.events();
    assert_eq!(first.len(), 1);
    assert_eq!((first[0].0.as_str(), first[0].1.len()), ("created", 11));
    let pseudonym = first[0].1.clone();

    // The same session, the same name, whatever happens and wherever.
    site.fail(Failing::Reads);
    site.load(&browser);
    site.fail(Failing::Nothing);
    let restarted = site_on(site.store.clone(), defaults());
    site.refuse(["put"]);
    restarted.request(&mut browser, |session| session.set("page", 1).unwrap());
    assert_eq!(site.events(), [("unavailable".to_owned(), pseudonym.clone())]);
    assert_eq!(restarted.events(), [("retried".to_owned(), pseudonym.clone())]);

    // A login begins another one; a logout tells of the one that it ends.
    site.login(&mut browser);
    secrets.extend([key(&site.load(&browser)), browser.header()]);
    let cycled = site.events();
    assert_eq!((cycled.len(), cycled[0].0.as_str()), (1, "cycled"));
    assert_ne!(cycled[0].1, pseudonym);
    let old = browser.clone();
    site.logout(&mut browser, 200);
    site.load(&old);
    assert_eq!(site.events(), ["flushed", "revoked"].map(|word| (word.to_owned(), cycled[0].1.clone())));

    // It is none of the store's names, and another secret gives another one.
    let shown: Vec<_> = site.store.memory.entries().iter().map(|(key, _)| key.as_str().to_owned()).collect();
    assert!(shown.iter().chain(&secrets).all(|text| !text.contains(&pseudonym) && !text.contains(&cycled[0].1)));
    let other = site_on(site.store.clone(), edge_session::Settings::builder([support::OLD_SECRET]));
    let mut session = run(other.sessions.open(&secrets[0])).unwrap();
    assert!(session.keys().unwrap().is_empty());
    let told = other.events();
    assert_eq!(told[0].0, "revoked");
    assert_ne!(told[0].1, pseudonym);
}

//! Revocation: logouts and logins put tombstones, which every later load and save reads.

use std::rc::Rc;

use chrono::TimeDelta;
use edge_session::store::Op;
use edge_session::{ErrorKind, LoadReason, Session, Store};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use crate::support::{
    self, Browser, COOKIE_NAMES, Failing, Site, cookies, defaults, kind, record_key, run, site, site_on, site_with,
};

const DAY: u64 = 86_400;

fn key(session: &Session) -> String {
    session.session_key().unwrap().as_str().to_owned()
}

fn reason(site: &Site, browser: &Browser) -> LoadReason {
    site.load(browser).load_reason()
}

/// Removes all entries of one kind from the store.
fn lose(site: &Site, what: &str) {
    for (key, _) in site.store.memory.entries() {
        if kind(&key) == what {
            run(site.store.memory.write(vec![Op::Delete { key }])).unwrap();
        }
    }
}

// CVE-2025-32441 and CVE-2025-46336 (Rack): a slow request stored the session again after its logout.
#[test]
fn cve_2025_46336_a_logout_cannot_be_undone_by_a_slow_request() {
    let site = site();
    let browser = site.visitor();
    let (mut slow, record) = (site.load(&browser), site.store.memory.entries());
    slow.set("page", 2).unwrap();
    site.logout(&mut browser.clone(), 200);
    site.event_kinds();
    // Even if the record is still visible, or was restored.
    site.store.memory.put(record[0].0.clone(), record[0].1.clone());
    assert_eq!(site.failed_commit(&mut slow).kind(), ErrorKind::SessionInterrupted);
    assert_eq!(site.event_kinds(), ["interrupted"]);
    assert_eq!(site.stored(), (1, 2));
    assert_eq!(site.store.memory.entries()[2], record[0], "and it is not written");
    for site in [&site, &site.another_isolate()] {
        assert_eq!((reason(site, &browser), site.user(&browser)), (LoadReason::Revoked, None));
    }
    for call in [|s: &mut Session| s.cycle_key().unwrap(), |s: &mut Session| s.set("page", 3).unwrap()] {
        let mut other = browser.clone();
        site.request(&mut other, call);
        assert_eq!(site.user(&other), None, "a later save starts a session of its own");
        assert_eq!(reason(&site, &browser), LoadReason::Revoked);
    }
}

#[test]
fn a_login_that_conflicts_with_a_logout_is_interrupted() {
    let site = site();
    let mut browser = site.visitor();
    site.login(&mut browser);
    let mut login = site.load(&browser);
    login.cycle_key().unwrap();
    site.logout(&mut browser, 200);
    assert_eq!(site.failed_commit(&mut login).kind(), ErrorKind::SessionInterrupted);
    assert_eq!(site.stored(), (1, 3), "the record is the one from before the login");
}

// An application can log a user in without a rotation.
#[test]
fn a_rotation_revives_no_session_that_was_logged_out() {
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
        let error = site.failed_commit(&mut slow);
        assert_eq!(error.kind(), ErrorKind::SessionInterrupted);
        assert_eq!(site.stored(), (0, if by_key { 4 } else { 2 }));
    }
}

#[test]
fn two_logins_at_once_from_an_anonymous_session_belong_to_one_family_and_a_logout_ends_both() {
    let site = site();
    let mut browser = site.visitor();
    let mut parallel = browser.clone();
    let (mut one, mut other) = (site.load(&browser), site.load(&browser));
    one.cycle_key().unwrap();
    other.cycle_key().unwrap();
    site.commit(&mut browser, one, 200);
    site.commit(&mut parallel, other, 200);
    assert_ne!(browser, parallel);
    assert_eq!((site.user(&browser).as_deref(), site.user(&parallel).as_deref()), (Some("alice"), Some("alice")));
    assert_eq!(site.stored(), (3, 1));
    site.logout(&mut browser.clone(), 200);
    for site in [&site, &site.another_isolate()] {
        for browser in [&browser, &parallel] {
            assert_eq!((reason(site, browser), site.user(browser)), (LoadReason::Revoked, None));
        }
    }
}

#[test]
fn of_two_rotations_at_once_of_a_logged_in_session_the_second_is_refused_as_superseded() {
    let site = site();
    let mut browser = site.visitor();
    site.login(&mut browser);
    let (mut one, mut other) = (site.load(&browser), site.load(&browser));
    one.cycle_key().unwrap();
    other.cycle_key().unwrap();
    site.commit(&mut browser, one, 200);
    site.event_kinds();
    let error = site.failed_commit(&mut other);
    assert_eq!((error.kind(), error.code()), (ErrorKind::Superseded, "ES_SUPERSEDED"));
    assert_eq!(site.event_kinds(), ["refused-superseded"]);
    assert_eq!((site.user(&browser).as_deref(), site.stored()), (Some("alice"), (2, 2)));
}

// A late response must not clear the cookie of a new login, and the server cannot know which one the browser has.
#[test]
fn the_cookie_of_an_ended_session_is_left_alone() {
    let site = site();
    let mut browser = site.visitor();
    site.logout(&mut browser.clone(), 200);
    site.operations();
    site.event_kinds();
    let kept = browser.clone();
    let headers = site.request(&mut browser, |session| {
        assert_eq!(session.load_reason(), LoadReason::Revoked);
        assert!(session.keys().unwrap().is_empty() && session.session_key().is_none());
    });
    assert!(headers.set_cookie().is_none() && headers.depends_on_cookie());
    assert_eq!((browser.0.clone(), site.operations()), (kept.0, vec!["read".to_owned()]));
    assert_eq!(site.event_kinds(), ["revoked"]);
    site.request(&mut browser, |session| session.set("user", "bob").unwrap());
    assert_eq!(site.user(&browser).as_deref(), Some("bob"), "a value set then starts a new session");
}

#[test]
fn a_tombstone_takes_precedence_over_any_record() {
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
        for site in [&site, &site.another_isolate()] {
            assert_eq!(reason(site, &browser), LoadReason::Revoked, "{beside}");
        }
    }
}

#[test]
fn a_logout_ends_the_whole_family() {
    let site = site();
    let mut browser = site.visitor();
    let mut olds = vec![browser.clone()];
    site.login(&mut browser);
    olds.push(browser.clone());
    // Another tab logs in at a location that does not show the first login yet.
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
    assert_eq!(site.operations(), ["read", "put ended", "put ended", "put ended", "delete"]);
    olds.extend([browser, parallel]);
    for site in [&site, &site.another_isolate()] {
        for old in &olds {
            assert_eq!(reason(site, old), LoadReason::Revoked);
        }
    }
    assert_eq!(
        site.stored().0,
        2,
        "the records of the other tab and of the anonymous session are there, and open nothing"
    );
}

/// The numbers of the rotations that have a tombstone of this kind.
fn tombstones(site: &Site, word: &str) -> Vec<u16> {
    let entries = site.store.memory.entries().into_iter().filter(|(key, _)| kind(key) == "ended");
    let entries = entries.filter(|(_, value)| String::from_utf8_lossy(value).contains(&format!("\"{word}\":")));
    let mut numbers: Vec<_> =
        entries.map(|(key, _)| key.as_str().rsplit('.').next().unwrap().parse().unwrap()).collect();
    numbers.sort_unstable();
    numbers
}

#[test]
fn a_logout_revokes_seven_rotations_before_the_sessions_own_and_the_next_one() {
    for (rotations, first) in [(0, 0), (1, 1), (2, 1), (8, 1), (9, 2), (20, 13)] {
        let site = site();
        let mut browser = site.visitor();
        (0..rotations).for_each(|_| _ = site.login(&mut browser));
        lose(&site, "ended");
        site.logout(&mut browser, 200);
        assert_eq!(tombstones(&site, "ended"), (first..=rotations + 1).collect::<Vec<_>>(), "{rotations}");
        assert_eq!(tombstones(&site, "cycled"), [0; 0]);
    }
}

#[test]
fn a_logout_of_a_key_that_may_be_behind_revokes_three_rotations_ahead() {
    // Superseded, revoked, unknown, opened by its key, unreadable, and loaded over a second ago.
    for case in 0..6 {
        let site = site();
        let browser = site.visitor();
        let mut ahead = browser.clone();
        match case {
            0 => _ = site.login(&mut ahead),
            1 => _ = site.logout(&mut ahead, 200),
            2 => {
                site.advance(131);
                lose(&site, "session");
            }
            _ => {}
        }
        let mut session = match case {
            3 => run(site.sessions.open(&site.session_key(&browser))).unwrap(),
            4 => {
                site.refuse(["read"]);
                site.load(&browser)
            }
            _ => site.load(&browser),
        };
        if case == 5 {
            site.now.set(site.now.get() + TimeDelta::milliseconds(1_001));
        }
        use LoadReason::{Live, Revoked, Superseded, Unavailable, Unknown};
        assert_eq!(session.load_reason(), [Superseded, Revoked, Unknown, Live, Unavailable, Live][case]);
        run(site.sessions.flush(&mut session)).unwrap();
        assert_eq!(tombstones(&site, "ended"), [0, 1, 2, 3], "{case}");
        assert_eq!(site.user(&ahead), None);
    }
    let site = site();
    let mut session = site.load(&site.visitor());
    site.now.set(site.now.get() + TimeDelta::milliseconds(1_000));
    run(site.sessions.flush(&mut session)).unwrap();
    assert_eq!(tombstones(&site, "ended"), [0, 1], "loaded within the second");
}

#[test]
fn a_logout_that_was_loaded_before_two_rotations_ends_the_key_that_they_made() {
    let site = site();
    let mut browser = site.visitor();
    site.login(&mut browser);
    let elsewhere = site.another_isolate();
    let mut leaving = elsewhere.load(&browser);
    for _ in 0..2 {
        site.advance(1);
        site.login(&mut browser);
    }
    run(elsewhere.sessions.flush(&mut leaving)).unwrap();
    for site in [&site, &elsewhere] {
        assert_eq!((reason(site, &browser), site.user(&browser)), (LoadReason::Revoked, None));
    }
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
    // The record holds the number of rotations, which is part of the tombstone's key.
    assert_eq!(site.operations(), ["read", "read", "put ended", "put ended", "put ended", "put ended", "delete"]);
    site.store.memory.put(storage_key, record);
    for site in [&site, &site.another_isolate()] {
        assert!(!run(site.sessions.exists(&named)).unwrap());
        let mut session = run(site.sessions.open(&named)).unwrap();
        assert_eq!((session.load_reason(), session.session_key().is_some()), (LoadReason::Revoked, true));
        assert!(session.keys().unwrap().is_empty() && session.session_key().is_none());
        assert_eq!(reason(site, &browser), LoadReason::Revoked);
    }
}

#[test]
fn a_session_that_is_opened_by_its_key_is_revoked_by_the_tombstone_that_its_record_names() {
    let site = site();
    let mut browser = site.visitor();
    site.login(&mut browser);
    site.login(&mut browser);
    let named = site.session_key(&browser);
    let record = site.store.memory.entries().into_iter().find(|(key, _)| *key == record_key(&named)).unwrap();
    site.logout(&mut browser.clone(), 200);
    site.store.memory.put(record.0, record.1);
    let site = site.another_isolate();
    site.store.reads.take();
    assert!(!run(site.sessions.exists(&named)).unwrap());
    assert_eq!(site.store.reads.take(), [["session"], ["ended"]]);
    assert_eq!(run(site.sessions.open(&named)).unwrap().load_reason(), LoadReason::Revoked);
    site.allow("read");
    site.refuse(["read"]);
    let error = run(site.sessions.exists(&named)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::StoreUnavailable, "a failure is not a result");
    lose(&site, "ended");
    assert!(run(site.sessions.exists(&named)).unwrap());
}

#[test]
fn a_tombstone_outlives_every_record_that_could_still_be_written() {
    let settings = || defaults().absolute_age(10_000);
    let site = site_with(settings());
    let mut browser = site.visitor();
    site.advance(1_000);
    site.login(&mut browser);
    let ttls = site.store.ttls.take();
    assert_eq!(ttls, [("session".to_owned(), 10_000), ("ended".to_owned(), 9_300)], "to the old key's absolute end");
    site.advance(4_000);
    site.login(&mut browser);
    site.store.ttls.take();
    site.logout(&mut browser, 200);
    let ttls = site.store.ttls.take();
    let all = |seconds, number| vec![("ended".to_owned(), seconds); number];
    assert_eq!(ttls, all(6_300, 3));

    // The tombstone of a possible login lasts as long as that login could.
    let mut browser = site.visitor();
    site.advance(1_000);
    site.logout(&mut browser, 200);
    assert_eq!(site.store.ttls.take(), [("ended".to_owned(), 9_300), ("ended".to_owned(), 10_300)]);

    // A key alone does not contain the session's deadline.
    let site = support::site();
    let named = key(&site.load(&site.visitor()));
    run(site.sessions.delete(&named)).unwrap();
    assert_eq!(site.store.ttls.take(), all(400 * DAY + 300, 4));
    let site = site_with(settings());
    let mut session = run(site.sessions.open(&key(&site.load(&site.visitor())))).unwrap();
    run(site.sessions.flush(&mut session)).unwrap();
    assert_eq!(site.store.ttls.take(), all(10_300, 4), "but its record does");
}

#[test]
fn a_session_past_its_absolute_deadline_can_be_revoked_for_a_few_minutes() {
    let site = site_with(defaults().cookie_age(100).absolute_age(100));
    let mut browser = site.visitor();
    site.advance(200);
    site.logout(&mut browser, 200);
    let ttls = [300, 400, 400, 400].map(|seconds| ("ended".to_owned(), seconds));
    assert_eq!(site.store.ttls.take(), ttls, "clocks differ, and a login would have started another lifetime");
}

/// The rows of a login with failures: the failing operations, all operations, whether the old key remains, the stored entries,
/// and the events.
type LoginRow<'a> = (&'a [&'static str], &'a [&'a str], Result<bool, ErrorKind>, (usize, usize), &'a [&'a str]);

const UNAVAILABLE: Result<bool, ErrorKind> = Err(ErrorKind::StoreUnavailable);

/// Logs a browser in again, while the operations of each row fail.
fn login_step_by_step(rows: &[LoginRow], visitor: impl Fn(&Site) -> Browser) {
    for (failing, operations, result, stored, events) in rows {
        let site = site();
        let mut browser = visitor(&site);
        let mut session = site.load(&browser);
        session.cycle_key().unwrap();
        session.set("_auth_user_id", 7).unwrap();
        site.operations();
        site.event_kinds();
        for operation in *failing {
            site.refuse([*operation]);
        }
        let headers = run(site.sessions.commit_headers(&mut session, 200));
        let outcome = headers.as_ref().map(|headers| headers.saved().old_record_remains);
        assert_eq!(outcome.map_err(edge_session::Error::kind), *result, "{failing:?}");
        assert_eq!((site.operations(), site.stored(), site.event_kinds()), {
            let texts = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect();
            (texts(operations), *stored, texts(events))
        });
        if let Ok(headers) = headers {
            browser.take(&headers);
            assert_eq!(site.load(&browser).get("_auth_user_id").unwrap(), Some(7), "{failing:?}");
        } else {
            assert_eq!(site.user(&browser).as_deref(), Some("alice"), "the earlier session continues");
        }
    }
}

#[test]
fn a_login_step_by_step_with_each_one_failing() {
    login_step_by_step(
        &[
            (&[], &["read", "put", "put cycled"], Ok(false), (2, 1), &["cycled"]),
            (&["read"], &["read"], UNAVAILABLE, (1, 0), &["store-failed"]),
            (&["put"], &["read", "put", "read", "put", "put cycled"], Ok(false), (2, 1), &["retried", "cycled"]),
            (
                &["put", "put", "put"],
                &["read", "put", "read", "put", "read", "put", "read", "put", "put cycled"],
                Ok(false),
                (2, 1),
                &["retried", "retried", "retried", "cycled"],
            ),
            (
                &["put", "put", "put", "put"],
                &["read", "put", "read", "put", "read", "put", "read", "put"],
                UNAVAILABLE,
                (1, 0),
                &["retried", "retried", "retried", "store-failed"],
            ),
            (&["put cycled"], &["read", "put", "put cycled", "put cycled"], Ok(false), (2, 1), &["cycled"]),
            // The second defence, where the first one failed: the record of the old key.
            (
                &["put cycled", "put cycled"],
                &["read", "put", "put cycled", "put cycled", "delete"],
                Ok(true),
                (1, 0),
                &["cycled", "old-key-remains"],
            ),
            (
                &["put cycled", "put cycled", "delete"],
                &["read", "put", "put cycled", "put cycled", "delete"],
                Ok(true),
                (2, 0),
                &["cycled", "old-key-remains"],
            ),
        ],
        Site::visitor,
    );
}

#[test]
fn a_rotation_of_a_logged_in_session_step_by_step_with_each_one_failing() {
    let user = |site: &Site| {
        let mut browser = site.visitor();
        site.login(&mut browser);
        browser
    };
    // The store also has the anonymous session's record and tombstone.
    login_step_by_step(
        &[
            (&[], &["read", "put", "put cycled", "delete"], Ok(false), (2, 2), &["cycled"]),
            (&["read"], &["read"], UNAVAILABLE, (2, 1), &["store-failed"]),
            (
                &["put"],
                &["read", "put", "read", "put", "put cycled", "delete"],
                Ok(false),
                (2, 2),
                &["retried", "cycled"],
            ),
            (&["put cycled"], &["read", "put", "put cycled", "put cycled", "delete"], Ok(false), (2, 2), &["cycled"]),
            (
                &["put cycled", "put cycled"],
                &["read", "put", "put cycled", "put cycled", "delete"],
                Ok(true),
                (2, 1),
                &["cycled", "old-key-remains"],
            ),
            (&["delete"], &["read", "put", "put cycled", "delete"], Ok(false), (3, 2), &["cycled"]),
            (
                &["put", "put cycled", "delete"],
                &["read", "put", "read", "put", "put cycled", "put cycled", "delete"],
                Ok(false),
                (3, 2),
                &["retried", "cycled"],
            ),
        ],
        user,
    );
}

/// The rows of a logout of a session with two rotations: the refused operations, the puts of tombstones, whether the logout
/// succeeds, and the entries stored beside the anonymous session's record.
#[test]
fn a_logout_step_by_step_with_each_one_failing() {
    let ended = |number| vec!["put ended"; number];
    let rows = [
        (vec![], 3, true, (1, 3)),
        (ended(1), 4, true, (1, 3)),
        (ended(2), 5, true, (1, 3)),
        (ended(3), 6, true, (1, 3)),
        (ended(4), 6, false, (1, 2)),
        (ended(5), 6, false, (1, 1)),
        (ended(6), 6, false, (1, 0)),
        (vec!["delete"], 3, true, (2, 3)),
    ];
    for (failing, puts, is_ok, stored) in rows {
        let site = site();
        let mut browser = site.visitor();
        site.login(&mut browser);
        site.login(&mut browser);
        lose(&site, "ended");
        let mut session = site.load(&browser);
        site.operations();
        site.event_kinds();
        for operation in &failing {
            site.refuse([*operation]);
        }
        let result = run(site.sessions.flush(&mut session));
        assert_eq!(
            result.as_ref().map_err(edge_session::Error::kind).err(),
            (!is_ok).then_some(ErrorKind::StoreUnavailable)
        );
        assert_eq!(
            (site.operations(), site.stored()),
            ([ended(puts), vec!["delete"]].concat().iter().map(|op| (*op).to_owned()).collect(), stored)
        );
        assert_eq!(site.event_kinds(), [if is_ok { "flushed" } else { "store-failed" }], "{failing:?}");
        assert!(session.is_empty() && session.session_key().is_none());
        let waits = if puts > 3 { vec![1_000] } else { Vec::new() };
        assert_eq!(site.store.waits.take(), waits, "all failed puts are retried after one pause");
        let headers = run(site.sessions.commit_headers(&mut session, if is_ok { 200 } else { 503 })).unwrap();
        // The cookie of a logout that failed is replaced by an ending token.
        assert_eq!(cookies(&headers), [if is_ok { "-__Host-sessionid" } else { "+__Host-sessionid" }]);
        browser.take(&headers);
        assert_eq!(site.user(&browser), None);
    }
}

// Found by the simulation: the retry of one logout was refused because another one had just put the same tombstone, and failed.
#[test]
fn a_logout_succeeds_if_another_one_in_its_isolate_has_put_its_tombstones() {
    for are_put in [true, false] {
        let site = Rc::new(site());
        let mut browser = site.visitor();
        site.login(&mut browser);
        let mut session = site.load(&browser);
        let mut other = site.load(&browser);
        site.refuse(["put ended"]);
        let same = Rc::clone(&site);
        site.during_next_wait(move || {
            if are_put {
                run(same.sessions.flush(&mut other)).unwrap();
            }
            same.refuse(["put ended"]);
        });
        let result = run(site.sessions.flush(&mut session));
        assert_eq!(
            result.map_err(|error| error.kind()),
            if are_put { Ok(()) } else { Err(ErrorKind::StoreUnavailable) }
        );
    }
}

#[test]
fn a_logout_revokes_the_tokens_key_after_every_load_outcome() {
    /// A site, and a browser whose session has this load outcome there.
    fn coming_to(reason: LoadReason) -> (Site, Browser) {
        let site = site_with(defaults().cookie_age(1_000));
        let far = site.elsewhere(defaults().cookie_age(1_000));
        let mut browser = site.visitor();
        let (key, _) = site.store.memory.entries().remove(0);
        match reason {
            LoadReason::Unknown => {
                site.advance(131);
                lose(&site, "session");
            }
            LoadReason::NotYetVisible => return (far, browser),
            LoadReason::Expired => site.advance(1_000),
            LoadReason::Unavailable => site.refuse(["read"]),
            LoadReason::Corrupt => site.store.memory.put(key, b"junk".to_vec()),
            LoadReason::NewerVersion => site.store.memory.put(key, b"{\"edge-session\":2}".to_vec()),
            LoadReason::Revoked => _ = site.logout(&mut browser.clone(), 200),
            LoadReason::Superseded => _ = site.login(&mut browser.clone()),
            LoadReason::OtherSettings => {
                site.request(&mut browser, |session| session.set("essay", "x".repeat(3_000)).unwrap());
                return (site_on(site.store.clone(), defaults().max_record_bytes(1_024)), browser);
            }
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
        LoadReason::OtherSettings,
        LoadReason::Superseded,
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
            site.event_kinds();
            run(site.sessions.flush(&mut session)).unwrap();
            let is_newest = matches!(expected, LoadReason::Live | LoadReason::StaleRepaired);
            let tombstones = if is_newest { 2 } else { 4 };
            assert_eq!(site.operations(), [vec!["put ended"; tombstones], vec!["delete"]].concat(), "{expected}");
            let login = usize::from(expected == LoadReason::Superseded);
            assert_eq!((site.event_kinds(), site.stored()), (vec!["flushed".to_owned()], (login, tombstones)));
            let headers = site.commit(&mut browser, session, 200);
            assert_eq!(cookies(&headers), ["-__Host-sessionid-anonymous"], "{expected}: a logout deletes the cookie");
            let reason = reason(&site, &old);
            assert!(reason == LoadReason::Revoked || expected == LoadReason::Expired, "{expected}: {reason}");
        }
    }
}

#[test]
fn a_logout_without_a_session_does_nothing() {
    let site = site();
    for name in [None, Some(COOKIE_NAMES[0]), Some(COOKIE_NAMES[1])] {
        let mut session = site.load(&Browser(name.map(|name| format!("{name}=forged"))));
        run(site.sessions.flush(&mut session)).unwrap();
        let headers = run(site.sessions.commit_headers(&mut session, 200)).unwrap();
        assert_eq!(cookies(&headers), name.map(|name| format!("-{name}")).into_iter().collect::<Vec<_>>());
    }
    assert!(site.operations().is_empty());
    assert_eq!(site.event_kinds(), ["malformed", "malformed"]);
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
    assert_eq!(site.stored(), (0, 4), "the tombstones are put");
    assert_eq!(site.user(&old), None);

    // The cost of the setting: if the record is still visible, the tombstone is not read.
    far.store.memory.put(site.store.memory.entries()[0].0.clone(), site.store.memory.entries()[0].1.clone());
    for (key, value) in site.store.memory.entries() {
        far.store.memory.put(key, value);
    }
    assert_eq!(far.user(&old).as_deref(), Some("alice"));
    // A save checks the tombstone, so that no session is revived.
    let mut session = far.load(&old);
    session.set("page", 2).unwrap();
    assert_eq!(far.failed_commit(&mut session).kind(), ErrorKind::SessionInterrupted);
    let checking = far.another_isolate();
    assert_eq!(reason(&checking, &old), LoadReason::Revoked);
}

#[test]
fn each_event_is_emitted_once_and_holds_only_a_keyed_hash() {
    let site = site();
    let mut browser = Browser::default();
    site.request(&mut browser, |session| session.set("user", "alice-in-secret").unwrap());
    let mut secrets = vec![key(&site.load(&browser)), browser.header()];
    let first = site.events();
    assert_eq!(first.len(), 1);
    assert_eq!((first[0].0.as_str(), first[0].1.len()), ("created", 11));
    let pseudonym = first[0].1.clone();

    // One session has one pseudonym, in every event and isolate.
    site.fail(Failing::Reads);
    site.load(&browser);
    site.fail(Failing::Nothing);
    let restarted = site.another_isolate();
    site.refuse(["put"]);
    restarted.request(&mut browser, |session| session.set("page", 1).unwrap());
    assert_eq!(site.events(), [("unavailable".to_owned(), pseudonym.clone())]);
    assert_eq!(restarted.events(), [("retried".to_owned(), pseudonym.clone())]);

    // A login starts another session; the event of a logout names the session that it ends.
    site.login(&mut browser);
    secrets.extend([key(&site.load(&browser)), browser.header()]);
    let cycled = site.events();
    assert_eq!((cycled.len(), cycled[0].0.as_str()), (1, "cycled"));
    assert_ne!(cycled[0].1, pseudonym);
    let old = browser.clone();
    site.logout(&mut browser, 200);
    site.load(&old);
    assert_eq!(site.events(), ["flushed", "revoked"].map(|word| (word.to_owned(), cycled[0].1.clone())));

    // The pseudonym is not a storage key, and depends on the secret.
    let shown: Vec<_> = site.store.memory.entries().iter().map(|(key, _)| key.as_str().to_owned()).collect();
    assert!(shown.iter().chain(&secrets).all(|text| !text.contains(&pseudonym) && !text.contains(&cycled[0].1)));
    let other = site_on(site.store.clone(), edge_session::Settings::builder([support::OLD_SECRET]));
    let mut session = run(other.sessions.open(&secrets[0])).unwrap();
    assert!(session.keys().unwrap().is_empty());
    let events = other.events();
    assert_eq!(events[0].0, "revoked");
    assert_ne!(events[0].1, pseudonym);
}

#[test]
fn a_deletion_by_key_without_a_visible_record_revokes_up_to_eight_rotations() {
    let site = site();
    let mut browser = site.visitor();
    let far = site.elsewhere(defaults());
    let named = site.session_key(&browser);
    lose(&far, "session");
    for _ in 0..8 {
        site.login(&mut browser);
    }
    run(far.sessions.delete(&named)).unwrap();
    for (key, value) in far.store.memory.entries() {
        site.store.memory.put(key, value);
    }
    let site = site.another_isolate();
    assert_eq!((reason(&site, &browser), site.user(&browser)), (LoadReason::Revoked, None));
}

// The first attempt puts some tombstones, which do not contain the number of rotations.
#[test]
fn a_deletion_by_key_that_failed_ends_the_anonymous_key_at_the_second_attempt() {
    for flushes in [false, true] {
        let site = site();
        let browser = site.visitor();
        let record = site.store.memory.entries().remove(0);
        let named = site.session_key(&browser);
        let end = |site: &Site| match flushes {
            true => run(async { site.sessions.flush(&mut site.sessions.open(&named).await?).await }),
            false => run(site.sessions.delete(&named)),
        };
        site.refuse(["put ended"]);
        (0..3).for_each(|_| site.allow("put ended"));
        site.refuse(["put ended"]);
        assert_eq!(end(&site).unwrap_err().kind(), ErrorKind::StoreUnavailable);
        end(&site.another_isolate()).unwrap();
        site.store.memory.put(record.0, record.1);
        assert_eq!(reason(&site.another_isolate(), &browser), LoadReason::Revoked, "{flushes}");
    }
}

#[test]
fn a_deletion_by_key_ends_the_anonymous_key_that_a_login_could_not_end() {
    let site = site();
    let mut browser = site.visitor();
    let old = browser.clone();
    site.refuse(["put cycled", "put cycled", "delete"]);
    let headers = site.login(&mut browser);
    assert!(headers.saved().old_record_remains);
    assert_eq!(reason(&site.another_isolate(), &old), LoadReason::Live);
    run(site.sessions.delete(&site.session_key(&browser))).unwrap();
    assert_eq!(reason(&site.another_isolate(), &old), LoadReason::Revoked);
}

//! Django's expiry: every kind of value, and its effect on cookie and record.

use chrono::{DateTime, FixedOffset, SubsecRound, TimeDelta, Utc};
use edge_session::{ErrorKind, Expiry, ExpiryOptions, LoadReason, Session};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use crate::support::{self, Browser, defaults, run, site, site_with, start};

fn age(session: &mut Session) -> i64 {
    session.get_expiry_age(ExpiryOptions::default()).unwrap()
}

fn fresh() -> Session {
    site().sessions.new_session().unwrap()
}

#[test]
fn the_policy_is_the_cookie_age() {
    let mut session = fresh();
    assert_eq!(age(&mut session), 1_209_600);
    session.set_expiry(Expiry::BROWSER_CLOSE).unwrap();
    assert_eq!(age(&mut session), 1_209_600, "the record of a browser session lives as long");
}

#[test]
fn seconds_count_from_the_modification() {
    let mut session = fresh();
    session.set_expiry(Expiry::Seconds(10)).unwrap();
    let modification = start() - TimeDelta::days(1);
    let options = ExpiryOptions { modification: Some(modification), expiry: None };
    assert_eq!(session.get_expiry_date(options).unwrap(), modification + TimeDelta::seconds(10));
    assert_eq!(session.get_expiry_age(options).unwrap(), 10);
}

#[test]
fn a_duration_ends_at_a_fixed_moment_to_the_microsecond() {
    let mut session = fresh();
    session.set_expiry(Expiry::In(TimeDelta::seconds(10))).unwrap();
    assert_eq!(session.item::<String>("_session_expiry").unwrap(), "2030-01-01T00:00:10.000250+00:00");
    session.set_now(start() + TimeDelta::seconds(4));
    assert_eq!(age(&mut session), 6);
    assert_eq!(session.get_expiry_date(ExpiryOptions::default()).unwrap(), start() + TimeDelta::seconds(10));
}

#[test]
fn a_date_keeps_its_offset_and_its_microseconds() {
    let mut session = fresh();
    let date = DateTime::parse_from_rfc3339("2030-01-01T02:00:10.000001+02:00").unwrap();
    session.set_expiry(Expiry::At(date)).unwrap();
    assert_eq!(session.item::<String>("_session_expiry").unwrap(), "2030-01-01T02:00:10.000001+02:00");
    let read = session.get_expiry_date(ExpiryOptions::default()).unwrap();
    assert_eq!((read, read.offset()), (date, date.offset()));
    assert_eq!(age(&mut session), 9, "9.999751 seconds, rounded down");
}

#[test]
fn back_to_the_policy() {
    let mut session = fresh();
    session.set_expiry(Expiry::Seconds(10)).unwrap();
    session.set_expiry(Expiry::Policy).unwrap();
    assert_eq!(age(&mut session), 1_209_600);
    assert!(session.keys().unwrap().is_empty());
}

#[test]
fn a_given_expiry_overrides_the_stored_one() {
    let mut session = fresh();
    session.set_expiry(Expiry::Seconds(10)).unwrap();
    let given = |expiry| ExpiryOptions { modification: Some(start()), expiry: Some(expiry) };
    assert_eq!(session.get_expiry_age(given(Expiry::Policy)).unwrap(), 1_209_600);
    assert_eq!(session.get_expiry_age(given(Expiry::Seconds(-7))).unwrap(), -7);
    let past = (start() - TimeDelta::milliseconds(500)).fixed_offset();
    assert_eq!(session.get_expiry_age(given(Expiry::At(past))).unwrap(), -1);
    assert_eq!(session.get_expiry_date(given(Expiry::Seconds(3))).unwrap(), start() + TimeDelta::seconds(3));
}

#[test]
fn browser_close_follows_the_session_value_then_the_setting() {
    for setting in [false, true] {
        let site = site_with(defaults().expire_at_browser_close(setting));
        let mut session = site.sessions.new_session().unwrap();
        for (expiry, closes) in [
            (Expiry::Policy, setting),
            (Expiry::Seconds(10), false),
            (Expiry::BROWSER_CLOSE, true),
            (Expiry::In(TimeDelta::zero()), false),
            (Expiry::Policy, setting),
        ] {
            session.set_expiry(expiry).unwrap();
            assert_eq!(session.get_expire_at_browser_close().unwrap(), closes, "{expiry:?}");
        }
    }
}

#[test]
fn an_invalid_expiry_is_an_error_when_it_is_read() {
    let mut session = fresh();
    session.set("_session_expiry", "soon").unwrap();
    let error = session.get_expiry_age(ExpiryOptions::default()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Value);
    assert!(session.set_expiry(Expiry::In(TimeDelta::MAX)).is_err());
}

#[test]
fn the_cookie_follows_the_expiry() {
    let site = site();
    for (expiry, attributes) in [
        (Expiry::Policy, "; Expires=Tue, 15 Jan 2030 00:00:00 GMT; Max-Age=1209600;"),
        (Expiry::Seconds(100), "; Expires=Tue, 01 Jan 2030 00:01:40 GMT; Max-Age=100;"),
        (Expiry::In(TimeDelta::hours(1)), "; Expires=Tue, 01 Jan 2030 01:00:00 GMT; Max-Age=3600;"),
        (Expiry::Seconds(-5), "; Expires=Mon, 31 Dec 2029 23:59:55 GMT; Max-Age=-5;"),
        (Expiry::Seconds(i64::MAX), "; Max-Age=34560000;"),
    ] {
        let headers = site.request(&mut Browser::default(), |session| {
            session.set("a", 1).unwrap();
            session.set_expiry(expiry).unwrap();
        });
        let cookie = headers.set_cookie().unwrap();
        assert!(cookie.contains(attributes), "{expiry:?}: {cookie}");
    }
}

#[test]
fn a_browser_session_has_a_cookie_without_an_end_and_a_record_that_lives_on() {
    let site = site();
    let mut browser = Browser::default();
    let headers = site.request(&mut browser, |session| {
        session.set("user", "alice").unwrap();
        session.set_expiry(Expiry::BROWSER_CLOSE).unwrap();
    });
    let cookie = headers.set_cookie().unwrap();
    assert!(!cookie.contains("Max-Age") && !cookie.contains("Expires"), "{cookie}");
    assert_eq!(site.store.ttls.take(), [("session".to_owned(), 1_209_600)]);
    site.advance(1_209_599);
    assert_eq!(site.user(&browser).as_deref(), Some("alice"));
    site.advance(1);
    assert_eq!(site.user(&browser), None);
}

#[test]
fn the_setting_makes_browser_sessions_and_a_session_value_overrides_it() {
    let site = site_with(defaults().expire_at_browser_close(true));
    let headers = site.request(&mut Browser::default(), |session| session.set("a", 1).unwrap());
    assert!(!headers.set_cookie().unwrap().contains("Max-Age"));
    let headers = site.request(&mut Browser::default(), |session| {
        session.set("a", 1).unwrap();
        session.set_expiry(Expiry::Seconds(60)).unwrap();
    });
    assert!(headers.set_cookie().unwrap().contains("; Max-Age=60;"));
}

#[test]
fn a_session_ends_at_its_deadline_although_the_store_still_has_it() {
    let site = site();
    let mut browser = Browser::default();
    site.request(&mut browser, |session| {
        session.set("user", "alice").unwrap();
        session.set_expiry(Expiry::Seconds(2)).unwrap();
    });
    site.advance(1);
    assert_eq!(site.user(&browser).as_deref(), Some("alice"));
    site.advance(1);
    assert_eq!(site.user(&browser), None, "the exact moment is the first one without it");
    assert_eq!(site.store.memory.len(), 1);
    let headers = site.request(&mut browser, |session| assert!(session.get::<String>("user").unwrap().is_none()));
    assert!(headers.set_cookie().unwrap().contains("Max-Age=0"), "the cookie of an expired session is deleted");
}

#[test]
fn a_session_that_has_expired_at_its_save_is_not_stored() {
    let site = site();
    let mut browser = Browser::default();
    site.request(&mut browser, |session| {
        session.set("user", "alice").unwrap();
        session.set_expiry(Expiry::Seconds(-5)).unwrap();
    });
    assert!(site.store.memory.is_empty());
    let mut browser = site.visitor();
    site.request(&mut browser, |session| session.set_expiry(Expiry::At(start().fixed_offset())).unwrap());
    assert!(site.store.memory.is_empty(), "the earlier record is deleted");
    assert_eq!(site.user(&browser), None);
}

#[test]
fn reading_does_not_prolong_and_a_change_does() {
    let site = site_with(defaults().cookie_age(100));
    let mut browser = site.visitor();
    site.advance(60);
    assert_eq!(site.user(&browser).as_deref(), Some("alice"));
    site.request(&mut browser, |session| session.set("page", 2).unwrap());
    site.advance(60);
    assert_eq!(site.user(&browser).as_deref(), Some("alice"));
    site.request(&mut browser, |session| assert!(session.contains_key("user").unwrap()));
    site.advance(40);
    assert_eq!(site.user(&browser), None, "100 seconds after the last change");
}

#[test]
fn the_stored_deadline_is_that_of_the_last_save_and_never_past_the_absolute_one() {
    let site = site_with(defaults().cookie_age(100).absolute_age(250));
    assert_eq!(fresh().stored_deadline().unwrap(), None);
    let mut browser = site.visitor();
    let stored = |browser: &Browser| site.load(browser).stored_deadline().unwrap();
    let after = |seconds| Some(start() + TimeDelta::seconds(seconds));
    assert_eq!(stored(&browser), after(100));
    site.advance(60);
    site.user(&browser);
    assert_eq!(stored(&browser), after(100), "reading does not move it");
    site.request(&mut browser, |session| {
        session.set("page", 2).unwrap();
        assert_eq!(session.stored_deadline().unwrap(), after(100), "nor does a change that is not saved yet");
    });
    assert_eq!(stored(&browser), after(160));
    site.request(&mut browser, |session| session.set_expiry(Expiry::Seconds(1_000)).unwrap());
    let absolute = start() + TimeDelta::seconds(250);
    assert_eq!(stored(&browser), Some(absolute.trunc_subsecs(3)), "the cookie holds it in milliseconds");
    site.advance(190);
    assert_eq!(stored(&browser), None, "an ended session is not stored");
}

#[test]
fn a_shorter_policy_does_not_touch_what_is_stored() {
    let long = site();
    let browser = long.visitor();
    let short = support::site_on(long.store.clone(), defaults().cookie_age(10));
    short.advance(1_000);
    assert_eq!(short.user(&browser).as_deref(), Some("alice"));
}

#[test]
fn no_save_extends_the_absolute_deadline() {
    let site = site_with(defaults().cookie_age(100).absolute_age(250));
    let mut browser = site.visitor();
    for page in 0..4 {
        site.advance(60);
        let headers = site.request(&mut browser, |session| session.set("page", page).unwrap());
        let left = 250 - 60 * (i64::from(page) + 1);
        let shown = format!("; Max-Age={};", left.min(100));
        assert!(headers.set_cookie().unwrap().contains(&shown), "{shown} {:?}", headers.set_cookie());
    }
    site.advance(9);
    assert_eq!(site.user(&browser).as_deref(), Some("alice"));
    site.advance(1);
    site.operations();
    assert_eq!(site.user(&browser), None);
    assert!(site.operations().is_empty(), "a token past its absolute deadline costs no read");
}

#[test]
fn the_first_cycle_key_starts_the_absolute_deadline_anew_and_later_ones_keep_it() {
    let site = site_with(defaults().absolute_age(100));
    let mut browser = site.visitor();
    site.advance(60);
    site.request(&mut browser, |session| session.cycle_key().unwrap());
    site.advance(60);
    assert_eq!(site.user(&browser).as_deref(), Some("alice"));
    site.request(&mut browser, |session| session.cycle_key().unwrap());
    site.advance(39);
    assert_eq!(site.user(&browser).as_deref(), Some("alice"));
    site.advance(1);
    assert_eq!(site.user(&browser), None);
}

#[test]
fn an_expiry_beyond_the_years_of_python_is_refused_when_it_is_set() {
    let mut session = fresh();
    let far = DateTime::<Utc>::MAX_UTC.with_timezone(&FixedOffset::east_opt(3_600).unwrap());
    for expiry in [
        Expiry::In(TimeDelta::days(10_000_000)),
        Expiry::In(TimeDelta::days(-10_000_000)),
        Expiry::At(far),
        Expiry::At(DateTime::<Utc>::MIN_UTC.fixed_offset()),
    ] {
        assert_eq!(session.set_expiry(expiry).unwrap_err().kind(), ErrorKind::Value, "{expiry:?}");
    }
    assert!(!session.modified());
    session.set_expiry(Expiry::Seconds(1 << 40)).unwrap();
    assert_eq!(age(&mut session), 1 << 40);
    assert!(session.get_expiry_date(ExpiryOptions::default()).is_err());
}

// E3, CVE-2024-35220 (@fastify/session): a session that was loaded and saved lost its expiry.
#[test]
fn cve_2024_35220_a_save_after_a_load_keeps_the_expiry() {
    let site = site();
    let mut browser = Browser::default();
    let end = start() + TimeDelta::seconds(100);
    site.request(&mut browser, |session| {
        session.set("user", "alice").unwrap();
        session.set_expiry(Expiry::In(TimeDelta::seconds(100))).unwrap();
    });
    for page in 1..=4 {
        site.advance(20);
        site.request(&mut browser, |session| session.set("page", page).unwrap());
        let mut session = site.load(&browser);
        assert_eq!(session.stored_deadline().unwrap(), Some(end), "page {page}");
        assert_eq!(age(&mut session), 100 - 20 * page);
    }
    site.login(&mut browser);
    assert_eq!(site.load(&browser).stored_deadline().unwrap(), Some(end), "under another key too");
    site.advance(20);
    assert_eq!(site.user(&browser), None);
}

// D4, E3, CVE-2024-31999 (@fastify/secure-session): a deleted cookie stayed valid forever.
#[test]
fn cve_2024_31999_a_deleted_cookie_is_never_valid_again() {
    let site = site_with(defaults().absolute_age(2_000_000));
    let mut browser = site.visitor();
    let old = browser.clone();
    let (key, record) = site.store.memory.entries().remove(0);
    site.logout(&mut browser, 200);
    // Even if the store still shows the record, and after the tombstone was removed.
    for (seconds, reason) in [
        (0, LoadReason::Revoked),
        (1_000_000, LoadReason::Revoked),
        (1_000_000, LoadReason::Expired),
        (1_000_000_000, LoadReason::Expired),
    ] {
        site.advance(seconds);
        run(site.sessions.clear_expired()).unwrap();
        site.store.memory.put(key.clone(), record.clone());
        assert_eq!((site.load(&old).load_reason(), site.user(&old)), (reason, None));
    }
    assert_eq!(site.stored(), (1, 0), "and its tombstone is gone");
}

// E3, E8, C15, CVE-2025-46344 and #2081 (nextjs-auth0): a cookie outlived its session; later an expired one caused a 500.
#[test]
fn cve_2025_46344_a_cookie_that_outlives_its_session_is_ignored_without_an_error() {
    let site = site_with(defaults().cookie_age(100).absolute_age(1_000));
    let kept = site.visitor();
    for seconds in [100, 0, 800, 99, 1, 100_000] {
        site.advance(seconds);
        for status in [200, 404, 500] {
            let mut browser = kept.clone();
            let headers = site.request_answered(status, &mut browser, |session| {
                assert_eq!(session.load_reason(), LoadReason::Expired);
                assert_eq!(session.get::<String>("user").unwrap(), None);
                assert!(session.session_key().is_none() && session.is_empty());
            });
            assert!(headers.set_cookie().unwrap().contains("; Max-Age=0;"));
        }
        let mut browser = kept.clone();
        site.request(&mut browser, |session| session.set("user", "bob").unwrap());
        assert_eq!(site.user(&browser).as_deref(), Some("bob"), "a later save starts a session of its own");
    }
}

// C9, RUSTSEC-2026-0009 (time): nested brackets in a date overflowed the stack.
#[test]
fn rustsec_2026_0009_a_date_of_a_megabyte_is_refused() {
    for piece in ["(", "((\\", "2030-01-01T00:00:00+00:00", "0", "-", "+00:", "."] {
        for text in [piece.repeat(1_000_000 / piece.len()), format!("2030-01-01T00:00:00{}", piece.repeat(100_000))] {
            assert!(Expiry::parse_iso(&text).is_none(), "{piece}");
            let mut session = fresh();
            session.set("_session_expiry", text).unwrap();
            assert_eq!(
                session.get_expiry_age(ExpiryOptions::default()).unwrap_err().kind(),
                ErrorKind::Value,
                "{piece}"
            );
        }
    }
}

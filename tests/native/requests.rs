//! Sessions around a request: Django's response algorithm, row by row, and what each row costs the store.

use chrono::SubsecRound;
use edge_session::{Error, ErrorKind, Expiry, LoadReason, Session, SessionHeaders};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use crate::support::{Browser, COOKIE_NAMES, Site, defaults, run, site, site_with, start};

/// The effect of a response on the cookie.
#[derive(Debug, PartialEq, Eq)]
enum Cookie {
    Nothing,
    Given,
    Deleted,
}

fn cookie(headers: &SessionHeaders) -> Cookie {
    match headers.set_cookie() {
        None => Cookie::Nothing,
        Some(cookie) if cookie.contains("; Max-Age=0;") => Cookie::Deleted,
        Some(_) => Cookie::Given,
    }
}

/// Runs one request and checks the cookie, whether `Vary` is required, and the store's operations.
#[track_caller]
fn row(
    site: &Site,
    browser: &Browser,
    status: u16,
    handler: impl FnOnce(&mut Session),
    expected: (Cookie, bool, &[&str]),
) -> Browser {
    let mut browser = browser.clone();
    site.operations();
    let headers = site.request_answered(status, &mut browser, handler);
    let operations = site.operations();
    assert_eq!(
        (cookie(&headers), headers.depends_on_cookie(), operations),
        (expected.0, expected.1, expected.2.iter().map(|op| (*op).to_owned()).collect())
    );
    browser
}

fn nothing(_: &mut Session) {}

fn reads(session: &mut Session) {
    session.get::<String>("user").unwrap();
}

fn writes(session: &mut Session) {
    session.set("page", 1).unwrap();
}

/// A browser whose record was deleted, saved so long ago that neither KV's delays nor isolate memory explain its absence.
fn unknown(site: &Site) -> Browser {
    let browser = site.visitor();
    site.advance(131);
    for (key, _) in site.store.memory.entries() {
        run(edge_session::Store::write(&site.store.memory, vec![edge_session::store::Op::Delete { key }])).unwrap();
    }
    browser
}

#[test]
fn a_request_without_a_cookie() {
    let site = site();
    let none = Browser::default();
    row(&site, &none, 200, nothing, (Cookie::Nothing, false, &[]));
    row(&site, &none, 200, reads, (Cookie::Nothing, true, &[]));
    row(&site, &none, 200, writes, (Cookie::Given, true, &["put"]));
    row(&site, &none, 200, |s| s.set_expiry(Expiry::Seconds(100)).unwrap(), (Cookie::Given, true, &["put"]));
    row(&site, &none, 200, Session::clear, (Cookie::Nothing, true, &[]));
    for status in [500, 503, 599] {
        row(&site, &none, status, writes, (Cookie::Nothing, true, &[]));
    }
    for status in [201, 204, 301, 304, 404, 499] {
        row(&site, &none, status, writes, (Cookie::Given, true, &["put"]));
    }
}

#[test]
fn a_request_without_a_cookie_saving_every_time() {
    let site = site_with(defaults().save_every_request(true));
    let none = Browser::default();
    row(&site, &none, 200, nothing, (Cookie::Nothing, false, &[]));
    row(&site, &none, 200, reads, (Cookie::Nothing, true, &[]));
}

#[test]
fn a_request_with_a_cookie_that_is_no_token() {
    for value in ["", "short", "\"\"", &"x".repeat(120), &"x".repeat(5_000)] {
        for save_every_request in [false, true] {
            let site = site_with(defaults().save_every_request(save_every_request));
            for name in COOKIE_NAMES {
                let browser = Browser(Some(format!("{name}={value}")));
                row(&site, &browser, 200, nothing, (Cookie::Deleted, true, &[]));
                row(&site, &browser, 200, reads, (Cookie::Deleted, true, &[]));
                row(&site, &browser, 500, nothing, (Cookie::Deleted, true, &[]));
                row(&site, &browser, 200, writes, (Cookie::Given, true, &["put"]));
            }
        }
    }
}

#[test]
fn a_request_with_a_token_that_the_store_does_not_know() {
    let site = site();
    let browser = unknown(&site);
    row(&site, &browser, 200, nothing, (Cookie::Nothing, false, &["read"]));
    row(&site, &browser, 200, reads, (Cookie::Deleted, true, &["read"]));
    let after = row(&site, &browser, 200, writes, (Cookie::Given, true, &["read", "put"]));
    let old = site.load(&browser).session_key().unwrap().clone();
    assert_ne!(site.load(&after).session_key(), Some(&old), "its key is never taken over");
}

#[test]
fn a_request_with_a_live_session() {
    let site = site();
    let browser = site.visitor();
    row(&site, &browser, 200, nothing, (Cookie::Nothing, false, &["read"]));
    row(&site, &browser, 200, reads, (Cookie::Nothing, true, &["read"]));
    row(&site, &browser, 200, writes, (Cookie::Given, true, &["read", "put"]));
    row(&site, &browser, 500, writes, (Cookie::Nothing, true, &["read"]));
    row(&site, &browser, 200, |s| s.set_modified(true), (Cookie::Given, true, &["read", "put"]));
    let cycles = |session: &mut Session| session.cycle_key().unwrap();
    // The record of the anonymous session stays for a pending second login.
    let user = row(&site, &browser, 200, cycles, (Cookie::Given, true, &["read", "read", "put", "put cycled"]));
    let steps = &["read", "read", "put", "put cycled", "delete"];
    row(&site, &user, 200, cycles, (Cookie::Given, true, steps));
}

/// The kinds of keys of each read of a request.
#[track_caller]
fn reads_of(site: &Site, browser: &mut Browser, handler: impl FnOnce(&mut Session)) -> Vec<Vec<String>> {
    site.store.reads.take();
    site.request(browser, handler);
    site.store.reads.take()
}

#[test]
fn a_load_reads_the_record_and_its_tombstone_and_a_login_the_tombstone_of_its_successor_too() {
    let site = site();
    let mut browser = site.visitor();
    let two = ["session", "ended"].map(str::to_owned).to_vec();
    let three = ["session", "ended", "ended"].map(str::to_owned).to_vec();
    assert_eq!(reads_of(&site, &mut browser, nothing), std::slice::from_ref(&two));
    assert_eq!(reads_of(&site, &mut browser, writes), std::slice::from_ref(&two));
    let slow = |session: &mut Session| {
        site.advance(1);
        session.set("page", 5).unwrap();
    };
    assert_eq!(reads_of(&site, &mut browser, slow), [two.clone(), two.clone()], "after the time that I/O takes");
    assert_eq!(reads_of(&site, &mut browser, |session| session.cycle_key().unwrap()), [two.clone(), three]);
    let rotates = |session: &mut Session| session.cycle_key().unwrap();
    assert_eq!(reads_of(&site, &mut browser, rotates), [two.clone(), two.clone()], "once logged in");
    assert_eq!(reads_of(&site, &mut browser, writes), std::slice::from_ref(&two), "once logged in");
}

// D5, CVE-2023-20862 (Spring Security): an emptied session was not stored, and the old data came back.
#[test]
fn cve_2023_20862_an_emptied_session_is_stored_as_empty_under_its_key() {
    let clears: fn(&mut Session) = Session::clear;
    let removes: fn(&mut Session) = |session| session.remove("user").unwrap();
    // The record that was loaded is gone with the cleared data.
    for (handler, operations) in [(clears, ["read", "read", "put"].as_slice()), (removes, &["read", "put"])] {
        let site = site();
        let browser = site.visitor();
        let key = site.load(&browser).session_key().unwrap().clone();
        let after = row(&site, &browser, 200, handler, (Cookie::Given, true, operations));
        let mut session = site.load(&after);
        assert_eq!(session.session_key(), Some(&key));
        assert!(session.keys().unwrap().is_empty());
        assert!(!session.is_new().unwrap());
        let (_, record) = &site.store.memory.entries()[0];
        assert!(String::from_utf8_lossy(record).ends_with("\"data\":{}}"));
    }
}

#[test]
fn create_without_a_read_leaves_the_old_record_and_starts_empty() {
    let site = site();
    let browser = site.visitor();
    let after = row(&site, &browser, 200, Session::create, (Cookie::Given, true, &["read", "put"]));
    assert_eq!(site.user(&after), None);
    assert_eq!(site.user(&browser).as_deref(), Some("alice"));
}

#[test]
fn a_logout_ends_the_session_at_once() {
    for status in [200, 500] {
        let site = site();
        let mut browser = site.visitor();
        let old = browser.clone();
        let headers = site.logout(&mut browser, status);
        assert_eq!(
            headers.set_cookies(),
            [
                "__Host-sessionid-anonymous=; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=0; Path=/; Secure; HttpOnly; \
              SameSite=Lax"
            ]
        );
        assert!(headers.depends_on_cookie());
        // The key's own tombstone, and that of a possible login.
        assert_eq!(site.operations(), ["read", "put ended", "put ended", "delete"]);
        assert_eq!(site.stored(), (0, 2));
        assert!(browser.0.is_none());
        assert_eq!(site.user(&old), None, "the old cookie opens nothing");

        let mut browser = site.visitor();
        site.login(&mut browser);
        site.operations();
        let headers = site.logout(&mut browser, status);
        assert_eq!(
            headers.set_cookies(),
            [
                "__Host-sessionid=; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=0; Path=/; Secure; HttpOnly; SameSite=Lax"
            ]
        );
        assert_eq!(site.operations(), ["read", "put ended", "put ended", "delete"]);
    }
}

#[test]
fn a_logout_without_a_cookie_does_nothing() {
    let site = site();
    let headers = site.logout(&mut Browser::default(), 200);
    assert_eq!((cookie(&headers), headers.depends_on_cookie()), (Cookie::Nothing, true));
    assert!(site.operations().is_empty());
}

// CVE-2015-3982 (Django): flush left an empty key, under which unrelated visitors shared a session.
#[test]
fn cve_2015_3982_a_session_written_after_a_logout_has_a_key_of_its_own() {
    let site = site();
    let mut keys = std::collections::BTreeSet::new();
    for _ in 0..3 {
        let mut browser = site.visitor();
        keys.insert(site.load(&browser).session_key().unwrap().as_str().to_owned());
        let mut session = site.load(&browser);
        run(site.sessions.flush(&mut session)).unwrap();
        session.set("user", "bob").unwrap();
        let headers = site.commit(&mut browser, session, 200);
        assert_eq!(cookie(&headers), Cookie::Given);
        let mut session = site.load(&browser);
        assert_eq!(session.item::<String>("user").unwrap(), "bob");
        keys.insert(session.session_key().unwrap().as_str().to_owned());
    }
    assert_eq!(keys.len(), 6);
}

// CVE-2014-0482 (Django): a change of the user kept the session of the previous one.
#[test]
fn cve_2014_0482_another_user_starts_with_nothing_of_the_first() {
    let site = site();
    let mut browser = site.visitor();
    let mut session = site.load(&browser);
    run(site.sessions.flush(&mut session)).unwrap();
    session.set("_auth_user_id", "bob").unwrap();
    site.commit(&mut browser, session, 200);
    assert_eq!(site.load(&browser).keys().unwrap(), ["_auth_user_id"]);
}

// CVE-2015-5143 and CVE-2015-5963 (Django): anonymous requests could fill the store with empty records.
#[test]
fn cve_2015_5143_neither_reading_nor_logging_out_creates_a_record() {
    let site = site();
    for value in ["", "x", "0123456789abcdefghijklmnopqrstuv"] {
        for name in COOKIE_NAMES {
            let browser = Browser(Some(format!("{name}={value}")));
            site.request(&mut browser.clone(), reads);
            site.logout(&mut browser.clone(), 200);
        }
    }
    assert!(site.operations().is_empty() && site.store.memory.is_empty());
    let well_signed = unknown(&site);
    site.request(&mut well_signed.clone(), reads);
    for _ in 0..3 {
        site.logout(&mut well_signed.clone(), 200);
    }
    assert_eq!(site.stored(), (0, 4), "tombstones of the key and of its possible successors");
}

// D1, Auth0-PHP #837: a login kept the earlier key.
#[test]
fn auth0_php_837_a_login_is_one_put_under_a_new_key_and_ends_the_old_one() {
    let site = site();
    let mut browser = site.visitor();
    let old = browser.clone();
    site.request(&mut browser, |session| {
        session.cycle_key().unwrap();
        session.set("_auth_user_id", 7).unwrap();
    });
    assert_eq!(site.operations(), ["read", "read", "put", "put cycled"]);
    assert_ne!(browser.0, old.0);
    let mut session = site.load(&browser);
    assert_eq!(session.keys().unwrap(), ["user", "_auth_user_id"]);
    assert_eq!(site.user(&old), None);
    assert_eq!(site.stored(), (2, 1), "the anonymous record is stored, and no request with its key reads it");
}

#[test]
fn several_cycles_in_one_request_are_one_put() {
    let site = site();
    let mut browser = site.visitor();
    site.request(&mut browser, |session| {
        session.cycle_key().unwrap();
        let first = session.session_key().unwrap().clone();
        session.cycle_key().unwrap();
        assert_ne!(session.session_key(), Some(&first), "the key is new at once");
    });
    assert_eq!(site.operations(), ["read", "read", "put", "put cycled"]);
    assert_eq!(site.user(&browser).as_deref(), Some("alice"));
    assert_eq!(site.stored(), (2, 1), "nothing was stored under the intermediate key");
}

#[test]
fn a_logout_after_a_cycle_in_the_same_request_ends_the_stored_key() {
    let site = site();
    let mut browser = site.visitor();
    let old = browser.clone();
    let mut session = site.load(&browser);
    session.cycle_key().unwrap();
    run(site.sessions.flush(&mut session)).unwrap();
    site.commit(&mut browser, session, 200);
    assert_eq!(site.stored(), (0, 2));
    assert_eq!(site.user(&old), None);
}

#[test]
fn a_record_deleted_meanwhile_interrupts_the_save() {
    let site = site();
    let browser = site.visitor();
    let mut slow = site.load(&browser);
    slow.set("page", 2).unwrap();
    site.logout(&mut browser.clone(), 200);
    let error = site.failed_commit(&mut slow);
    assert_eq!(error.kind(), ErrorKind::SessionInterrupted);
    assert_eq!(
        error.to_string(),
        "The request's session was deleted before the request completed. \
         The user may have logged out in a concurrent request, for example."
    );
    assert_eq!(site.stored(), (0, 2), "no record was stored");
}

#[test]
fn an_explicit_save_is_not_written_again_by_the_commit_and_the_cookie_is_sent() {
    let site = site();
    let mut browser = Browser::default();
    let mut session = site.load(&browser);
    session.set("user", "alice").unwrap();
    run(site.sessions.save(&mut session)).unwrap();
    let headers = site.commit(&mut browser, session, 200);
    assert_eq!(site.operations(), ["put", "read"], "the commit checks whether the session has ended meanwhile");
    assert_eq!(cookie(&headers), Cookie::Given);
    assert_eq!(site.user(&browser).as_deref(), Some("alice"));
}

#[test]
fn an_equal_value_sets_the_flags_and_writes_nothing() {
    let site = site();
    let browser = site.visitor();
    row(
        &site,
        &browser,
        200,
        |session| {
            session.set("user", "alice").unwrap();
            assert!(session.modified());
        },
        (Cookie::Nothing, true, &["read"]),
    );
}

#[test]
fn a_change_with_modified_reset_is_written_by_the_next_change() {
    let site = site();
    let mut browser = site.visitor();
    site.request(&mut browser, |session| {
        session.set("user", "bob").unwrap();
        session.set_modified(false);
        session.set("user", "bob").unwrap();
    });
    assert_eq!(site.user(&browser).as_deref(), Some("bob"));
}

#[test]
fn a_session_saved_with_a_past_expiry_is_missing_at_the_commit() {
    let site = site();
    let mut session = site.load(&Browser::default());
    session.set_expiry(Expiry::Seconds(-1)).unwrap();
    run(site.sessions.save(&mut session)).unwrap();
    let error = site.failed_commit(&mut session);
    assert_eq!(error.kind(), ErrorKind::SessionInterrupted);
}

#[test]
fn a_renewal_reads_the_session_on_a_failed_page_too_and_changes_no_cookie() {
    let site = site_with(defaults().save_every_request(true));
    let mut session = site.load(&site.visitor());
    let headers = run(site.sessions.commit_headers(&mut session, 500)).unwrap();
    assert_eq!((cookie(&headers), headers.depends_on_cookie(), session.accessed()), (Cookie::Nothing, false, true));
    let mut session = site.load(&unknown(&site));
    assert_eq!(session.load_reason(), LoadReason::Unknown);
    assert!(session.session_key().is_some());
    let headers = run(site.sessions.commit_headers(&mut session, 500)).unwrap();
    assert_eq!((cookie(&headers), session.session_key()), (Cookie::Nothing, None));
}

#[test]
fn a_renewal_is_written_once_it_moves_the_deadline_by_a_tenth_of_the_life() {
    let site = site_with(defaults().save_every_request(true).cookie_age(1_000));
    let mut browser = site.visitor();
    let mut puts = 0;
    for _ in 0..100 {
        site.advance(10);
        let headers = site.request(&mut browser, nothing);
        let written = site.operations().iter().any(|operation| operation == "put");
        puts += u32::from(written);
        assert_eq!(cookie(&headers), if written { Cookie::Given } else { Cookie::Nothing });
    }
    assert_eq!(puts, 10);
    site.advance(899);
    assert_eq!(site.user(&browser).as_deref(), Some("alice"));
}

// E7: a hundred tabs that open at once, in which nothing is changed.
#[test]
fn a_hundred_requests_at_once_renew_once() {
    let site = site_with(defaults().save_every_request(true));
    let browser = site.visitor();
    site.advance(500_000);
    let sessions: Vec<_> = (0..100).map(|_| site.load(&browser)).collect();
    site.operations();
    let headers: Vec<_> = sessions.into_iter().map(|session| site.commit(&mut browser.clone(), session, 200)).collect();
    assert_eq!(site.operations().iter().filter(|operation| *operation == "put").count(), 1);
    assert_eq!(headers.iter().filter(|headers| headers.set_cookie().is_some()).count(), 1);
    assert!(site.event_kinds().is_empty(), "nothing was merged");
    // A change is written, and the renewed deadline stays.
    let mut session = site.load(&browser);
    session.set("page", 2).unwrap();
    site.commit(&mut browser.clone(), session, 200);
    site.advance(1_209_599);
    assert_eq!(site.load(&browser).get("page").unwrap(), Some(2));
}

#[test]
fn the_headers_of_a_page_that_used_its_session() {
    let site = site();
    let apply = |headers: SessionHeaders, present: &[(&str, &str)]| {
        let mut all: Vec<_> = present.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        headers.apply(&mut all).unwrap();
        all.sort();
        all
    };
    let mut browser = site.visitor();
    let untouched = apply(site.request(&mut browser, nothing), &[("X-A", "1")]);
    assert_eq!(untouched, [("X-A".to_owned(), "1".to_owned())]);
    let read =
        apply(site.request(&mut browser, reads), &[("cache-control", "public, s-maxage=60"), ("vary", "Accept")]);
    assert_eq!(
        read,
        [("Cache-Control".to_owned(), "private".to_owned()), ("Vary".to_owned(), "Accept, Cookie".to_owned())]
    );
    let own = ("Set-Cookie", "theme=dark");
    let written = apply(
        site.request(&mut browser, |s| s.set("page", 3).unwrap()),
        &[own, ("Cloudflare-CDN-Cache-Control", "max-age=60")],
    );
    let names: Vec<_> = written.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["Cache-Control", "Set-Cookie", "Set-Cookie", "Vary"]);
    assert_eq!(written[0].1, "private, no-store");
    assert!(written.iter().any(|(_, value)| value == own.1), "the application's own cookie stays");
}

// CVE-2023-30861 and CVE-2026-27205 (Flask), CVE-2026-35192 (Django): some accesses did not set `Vary`.
#[test]
fn cve_2026_27205_every_access_to_the_session_makes_the_response_vary() {
    let site = site();
    let browser = site.visitor();
    let looks: [fn(&mut Session); 12] = [
        |s| _ = s.contains_key("x"),
        |s| _ = s.get::<u8>("x"),
        |s| _ = s.item::<u8>("x"),
        |s| _ = s.get_json("x"),
        |s| _ = s.keys(),
        |s| _ = s.values::<u8>(),
        |s| _ = s.items::<u8>(),
        |s| _ = s.to_json(|_| true),
        |s| _ = s.pop::<u8>("x"),
        |s| _ = s.remove("x"),
        |s| _ = s.is_new(),
        |s| _ = s.test_cookie_worked(),
    ];
    for (at, look) in looks.into_iter().enumerate() {
        let headers = site.request(&mut browser.clone(), look);
        assert!(headers.depends_on_cookie(), "look {at}");
    }
    let every = site_with(defaults().save_every_request(true));
    let mut browser = every.visitor();
    every.advance(500_000);
    let headers = every.request(&mut browser, nothing);
    assert!(cookie(&headers) == Cookie::Given && headers.depends_on_cookie());
}

// tower-sessions 0.12.0 and 0.12.1: a new session could take over an existing record.
#[test]
fn tower_sessions_0_12_a_new_key_never_overwrites_a_record() {
    let site = site();
    let fixed = site.sessions.with_entropy(|| Ok([9; 32]));
    let mut first = run(fixed.load("")).unwrap();
    first.set("user", "alice").unwrap();
    run(fixed.commit_headers(&mut first, 200)).unwrap();
    let mut second = run(fixed.load("")).unwrap();
    second.set("user", "mallory").unwrap();
    let error: Error = run(fixed.commit_headers(&mut second, 200)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::KeyTaken);
    let mut kept = run(fixed.open(first.session_key().unwrap().as_str())).unwrap();
    assert_eq!(kept.item::<String>("user").unwrap(), "alice");
}

#[test]
fn outside_of_a_request() {
    let site = site();
    let mut session = site.saved_session();
    let key = session.session_key().unwrap().as_str().to_owned();
    assert!(run(site.sessions.exists(&key)).unwrap());
    run(site.sessions.delete(&key)).unwrap();
    run(site.sessions.delete(&key)).unwrap();
    assert!(!run(site.sessions.exists(&key)).unwrap());
    assert_eq!(session.item::<u8>("a").unwrap(), 1, "delete touches the record only");
    assert_eq!(run(site.sessions.save(&mut session)).unwrap_err().kind(), ErrorKind::SessionInterrupted);
}

// A key of 1 or 1240 characters, or one that looks like a path, is malformed. Django discards short keys only.
#[test]
fn a_malformed_key_opens_a_new_session() {
    let site = site();
    for key in ["", "1", "../../etc/passwd", &"x".repeat(1_240), &"X".repeat(32)] {
        let mut session = run(site.sessions.open(key)).unwrap();
        assert!(session.session_key().is_none() && session.is_empty());
        assert!(!run(site.sessions.exists(key)).unwrap());
        run(site.sessions.delete(key)).unwrap();
        assert!(site.operations().is_empty());
        run(site.sessions.save(&mut session)).unwrap();
        assert_ne!(session.session_key().unwrap().as_str(), key);
        site.operations();
    }
}

#[test]
fn a_login_on_an_unknown_key_makes_a_session_of_its_own() {
    let site = site();
    let mut browser = unknown(&site);
    let old = site.load(&browser).session_key().unwrap().clone();
    site.operations();
    site.request(&mut browser, |session| {
        assert_eq!(session.load_reason(), LoadReason::Unknown);
        session.cycle_key().unwrap();
    });
    assert_eq!(site.operations(), ["read", "put"], "there is no session to revoke");
    assert_ne!(site.load(&browser).session_key(), Some(&old));
}

#[test]
fn each_save_has_a_tag_of_its_own_and_a_higher_generation() {
    let site = site();
    let mut browser = site.visitor();
    let mut tags = vec![site.record()["tags"][0].clone()];
    for page in 2..=12 {
        site.request(&mut browser, |session| session.set("page", page).unwrap());
        let record = site.record();
        assert_eq!(record["generation"], page);
        assert!(!tags.contains(&record["tags"][0]));
        tags.insert(0, record["tags"][0].clone());
        tags.truncate(8);
        assert_eq!(record["tags"], serde_json::Value::Array(tags.clone()), "the last eight, the newest first");
    }
    site.logout(&mut browser, 200);
    site.request(&mut browser, |session| session.set("page", 1).unwrap());
    assert_eq!(site.record()["generation"], 1, "a new session begins anew");
}

#[test]
fn a_rotated_key_keeps_its_predecessors_first_twelve_characters_and_counts_its_rotations() {
    let site = site();
    // A cookie holds the deadline in milliseconds.
    site.now.set(start().trunc_subsecs(3));
    let mut browser = site.visitor();
    let mut keys = vec![site.session_key(&browser)];
    assert_eq!(site.record()["rotations"], 0);
    site.request(&mut browser, |session| session.cycle_key().unwrap());
    keys.push(site.session_key(&browser));
    let absolute = site.record_of(&browser)["absolute"].clone();
    for rotations in 1..=20 {
        assert_eq!(site.record_of(&browser)["rotations"], rotations);
        assert_eq!(site.record_of(&browser)["absolute"], absolute, "the first rotation fixes the absolute deadline");
        site.advance(60);
        site.request(&mut browser, |session| session.cycle_key().unwrap());
        keys.push(site.session_key(&browser));
    }
    assert!(keys.windows(2).all(|keys| keys[0][..12] == keys[1][..12] && keys[0][12..] != keys[1][12..]), "{keys:?}");

    // A save outside of a request keeps both values.
    let calls: [fn(&mut Session); 2] = [|session| session.set("page", 2).unwrap(), Session::clear];
    for call in calls {
        let mut session = run(site.sessions.open(keys.last().unwrap())).unwrap();
        call(&mut session);
        run(site.sessions.save(&mut session)).unwrap();
        let record = site.record_of(&browser);
        assert_eq!((&record["rotations"], &record["absolute"]), (&21.into(), &absolute));
    }
}

#[test]
fn a_session_that_expires_between_its_use_and_its_save_is_interrupted() {
    let site = site_with(defaults().cookie_age(100));
    let browser = site.visitor();
    let mut session = site.load(&browser);
    session.set("page", 2).unwrap();
    site.advance(100);
    let error = site.failed_commit(&mut session);
    assert_eq!(error.kind(), ErrorKind::SessionInterrupted);
}

#[test]
fn a_flush_revokes_the_key_that_a_pending_rotation_replaces() {
    let site = site();
    let mut session = site.saved_session();
    session.cycle_key().unwrap();
    run(site.sessions.flush(&mut session)).unwrap();
    assert_eq!(site.stored(), (0, 4));
}

#[test]
fn outside_of_a_request_a_flush_ends_its_own_key_only() {
    let site = site();
    let browser = site.visitor();
    let key = site.load(&browser).session_key().unwrap().as_str().to_owned();
    for is_saved in [false, true] {
        let mut session = run(site.sessions.open(&key)).unwrap();
        session.create();
        if is_saved {
            run(site.sessions.save(&mut session)).unwrap();
        }
        run(site.sessions.flush(&mut session)).unwrap();
        assert_eq!(site.user(&browser).as_deref(), Some("alice"));
    }
    let mut session = run(site.sessions.open(&key)).unwrap();
    run(site.sessions.flush(&mut session)).unwrap();
    assert_eq!(site.user(&browser), None);
}

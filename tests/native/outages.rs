//! A failing store: no visitor is logged out, and no data are created or lost.

use edge_session::store::StorageKey;
use edge_session::{ErrorKind, LoadReason, Session, SessionHeaders};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use crate::support::{self, Browser, Failing, cookies, defaults, run, site, site_on, site_with};

#[test]
fn a_page_that_does_not_touch_its_session_is_served() {
    for settings in [defaults(), defaults().save_every_request(true)] {
        let site = site_with(settings);
        let mut browser = site.visitor();
        let before = site.store.memory.entries();
        site.advance(500_000);
        site.fail(Failing::Everything);
        let headers = site.request(&mut browser, |_| ());
        assert!(headers.set_cookie().is_none() && !headers.depends_on_cookie());
        assert_eq!(site.store.memory.entries(), before);
    }
}

#[test]
fn a_page_that_uses_its_session_gets_an_error_and_the_cookie_stays() {
    let site = site();
    let mut browser = site.visitor();
    let before = site.store.memory.entries();
    site.fail(Failing::Reads);
    let mut session = site.load(&browser);
    assert_eq!(session.get::<String>("user").unwrap_err().kind(), ErrorKind::StoreUnavailable);
    assert_eq!(session.set("user", "bob").unwrap_err().kind(), ErrorKind::StoreUnavailable, "on every access");
    assert_eq!(session.cycle_key().unwrap_err().kind(), ErrorKind::StoreUnavailable);
    assert!(session.session_key().is_some());
    let headers = site.commit(&mut browser, session, 503);
    assert!(headers.set_cookie().is_none() && headers.depends_on_cookie());
    assert_eq!(site.store.memory.entries(), before);
    site.fail(Failing::Nothing);
    assert_eq!(site.user(&browser).as_deref(), Some("alice"), "the next request is logged in");
}

#[test]
fn a_change_without_a_read_does_not_overwrite_a_record_that_could_not_be_read() {
    let site = site();
    let browser = site.visitor();
    site.fail(Failing::Reads);
    let mut session = site.load(&browser);
    session.clear();
    assert_eq!(site.failed_commit(&mut session).kind(), ErrorKind::StoreUnavailable);
    site.fail(Failing::Nothing);
    assert_eq!(site.user(&browser).as_deref(), Some("alice"));
}

#[test]
fn a_put_that_fails_gives_no_cookie_and_ends_no_session() {
    let handlers: [fn(&mut Session); 2] =
        [|session| session.set("page", 2).unwrap(), |session| session.cycle_key().unwrap()];
    for handler in handlers {
        let site = site();
        let browser = site.visitor();
        site.fail(Failing::Puts);
        let mut session = site.load(&browser);
        handler(&mut session);
        let error = site.failed_commit(&mut session);
        assert_eq!(error.kind(), ErrorKind::StoreUnavailable);
        site.fail(Failing::Nothing);
        assert_eq!(site.user(&browser).as_deref(), Some("alice"), "the earlier session is unchanged");
        let mut session = site.load(&browser);
        handler(&mut session);
        run(site.sessions.commit_headers(&mut session, 200)).unwrap();
    }
}

#[test]
fn a_login_whose_old_key_cannot_be_revoked_succeeds_and_reports_it() {
    let site = site();
    let mut browser = site.visitor();
    site.refuse(["put cycled"]);
    let headers = site.login(&mut browser);
    assert!(!headers.saved().old_record_remains, "the retry succeeded");
    assert_eq!(site.operations(), ["read", "read", "put", "put cycled", "put cycled"]);
    assert_eq!(site.stored(), (2, 1));

    // For an anonymous key and for a rotated one.
    for mut browser in [site.visitor(), browser] {
        let old = browser.clone();
        site.operations();
        site.refuse(["put cycled", "put cycled"]);
        let headers = site.login(&mut browser);
        assert!(headers.saved().old_record_remains);
        assert_eq!(site.operations(), ["read", "read", "put", "put cycled", "put cycled", "delete"]);
        assert_eq!(site.user(&browser).as_deref(), Some("alice"));
        assert_ne!(browser.0, old.0);
        let elsewhere = site.another_isolate();
        assert_eq!((site.user(&old), elsewhere.user(&old)), (None, None), "its record was deleted instead");
    }
}

#[test]
fn an_old_record_that_cannot_be_deleted_opens_nothing_beside_its_tombstone() {
    let site = site();
    let mut browser = site.visitor();
    site.login(&mut browser);
    let old = browser.clone();
    site.fail(Failing::Deletes);
    assert!(!site.login(&mut browser).saved().old_record_remains);
    assert_eq!(site.stored(), (3, 2));
    let elsewhere = site.another_isolate();
    assert_eq!((elsewhere.user(&old), elsewhere.user(&browser).as_deref()), (None, Some("alice")));
}

#[test]
fn where_tombstones_are_not_read_an_old_record_that_cannot_be_deleted_remains() {
    let site = site_with(defaults().check_ended(false));
    let mut browser = site.visitor();
    let old = browser.clone();
    site.fail(Failing::Deletes);
    assert!(site.login(&mut browser).saved().old_record_remains);
    let elsewhere = site_on(site.store.clone(), defaults().check_ended(false));
    assert_eq!(elsewhere.user(&old).as_deref(), Some("alice"), "`old_record_remains` reports it");
    assert_eq!(site.user(&old), None, "the isolate of the login remembers it");
}

#[test]
fn a_logout_that_failed_can_be_repeated_on_the_same_session() {
    let site = site();
    let mut browser = site.visitor();
    let old = browser.clone();
    site.fail(Failing::Puts);
    let mut session = site.load(&browser);
    assert_eq!(run(site.sessions.flush(&mut session)).unwrap_err().kind(), ErrorKind::StoreUnavailable);
    site.fail(Failing::Nothing);
    assert!(run(site.sessions.flush(&mut session)).is_ok());
    let headers = site.commit(&mut browser, session, 503);
    assert_eq!(cookies(&headers), ["-__Host-sessionid-anonymous"]);
    assert_eq!(site.user(&old), None);
}

#[test]
fn a_logout_works_while_reads_fail() {
    let site = site();
    let mut browser = site.visitor();
    site.fail(Failing::Reads);
    site.logout(&mut browser, 200);
    assert!(browser.0.is_none());
    assert_eq!(site.stored(), (0, 4), "the key may be outdated: its possible successors are revoked as well");
}

#[test]
fn a_logout_whose_tombstones_were_put_has_succeeded_although_the_record_cannot_be_deleted() {
    let site = site();
    let mut browser = site.visitor();
    let old = browser.clone();
    site.fail(Failing::Deletes);
    site.logout(&mut browser, 200);
    assert_eq!(site.stored(), (1, 2));
    assert_eq!((site.user(&old), site.another_isolate().user(&old)), (None, None));

    let site = site_with(defaults().check_ended(false));
    let browser = site.visitor();
    site.fail(Failing::Deletes);
    let mut session = site.load(&browser);
    assert!(run(site.sessions.flush(&mut session)).is_err(), "where tombstones are not read, the record counts");
}

#[test]
fn a_failed_exists_is_an_error() {
    let site = site();
    let browser = site.visitor();
    let key = site.load(&browser).session_key().unwrap().as_str().to_owned();
    site.fail(Failing::Everything);
    assert_eq!(run(site.sessions.exists(&key)).unwrap_err().kind(), ErrorKind::StoreUnavailable);
    assert_eq!(run(site.sessions.delete(&key)).unwrap_err().kind(), ErrorKind::StoreUnavailable);
    assert_eq!(run(site.sessions.clear_expired()).unwrap_err().kind(), ErrorKind::StoreUnavailable);
}

fn with_record(change: impl Fn(Vec<u8>) -> Vec<u8>) -> (support::Site, Browser, StorageKey) {
    let site = site();
    let browser = site.visitor();
    let (key, record) = site.store.memory.entries().remove(0);
    site.store.memory.put(key.clone(), change(record));
    (site.another_isolate(), browser, key)
}

fn written_to(site: &support::Site, browser: &mut Browser) -> SessionHeaders {
    site.request(browser, |session| {
        assert!(session.get::<String>("user").unwrap().is_none());
        session.set("user", "bob").unwrap();
    })
}

#[test]
fn a_damaged_record_is_an_anonymous_session_and_is_not_overwritten() {
    let damages: [fn(Vec<u8>) -> Vec<u8>; 5] = [
        |mut record| {
            record.pop();
            record
        },
        |_| Vec::new(),
        |_| b"null".to_vec(),
        |_| b"{\"user\":\"alice\"}".to_vec(),
        |_| vec![0xff; 10],
    ];
    for damage in damages {
        let (site, mut browser, key) = with_record(damage);
        let before = site.store.memory.entries();
        written_to(&site, &mut browser);
        let after = site.store.memory.entries();
        assert_eq!(after.len(), 2);
        assert!(after.iter().any(|entry| *entry == before[0] && entry.0 == key), "it is unchanged");
        assert_eq!(site.user(&browser).as_deref(), Some("bob"));
    }
}

#[test]
fn a_record_of_a_newer_version_is_left_alone_and_so_is_its_cookie() {
    let newer = |_| b"{\"edge-session\":2,\"sealed\":\"x\"}".to_vec();
    let (site, mut browser, _) = with_record(newer);
    let before = (browser.0.clone(), site.store.memory.entries());
    let headers = site.request(&mut browser, |session| assert!(session.keys().unwrap().is_empty()));
    assert!(headers.set_cookie().is_none() && headers.depends_on_cookie());
    assert_eq!((browser.0, site.store.memory.entries()), before);
}

#[test]
fn a_record_that_is_too_large_is_refused_and_nothing_is_cut() {
    let site = site_with(defaults().max_record_bytes(1_024));
    let mut browser = site.visitor();
    let mut session = site.load(&browser);
    session.set("essay", "x".repeat(2_000)).unwrap();
    let error = site.failed_commit(&mut session);
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    assert_eq!(site.user(&browser).as_deref(), Some("alice"));
    // The largest that fits is read again.
    let mut fits = 700;
    while fits < 1_024 {
        let mut session = site.load(&browser);
        session.set("essay", "x".repeat(fits)).unwrap();
        match run(site.sessions.commit_headers(&mut session, 200)) {
            Ok(headers) => browser.take(&headers),
            Err(_) => break,
        }
        fits += 1;
    }
    assert!((700..1_024).contains(&fits));
    assert_eq!(site.load(&browser).item::<String>("essay").unwrap().len(), fits - 1);
}

#[test]
fn a_repeated_logout_revokes_every_key_that_is_left() {
    let site = site();
    let mut session = site.saved_session();
    site.fail(Failing::Puts);
    assert!(run(site.sessions.flush(&mut session)).is_err());
    assert_eq!(site.stored(), (0, 0), "the deletes succeeded");
    site.fail(Failing::Nothing);
    run(site.sessions.flush(&mut session)).unwrap();
    assert_eq!(site.stored(), (0, 4));

    // A login whose old key could not be revoked, then a logout: one failed tombstone does not keep the others from being put.
    let site = site_with(defaults());
    let browser = site.visitor();
    let mut session = site.load(&browser);
    session.cycle_key().unwrap();
    site.refuse(["put cycled", "put cycled", "delete"]);
    assert!(run(site.sessions.save(&mut session)).unwrap().old_record_remains);
    assert_eq!(site.stored(), (2, 0));
    // The tombstones of the login are those of the rotations 1 to 4, of the anonymous key those of 0 to 3, since the request is
    // slow.
    site.advance(2);
    site.operations();
    site.refuse(["put ended"; 6]);
    assert!(run(site.sessions.flush(&mut session)).is_err());
    assert_eq!(site.operations(), [vec!["put ended"; 10], vec!["delete"; 2]].concat());
    assert_eq!(site.stored(), (0, 4));
    run(site.sessions.flush(&mut session)).unwrap();
    assert_eq!(site.stored(), (0, 5));
}

#[test]
fn a_login_whose_put_failed_can_be_committed_again() {
    let site = site();
    let browser = site.visitor();
    let mut session = site.load(&browser);
    session.cycle_key().unwrap();
    site.fail(Failing::Puts);
    assert!(run(site.sessions.commit_headers(&mut session, 200)).is_err());
    site.fail(Failing::Nothing);
    assert!(run(site.sessions.commit_headers(&mut session, 200)).unwrap().set_cookie().is_some());
    assert_eq!(site.stored(), (2, 1));
}

#[test]
fn saving_every_request_leaves_a_newer_record_alone_too() {
    let site = site_with(defaults().save_every_request(true));
    let mut browser = site.visitor();
    let (key, _) = site.store.memory.entries().remove(0);
    site.store.memory.put(key, b"{\"edge-session\":2,\"sealed\":\"x\"}".to_vec());
    let before = (browser.0.clone(), site.store.memory.entries());
    let site = site_on(site.store.clone(), defaults().save_every_request(true));
    site.request(&mut browser, |session| assert_eq!(session.load_reason(), LoadReason::NewerVersion));
    assert_eq!((browser.0, site.store.memory.entries()), before);
}

#[test]
fn clearing_without_reading_overwrites_no_record_that_cannot_be_read() {
    for unreadable in ["junk", "{\"edge-session\":2}"] {
        let (site, browser, key) = with_record(|_| unreadable.as_bytes().to_vec());
        let mut session = site.load(&browser);
        session.clear();
        session.set("user", "bob").unwrap();
        let error = site.failed_commit(&mut session);
        assert_eq!(error.kind(), ErrorKind::SessionInterrupted);
        assert_eq!(site.store.memory.entries(), [(key, unreadable.as_bytes().to_vec())]);
    }
}

#[test]
fn debug_of_an_operation_shows_no_data() {
    let op = edge_session::store::Op::Put {
        key: StorageKey::listed("k"),
        value: b"secret".to_vec(),
        ttl: 60,
        deadline: 1,
        generation: 0,
        only_if: edge_session::store::OnlyIf::Any,
    };
    assert_eq!(format!("{op:?}"), "Put { key: StorageKey(\"k\"), bytes: 6, ttl: 60, .. }");
}

//! Keys and values in the store: a storage key opens no session, and a value is valid under its own kind of key only.

use chrono::TimeDelta;
use edge_session::settings::SettingsBuilder;
use edge_session::store::{Op, StorageKey};
use edge_session::{ErrorKind, Expiry, LoadReason, Session, SessionHeaders, SessionKey, Settings, Store};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use crate::support::{
    self, Browser, COOKIE_NAMES, Failing, OLD_SECRET, SECRET, defaults, kind, run, site, site_on, site_with,
};

/// The key of the one record that is stored, with the record.
fn record(site: &support::Site) -> (StorageKey, Vec<u8>) {
    site.store.memory.entries().into_iter().find(|(key, _)| kind(key) == "session").unwrap()
}

// F2, CVE-2011-4136 (Django): sessions and the application's cache shared their keys, so that a writer of the cache could
// write a session.
#[test]
fn cve_2011_4136_other_entries_of_the_namespace_open_no_session() {
    let site = site();
    let browser = site.visitor();
    let (key, bytes) = record(&site);
    let digest = key.as_str().rsplit(':').next().unwrap().to_owned();
    // A complete record under each other key that an application, another site or another kind of entry may have.
    let others = [
        digest.clone(),
        format!(":{digest}"),
        format!("session:{digest}"),
        format!("edge-session:{digest}"),
        format!("edge-session:cache:{digest}"),
        format!("edge-session2:session:{digest}"),
        format!("edge-session:session:{digest}x"),
        format!("edge-session:session:{}", digest.to_ascii_uppercase()),
    ];
    // Another isolate has no memory of the save.
    let reader = site.another_isolate();
    site.advance(101);
    for other in &others {
        let name = StorageKey::listed(other.as_str());
        run(site.store.memory.write(vec![Op::Delete { key: key.clone() }])).unwrap();
        site.store.memory.put(name.clone(), bytes.clone());
        assert_eq!(reader.load(&browser).load_reason(), LoadReason::Unknown, "{other}");
        site.store.memory.put(key.clone(), bytes.clone());
    }
    assert_eq!(reader.user(&browser).as_deref(), Some("alice"));
    // Two sites in one namespace differ by their prefix.
    let neighbour = site_on(site.store.clone(), defaults().key_prefix("neighbour"));
    assert_eq!(neighbour.user(&browser), None);
    // A value of one kind of key is invalid under another kind.
    let mut gone = site.visitor();
    site.logout(&mut gone, 200);
    let tombstone =
        site.store.memory.entries().into_iter().find(|(key, _)| key.as_str().contains(":ended:")).unwrap().1;
    site.store.memory.put(key.clone(), tombstone);
    assert_eq!(reader.load(&browser).load_reason(), LoadReason::Corrupt);
    // A sweep deletes no entry of another kind or prefix.
    site.advance(100_000_000);
    run(site.sessions.clear_expired()).unwrap();
    let left: Vec<_> = site.store.memory.entries().iter().map(|(key, _)| key.as_str().to_owned()).collect();
    let foreign = others.iter().filter(|other| !other.starts_with("edge-session:"));
    assert!(foreign.into_iter().all(|other| left.contains(other)), "{left:?}");
}

// A6, CVE-2020-13254 (Django): a key that the store refuses was sent to it, and the store returned the value of another key.
#[test]
fn cve_2020_13254_every_key_that_reaches_the_store_is_one_that_it_takes() {
    let prefix = "p".repeat(64);
    let site = site_with(defaults().key_prefix(&*prefix));
    let mut browser = site.visitor();
    site.login(&mut browser);
    site.login(&mut browser);
    let named = site.load(&browser).session_key().unwrap().as_str().to_owned();
    site.logout(&mut browser, 200);
    run(site.sessions.delete(&named)).unwrap();
    let entries = site.store.memory.entries();
    assert!(entries.len() >= 4);
    for (key, _) in entries {
        let key = key.as_str();
        assert!(key.len() <= 512 && key != "." && key != "..", "{key}");
        assert!(key.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_:.".contains(&byte)), "{key}");
    }
    site.operations();
    for key in ["a b", "a\nb", "\u{0}", "ключ", &"x".repeat(513), ".", ".."] {
        assert!(!run(site.sessions.exists(key)).unwrap());
        run(site.sessions.delete(key)).unwrap();
        for name in COOKIE_NAMES {
            let mut session = run(site.sessions.load(format!("{name}={key}"))).unwrap();
            assert!(session.keys().unwrap().is_empty());
        }
    }
    assert!(site.operations().is_empty(), "no such operation is requested");
}

// A6, A12, CVE-2025-61686 (React Router): the value of a cookie was used as the storage key.
#[test]
fn cve_2025_61686_no_cookie_value_becomes_a_storage_key() {
    let site = site();
    let browser = site.visitor();
    let (key, _) = record(&site);
    let digest = key.as_str().rsplit(':').next().unwrap();
    let session_key = site.load(&browser).session_key().unwrap().as_str().to_owned();
    site.operations();
    for value in [
        "../../etc/passwd",
        "..%2f..%2fetc%2fpasswd",
        "/absolute",
        "\\\\host\\share",
        key.as_str(),
        digest,
        &format!("session:{digest}"),
        &session_key,
        &format!("{session_key}/../{session_key}"),
    ] {
        for name in COOKIE_NAMES {
            let mut session = run(site.sessions.load(format!("{name}={value}"))).unwrap();
            session.set("user", "mallory").unwrap();
            assert_ne!(session.session_key().map(|key| key.as_str().to_owned()), Some(session_key.clone()));
            assert!(site.operations().is_empty(), "{name}={value}");
        }
    }
    assert_eq!(site.user(&browser).as_deref(), Some("alice"));
}

/// Two blanket implementations. A type that has the trait in question gets both, so that the call below is ambiguous,
/// and this file does not compile.
macro_rules! has_no {
    ($trait:path: $($type:ty),+) => {{
        trait Ambiguous<Which> {
            const OK: () = ();
        }
        impl<T: ?Sized> Ambiguous<()> for T {}
        impl<T: ?Sized + $trait> Ambiguous<u8> for T {}
        $(let () = <$type as Ambiguous<_>>::OK;)+
    }};
}

// A10: types that hold a key or a secret implement neither `Serialize` nor `Display`. The next test covers `Debug`.
#[test]
fn types_that_hold_a_key_or_a_secret_can_neither_be_serialized_nor_displayed() {
    has_no!(serde::Serialize: SessionKey, Session, Settings, SettingsBuilder, SessionHeaders, Op);
    has_no!(std::fmt::Display: SessionKey, Session, Settings, SettingsBuilder, SessionHeaders, Op);
    has_no!(AsRef<str>: SessionKey, Session, SessionHeaders);
}

// A10, L2, CVE-2023-20866 (Spring Session): the session's id was printed.
#[test]
fn cve_2023_20866_no_printed_text_contains_a_key_a_token_a_secret_or_data() {
    let site = site_on(site().store, Settings::builder([SECRET, OLD_SECRET]));
    let mut browser = site.visitor();
    let mut printed = Vec::new();
    let mut hidden = vec![SECRET.to_owned(), OLD_SECRET.to_owned(), "alice".to_owned(), "a private text".to_owned()];
    let mut session = site.load(&browser);
    printed.push(format!("{session:?}"));
    session.set("note", "a private text").unwrap();
    session.cycle_key().unwrap();
    hidden.push(session.session_key().unwrap().as_str().to_owned());
    printed.push(format!("{session:?} {:?}", session.session_key()));
    // Every error that a session can return.
    printed.extend([
        format!("{0:?} {0}", session.get::<u8>("user").unwrap_err()),
        format!("{0:?} {0}", session.item::<u8>("a missing key").unwrap_err()),
        format!("{0:?} {0}", session.set("number", f64::NAN).unwrap_err()),
        format!("{0:?} {0}", session.set_json("json", "\"alice").unwrap_err()),
    ]);
    site.fail(Failing::Everything);
    printed.push(format!("{0:?} {0}", run(site.sessions.save(&mut session)).unwrap_err()));
    printed.push(format!("{:?}", site.load(&browser)));
    site.fail(Failing::Nothing);
    let headers = run(site.sessions.commit_headers(&mut session, 200)).unwrap();
    browser.take(&headers);
    hidden.push(browser.header().split_once('=').unwrap().1.to_owned());
    printed.push(format!("{headers:?} {:?} {:?}", site.sessions, site.sessions.settings()));
    printed.push(format!("{:?}", site.events()));
    let small = site_on(site.store.clone(), Settings::builder([SECRET]).max_record_bytes(1_024));
    let mut session = small.load(&browser);
    session.set("note", "a private text".repeat(100)).unwrap();
    let error = small.failed_commit(&mut session);
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    printed.push(format!("{error:?} {error}"));
    for text in printed {
        assert!(!text.is_empty() && hidden.iter().all(|secret| !text.contains(secret.as_str())), "{text}");
    }
}

// F9, C15: every put has a TTL, that of a session that ends with the browser as well.
#[test]
fn every_put_has_an_end() {
    let longest = 400 * 86_400;
    for expiry in [Expiry::Policy, Expiry::BROWSER_CLOSE, Expiry::Seconds(i64::MAX), Expiry::In(TimeDelta::days(9_999))]
    {
        let site = site();
        let mut browser = Browser::default();
        site.request(&mut browser, |session| {
            session.set("user", "alice").unwrap();
            session.set_expiry(expiry).unwrap();
        });
        site.request(&mut browser, |session| session.set("page", 1).unwrap());
        site.login(&mut browser);
        site.logout(&mut browser, 200);
        let puts = site.store.ttls.take();
        assert!(puts.len() >= 6 && puts.iter().all(|(_, ttl)| (1..=longest + 300).contains(ttl)), "{puts:?}");
    }
}

// L3: a forged, an unknown and an expired cookie get the same response.
#[test]
fn a_response_does_not_reveal_whether_a_cookie_is_forged_unknown_or_expired() {
    let site = site();
    let browser = site.visitor();
    let forged = Browser(Some(format!("{}x", browser.header())));
    let mut answers = Vec::new();
    let mut answer = |browser: &Browser, reason: LoadReason| {
        for handler in
            [|session: &mut Session| _ = session.keys().unwrap(), |session: &mut Session| _ = session.pop_or("user", 1)]
        {
            let mut session = site.load(browser);
            assert_eq!(session.load_reason(), reason);
            handler(&mut session);
            let headers = run(site.sessions.commit_headers(&mut session, 200)).unwrap();
            let mut all = vec![("Content-Type".to_owned(), "text/html".to_owned())];
            headers.apply(&mut all).unwrap();
            answers.push(all);
        }
    };
    answer(&forged, LoadReason::Malformed);
    site.advance(1_209_600);
    answer(&browser, LoadReason::Expired);
    run(site.store.memory.write(vec![Op::Delete { key: record(&site).0 }])).unwrap();
    answer(&browser, LoadReason::Unknown);
    assert!(answers.iter().all(|other| *other == answers[0]), "{answers:?}");
}

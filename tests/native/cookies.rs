//! An invalid cookie is never an error: it opens an anonymous session and costs no operation.

use edge_session::{LoadReason, MemoryStore, SessionKey, Sessions, Settings};
use proptest::prelude::*;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use crate::support::{
    ANONYMOUS, Browser, COOKIE_NAMES, OLD_SECRET, ROTATED, SECRET, cookies, defaults, run, site, site_on,
};

#[test]
fn ten_thousand_forged_cookies_cost_no_operation() {
    let site = site();
    let (visitor, mut user) = (site.visitor(), site.visitor());
    site.login(&mut user);
    let tokens = [user.cookie(ROTATED).unwrap(), visitor.cookie(ANONYMOUS).unwrap()];
    let key = site.session_key(&visitor);
    site.operations();
    // A generator with a fixed seed, so that every run forges the same cookies.
    let mut state = 0x9e37_79b9_u32;
    let mut next = move || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 16) as usize
    };
    for number in 0..10_000 {
        // Under each name, tokens of both names.
        let (name, token) = (COOKIE_NAMES[number / 5 % 2], &tokens[number / 10 % 2]);
        let forged = match number % 5 {
            0 => (0..next() % 200).map(|_| char::from((next() % 95 + 32) as u8)).filter(|c| *c != ';').collect(),
            1 => {
                let mut bytes = token.clone().into_bytes();
                let at = next() % bytes.len();
                bytes[at] = if bytes[at] == b'x' { b'y' } else { b'x' };
                String::from_utf8(bytes).unwrap()
            }
            2 => token[..next() % token.len()].to_owned(),
            3 => format!("{key}{}", "x".repeat(next() % 3)),
            _ => (0..120).map(|_| char::from(b"abcXYZ019-_"[next() % 11])).collect(),
        };
        let mut session = run(site.sessions.load(format!("{name}={forged}"))).unwrap();
        assert!(session.session_key().is_none(), "{number}");
        assert!(session.keys().unwrap().is_empty());
        let headers = run(site.sessions.commit_headers(&mut session, 200)).unwrap();
        assert_eq!(cookies(&headers), [format!("-{name}")], "an invalid cookie is deleted");
    }
    assert!(site.operations().is_empty());
}

// B6
#[test]
fn two_live_sessions_under_one_name_open_neither() {
    let site = site();
    let (mut alice, mut bob) = (site.visitor(), site.visitor());
    for _ in 0..2 {
        site.operations();
        let (alice_header, bob_header) = (alice.header(), bob.header());
        for header in [format!("{alice_header}; {bob_header}"), format!("{bob_header}; {alice_header}")] {
            let mut session = run(site.sessions.load(&header)).unwrap();
            assert_eq!(session.load_reason(), LoadReason::Malformed);
            assert!(session.keys().unwrap().is_empty() && session.session_key().is_none());
            session.set("user", "mallory").unwrap();
            run(site.sessions.commit_headers(&mut session, 200)).unwrap();
        }
        assert_eq!(site.operations(), ["read", "put", "read", "put"], "a value set starts a session of its own");
        for visitor in [&alice, &bob] {
            assert_eq!(site.user(visitor).as_deref(), Some("alice"), "neither is written to");
        }
        site.login(&mut alice);
        site.login(&mut bob);
    }
}

// B6
#[test]
fn a_token_that_comes_twice_or_beside_a_forged_one_opens_its_session() {
    let site = site();
    let alice = site.visitor().header();
    for header in [
        format!("{alice}; {alice}"),
        format!("{ANONYMOUS}=evil; {alice}"),
        format!("{alice}; {ANONYMOUS}=evil"),
        format!("{ROTATED}=evil; {alice}"),
    ] {
        let mut session = run(site.sessions.load(&header)).unwrap();
        assert_eq!(session.keys().unwrap(), ["user"], "{header}");
    }
}

// B6
#[test]
fn more_than_two_valid_tokens_of_one_name_open_no_session_and_cost_no_operation() {
    let site = site();
    let header = [(); 3].map(|()| site.visitor().header()).join("; ");
    site.operations();
    let mut session = run(site.sessions.load(&header)).unwrap();
    assert_eq!(session.load_reason(), LoadReason::Malformed);
    assert!(session.keys().unwrap().is_empty() && session.session_key().is_none());
    assert!(site.operations().is_empty());
}

// B4, B5, B10: a token is valid between semicolons only; joined by a comma, quoted or encoded it is ignored.
#[test]
fn a_token_in_another_form_is_ignored() {
    let site = site();
    let (alice, bob) = (site.visitor().header(), site.visitor().header());
    let (name, token) = alice.split_once('=').unwrap();
    site.operations();
    for header in [
        format!("{alice}, {bob}"),
        format!("a=1, {alice}"),
        format!("{name}=\"{token}\""),
        format!("{name}=%{:02x}{}", token.as_bytes()[0], &token[1..]),
        format!("{name}={token}="),
        format!("{name}={token}=="),
        format!("{name}={} {}", &token[..9], &token[9..]),
        format!("{name}={token}\u{a0}"),
        format!("={alice}"),
        format!("{}={token}", name.to_ascii_lowercase()),
        format!("{}%73{}={token}", &name[..7], &name[8..]),
    ] {
        assert!(run(site.sessions.load(&header)).unwrap().session_key().is_none(), "{header}");
    }
    assert!(site.operations().is_empty());
    for header in [format!("a=\"x; {alice}; y\""), format!("a=1, b=2;\t{name} = {token} ")] {
        assert!(run(site.sessions.load(&header)).unwrap().session_key().is_some(), "{header}");
    }
}

// B11: a browser may lose its cookie between any two requests.
#[test]
fn a_visitor_who_lost_the_cookie_has_no_session() {
    let site = site();
    let mut browser = site.visitor();
    let kept = browser.clone();
    browser.0 = None;
    let headers = site.request(&mut browser, |session| assert_eq!(session.get::<String>("user").unwrap(), None));
    assert_eq!(headers.set_cookie(), None);
    site.request(&mut browser, |session| session.set("user", "bob").unwrap());
    assert_eq!((site.user(&browser).as_deref(), site.user(&kept).as_deref()), (Some("bob"), Some("alice")));
}

// F1, CVE-2019-25025 (active record session store): the storage key in a cookie opened the session.
#[test]
fn cve_2019_25025_a_storage_key_or_a_session_key_is_no_cookie() {
    let site = site();
    let browser = site.visitor();
    let key = site.session_key(&browser);
    let storage_key = site.store.memory.entries()[0].0.as_str().to_owned();
    for value in [key.as_str(), &storage_key, storage_key.rsplit(':').next().unwrap()] {
        for name in COOKIE_NAMES {
            let session = run(site.sessions.load(format!("{name}={value}"))).unwrap();
            assert!(session.session_key().is_none());
        }
    }
}

// CVE-2019-16782 (Rack): a reader of the store obtained the cookie of every visitor.
#[test]
fn cve_2019_16782_the_session_key_never_reaches_the_store() {
    let site = site();
    let mut browser = site.visitor();
    let mut keys = vec![site.load(&browser).session_key().unwrap().as_str().to_owned()];
    site.request(&mut browser, |session| session.cycle_key().unwrap());
    keys.push(site.load(&browser).session_key().unwrap().as_str().to_owned());
    site.request(&mut browser, |session| session.cycle_key().unwrap());
    keys.push(site.load(&browser).session_key().unwrap().as_str().to_owned());
    let token = browser.cookie(ROTATED).unwrap();
    for (storage_key, record) in site.store.memory.entries() {
        let record = String::from_utf8(record).unwrap();
        for secret in keys.iter().chain([&token]) {
            assert!(!storage_key.as_str().contains(secret) && !record.contains(secret));
        }
    }
}

// CVE-2025-47278 (Flask): the oldest secret signed. Here the first one does, and all of them verify.
#[test]
fn cve_2025_47278_secrets_rotate_without_a_logout() {
    let old = site_on(site().store, Settings::builder([OLD_SECRET]));
    let mut browser = old.visitor();
    let both = site_on(old.store.clone(), Settings::builder([SECRET, OLD_SECRET]));
    let new = site_on(old.store.clone(), Settings::builder([SECRET]));
    assert_eq!(new.user(&browser), None, "removing a secret invalidates its signatures");
    assert_eq!(both.user(&browser).as_deref(), Some("alice"));
    both.request(&mut browser, |session| session.set("page", 2).unwrap());
    assert_eq!(new.user(&browser).as_deref(), Some("alice"), "the next write signed with the new secret");
    assert_eq!(old.user(&browser), None);
    // While old and new Workers run side by side, both with both secrets, tokens of either are valid.
    let other = site_on(old.store.clone(), Settings::builder([OLD_SECRET, SECRET]));
    for page in 0..4 {
        let at = if page % 2 == 0 { &other } else { &both };
        at.request(&mut browser, |session| session.set("page", page + 10).unwrap());
        assert_eq!(at.load(&browser).get::<i32>("page").unwrap(), Some(page + 10));
    }
    assert_eq!(old.store.memory.len(), 1, "and the record stays where it is");
}

#[test]
fn another_cookie_name_is_another_cookie() {
    let site = site();
    let browser = site.visitor();
    let other = site_on(site.store.clone(), defaults().cookie_name("__Host-admin"));
    let header = browser.header().replace("__Host-sessionid", "__Host-admin");
    assert!(run(other.sessions.load(header)).unwrap().session_key().is_none());
}

// CVE-2024-38513 (Fiber): a client could choose its key.
#[test]
fn cve_2024_38513_a_well_signed_but_unknown_key_is_not_taken_over() {
    let site = site();
    let mut browser = site.visitor();
    let key = site.load(&browser).session_key().unwrap().clone();
    run(site.sessions.delete(key.as_str())).unwrap();
    site.request(&mut browser, |session| session.set("user", "bob").unwrap());
    assert_ne!(site.load(&browser).session_key(), Some(&key));
}

// CVE-2025-66565 (Fiber): without random bytes, keys were predictable.
#[test]
fn cve_2025_66565_without_random_bytes_there_is_no_session() {
    let store = MemoryStore::eventual();
    let failing = || {
        let error = Settings::builder([""; 0]).build().unwrap_err();
        Err(error)
    };
    let sessions = Sessions::new(store.clone(), defaults().build().unwrap()).with_entropy(failing);
    assert!(run(sessions.load("")).is_err());
    assert!(sessions.new_session().is_err());
    assert!(store.is_empty());
}

#[test]
fn each_session_has_a_seed_of_its_own() {
    let site = site();
    let mut keys = std::collections::BTreeSet::new();
    for _ in 0..1_000 {
        let mut session = site.sessions.new_session().unwrap();
        session.create();
        assert!(keys.insert(session.session_key().unwrap().as_str().to_owned()));
    }
    assert!(keys.iter().all(|key| SessionKey::parse(key).is_some()));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    // B7
    #[test]
    fn no_header_is_an_error(header in prop::collection::vec(any::<u8>(), 0..300)) {
        let site = site();
        let mut session = run(site.sessions.load(&header)).unwrap();
        prop_assert!(session.keys().unwrap().is_empty());
        prop_assert!(site.operations().is_empty());
    }

    #[test]
    fn the_order_of_cookies_does_not_matter(others in prop::collection::vec("[a-zA-Z_-]{1,12}=[ -:<-~]{0,12}", 0..6), at in any::<prop::sample::Index>()) {
        let site = site();
        let visitor = site.visitor();
        let mut cookies = others;
        cookies.insert(at.index(cookies.len() + 1), visitor.header());
        let user = site.user(&Browser(Some(cookies.join("; "))));
        prop_assert_eq!(user.as_deref(), Some("alice"));
    }
}

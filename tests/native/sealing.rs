//! Sealed records: what the store sees, and what a writer of the store can do.

use edge_session::settings::SettingsBuilder;
use edge_session::store::StorageKey;
use edge_session::{ErrorKind, LoadReason};

use crate::support::{Browser, OLD_SECRET, SECRET, Site, defaults, linearizable, run, site_on, site_with};

fn sealing() -> SettingsBuilder {
    defaults().seal(true)
}

/// A site on KV, and one on a linearizable store.
fn sites() -> [Site; 2] {
    [site_with(sealing()), linearizable(sealing())]
}

fn records(site: &Site) -> Vec<(StorageKey, Vec<u8>)> {
    let is_record = |(key, _): &(StorageKey, Vec<u8>)| key.as_str().contains(":session:");
    site.store.memory.entries().into_iter().filter(is_record).collect()
}

fn get(site: &Site, browser: &Browser, key: &str) -> Option<String> {
    site.load(browser).get(key).unwrap()
}

#[test]
fn the_store_shows_a_deadline_and_nothing_of_the_data() {
    for site in sites() {
        let mut browser = site.visitor();
        site.request(&mut browser, |session| session.set("cart", "apple").unwrap());
        site.login(&mut browser);
        site.login(&mut browser);
        site.request(&mut browser, |session| session.set("cart", "pear").unwrap());
        assert_eq!(get(&site, &browser, "user").as_deref(), Some("alice"));
        assert_eq!(get(&site, &browser, "cart").as_deref(), Some("pear"));
        for (_, bytes) in records(&site) {
            let text = String::from_utf8(bytes).unwrap();
            let value: serde_json::Value = serde_json::from_str(&text).unwrap();
            assert_eq!(value.as_object().unwrap().keys().collect::<Vec<_>>(), ["deadline", "edge-session", "sealed"]);
            assert!(!["alice", "apple", "pear", "data"].iter().any(|word| text.contains(word)));
        }
        site.logout(&mut browser, 200);
        assert_eq!(get(&site, &browser, "user"), None);
    }
}

#[test]
fn two_logins_outside_saves_and_deletions_work_on_sealed_records() {
    for site in sites() {
        let mut browser = site.visitor();
        let old = browser.clone();
        let mut second = site.load(&old);
        site.login(&mut browser);
        second.cycle_key().unwrap();
        let mut other = old.clone();
        site.commit(&mut other, second, 200);
        let mut third = site.load(&old);
        assert_eq!(third.load_reason(), LoadReason::Superseded);
        third.cycle_key().unwrap();
        assert_eq!(third.get::<String>("user").unwrap().as_deref(), Some("alice"));
        site.commit(&mut old.clone(), third, 200);
        assert_eq!(get(&site, &other, "user").as_deref(), Some("alice"));
        let key = site.session_key(&browser);
        let mut opened = run(site.sessions.open(&key)).unwrap();
        opened.set("notice", "sent").unwrap();
        run(site.sessions.save(&mut opened)).unwrap();
        assert_eq!(get(&site, &browser, "notice").as_deref(), Some("sent"));
        run(site.sessions.delete(&key)).unwrap();
        assert_eq!(get(&site, &browser, "user"), None);
    }
}

// F3 and F4 of the requirements: a writer of the store can neither change a session nor put it under another key.
#[test]
fn a_changed_or_swapped_record_is_an_anonymous_session_and_an_event() {
    for site in sites() {
        let (alice, mut mallory) = (site.visitor(), Browser::default());
        site.request(&mut mallory, |session| session.set("user", "mallory").unwrap());
        let stored = records(&site);
        let [(one, first), (other, second)] = stored.as_slice() else { panic!("{stored:?}") };
        site.event_kinds();
        // Another isolate, without a memory of the saves.
        let isolate = || site_on(site.store.clone(), sealing());
        let changed = |bytes: &[u8]| {
            let mut bytes = bytes.to_vec();
            let at = bytes.len() - 40;
            bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            bytes
        };
        for (first, second) in [
            (second.clone(), first.clone()),
            (changed(first), changed(second)),
            (b"{\"edge-session\":1}".to_vec(), Vec::new()),
        ] {
            site.store.memory.put(one.clone(), first);
            site.store.memory.put(other.clone(), second);
            let reader = isolate();
            for browser in [&alice, &mallory] {
                assert_eq!(get(&reader, browser, "user"), None);
                assert_eq!(reader.load(browser).load_reason(), LoadReason::Corrupt);
            }
            assert!(reader.event_kinds().contains(&"corrupt".to_owned()));
        }
        site.store.memory.put(one.clone(), first.clone());
        site.store.memory.put(other.clone(), second.clone());
        assert_eq!(get(&isolate(), &alice, "user").as_deref(), Some("alice"));
    }
}

#[test]
fn a_new_secret_reads_the_old_records_and_seals_again_at_the_next_save() {
    for old in [site_with(sealing()), linearizable(sealing())] {
        let mut browser = old.visitor();
        let settings = |secrets: &[&str]| edge_session::Settings::builder(secrets).seal(true);
        let both = site_on(old.store.clone(), settings(&[OLD_SECRET, SECRET]));
        assert_eq!(get(&both, &browser, "user").as_deref(), Some("alice"));
        both.request(&mut browser, |session| session.set("cart", "apple").unwrap());
        let new = site_on(old.store.clone(), settings(&[OLD_SECRET]));
        assert_eq!(get(&new, &browser, "cart").as_deref(), Some("apple"));
        assert_eq!(get(&old, &browser, "cart"), None, "the cookie is of the new secret, too");
    }
}

#[test]
fn a_record_that_is_not_sealed_is_not_read_and_a_sealed_one_not_without_the_setting() {
    for (is_sealed, site) in [
        (false, site_with(defaults())),
        (true, site_with(sealing())),
        (false, linearizable(defaults())),
        (true, linearizable(sealing())),
    ] {
        let browser = site.visitor();
        let other = site_on(site.store.clone(), if is_sealed { defaults() } else { sealing() });
        assert_eq!(other.load(&browser).load_reason(), LoadReason::Corrupt);
        assert_eq!(get(&other, &browser, "user"), None);
    }
}

#[test]
fn parallel_saves_conflicts_and_limits_are_those_of_plain_records() {
    let site = linearizable(sealing().max_record_bytes(1_024));
    let browser = site.visitor();
    let mut sessions: Vec<_> = (0..4).map(|_| site.load(&browser)).collect();
    for (number, session) in sessions.iter_mut().enumerate() {
        session.set(&number.to_string(), number).unwrap();
    }
    for session in &mut sessions {
        run(site.sessions.commit_headers(session, 200)).unwrap();
    }
    assert_eq!(site.load(&browser).keys().unwrap().len(), 5);
    let mut large = site.load(&browser);
    large.set("text", "x".repeat(1_024)).unwrap();
    assert_eq!(site.failed_commit(&mut large).kind(), ErrorKind::TooLarge);
}

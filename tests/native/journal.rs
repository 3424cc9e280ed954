//! The journal of a browser's own last saves: its size, its lifetime, and manipulated journals.

use edge_session::{ErrorKind, LoadReason, Settings};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use crate::support::{ANONYMOUS, Browser, COOKIE_NAMES, OLD_SECRET, SECRET, Site, defaults, run, site, site_with};

/// The length of a token with an empty journal, in characters.
const BARE: usize = 128;

fn set(site: &Site, browser: &mut Browser, key: &str, value: &str) {
    site.request(browser, |session| session.set(key, value).unwrap());
}

fn token(browser: &Browser) -> String {
    COOKIE_NAMES.iter().find_map(|name| browser.cookie(name)).unwrap()
}

fn with_token(token: &str) -> Browser {
    Browser(Some([ANONYMOUS, "=", token].concat()))
}

fn reason(site: &Site, browser: &Browser) -> LoadReason {
    site.load(browser).load_reason()
}

/// A browser whose last save the other location does not show.
fn ahead() -> (Site, Site, Browser) {
    let site = site();
    let mut browser = site.visitor();
    let far = site.elsewhere(defaults());
    set(&site, &mut browser, "page", "two");
    (site, far, browser)
}

#[test]
fn the_journal_of_a_first_save_is_empty_and_that_of_a_second_one_has_its_changes() {
    let site = site();
    let mut browser = site.visitor();
    assert_eq!(token(&browser).len(), BARE, "a missing record cannot be repaired");
    site.request(&mut browser, |_| ());
    assert_eq!(token(&browser).len(), BARE);
    set(&site, &mut browser, "page", "two");
    let carrying = token(&browser).len();
    assert!(carrying > BARE && carrying < 250, "{carrying}");
    set(&site, &mut browser, "page", "six");
    let twice = token(&browser).len();
    assert!(twice > carrying && twice < carrying + 16, "the newest change of each key: {twice}");
}

#[test]
fn the_journal_is_sealed() {
    let (_, _, browser) = ahead();
    let bytes = base64(&token(&browser));
    for text in ["page", "two"] {
        assert!(!bytes.windows(text.len()).any(|window| window == text.as_bytes()));
    }
}

fn base64(text: &str) -> Vec<u8> {
    let digit =
        |b: u8| b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".iter().position(|d| *d == b);
    let bits: Vec<_> = text.bytes().flat_map(|b| (0..6).rev().map(move |at| digit(b).unwrap() >> at & 1)).collect();
    bits.chunks_exact(8).map(|bits| bits.iter().fold(0, |byte, bit| byte << 1 | *bit as u8)).collect()
}

#[test]
fn two_tokens_of_one_session_share_no_sealed_byte() {
    let site = site();
    let mut browser = site.visitor();
    set(&site, &mut browser, "page", "two");
    let one = base64(&token(&browser)).split_off(1);
    set(&site, &mut browser, "page", "six");
    let other = base64(&token(&browser)).split_off(1);
    assert!(one.iter().zip(&other).filter(|(one, other)| one == other).count() < 10, "each has a nonce of its own");
}

#[test]
fn a_token_with_a_manipulated_journal_is_malformed() {
    let (site, far, browser) = ahead();
    let token = token(&browser);
    assert_eq!(reason(&far, &browser), LoadReason::StaleRepaired);
    for at in 0..token.len() {
        let other = if &token[at..=at] == "A" { "B" } else { "A" };
        let meddled = with_token(&[&token[..at], other, &token[at + 1..]].concat());
        for site in [&site, &far] {
            assert_eq!(reason(site, &meddled), LoadReason::Malformed, "{at}");
        }
    }
    for cut in [1, 4, 8, token.len() - BARE] {
        assert_eq!(reason(&site, &with_token(&token[..token.len() - cut])), LoadReason::Malformed, "{cut}");
    }
    assert_eq!(reason(&site, &with_token(&[&token, "AAAA"].concat())), LoadReason::Malformed, "too long");
}

#[test]
fn the_journal_of_another_token_makes_a_token_malformed() {
    let (site, far, browser) = ahead();
    let bare = token(&site.visitor());
    let mut later = browser.clone();
    set(&site, &mut later, "page", "six");
    let (one, other) = (token(&browser), token(&later));
    // Version and nonce are 25 bytes; the last characters have the tag.
    for place in [12, 34, BARE - 22, BARE] {
        for mixed in [[&other[..place], &one[place..]].concat(), [&bare[..place], &one[place..]].concat()] {
            for site in [&site, &far] {
                assert_eq!(reason(site, &with_token(&mixed)), LoadReason::Malformed, "{place}");
            }
        }
    }
}

#[test]
fn a_journal_opens_with_any_of_the_secrets_and_under_its_own_cookie_only() {
    let old = site_with(Settings::builder([OLD_SECRET]));
    let mut browser = old.visitor();
    let far = old.elsewhere(Settings::builder([SECRET, OLD_SECRET]));
    set(&old, &mut browser, "page", "two");
    assert_eq!(reason(&far, &browser), LoadReason::StaleRepaired);
    let named = old.elsewhere(Settings::builder([OLD_SECRET]).cookie_name("__Host-other"));
    let renamed = browser.header().replace("__Host-sessionid", "__Host-other");
    assert_eq!(reason(&named, &Browser(Some(renamed))), LoadReason::Malformed);
}

#[test]
fn each_save_stays_in_the_journal_for_two_minutes() {
    let site = site();
    let mut browser = site.visitor();
    let before = site.elsewhere(defaults());
    set(&site, &mut browser, "first", "1");
    let between = site.elsewhere(defaults());
    let bare = token(&browser).len();
    site.advance(100);
    set(&site, &mut browser, "second", "2");
    let both = token(&browser).len();
    assert!(both > bare);
    assert_eq!(reason(&before, &browser), LoadReason::StaleRepaired);
    site.advance(29);
    assert_eq!(reason(&before, &browser), LoadReason::StaleRepaired, "after 129 seconds");
    site.advance(2);
    assert_eq!(reason(&before, &browser), LoadReason::Stale, "every location has the first one by now");
    assert_eq!(reason(&between, &browser), LoadReason::StaleRepaired);
    assert_eq!(between.load(&browser).get::<String>("second").unwrap().as_deref(), Some("2"));
    set(&site, &mut browser, "third", "3");
    assert!(token(&browser).len() < both + 8, "the first one made room");
    site.advance(131);
    set(&site, &mut browser, "fourth", "4");
    assert!(token(&browser).len() <= bare + 8, "{} {bare}", token(&browser).len());
}

#[test]
fn a_cookie_is_never_larger_than_browsers_keep_and_the_newest_saves_stay() {
    for name in ["__Host-sessionid", "sid", &"n".repeat(128)] {
        let settings = || defaults().cookie_name(name).journal_bytes(4096);
        let site = site_with(settings());
        let mut browser = site.visitor();
        let mut earlier = Vec::new();
        let mut cut = 0;
        for number in 0..8 {
            earlier.push(site.elsewhere(settings()));
            site.request(&mut browser, |session| session.set(&format!("key{number}"), "x".repeat(600)).unwrap());
            // Name and value, without the `=`.
            let size = browser.header().len() - 1;
            assert!(size <= 4_096, "{size}");
            cut += usize::from(site.event_kinds() == ["journal-cut"]);
        }
        assert!(cut >= 3, "{cut}");
        let reasons: Vec<_> = earlier.iter().map(|far| reason(far, &browser)).collect();
        let repaired = reasons.iter().rev().take_while(|reason| **reason == LoadReason::StaleRepaired).count();
        assert!((4..=5).contains(&repaired), "{reasons:?}");
        assert!(reasons[..8 - repaired].iter().all(|reason| *reason == LoadReason::Stale), "{reasons:?}");
    }
}

#[test]
fn a_save_that_exceeds_the_limit_of_the_journal_is_not_carried() {
    let carried = |limit: usize, value: usize| {
        let settings = || defaults().journal_bytes(limit);
        let site = site_with(settings());
        let mut browser = site.visitor();
        let far = site.elsewhere(settings());
        set(&site, &mut browser, "page", &"x".repeat(value));
        assert_eq!(token(&browser).len() == BARE, site.event_kinds() == ["journal-cut"]);
        reason(&far, &browser) == LoadReason::StaleRepaired
    };
    // The key and the value with their quotes, their lengths, and two saves.
    let rest = 8 + 5 + 15;
    for limit in [100, 512, 4096 - 2000] {
        assert!(carried(limit, limit - rest) && !carried(limit, limit - rest + 1), "{limit}");
    }
    assert!(!carried(0, 1), "0 carries nothing");
}

#[test]
fn a_save_that_is_too_large_for_the_journal_is_not_carried() {
    let site = site();
    let mut browser = site.visitor();
    let far = site.elsewhere(defaults());
    set(&site, &mut browser, "essay", &"x".repeat(1_025));
    assert_eq!(token(&browser).len(), BARE);
    assert_eq!(site.event_kinds(), ["journal-cut"]);
    let mut session = far.load(&browser);
    assert_eq!(session.load_reason(), LoadReason::Stale);
    session.set("page", "three").unwrap();
    assert_eq!(far.failed_commit(&mut session).kind(), ErrorKind::Stale);
    let near = site.elsewhere(defaults());
    set(&site, &mut browser, "page", "two");
    assert_eq!(reason(&near, &browser), LoadReason::StaleRepaired, "the next one is");
    assert_eq!(site.event_kinds(), [""; 0]);
}

#[test]
fn a_login_starts_an_empty_journal() {
    let (site, far, mut browser) = ahead();
    let carrying = token(&browser).len();
    // A location that does not show the last save repairs it first, and the login includes it.
    far.login(&mut browser);
    assert_eq!(far.event_kinds(), ["stale-repaired", "cycled"]);
    assert!(token(&browser).len() == BARE && carrying > BARE);
    let record = far.record_of(&browser);
    assert_eq!(record["data"], serde_json::json!({ "user": "alice", "page": "two" }));
    assert!(record.get("writes").is_none());
    assert_eq!(reason(&site, &browser), LoadReason::NotYetVisible, "its journal repairs no other key's record");
    // From 14 rotations on, their number follows in two bytes.
    for rotations in 1..=15 {
        assert_eq!(token(&browser).len(), if rotations < 14 { BARE } else { 131 }, "{rotations}");
        far.login(&mut browser);
    }
}

#[test]
fn a_journal_repairs_no_revoked_session() {
    let (_, far, browser) = ahead();
    far.logout(&mut browser.clone(), 200);
    assert_eq!((reason(&far, &browser), far.user(&browser)), (LoadReason::Revoked, None));
}

#[test]
fn changes_that_a_journal_cannot_list_are_refused_instead_of_repaired() {
    let many = |session: &mut edge_session::Session| {
        for number in 0..65 {
            session.set(&format!("k{number}"), number).unwrap();
        }
    };
    let site = site();
    let mut browser = site.visitor();
    let far = site.elsewhere(defaults());
    site.request(&mut browser, many);
    assert_eq!(token(&browser).len(), BARE);
    assert_eq!(reason(&far, &browser), LoadReason::Stale);
    assert_eq!(
        site.record()["writes"],
        serde_json::json!([1_893_456_000_001_i64, 0, null]),
        "all keys count as written"
    );
}

#[test]
fn a_completely_rewritten_record_accepts_no_older_change() {
    let site = site();
    let mut browser = site.visitor();
    let far = site.elsewhere(defaults());
    set(&site, &mut browser, "k1", "mine");
    site.advance(1);
    let named = site.load(&browser).session_key().unwrap().as_str().to_owned();
    let mut theirs = run(far.sessions.open(&named)).unwrap();
    for number in 0..65 {
        theirs.set(&format!("k{number}"), "theirs").unwrap();
    }
    run(far.sessions.save(&mut theirs)).unwrap();
    let mut session = far.load(&browser);
    assert_eq!(session.load_reason(), LoadReason::StaleRepaired);
    assert_eq!(session.get::<String>("k1").unwrap().as_deref(), Some("theirs"));
    // It is read as it was written, and drops the note once no journal can carry an older change.
    site.advance(151);
    let mut theirs = run(far.sessions.open(&named)).unwrap();
    theirs.set("k1", "later").unwrap();
    run(far.sessions.save(&mut theirs)).unwrap();
    assert_eq!(far.record()["writes"].as_array().unwrap()[1..], [serde_json::json!(4), serde_json::json!("k1")]);
}

#[test]
fn a_record_edited_by_hand_keeps_its_data_and_settles_no_conflict() {
    let site = site();
    let mut browser = site.visitor();
    set(&site, &mut browser, "a\"ä", "1");
    let (key, record) = site.store.memory.entries().remove(0);
    let text = String::from_utf8(record).unwrap();
    assert!(text.contains(r#""writes":["#) && text.contains(r#","a\"ä"],"sizes""#), "{text}");
    site.store.memory.put(key, text.replace("alice", "alicia").into_bytes());
    assert_eq!(site.user(&browser).as_deref(), Some("alicia"));
    set(&site, &mut browser, "b", "2");
    assert_eq!(site.record()["writes"].as_array().unwrap().len(), 3);
    assert_eq!(reason(&site, &browser), LoadReason::Live);
}

#[test]
fn a_slow_clock_does_not_make_a_save_older_than_its_base() {
    let site = site();
    let mut browser = site.visitor();
    let far = site.elsewhere(defaults());
    set(&site, &mut browser, "a", "first");
    site.advance(-5);
    set(&site, &mut browser, "a", "second");
    assert_eq!(far.load(&browser).get::<String>("a").unwrap().as_deref(), Some("second"));
    let times: Vec<_> =
        site.record()["writes"].as_array().unwrap().iter().filter_map(serde_json::Value::as_i64).collect();
    assert!(times[0] > 1_893_456_000_000, "{times:?}");
    assert_eq!(reason(&site, &browser), LoadReason::Live);
}

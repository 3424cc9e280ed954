//! Stale reads: saves that the browser knows of are reported, repaired, or not overwritten.

use edge_session::store::Op;
use edge_session::{ErrorKind, LoadReason, Session, Store};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use crate::support::{self, Browser, Failing, Site, defaults, record_key, run, site, site_with};

fn set(site: &Site, browser: &mut Browser, key: &str, value: i32) {
    site.request(browser, |session| session.set(key, value).unwrap());
}

/// A save of the same session by another client that knows its key.
fn save_of_another(site: &Site, browser: &Browser, key: &str, value: i32) {
    let mut session = run(site.sessions.open(session_key(site, browser).as_str())).unwrap();
    session.set(key, value).unwrap();
    run(site.sessions.save(&mut session)).unwrap();
    site.event_kinds();
}

fn session_key(site: &Site, browser: &Browser) -> String {
    let session = site.load(browser);
    site.event_kinds();
    session.session_key().unwrap().as_str().to_owned()
}

fn reason(site: &Site, browser: &Browser) -> LoadReason {
    site.load(browser).load_reason()
}

/// The numbers that one load reads under these keys.
fn numbers<const N: usize>(session: &mut Session, keys: [&str; N]) -> [Option<i32>; N] {
    keys.map(|key| session.get(key).unwrap())
}

/// A browser whose last save is based on a foreign one, and a location that shows neither.
fn broken_chain(settings: impl Fn() -> edge_session::settings::SettingsBuilder) -> (Site, Site, Browser) {
    let site = site_with(settings());
    let mut browser = site.visitor();
    let far = site.elsewhere(settings());
    save_of_another(&site, &browser, "theirs", 1);
    set(&site, &mut browser, "mine", 2);
    site.event_kinds();
    (site, far, browser)
}

/// A browser whose last save was made long ago and is in no record any more.
fn lost() -> (Site, Browser) {
    let site = site();
    let mut browser = site.visitor();
    let far = site.elsewhere(defaults());
    set(&site, &mut browser, "mine", 1);
    save_of_another(&far, &browser, "theirs", 2);
    site.catch_up(&far);
    site.advance(131);
    site.event_kinds();
    (site, browser)
}

#[test]
fn a_missing_and_a_forged_cookie_have_load_outcomes_of_their_own() {
    let site = site();
    assert_eq!(reason(&site, &Browser::default()), LoadReason::New);
    assert_eq!(site.event_kinds(), [""; 0], "a new session emits no event");
    assert_eq!(reason(&site, &Browser(Some("__Host-sessionid=forged".to_owned()))), LoadReason::Malformed);
    assert_eq!(site.events(), [("malformed".to_owned(), String::new())]);
    assert_eq!(site.sessions.new_session().unwrap().load_reason(), LoadReason::New);
}

#[test]
fn a_record_with_the_tag_of_the_tokens_save_is_live() {
    let site = site();
    let mut browser = site.visitor();
    let before = browser.clone();
    assert_eq!(reason(&site, &browser), LoadReason::Live);
    for value in 0..7 {
        set(&site, &mut browser, "page", value);
    }
    assert_eq!(reason(&site, &before), LoadReason::Live, "seven saves later too");
    save_of_another(&site, &browser, "theirs", 1);
    assert_eq!(reason(&site, &browser), LoadReason::Live, "a foreign save reverts nothing");
    assert_eq!(site.event_kinds(), ["created"; 0], "a live session emits no event");
}

#[test]
fn saves_that_a_location_does_not_show_yet_are_repaired_from_the_cookie() {
    let site = site();
    let mut browser = site.visitor();
    site.request(&mut browser, |session| {
        session.set("a", 1).unwrap();
        session.set("b", 2).unwrap();
    });
    let far = site.elsewhere(defaults());
    site.request(&mut browser, |session| {
        session.set("a", 10).unwrap();
        session.set("c", 30).unwrap();
        session.remove("b").unwrap();
    });
    set(&site, &mut browser, "a", 11);
    let mut session = far.load(&browser);
    assert_eq!(session.load_reason(), LoadReason::StaleRepaired);
    assert_eq!(far.event_kinds(), ["stale-repaired"]);
    assert_eq!(session.keys().unwrap(), ["user", "a", "c"]);
    assert_eq!(numbers(&mut session, ["a", "b", "c"]), [Some(11), None, Some(30)]);
    assert!(!session.modified() && run(far.sessions.commit_headers(&mut session, 200)).unwrap().set_cookie().is_none());
    assert_eq!(far.operations(), ["read"], "a repaired value is not a change");

    // A save there stores the repaired record, and the browser can continue at any location.
    set(&far, &mut browser, "d", 4);
    assert_eq!(far.operations(), ["read", "read", "put"]);
    assert_eq!(far.record()["data"], serde_json::json!({ "user": "alice", "a": 11, "c": 30, "d": 4 }));
    assert_eq!(reason(&far, &browser), LoadReason::Live);
    let mut session = site.load(&browser);
    assert_eq!(session.load_reason(), LoadReason::StaleRepaired);
    assert_eq!(numbers(&mut session, ["a", "b", "c", "d"]), [Some(11), None, Some(30), Some(4)]);
}

#[test]
fn a_session_that_was_emptied_stays_empty_where_that_is_not_visible_yet() {
    let clears: [fn(&mut Session); 3] = [
        Session::clear,
        |session| {
            session.get::<String>("user").unwrap();
            session.clear();
        },
        |session| {
            session.set("page", 1).unwrap();
            session.clear();
        },
    ];
    for clear in clears {
        let site = site();
        let mut browser = site.visitor();
        let far = site.elsewhere(defaults());
        site.request(&mut browser, clear);
        let mut session = far.load(&browser);
        assert_eq!(session.load_reason(), LoadReason::StaleRepaired);
        assert!(session.keys().unwrap().is_empty());
    }
}

#[test]
fn of_two_writes_of_one_key_the_newer_one_is_kept() {
    // The foreign write at the other location is newer than the browser's own.
    let site = site();
    let mut browser = site.visitor();
    let far = site.elsewhere(defaults());
    site.request(&mut browser, |session| {
        session.set("a", 1).unwrap();
        session.set("b", 1).unwrap();
    });
    site.advance(5);
    save_of_another(&far, &browser, "a", 2);
    let mut session = far.load(&browser);
    assert_eq!(session.load_reason(), LoadReason::StaleRepaired);
    assert_eq!(numbers(&mut session, ["a", "b"]), [Some(2), Some(1)], "only what is not newer there is put back");

    // The browser's own write is newer.
    let site = support::site();
    let mut browser = site.visitor();
    let far = site.elsewhere(defaults());
    save_of_another(&far, &browser, "a", 2);
    site.advance(5);
    set(&site, &mut browser, "a", 1);
    let mut session = far.load(&browser);
    assert_eq!((session.load_reason(), session.get("a").unwrap()), (LoadReason::StaleRepaired, Some(1)));
}

#[test]
fn a_removal_is_a_write_as_any_other() {
    let site = site();
    let mut browser = site.visitor();
    set(&site, &mut browser, "a", 1);
    let far = site.elsewhere(defaults());
    set(&site, &mut browser, "a", 2);
    site.advance(5);
    let mut other = run(far.sessions.open(&session_key(&site, &browser))).unwrap();
    other.remove("a").unwrap();
    run(far.sessions.save(&mut other)).unwrap();
    assert_eq!(far.load(&browser).get::<i32>("a").unwrap(), None, "the removal is the newer one");
}

#[test]
fn an_older_cookie_reverts_nothing() {
    let site = site();
    let mut browser = site.visitor();
    set(&site, &mut browser, "a", 1);
    let replayed = browser.clone();
    site.request(&mut browser, |session| {
        session.set("a", 2).unwrap();
        session.set("b", 2).unwrap();
    });
    for value in 3..15 {
        let mut old = replayed.clone();
        let mut session = site.load(&old);
        assert_eq!(numbers(&mut session, ["a", "b"]), [Some(2), Some(2)]);
        session.set("replayed", value).unwrap();
        site.commit(&mut old, session, 200);
        set(&site, &mut browser, "page", value);
        assert_eq!(numbers(&mut site.load(&browser), ["a", "b"]), [Some(2), Some(2)], "{value}");
    }
    site.request(&mut browser, |session| session.remove("a").unwrap());
    assert_eq!(site.load(&replayed).get::<i32>("a").unwrap(), None);
}

#[test]
fn a_save_that_would_overwrite_saves_known_to_the_browser_is_refused() {
    let (site, far, mut browser) = broken_chain(defaults);
    let before = far.store.memory.entries();
    let mut session = far.load(&browser);
    assert_eq!((session.load_reason(), far.event_kinds()), (LoadReason::Stale, vec!["stale".to_owned()]));
    assert_eq!(numbers(&mut session, ["mine", "theirs"]), [None, None], "it can be read");
    session.set("page", 3).unwrap();
    let error = far.failed_commit(&mut session);
    assert_eq!((error.kind(), error.kind().code()), (ErrorKind::Stale, "ES_STALE"));
    assert_eq!(far.event_kinds(), ["refused-stale"]);
    assert_eq!(far.store.memory.entries(), before);
    // It succeeds at the location with the record, and later at the other one.
    assert_eq!(numbers(&mut site.load(&browser), ["mine", "theirs"]), [Some(2), Some(1)]);
    far.catch_up(&site);
    set(&far, &mut browser, "page", 3);
    assert_eq!(numbers(&mut far.load(&browser), ["mine", "theirs", "page"]), [Some(2), Some(1), Some(3)]);
}

#[test]
fn a_login_on_a_stale_record_is_refused() {
    let (_, far, browser) = broken_chain(defaults);
    let before = far.store.memory.entries();
    let mut session = far.load(&browser);
    session.cycle_key().unwrap();
    assert_eq!(far.failed_commit(&mut session).kind(), ErrorKind::Stale);
    assert_eq!(far.store.memory.entries(), before);
}

// Found by the simulation: what the stale record lacked was lost, and only `stale` was reported.
#[test]
fn a_login_on_a_stale_record_that_another_login_deletes_meanwhile_is_refused() {
    for (merge_stale, expected) in [(false, Err(ErrorKind::Stale)), (true, Ok(()))] {
        let (_, far, browser) = broken_chain(|| defaults().merge_stale(merge_stale));
        let mut session = far.load(&browser);
        assert_eq!(session.load_reason(), LoadReason::Stale);
        let old = record_key(session.session_key().unwrap().as_str());
        session.cycle_key().unwrap();
        run(far.store.write(vec![Op::Delete { key: old }])).unwrap();
        far.event_kinds();
        let saved = run(far.sessions.commit_headers(&mut session, 200));
        assert_eq!(saved.map(|_| ()).map_err(|error| error.kind()), expected);
        if merge_stale {
            assert_eq!(far.event_kinds(), ["merged-stale", "cycled"]);
            assert_eq!(far.record()["data"], serde_json::json!({ "user": "alice", "mine": 2 }));
        } else {
            assert_eq!(far.event_kinds(), ["refused-stale"]);
            assert_eq!(far.stored().0, 0);
        }
    }
}

#[test]
fn a_renewal_of_a_stale_record_is_skipped_and_does_not_fail_the_response() {
    let settings = || defaults().save_every_request(true).cookie_age(100);
    let (site, far, mut browser) = broken_chain(settings);
    site.advance(30);
    let before = far.store.memory.entries();
    let headers = far.request(&mut browser, |_| ());
    assert!(headers.set_cookie().is_none());
    assert_eq!(far.event_kinds(), ["stale", "refused-stale", "renewal-failed"]);
    assert_eq!(far.store.memory.entries(), before);
}

#[test]
fn with_merge_stale_a_stale_record_is_saved_with_the_browsers_own_saves() {
    let (_, far, mut browser) = broken_chain(|| defaults().merge_stale(true));
    set(&far, &mut browser, "page", 3);
    assert_eq!(far.event_kinds(), ["stale", "merged-stale"]);
    assert_eq!(far.record()["data"], serde_json::json!({ "user": "alice", "mine": 2, "page": 3 }));
    assert_eq!(reason(&far, &browser), LoadReason::Live);
}

// Found by the simulation: the journal treated a merged save as one that contains all earlier saves.
#[test]
fn a_save_merged_onto_a_stale_record_does_not_claim_the_saves_that_it_lacks() {
    let (site, far, mut browser) = broken_chain(|| defaults().merge_stale(true));
    set(&far, &mut browser, "page", 3);
    set(&site, &mut browser, "here", 4);
    assert_eq!(site.record()["data"]["theirs"], 1);
    far.event_kinds();
    let mut session = far.load(&browser);
    assert_eq!(session.load_reason(), LoadReason::Stale, "a record without the other browser's save is not repaired");
    assert_eq!(numbers(&mut session, ["mine", "page"]), [Some(2), Some(3)]);
}

#[test]
fn a_save_succeeds_if_the_missing_one_becomes_visible_in_time() {
    let (site, far, browser) = broken_chain(defaults);
    let mut session = far.load(&browser);
    session.set("page", 3).unwrap();
    far.catch_up(&site);
    run(far.sessions.commit_headers(&mut session, 200)).unwrap();
    assert_eq!(far.event_kinds(), ["stale", "merged"]);
    assert_eq!(far.record()["data"], serde_json::json!({ "user": "alice", "theirs": 1, "mine": 2, "page": 3 }));
}

#[test]
fn a_save_that_finds_an_older_record_than_its_load_repairs_it() {
    let site = site();
    let mut browser = site.visitor();
    let far = site.elsewhere(defaults());
    set(&site, &mut browser, "a", 1);
    let mut session = site.load(&browser);
    assert_eq!(session.load_reason(), LoadReason::Live);
    session.set("b", 2).unwrap();
    site.catch_up(&far);
    site.commit(&mut browser, session, 200);
    assert_eq!(site.record()["data"], serde_json::json!({ "user": "alice", "a": 1, "b": 2 }));
    assert_eq!(reason(&site, &browser), LoadReason::Live);
}

#[test]
fn a_session_that_is_not_visible_yet_keeps_its_cookie_and_creates_nothing() {
    let site = site();
    let far = site.elsewhere(defaults());
    let mut browser = site.visitor();
    let kept = browser.clone();
    site.advance(100);
    let headers = far.request(&mut browser, |session| {
        assert_eq!(session.load_reason(), LoadReason::NotYetVisible);
        assert!(session.get::<String>("user").unwrap().is_none());
        assert!(session.session_key().is_some() && !session.is_new().unwrap());
    });
    assert!(headers.set_cookie().is_none() && headers.depends_on_cookie());
    assert_eq!(browser.0, kept.0);
    assert_eq!(far.event_kinds(), ["not-yet-visible"]);
    let calls: [fn(&mut Session); 4] = [
        |session| session.set("page", 1).unwrap(),
        Session::clear,
        |session| session.cycle_key().unwrap(),
        Session::create,
    ];
    for call in calls {
        let mut session = far.load(&browser);
        call(&mut session);
        assert_eq!(far.failed_commit(&mut session).kind(), ErrorKind::Stale);
        assert_eq!(far.event_kinds(), ["not-yet-visible", "refused-stale"]);
    }
    assert!(far.store.memory.is_empty());
    assert_eq!(site.user(&browser).as_deref(), Some("alice"), "it is still logged in where it is stored");

    site.advance(1);
    let headers = far.request(&mut browser, |session| {
        assert_eq!(session.load_reason(), LoadReason::Unknown);
        assert!(session.keys().unwrap().is_empty() && session.session_key().is_none());
    });
    assert!(headers.set_cookie().unwrap().contains("; Max-Age=0;"), "by now it would be visible");
}

#[test]
fn a_renewal_of_a_session_that_is_not_visible_yet_does_nothing() {
    let settings = || defaults().save_every_request(true);
    let site = site_with(settings());
    let far = site.elsewhere(settings());
    let mut browser = site.visitor();
    far.operations();
    assert!(far.request(&mut browser, |_| ()).set_cookie().is_none());
    assert_eq!(far.operations(), ["read"]);
    let headers = far.request(&mut browser, |session| assert!(session.keys().unwrap().is_empty()));
    assert!(headers.set_cookie().is_none());
    assert!(far.store.memory.is_empty());
}

#[test]
fn a_session_that_becomes_visible_during_the_request_is_saved() {
    let site = site();
    let far = site.elsewhere(defaults());
    let mut browser = site.visitor();
    let mut session = far.load(&browser);
    session.set("page", 1).unwrap();
    far.catch_up(&site);
    far.commit(&mut browser, session, 200);
    assert_eq!(far.record()["data"], serde_json::json!({ "user": "alice", "page": 1 }));
}

// A record that was renewed elsewhere seems expired at a location that does not show the renewal yet. The session has not ended.
#[test]
fn a_record_whose_renewal_is_not_visible_yet_ends_no_session() {
    let site = site_with(defaults().cookie_age(60));
    let mut browser = site.visitor();
    let far = site.elsewhere(defaults().cookie_age(60));
    site.advance(50);
    set(&site, &mut browser, "page", 1);
    site.advance(20);
    let kept = browser.clone();
    let headers = far.request(&mut browser, |session| {
        assert_eq!(session.load_reason(), LoadReason::NotYetVisible);
        assert!(session.keys().unwrap().is_empty());
    });
    assert!(headers.set_cookie().is_none() && browser.0 == kept.0);
    let mut session = far.load(&browser);
    session.set("page", 2).unwrap();
    assert_eq!(far.failed_commit(&mut session).kind(), ErrorKind::Stale);
    assert_eq!(site.user(&browser).as_deref(), Some("alice"));
}

#[test]
fn a_save_that_no_record_contains_any_more_is_lost_and_later_ones_succeed() {
    let (site, mut browser) = lost();
    let mut session = site.load(&browser);
    assert_eq!((session.load_reason(), site.event_kinds()), (LoadReason::Lost, vec!["lost".to_owned()]));
    assert_eq!(numbers(&mut session, ["mine", "theirs"]), [None, Some(2)]);
    set(&site, &mut browser, "page", 3);
    assert_eq!(site.record()["data"], serde_json::json!({ "user": "alice", "theirs": 2, "page": 3 }));
    site.event_kinds();
    assert_eq!((reason(&site, &browser), site.event_kinds().len()), (LoadReason::Live, 0));
}

// Found by the simulation: a save that was missing at the load was lost at the commit, and no event reported it.
#[test]
fn a_save_that_finds_an_earlier_one_lost_reports_it() {
    let site = site();
    let mut browser = site.visitor();
    let far = site.elsewhere(defaults());
    let late = browser.clone();
    save_of_another(&site, &browser, "theirs", 1);
    set(&site, &mut browser, "mine", 2);
    save_of_another(&far, &late, "page", 3);
    let mut session = far.load(&browser);
    assert_eq!(session.load_reason(), LoadReason::Stale);
    far.event_kinds();
    far.advance(131);
    session.set("page", 4).unwrap();
    run(far.sessions.commit_headers(&mut session, 200)).unwrap();
    assert_eq!(far.event_kinds(), ["lost"]);
    assert_eq!(far.record()["data"], serde_json::json!({ "user": "alice", "page": 4 }));
}

#[test]
fn a_tag_missing_from_a_record_with_enough_later_saves_is_lost_at_once() {
    let site = site();
    let mut browser = site.visitor();
    let far = site.elsewhere(defaults());
    let before = browser.clone();
    set(&site, &mut browser, "mine", 1);
    for value in 0..17 {
        save_of_another(&far, &before, "theirs", value);
    }
    assert_eq!(reason(&far, &browser), LoadReason::Lost, "a retry cannot restore it");
}

#[test]
fn a_record_and_a_token_past_their_deadlines_open_no_session() {
    let site = site_with(defaults().cookie_age(100).absolute_age(1_000));
    let mut browser = site.visitor();
    site.advance(100);
    assert_eq!(reason(&site, &browser), LoadReason::Expired);
    assert_eq!(site.event_kinds(), ["expired"]);
    for _ in 0..9 {
        site.advance(-1);
        set(&site, &mut browser, "page", 1);
        site.advance(100);
    }
    site.advance(200);
    site.operations();
    assert_eq!(reason(&site, &browser), LoadReason::Expired);
    assert!(site.operations().is_empty(), "past its absolute deadline a token costs no read");
    let headers = site.request(&mut browser, |session| assert!(session.keys().unwrap().is_empty()));
    assert!(headers.set_cookie().unwrap().contains("; Max-Age=0;"));
}

#[test]
fn the_earlier_absolute_deadline_of_token_and_record_applies() {
    let (long, short) = (|| defaults().absolute_age(10_000), || defaults().absolute_age(1_000));
    let site = site_with(long());
    let mut browser = site.visitor();
    site.login(&mut browser);
    // The record was replaced by hand, with an earlier deadline.
    let key = record_key(&site.session_key(&browser));
    let record = site.store.memory.entries().into_iter().find(|(other, _)| *other == key).unwrap().1;
    let absolute = site.record_of(&browser)["absolute"].as_i64().unwrap();
    let text = String::from_utf8(record).unwrap();
    let text = text.replace(&absolute.to_string(), &(absolute - 9_000_000_000).to_string());
    site.store.memory.put(key, text.into_bytes());
    set(&site, &mut browser, "page", 1);
    assert_eq!(site.record_of(&browser)["absolute"].as_i64().unwrap(), absolute - 9_000_000_000, "no save extends it");
    site.advance(1_000);
    site.operations();
    assert_eq!(reason(&site, &browser), LoadReason::Expired);
    assert!(site.operations().is_empty(), "the new token has the outcome as well");
    let site = site_with(short());
    let browser = site.visitor();
    site.advance(1_000);
    assert_eq!(reason(&site, &browser), LoadReason::Expired);
}

// L1, iron-session #598: every failure gave an empty session without a reason.
#[test]
fn iron_session_598_unreadable_and_revoked_sessions_have_load_outcomes_of_their_own() {
    let put = |site: &Site, bytes: &[u8]| {
        let (key, _) = site.store.memory.entries().remove(0);
        site.store.memory.put(key, bytes.to_vec());
    };
    let site = site();
    let mut browser = site.visitor();
    put(&site, b"junk");
    assert_eq!((reason(&site, &browser), site.event_kinds()), (LoadReason::Corrupt, vec!["corrupt".to_owned()]));
    put(&site, b"{\"edge-session\":2}");
    assert_eq!(
        (reason(&site, &browser), site.event_kinds()),
        (LoadReason::NewerVersion, vec!["newer-version".to_owned()])
    );
    site.fail(Failing::Reads);
    assert_eq!(
        (reason(&site, &browser), site.event_kinds()),
        (LoadReason::Unavailable, vec!["unavailable".to_owned()])
    );
    site.fail(Failing::Nothing);
    let old = browser.clone();
    site.logout(&mut browser, 200);
    site.event_kinds();
    assert_eq!((reason(&site, &old), site.event_kinds()), (LoadReason::Revoked, vec!["revoked".to_owned()]));
}

// G6, tower-sessions #35 to #37, flask-session #71, fastify-session #237, express-session #340: the later save reverted the
// other.
#[test]
fn tower_sessions_35_the_changes_of_two_requests_to_different_keys_are_both_kept() {
    let site = site();
    let mut browser = site.visitor();
    set(&site, &mut browser, "old", 1);
    let (mut one, mut other) = (site.load(&browser), site.load(&browser));
    one.set("a", 1).unwrap();
    one.remove("old").unwrap();
    other.set("b", 2).unwrap();
    other.set("user", "bob").unwrap();
    site.commit(&mut browser.clone(), one, 200);
    assert_eq!(site.event_kinds(), [""; 0]);
    site.commit(&mut browser, other, 200);
    assert_eq!(site.event_kinds(), ["merged"]);
    let record = site.record();
    assert_eq!(record["data"], serde_json::json!({ "user": "bob", "a": 1, "b": 2 }));
    assert_eq!(record["generation"], 4);
}

#[test]
fn of_two_requests_that_change_one_key_the_later_save_is_kept() {
    let site = site();
    let mut browser = site.visitor();
    let (mut one, mut other) = (site.load(&browser), site.load(&browser));
    one.set("a", 1).unwrap();
    other.set("a", 2).unwrap();
    site.commit(&mut browser.clone(), other, 200);
    site.commit(&mut browser, one, 200);
    assert_eq!(site.load(&browser).get("a").unwrap(), Some(1));
    // A removal as well.
    let (mut one, mut other) = (site.load(&browser), site.load(&browser));
    one.remove("a").unwrap();
    other.set("a", 3).unwrap();
    site.commit(&mut browser.clone(), other, 200);
    site.commit(&mut browser, one, 200);
    assert_eq!(site.load(&browser).get::<i32>("a").unwrap(), None);
    let (mut one, mut other) = (site.load(&browser), site.load(&browser));
    one.set("a", 4).unwrap();
    one.remove("a").unwrap();
    one.set("b", 4).unwrap();
    other.set("a", 5).unwrap();
    site.commit(&mut browser.clone(), other, 200);
    site.commit(&mut browser, one, 200);
    assert_eq!(numbers(&mut site.load(&browser), ["a", "b"]), [None, Some(4)], "set and removed is removed");
}

#[test]
fn a_clear_removes_the_keys_that_a_parallel_request_set() {
    let site = site();
    let mut browser = site.visitor();
    let far = site.elsewhere(defaults());
    let (mut clearing, mut setting) = (site.load(&browser), site.load(&browser));
    clearing.clear();
    clearing.set("mine", 1).unwrap();
    setting.set("a", 1).unwrap();
    let mut other = browser.clone();
    site.commit(&mut other, setting, 200);
    site.commit(&mut browser, clearing, 200);
    assert_eq!(site.record()["data"], serde_json::json!({ "mine": 1 }));
    // If neither save is visible, only the journal of this browser's cookie is known.
    assert_eq!(reason(&far, &browser), LoadReason::Stale);
    let mut session = far.load(&other);
    assert_eq!((session.load_reason(), session.get("a").unwrap()), (LoadReason::StaleRepaired, Some(1)));

    // Values that are set after the clear are kept.
    let (mut clearing, mut setting) = (site.load(&browser), site.load(&browser));
    clearing.clear();
    setting.set("a", 2).unwrap();
    site.commit(&mut browser.clone(), clearing, 200);
    site.commit(&mut browser, setting, 200);
    assert_eq!(site.record()["data"], serde_json::json!({ "a": 2 }));
}

// D7, GHSA-xg6x-h9c9-2m83 (better-auth): a cache returned a session with a pending second factor as a complete login.
#[test]
fn ghsa_xg6x_h9c9_2m83_a_pending_second_factor_is_pending_at_every_location() {
    let site = site();
    let mut browser = site.visitor();
    let mut far = site.elsewhere(defaults());
    let pending = |site: &Site, browser: &Browser| {
        let mut session = site.load(browser);
        (session.get::<u8>("user_id").unwrap(), session.get::<bool>("pending").unwrap())
    };
    // Other tabs send requests before and after the first factor.
    let mut before = site.load(&browser);
    before.set("theme", 1).unwrap();
    site.request(&mut browser, |session| {
        session.set("user_id", 7).unwrap();
        session.set("pending", true).unwrap();
    });
    site.commit(&mut browser.clone(), before, 200);
    assert_eq!(pending(&site, &browser), (Some(7), Some(true)), "merged");
    // If the record does not show it yet, the journal repairs both values or neither.
    assert_eq!(far.load(&browser).load_reason(), LoadReason::StaleRepaired);
    assert_eq!(pending(&far, &browser), (Some(7), Some(true)), "repaired");
    set(&far, &mut browser, "page", 2);
    assert_eq!(pending(&far, &browser), (Some(7), Some(true)), "saved on top of it");
    site.catch_up(&far);
    site.advance(200);
    assert_eq!(pending(&site, &browser), (Some(7), Some(true)), "two minutes later");

    // The second factor rotates the key, so that a cache with the pending state has it under a revoked key.
    let half = browser.clone();
    far = site.elsewhere(defaults());
    site.request(&mut browser, |session| {
        session.remove("pending").unwrap();
        session.cycle_key().unwrap();
    });
    assert_eq!(pending(&site, &browser), (Some(7), None));
    assert_eq!(pending(&far, &half), (Some(7), Some(true)), "the old cookie opens no complete session");
    assert_eq!(far.load(&browser).load_reason(), LoadReason::NotYetVisible, "nor is the new one half of it");
    // The old key reads as empty at once, and is revoked once no pending request can have it.
    assert_eq!((reason(&site, &half), pending(&site, &half)), (LoadReason::Superseded, (None, None)));
    site.advance(101);
    assert_eq!((reason(&site, &half), pending(&site, &half)), (LoadReason::Revoked, (None, None)));
}

// G5, express-session #935: a touch wrote old data over new.
#[test]
fn express_session_935_a_renewal_that_conflicts_with_a_change_keeps_it() {
    let site = site_with(defaults().save_every_request(true).cookie_age(1_000));
    let mut browser = site.visitor();
    site.advance(200);
    let renewing = site.load(&browser);
    let mut changing = site.load(&browser);
    changing.set("page", 2).unwrap();
    site.commit(&mut browser.clone(), changing, 200);
    site.commit(&mut browser, renewing, 200);
    assert_eq!(site.record()["data"], serde_json::json!({ "user": "alice", "page": 2 }));
}

#[test]
fn a_login_that_conflicts_with_a_change_includes_it() {
    let site = site();
    let mut browser = site.visitor();
    let (mut login, mut changing) = (site.load(&browser), site.load(&browser));
    login.cycle_key().unwrap();
    login.set("_auth_user_id", 7).unwrap();
    changing.set("cart", 1).unwrap();
    site.commit(&mut browser.clone(), changing, 200);
    site.commit(&mut browser, login, 200);
    assert_eq!(site.event_kinds(), ["merged", "cycled"]);
    assert_eq!(site.record_of(&browser)["data"], serde_json::json!({ "user": "alice", "cart": 1, "_auth_user_id": 7 }));
}

#[test]
fn a_login_without_a_conflict_keeps_the_order_of_the_data() {
    let site = site();
    let mut browser = site.visitor();
    set(&site, &mut browser, "page", 1);
    site.request(&mut browser, |session| {
        session.remove("user").unwrap();
        session.set("user", "bob").unwrap();
        session.cycle_key().unwrap();
        assert_eq!(session.stored_deadline().unwrap(), None, "nothing is stored under the new key yet");
    });
    assert_eq!(site.load(&browser).keys().unwrap(), ["page", "user"]);
    assert_eq!(site.event_kinds(), ["cycled"]);
}

#[test]
fn a_second_save_in_one_request_has_no_conflict() {
    let site = site();
    let mut browser = site.visitor();
    let mut session = site.load(&browser);
    for value in 1..=3 {
        session.set("page", value).unwrap();
        run(site.sessions.save(&mut session)).unwrap();
    }
    site.commit(&mut browser, session, 200);
    assert_eq!(site.event_kinds(), [""; 0]);
    assert_eq!(site.load(&browser).get("page").unwrap(), Some(3));
}

#[test]
fn a_second_save_includes_only_the_changes_since_the_first_one() {
    let site = site();
    let browser = site.visitor();
    let mut session = site.load(&browser);
    session.set("a", 1).unwrap();
    run(site.sessions.save(&mut session)).unwrap();
    save_of_another(&site.another_isolate(), &browser, "a", 2);
    session.set("b", 1).unwrap();
    run(site.sessions.save(&mut session)).unwrap();
    assert_eq!(site.record()["data"], serde_json::json!({ "user": "alice", "a": 2, "b": 1 }));
}

#[test]
fn a_failed_put_is_retried_a_second_later_on_the_current_record() {
    let site = site();
    let mut browser = site.visitor();
    // Long after the last put, so that the failure is not attributed to the store's write limit.
    site.advance(2);
    let mut session = site.load(&browser);
    session.set("mine", 1).unwrap();
    site.refuse(["put"]);
    let (other, their_browser) = (site.another_isolate(), browser.clone());
    site.during_next_wait(move || save_of_another(&other, &their_browser, "theirs", 2));
    site.operations();
    site.commit(&mut browser, session, 200);
    let waits = site.store.waits.take();
    assert!(matches!(waits[..], [1_000..=1_255]), "{waits:?}");
    // Reads of the other isolate: a load, and an open (first the record, then its tombstone).
    assert_eq!(site.operations(), ["put", "read", "read", "read", "put", "read", "put"]);
    assert_eq!(site.event_kinds(), ["retried", "merged"]);
    assert_eq!(site.record()["data"], serde_json::json!({ "user": "alice", "theirs": 2, "mine": 1 }));
    assert_eq!(reason(&site, &browser), LoadReason::Live);
}

#[test]
fn conflicting_retries_wait_for_different_times() {
    let site = site();
    let mut waits = std::collections::BTreeSet::new();
    for _ in 0..20 {
        site.refuse(["put"]);
        site.visitor();
        waits.extend(site.store.waits.take());
    }
    assert!(waits.len() > 5, "{waits:?}");
}

#[test]
fn a_failed_but_applied_put_is_detected() {
    let site = site();
    let mut browser = site.visitor();
    site.apply_but_fail("put");
    set(&site, &mut browser, "mine", 1);
    assert_eq!(site.operations(), ["read", "put", "read"], "no put has to be repeated");
    assert_eq!(site.record()["generation"], 2);
    assert_eq!((reason(&site, &browser), site.event_kinds()), (LoadReason::Live, vec!["retried".to_owned()]));
}

#[test]
fn a_failed_but_applied_put_does_not_overwrite_a_later_save() {
    let site = site();
    let mut browser = site.visitor();
    let mut session = site.load(&browser);
    session.set("a", 1).unwrap();
    site.apply_but_fail("put");
    let (other, their_browser) = (site.another_isolate(), browser.clone());
    site.during_next_wait(move || save_of_another(&other, &their_browser, "a", 2));
    site.commit(&mut browser, session, 200);
    assert_eq!(site.record()["data"], serde_json::json!({ "user": "alice", "a": 2 }), "the later save is kept");
    assert_eq!(site.record()["generation"], 3);
    assert_eq!((reason(&site, &browser), site.event_kinds()), (LoadReason::Live, vec!["retried".to_owned()]));
}

#[test]
fn a_put_that_fails_four_times_is_an_error() {
    let site = site();
    let browser = site.visitor();
    let before = site.store.memory.entries();
    // Long after the last put, so that the failure is not attributed to the store's write limit.
    site.advance(2);
    let mut session = site.load(&browser);
    session.set("mine", 1).unwrap();
    site.refuse(["put"; 4]);
    site.operations();
    assert_eq!(site.failed_commit(&mut session).kind(), ErrorKind::StoreUnavailable);
    assert_eq!(site.operations(), ["put", "read", "put", "read", "put", "read", "put"]);
    assert_eq!(site.event_kinds(), ["retried", "retried", "retried", "store-failed"]);
    let waits = site.store.waits.take();
    assert!(matches!(waits[..], [1_000..=1_255, 1_000..=1_255, 1_000..=1_255]), "{waits:?}");
    assert_eq!(site.store.memory.entries(), before);
    // The session object can be saved again.
    run(site.sessions.save(&mut session)).unwrap();
    assert_eq!(site.record()["data"], serde_json::json!({ "user": "alice", "mine": 1 }));
}

#[test]
fn a_logout_during_the_wait_ends_the_save() {
    let site = site();
    let mut browser = site.visitor();
    let mut session = site.load(&browser);
    session.set("mine", 1).unwrap();
    site.refuse(["put"]);
    let other = site.another_isolate();
    site.during_next_wait(move || _ = other.logout(&mut browser, 200));
    let error = site.failed_commit(&mut session);
    assert_eq!(error.kind(), ErrorKind::SessionInterrupted);
    assert_eq!(site.stored(), (0, 2));
    assert_eq!(site.event_kinds(), ["retried", "interrupted"]);
}

#[test]
fn a_failed_renewal_is_not_retried_and_does_not_fail_the_response() {
    for operation in ["put", "read"] {
        let site = site_with(defaults().save_every_request(true).cookie_age(1_000));
        let mut browser = site.visitor();
        site.advance(200);
        let session = site.load(&browser);
        let before = site.store.memory.entries();
        site.advance(1);
        site.refuse([operation]);
        let headers = site.commit(&mut browser, session, 200);
        assert!(headers.set_cookie().is_none());
        assert_eq!(site.event_kinds(), ["store-failed", "renewal-failed"]);
        assert_eq!((site.store.waits.take().len(), site.store.memory.entries()), (0, before));
        assert_eq!(site.user(&browser).as_deref(), Some("alice"));
    }
}

#[test]
fn a_new_session_is_put_without_a_read_each_time() {
    let site = site();
    let mut browser = Browser::default();
    site.refuse(["put"]);
    set(&site, &mut browser, "a", 1);
    assert_eq!(site.operations(), ["put", "put"], "a read would make KV cache the missing value");
    assert_eq!(site.event_kinds(), ["retried", "created"]);
    assert_eq!(reason(&site, &browser), LoadReason::Live);

    let mut browser = Browser::default();
    site.apply_but_fail("put");
    set(&site, &mut browser, "a", 1);
    assert_eq!((site.event_kinds(), site.stored()), (vec!["retried".to_owned(), "created".to_owned()], (2, 0)));
    assert_eq!(reason(&site, &browser), LoadReason::Live);

    site.refuse(["put"; 4]);
    let mut session = site.load(&Browser::default());
    session.set("a", 1).unwrap();
    site.operations();
    assert_eq!(site.failed_commit(&mut session).kind(), ErrorKind::StoreUnavailable);
    assert_eq!(site.operations(), ["put"; 4]);
    assert_eq!(site.event_kinds(), ["retried", "retried", "retried", "store-failed"]);
}

#[test]
fn a_record_without_a_list_of_writes_is_read_and_goes_on_with_one() {
    let site = site();
    let mut browser = site.visitor();
    assert!(site.record().get("writes").is_none(), "so were they all, before the list came");
    set(&site, &mut browser, "page", 2);
    assert_eq!(site.record()["writes"], serde_json::json!([1_893_456_000_001_i64, 6, "page"]));
}

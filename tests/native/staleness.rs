//! A store that shows what is not the newest: what a browser knows of is told from it, put back, or not written over.

use edge_session::{ErrorKind, LoadReason, Session};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use crate::support::{self, Browser, Failing, Site, defaults, record_key, run, site, site_with};

fn set(site: &Site, browser: &mut Browser, key: &str, value: i32) {
    site.request(browser, |session| session.set(key, value).unwrap());
}

/// Somebody else's save of the same session, who knows its key.
fn save_of_another(site: &Site, browser: &Browser, key: &str, value: i32) {
    let mut session = run(site.sessions.open(session_key(site, browser).as_str())).unwrap();
    session.set(key, value).unwrap();
    run(site.sessions.save(&mut session)).unwrap();
    site.told();
}

fn session_key(site: &Site, browser: &Browser) -> String {
    let session = site.load(browser);
    site.told();
    session.session_key().unwrap().as_str().to_owned()
}

fn reason(site: &Site, browser: &Browser) -> LoadReason {
    site.load(browser).load_reason()
}

/// The numbers under these keys, as one load shows them.
fn numbers<const N: usize>(session: &mut Session, keys: [&str; N]) -> [Option<i32>; N] {
    keys.map(|key| session.get(key).unwrap())
}

/// A browser whose last save rests on one of somebody else, and a location that shows neither.
fn broken_chain(settings: impl Fn() -> edge_session::SettingsBuilder) -> (Site, Site, Browser) {
    let site = site_with(settings());
    let mut browser = site.visitor();
    let far = site.elsewhere(settings());
    save_of_another(&site, &browser, "theirs", 1);
    set(&site, &mut browser, "mine", 2);
    site.told();
    (site, far, browser)
}

/// A browser whose last save is in no record any more, and was made long ago.
fn lost() -> (Site, Browser) {
    let site = site();
    let mut browser = site.visitor();
    let far = site.elsewhere(defaults());
    set(&site, &mut browser, "mine", 1);
    save_of_another(&far, &browser, "theirs", 2);
    site.catch_up(&far);
    site.pass(131);
    site.told();
    (site, browser)
}

#[test]
fn no_cookie_and_a_forged_one() {
    let site = site();
    assert_eq!(reason(&site, &Browser::default()), LoadReason::New);
    assert_eq!(site.told(), [""; 0], "a new session is nothing to tell");
    assert_eq!(reason(&site, &Browser(Some("__Host-sessionid=forged".to_owned()))), LoadReason::Malformed);
    assert_eq!(site.events(), [("malformed".to_owned(), String::new())]);
    assert_eq!(site.sessions.new_session().unwrap().load_reason(), LoadReason::New);
}

#[test]
fn a_record_that_remembers_the_tokens_save_is_live() {
    let site = site();
    let mut browser = site.visitor();
    let before = browser.clone();
    assert_eq!(reason(&site, &browser), LoadReason::Live);
    for value in 0..7 {
        set(&site, &mut browser, "page", value);
    }
    assert_eq!(reason(&site, &before), LoadReason::Live, "seven saves later too");
    save_of_another(&site, &browser, "theirs", 1);
    assert_eq!(reason(&site, &browser), LoadReason::Live, "somebody else's save takes nothing away");
    assert_eq!(site.told(), ["created"; 0], "a live session is nothing to tell");
}

#[test]
fn what_a_location_does_not_show_yet_is_put_back_from_the_cookie() {
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
    assert_eq!(far.told(), ["stale-repaired"]);
    assert_eq!(session.keys().unwrap(), ["user", "a", "c"]);
    assert_eq!(numbers(&mut session, ["a", "b", "c"]), [Some(11), None, Some(30)]);
    assert!(!session.modified() && run(far.sessions.commit_headers(&mut session, 200)).unwrap().set_cookie().is_none());
    assert_eq!(far.operations(), ["read"], "what was put back is no change");

    // A save there stores what was put back, and the browser goes on wherever it goes.
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
fn of_two_writes_of_one_key_the_newer_one_counts() {
    // Somebody else's at the other location is newer than the browser's own.
    let site = site();
    let mut browser = site.visitor();
    let far = site.elsewhere(defaults());
    site.request(&mut browser, |session| {
        session.set("a", 1).unwrap();
        session.set("b", 1).unwrap();
    });
    site.pass(5);
    save_of_another(&far, &browser, "a", 2);
    let mut session = far.load(&browser);
    assert_eq!(session.load_reason(), LoadReason::StaleRepaired);
    assert_eq!(numbers(&mut session, ["a", "b"]), [Some(2), Some(1)], "only what is not newer there is put back");

    // The browser's own is.
    let site = support::site();
    let mut browser = site.visitor();
    let far = site.elsewhere(defaults());
    save_of_another(&far, &browser, "a", 2);
    site.pass(5);
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
    site.pass(5);
    let mut other = run(far.sessions.open(&session_key(&site, &browser))).unwrap();
    other.remove("a").unwrap();
    run(far.sessions.save(&mut other)).unwrap();
    assert_eq!(far.load(&browser).get::<i32>("a").unwrap(), None, "the removal is the newer one");
}

#[test]
fn a_cookie_of_before_reverts_nothing() {
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
fn a_save_is_refused_where_it_would_bury_what_the_browser_knows_of() {
    let (site, far, mut browser) = broken_chain(defaults);
    let before = far.store.memory.entries();
    let mut session = far.load(&browser);
    assert_eq!((session.load_reason(), far.told()), (LoadReason::Stale, vec!["stale".to_owned()]));
    assert_eq!(numbers(&mut session, ["mine", "theirs"]), [None, None], "it can be read");
    session.set("page", 3).unwrap();
    let error = far.failed_commit(&mut session);
    assert_eq!((error.kind(), error.kind().code()), (ErrorKind::Stale, "ES_STALE"));
    assert_eq!(far.told(), ["refused-stale"]);
    assert_eq!(far.store.memory.entries(), before);
    // It goes through where the record is, and there in a while.
    assert_eq!(numbers(&mut site.load(&browser), ["mine", "theirs"]), [Some(2), Some(1)]);
    far.catch_up(&site);
    set(&far, &mut browser, "page", 3);
    assert_eq!(numbers(&mut far.load(&browser), ["mine", "theirs", "page"]), [Some(2), Some(1), Some(3)]);
}

#[test]
fn a_login_is_refused_there_too() {
    let (_, far, browser) = broken_chain(defaults);
    let before = far.store.memory.entries();
    let mut session = far.load(&browser);
    session.cycle_key().unwrap();
    assert_eq!(far.failed_commit(&mut session).kind(), ErrorKind::Stale);
    assert_eq!(far.store.memory.entries(), before);
}

#[test]
fn a_renewal_there_comes_to_nothing_and_fails_no_page() {
    let settings = || defaults().save_every_request(true).cookie_age(100);
    let (site, far, mut browser) = broken_chain(settings);
    site.pass(30);
    let before = far.store.memory.entries();
    let headers = far.request(&mut browser, |_| ());
    assert!(headers.set_cookie().is_none());
    assert_eq!(far.told(), ["stale", "refused-stale", "renewal-failed"]);
    assert_eq!(far.store.memory.entries(), before);
}

#[test]
fn by_setting_a_save_is_made_there_with_all_that_the_browser_saved() {
    let (_, far, mut browser) = broken_chain(|| defaults().merge_stale(true));
    set(&far, &mut browser, "page", 3);
    assert_eq!(far.told(), ["stale", "merged-stale"]);
    assert_eq!(far.record()["data"], serde_json::json!({ "user": "alice", "mine": 2, "page": 3 }));
    assert_eq!(reason(&far, &browser), LoadReason::Live);
}

// Found by the simulation: the journal took a save that was merged so for one that has all that came before it.
#[test]
fn a_save_that_was_merged_so_does_not_vouch_for_what_it_lacks() {
    let (site, far, mut browser) = broken_chain(|| defaults().merge_stale(true));
    set(&far, &mut browser, "page", 3);
    set(&site, &mut browser, "here", 4);
    assert_eq!(site.record()["data"]["theirs"], 1);
    far.told();
    let mut session = far.load(&browser);
    assert_eq!(session.load_reason(), LoadReason::Stale, "what lacks the other browser's save is not repaired");
    assert_eq!(numbers(&mut session, ["mine", "page"]), [Some(2), Some(3)]);
}

#[test]
fn what_came_in_time_for_the_save_lets_it_through() {
    let (site, far, browser) = broken_chain(defaults);
    let mut session = far.load(&browser);
    session.set("page", 3).unwrap();
    far.catch_up(&site);
    run(far.sessions.commit_headers(&mut session, 200)).unwrap();
    assert_eq!(far.told(), ["stale", "merged"]);
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
    site.pass(100);
    let headers = far.request(&mut browser, |session| {
        assert_eq!(session.load_reason(), LoadReason::NotYetVisible);
        assert!(session.get::<String>("user").unwrap().is_none());
        assert!(session.session_key().is_some() && !session.is_new().unwrap());
    });
    assert!(headers.set_cookie().is_none() && headers.depends_on_cookie());
    assert_eq!(browser.0, kept.0);
    assert_eq!(far.told(), ["not-yet-visible"]);
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
        assert_eq!(far.told(), ["not-yet-visible", "refused-stale"]);
    }
    assert!(far.store.memory.is_empty());
    assert_eq!(site.user(&browser).as_deref(), Some("alice"), "it is still logged in where it is stored");

    site.pass(1);
    let headers = far.request(&mut browser, |session| {
        assert_eq!(session.load_reason(), LoadReason::Unknown);
        assert!(session.keys().unwrap().is_empty() && session.session_key().is_none());
    });
    assert!(headers.set_cookie().unwrap().contains("; Max-Age=0;"), "by now it would be there");
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
fn a_session_that_comes_into_sight_while_the_request_runs_is_saved() {
    let site = site();
    let far = site.elsewhere(defaults());
    let mut browser = site.visitor();
    let mut session = far.load(&browser);
    session.set("page", 1).unwrap();
    far.catch_up(&site);
    far.commit(&mut browser, session, 200);
    assert_eq!(far.record()["data"], serde_json::json!({ "user": "alice", "page": 1 }));
}

// A record that was renewed elsewhere looks over where the renewal does not show yet: that is no end.
#[test]
fn a_record_whose_renewal_is_not_visible_yet_ends_no_session() {
    let site = site_with(defaults().cookie_age(60));
    let mut browser = site.visitor();
    let far = site.elsewhere(defaults().cookie_age(60));
    site.pass(50);
    set(&site, &mut browser, "page", 1);
    site.pass(20);
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
fn a_save_that_is_in_no_record_any_more_is_lost_and_life_goes_on() {
    let (site, mut browser) = lost();
    let mut session = site.load(&browser);
    assert_eq!((session.load_reason(), site.told()), (LoadReason::Lost, vec!["lost".to_owned()]));
    assert_eq!(numbers(&mut session, ["mine", "theirs"]), [None, Some(2)]);
    set(&site, &mut browser, "page", 3);
    assert_eq!(site.record()["data"], serde_json::json!({ "user": "alice", "theirs": 2, "page": 3 }));
    site.told();
    assert_eq!((reason(&site, &browser), site.told().len()), (LoadReason::Live, 0));
}

// Found by the simulation: what was stale at the load was lost by the time of the save, and nobody was told.
#[test]
fn a_save_that_finds_out_that_an_earlier_one_is_lost_tells_it() {
    let site = site();
    let mut browser = site.visitor();
    let far = site.elsewhere(defaults());
    let late = browser.clone();
    save_of_another(&site, &browser, "theirs", 1);
    set(&site, &mut browser, "mine", 2);
    save_of_another(&far, &late, "page", 3);
    let mut session = far.load(&browser);
    assert_eq!(session.load_reason(), LoadReason::Stale);
    far.told();
    far.pass(131);
    session.set("page", 4).unwrap();
    run(far.sessions.commit_headers(&mut session, 200)).unwrap();
    assert_eq!(far.told(), ["lost"]);
    assert_eq!(far.record()["data"], serde_json::json!({ "user": "alice", "page": 4 }));
}

#[test]
fn so_many_saves_later_a_tag_that_no_record_knows_is_lost_at_once() {
    let site = site();
    let mut browser = site.visitor();
    let far = site.elsewhere(defaults());
    let before = browser.clone();
    set(&site, &mut browser, "mine", 1);
    for value in 0..17 {
        save_of_another(&far, &before, "theirs", value);
    }
    assert_eq!(reason(&far, &browser), LoadReason::Lost, "waiting would not bring it back");
}

#[test]
fn the_end_of_a_record_and_of_a_token() {
    let site = site_with(defaults().cookie_age(100).absolute_age(1_000));
    let mut browser = site.visitor();
    site.pass(100);
    assert_eq!(reason(&site, &browser), LoadReason::Expired);
    assert_eq!(site.told(), ["expired"]);
    for _ in 0..9 {
        site.pass(-1);
        set(&site, &mut browser, "page", 1);
        site.pass(100);
    }
    site.pass(200);
    site.operations();
    assert_eq!(reason(&site, &browser), LoadReason::Expired);
    assert!(site.operations().is_empty(), "past its absolute deadline a token costs no read");
    let headers = site.request(&mut browser, |session| assert!(session.keys().unwrap().is_empty()));
    assert!(headers.set_cookie().unwrap().contains("; Max-Age=0;"));
}

#[test]
fn the_earlier_absolute_deadline_counts_the_tokens_or_the_records() {
    let (long, short) = (|| defaults().absolute_age(10_000), || defaults().absolute_age(1_000));
    let site = site_with(long());
    let mut browser = site.visitor();
    site.login(&mut browser);
    // The record was made again with less to live, by hand.
    let key = record_key(&site.session_key(&browser));
    let record = site.store.memory.entries().into_iter().find(|(other, _)| *other == key).unwrap().1;
    let absolute = site.record_of(&browser)["absolute"].as_i64().unwrap();
    let text = String::from_utf8(record).unwrap();
    let text = text.replace(&absolute.to_string(), &(absolute - 9_000_000_000).to_string());
    site.store.memory.put(key, text.into_bytes());
    set(&site, &mut browser, "page", 1);
    assert_eq!(site.record_of(&browser)["absolute"].as_i64().unwrap(), absolute - 9_000_000_000, "no save extends it");
    site.pass(1_000);
    site.operations();
    assert_eq!(reason(&site, &browser), LoadReason::Expired);
    assert!(site.operations().is_empty(), "the new token tells it too");
    let site = site_with(short());
    let browser = site.visitor();
    site.pass(1_000);
    assert_eq!(reason(&site, &browser), LoadReason::Expired);
}

// L1, iron-session #598: any failure was an empty session, and nobody was told which.
#[test]
fn iron_session_598_what_cannot_be_read_and_what_was_ended() {
    let put = |site: &Site, bytes: &[u8]| {
        let (key, _) = site.store.memory.entries().remove(0);
        site.store.memory.put(key, bytes.to_vec());
    };
    let site = site();
    let mut browser = site.visitor();
    put(&site, b"junk");
    assert_eq!((reason(&site, &browser), site.told()), (LoadReason::Corrupt, vec!["corrupt".to_owned()]));
    put(&site, b"{\"edge-session\":2}");
    assert_eq!((reason(&site, &browser), site.told()), (LoadReason::NewerVersion, vec!["newer-version".to_owned()]));
    site.fail(Failing::Reads);
    assert_eq!((reason(&site, &browser), site.told()), (LoadReason::Unavailable, vec!["unavailable".to_owned()]));
    site.fail(Failing::Nothing);
    let old = browser.clone();
    site.logout(&mut browser, 200);
    site.told();
    assert_eq!((reason(&site, &old), site.told()), (LoadReason::Revoked, vec!["revoked".to_owned()]));
}

// G6, tower-sessions #35 to #37, flask-session #71, fastify-session #237, express-session #340: the later save took back the other.
#[test]
fn tower_sessions_35_two_requests_that_change_different_keys_both_count() {
    let site = site();
    let mut browser = site.visitor();
    set(&site, &mut browser, "old", 1);
    let (mut one, mut other) = (site.load(&browser), site.load(&browser));
    one.set("a", 1).unwrap();
    one.remove("old").unwrap();
    other.set("b", 2).unwrap();
    other.set("user", "bob").unwrap();
    site.commit(&mut browser.clone(), one, 200);
    assert_eq!(site.told(), [""; 0]);
    site.commit(&mut browser, other, 200);
    assert_eq!(site.told(), ["merged"]);
    let record = site.record();
    assert_eq!(record["data"], serde_json::json!({ "user": "bob", "a": 1, "b": 2 }));
    assert_eq!(record["generation"], 4);
}

#[test]
fn of_two_requests_that_change_one_key_the_later_save_counts() {
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
fn what_a_request_cleared_is_cleared_whatever_another_one_set_meanwhile() {
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
    // Where neither shows, only what this browser's cookie carries can be known.
    assert_eq!(reason(&far, &browser), LoadReason::Stale);
    let mut session = far.load(&other);
    assert_eq!((session.load_reason(), session.get("a").unwrap()), (LoadReason::StaleRepaired, Some(1)));

    // The other way round, what is set after it was cleared is there.
    let (mut clearing, mut setting) = (site.load(&browser), site.load(&browser));
    clearing.clear();
    setting.set("a", 2).unwrap();
    site.commit(&mut browser.clone(), clearing, 200);
    site.commit(&mut browser, setting, 200);
    assert_eq!(site.record()["data"], serde_json::json!({ "a": 2 }));
}

// D7, GHSA-xg6x-h9c9-2m83 (better-auth): a session that waits for a second factor was taken for a whole one, from a cache.
#[test]
fn ghsa_xg6x_h9c9_2m83_who_still_owes_a_second_factor_owes_it_on_every_way() {
    let site = site();
    let mut browser = site.visitor();
    let mut far = site.elsewhere(defaults());
    let pending = |site: &Site, browser: &Browser| {
        let mut session = site.load(browser);
        (session.get::<u8>("user_id").unwrap(), session.get::<bool>("pending").unwrap())
    };
    // Other tabs are at work while the first factor is given, on either side of it.
    let mut before = site.load(&browser);
    before.set("theme", 1).unwrap();
    site.request(&mut browser, |session| {
        session.set("user_id", 7).unwrap();
        session.set("pending", true).unwrap();
    });
    site.commit(&mut browser.clone(), before, 200);
    assert_eq!(pending(&site, &browser), (Some(7), Some(true)), "merged");
    // Where the record does not show it yet, it comes out of the cookie: both, or neither.
    assert_eq!(far.load(&browser).load_reason(), LoadReason::StaleRepaired);
    assert_eq!(pending(&far, &browser), (Some(7), Some(true)), "repaired");
    set(&far, &mut browser, "page", 2);
    assert_eq!(pending(&far, &browser), (Some(7), Some(true)), "saved on top of it");
    site.catch_up(&far);
    site.pass(200);
    assert_eq!(pending(&site, &browser), (Some(7), Some(true)), "two minutes later");

    // The second factor gives a new key, so that a cache which still shows the first half shows it under a key that ends.
    let half = browser.clone();
    far = site.elsewhere(defaults());
    site.request(&mut browser, |session| {
        session.remove("pending").unwrap();
        session.cycle_key().unwrap();
    });
    assert_eq!(pending(&site, &browser), (Some(7), None));
    assert_eq!(pending(&far, &half), (Some(7), Some(true)), "the old cookie is not the whole session");
    assert_eq!(far.load(&browser).load_reason(), LoadReason::NotYetVisible, "nor is the new one half of it");
    // The old key reads as empty at once, and is revoked once no request with it can be on its way.
    assert_eq!((reason(&site, &half), pending(&site, &half)), (LoadReason::Superseded, (None, None)));
    site.pass(101);
    assert_eq!((reason(&site, &half), pending(&site, &half)), (LoadReason::Revoked, (None, None)));
}

// G5, express-session #935: a touch wrote old data over new.
#[test]
fn express_session_935_a_renewal_that_meets_a_change_keeps_it() {
    let site = site_with(defaults().save_every_request(true).cookie_age(1_000));
    let mut browser = site.visitor();
    site.pass(200);
    let renewing = site.load(&browser);
    let mut changing = site.load(&browser);
    changing.set("page", 2).unwrap();
    site.commit(&mut browser.clone(), changing, 200);
    site.commit(&mut browser, renewing, 200);
    assert_eq!(site.record()["data"], serde_json::json!({ "user": "alice", "page": 2 }));
}

#[test]
fn a_login_that_meets_a_change_takes_it_along() {
    let site = site();
    let mut browser = site.visitor();
    let (mut login, mut changing) = (site.load(&browser), site.load(&browser));
    login.cycle_key().unwrap();
    login.set("_auth_user_id", 7).unwrap();
    changing.set("cart", 1).unwrap();
    site.commit(&mut browser.clone(), changing, 200);
    site.commit(&mut browser, login, 200);
    assert_eq!(site.told(), ["merged", "cycled"]);
    assert_eq!(site.record_of(&browser)["data"], serde_json::json!({ "user": "alice", "cart": 1, "_auth_user_id": 7 }));
}

#[test]
fn a_login_that_meets_nobody_keeps_the_order_of_the_data() {
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
    assert_eq!(site.told(), ["cycled"]);
}

#[test]
fn a_second_save_in_one_request_meets_nobody() {
    let site = site();
    let mut browser = site.visitor();
    let mut session = site.load(&browser);
    for value in 1..=3 {
        session.set("page", value).unwrap();
        run(site.sessions.save(&mut session)).unwrap();
    }
    site.commit(&mut browser, session, 200);
    assert_eq!(site.told(), [""; 0]);
    assert_eq!(site.load(&browser).get("page").unwrap(), Some(3));
}

#[test]
fn a_second_save_takes_along_what_was_changed_since_the_first_one_and_nothing_else() {
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
fn a_put_that_fails_is_tried_once_more_a_second_later_on_top_of_what_is_there_then() {
    let site = site();
    let mut browser = site.visitor();
    // Long after the last put, so that the failure says nothing about the store's limit.
    site.pass(2);
    let mut session = site.load(&browser);
    session.set("mine", 1).unwrap();
    site.refuse(["put"]);
    let (other, their_browser) = (site.another_isolate(), browser.clone());
    site.meanwhile(move || save_of_another(&other, &their_browser, "theirs", 2));
    site.operations();
    site.commit(&mut browser, session, 200);
    let waits = site.store.waits.take();
    assert!(matches!(waits[..], [1_000..=1_255]), "{waits:?}");
    // Of the other isolate: a load, an open, which reads the record first and then its tombstone, and a save.
    assert_eq!(site.operations(), ["read", "put", "read", "read", "read", "read", "put", "read", "put"]);
    assert_eq!(site.told(), ["retried", "merged"]);
    assert_eq!(site.record()["data"], serde_json::json!({ "user": "alice", "theirs": 2, "mine": 1 }));
    assert_eq!(reason(&site, &browser), LoadReason::Live);
}

#[test]
fn two_that_meet_do_not_wait_for_the_same_time() {
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
fn a_put_that_landed_all_the_same_is_noticed() {
    let site = site();
    let mut browser = site.visitor();
    site.lose_the_answer("put");
    set(&site, &mut browser, "mine", 1);
    assert_eq!(site.operations(), ["read", "read", "put", "read"], "there is nothing to be put once more");
    assert_eq!(site.record()["generation"], 2);
    assert_eq!((reason(&site, &browser), site.told()), (LoadReason::Live, vec!["retried".to_owned()]));
}

#[test]
fn a_put_that_landed_is_not_put_over_what_was_saved_on_top_of_it() {
    let site = site();
    let mut browser = site.visitor();
    let mut session = site.load(&browser);
    session.set("a", 1).unwrap();
    site.lose_the_answer("put");
    let (other, their_browser) = (site.another_isolate(), browser.clone());
    site.meanwhile(move || save_of_another(&other, &their_browser, "a", 2));
    site.commit(&mut browser, session, 200);
    assert_eq!(site.record()["data"], serde_json::json!({ "user": "alice", "a": 2 }), "the later save counts");
    assert_eq!(site.record()["generation"], 3);
    assert_eq!((reason(&site, &browser), site.told()), (LoadReason::Live, vec!["retried".to_owned()]));
}

#[test]
fn a_put_that_fails_four_times_is_an_error() {
    let site = site();
    let browser = site.visitor();
    let before = site.store.memory.entries();
    // Long after the last put, so that the failure says nothing about the store's limit.
    site.pass(2);
    let mut session = site.load(&browser);
    session.set("mine", 1).unwrap();
    site.refuse(["put"; 4]);
    site.operations();
    assert_eq!(site.failed_commit(&mut session).kind(), ErrorKind::StoreUnavailable);
    assert_eq!(site.operations(), ["read", "put", "read", "put", "read", "put", "read", "put"]);
    assert_eq!(site.told(), ["retried", "retried", "retried", "store-failed"]);
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
    site.meanwhile(move || _ = other.logout(&mut browser, 200));
    let error = site.failed_commit(&mut session);
    assert_eq!(error.kind(), ErrorKind::SessionInterrupted);
    assert_eq!(site.stored(), (0, 2));
    assert_eq!(site.told(), ["retried", "interrupted"]);
}

#[test]
fn a_renewal_that_fails_is_not_tried_again_and_fails_no_page() {
    for operation in ["put", "read"] {
        let site = site_with(defaults().save_every_request(true).cookie_age(1_000));
        let mut browser = site.visitor();
        site.pass(200);
        let session = site.load(&browser);
        let before = site.store.memory.entries();
        site.refuse([operation]);
        let headers = site.commit(&mut browser, session, 200);
        assert!(headers.set_cookie().is_none());
        assert_eq!(site.told(), ["store-failed", "renewal-failed"]);
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
    assert_eq!(site.operations(), ["put", "put"], "a look would have KV remember that nothing was there");
    assert_eq!(site.told(), ["retried", "created"]);
    assert_eq!(reason(&site, &browser), LoadReason::Live);

    let mut browser = Browser::default();
    site.lose_the_answer("put");
    set(&site, &mut browser, "a", 1);
    assert_eq!((site.told(), site.stored()), (vec!["retried".to_owned(), "created".to_owned()], (2, 0)));
    assert_eq!(reason(&site, &browser), LoadReason::Live);

    site.refuse(["put"; 4]);
    let mut session = site.load(&Browser::default());
    session.set("a", 1).unwrap();
    site.operations();
    assert_eq!(site.failed_commit(&mut session).kind(), ErrorKind::StoreUnavailable);
    assert_eq!(site.operations(), ["put"; 4]);
    assert_eq!(site.told(), ["retried", "retried", "retried", "store-failed"]);
}

#[test]
fn a_record_without_a_list_of_writes_is_read_and_goes_on_with_one() {
    let site = site();
    let mut browser = site.visitor();
    assert!(site.record().get("writes").is_none(), "so were they all, before the list came");
    set(&site, &mut browser, "page", 2);
    assert_eq!(site.record()["writes"], serde_json::json!([1_893_456_000_001_i64, 6, "page"]));
}

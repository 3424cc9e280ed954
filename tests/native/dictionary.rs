//! Django's dictionary calls and its two flags, call by call.

use edge_session::{ErrorKind, Expiry, ExpiryOptions, Session};
use serde_json::{Value, json};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use crate::support::{run, site};

fn fresh() -> Session {
    site().sessions.new_session().unwrap()
}

/// A stored session with `{"a": 1, "b": [true]}` that was not accessed yet.
fn stored() -> Session {
    let site = site();
    let mut session = site.sessions.new_session().unwrap();
    session.update([("a", json!(1)), ("b", json!([true]))]).unwrap();
    run(site.sessions.save(&mut session)).unwrap();
    run(site.sessions.open(session.session_key().unwrap().as_str())).unwrap()
}

fn flags(session: &Session) -> (bool, bool) {
    (session.accessed(), session.modified())
}

#[track_caller]
fn after(call: impl FnOnce(&mut Session), accessed: bool, modified: bool) {
    let mut session = stored();
    call(&mut session);
    assert_eq!(flags(&session), (accessed, modified), "(accessed, modified)");
}

#[test]
fn a_new_session_has_neither_flag() {
    assert_eq!(flags(&fresh()), (false, false));
    assert_eq!(flags(&stored()), (false, false));
}

#[test]
fn calls_that_do_not_access_the_data_set_no_flag() {
    after(|s| assert!(s.session_key().is_some()), false, false);
    after(|s| assert!(!s.is_empty()), false, false);
    after(|s| assert!(s.encode([("a", 1)]).unwrap().contains(':')), false, false);
    after(|s| assert!(s.decode::<Value>("x").is_empty()), false, false);
    let given = |expiry| ExpiryOptions { expiry: Some(expiry), ..ExpiryOptions::default() };
    after(|s| _ = s.get_expiry_age(given(Expiry::Policy)).unwrap(), false, false);
    after(|s| _ = s.get_expiry_date(given(Expiry::Seconds(5))).unwrap(), false, false);
}

#[test]
fn reading_sets_accessed_only() {
    after(|s| assert_eq!(s.item::<u8>("a").unwrap(), 1), true, false);
    after(|s| assert_eq!(s.get::<u8>("a").unwrap(), Some(1)), true, false);
    after(|s| assert_eq!(s.get::<u8>("none").unwrap(), None), true, false);
    after(|s| assert_eq!(s.get_json("b").unwrap(), Some("[true]")), true, false);
    after(|s| assert!(s.contains_key("a").unwrap()), true, false);
    after(|s| assert_eq!(s.keys().unwrap(), ["a", "b"]), true, false);
    after(|s| assert_eq!(s.values::<Value>().unwrap(), [json!(1), json!([true])]), true, false);
    after(|s| assert_eq!(s.items::<Value>().unwrap()[0], ("a".to_owned(), json!(1))), true, false);
    after(|s| assert!(!s.test_cookie_worked().unwrap()), true, false);
    after(|s| assert!(!s.get_expire_at_browser_close().unwrap()), true, false);
    after(|s| assert_eq!(s.get_expiry_age(ExpiryOptions::default()).unwrap(), 1_209_600), true, false);
    after(|s| _ = s.get_expiry_date(ExpiryOptions::default()).unwrap(), true, false);
}

#[test]
fn writing_sets_both_flags() {
    after(|s| s.set("c", "x").unwrap(), true, true);
    after(|s| s.set("a", 1).unwrap(), true, true);
    after(|s| s.set_json("c", " [1] ").unwrap(), true, true);
    after(|s| s.update([("c", 1)]).unwrap(), true, true);
    after(|s| s.update_json("{\"c\": 1}").unwrap(), true, true);
    after(|s| s.update::<&str, u8>([]).unwrap(), true, true);
    after(|s| s.remove("a").unwrap(), true, true);
    after(|s| assert_eq!(s.pop::<u8>("a").unwrap(), 1), true, true);
    after(|s| assert_eq!(s.pop_or("a", 9_u8).unwrap(), 1), true, true);
    after(|s| assert_eq!(s.setdefault("c", 3).unwrap(), 3), true, true);
    after(|s| s.set_test_cookie().unwrap(), true, true);
    after(|s| s.set_expiry(Expiry::Seconds(5)).unwrap(), true, true);
    after(Session::clear, true, true);
    after(Session::create, true, true);
    after(|s| s.cycle_key().unwrap(), true, true);
}

#[test]
fn calls_that_change_nothing_do_not_set_modified() {
    after(|s| assert_eq!(s.remove("none").unwrap_err().kind(), ErrorKind::MissingKey), true, false);
    after(|s| assert_eq!(s.pop::<u8>("none").unwrap_err().kind(), ErrorKind::MissingKey), true, false);
    after(|s| assert_eq!(s.pop_or("none", 9).unwrap(), 9), true, false);
    after(|s| assert_eq!(s.setdefault("a", 3).unwrap(), 1), true, false);
    after(|s| s.set_expiry(Expiry::Policy).unwrap(), true, false);
    after(|s| assert!(s.delete_test_cookie().is_err()), true, false);
}

#[test]
fn a_save_leaves_the_flags_and_the_data_as_they_are() {
    let site = site();
    let mut session = site.saved_session();
    assert_eq!(flags(&session), (true, true));
    assert_eq!(session.item::<u8>("a").unwrap(), 1);

    let mut again = run(site.sessions.open(session.session_key().unwrap().as_str())).unwrap();
    run(site.sessions.save(&mut again)).unwrap();
    assert_eq!(flags(&again), (true, false), "a save with a key reads, and modifies nothing");
}

#[test]
fn flush_sets_both_flags_and_leaves_nothing() {
    let site = site();
    let session = site.saved_session();
    let key = session.session_key().unwrap().as_str().to_owned();

    let mut session = run(site.sessions.open(&key)).unwrap();
    run(site.sessions.flush(&mut session)).unwrap();
    assert_eq!(flags(&session), (true, true));
    assert!(session.is_empty() && session.session_key().is_none());
    assert_eq!(site.stored(), (0, 4), "the rest are tombstones of the key and of its possible successors");
    assert!(!run(site.sessions.exists(&key)).unwrap());
}

#[test]
fn the_flags_can_be_set() {
    let mut session = fresh();
    session.set_modified(true);
    session.set_accessed(true);
    assert_eq!(flags(&session), (true, true));
    session.set_modified(false);
    session.set_accessed(false);
    assert_eq!(flags(&session), (false, false));
}

#[test]
fn missing_keys_are_named() {
    let mut session = fresh();
    for error in [
        session.item::<u8>("cart").unwrap_err(),
        session.remove("cart").unwrap_err(),
        session.pop::<u8>("cart").unwrap_err(),
    ] {
        assert_eq!((error.code(), error.to_string().as_str()), ("ES_KEY_ERROR", "the session has no key \"cart\""));
    }
}

#[test]
fn null_is_a_value() {
    let mut session = fresh();
    session.set("nothing", None::<u8>).unwrap();
    assert!(session.contains_key("nothing").unwrap());
    assert_eq!(session.get::<Value>("nothing").unwrap(), Some(Value::Null));
    assert_eq!(session.pop_or("nothing", Some(1_u8)).unwrap(), None);
    assert!(!session.contains_key("nothing").unwrap());
}

#[test]
fn a_value_of_another_type_is_an_error_and_stays() {
    let mut session = fresh();
    session.set("age", "forty").unwrap();
    for error in [
        session.get::<u8>("age").unwrap_err(),
        session.pop::<u8>("age").unwrap_err(),
        session.pop_or("age", 1_u8).unwrap_err(),
        session.setdefault("age", 1_u8).unwrap_err(),
        session.values::<u8>().unwrap_err(),
    ] {
        assert_eq!(
            (error.kind(), error.to_string().as_str()),
            (ErrorKind::Value, "session.age is not of the type asked for")
        );
    }
    assert_eq!(session.item::<String>("age").unwrap(), "forty");
}

#[test]
fn update_is_all_or_nothing() {
    let mut session = fresh();
    assert!(session.update([("a", 1.0), ("b", f64::NAN)]).is_err());
    assert!(session.update_json("{\"a\": 1, \"b\": }").is_err());
    assert_eq!(session.keys().unwrap(), [""; 0]);
    assert!(!session.modified());
}

#[test]
fn order_is_that_of_insertion_and_survives_a_save() {
    let site = site();
    let mut session = site.sessions.new_session().unwrap();
    session.update([("z", 1), ("10", 2), ("2", 3), ("a", 4), ("__proto__", 5)]).unwrap();
    session.set("10", 9).unwrap();
    session.remove("2").unwrap();
    session.set("2", 0).unwrap();
    run(site.sessions.save(&mut session)).unwrap();
    let mut again = run(site.sessions.open(session.session_key().unwrap().as_str())).unwrap();
    assert_eq!(again.keys().unwrap(), ["z", "10", "a", "__proto__", "2"]);
}

#[test]
fn clear_drops_the_expiry_too_and_keeps_the_key() {
    let mut session = stored();
    session.set_expiry(Expiry::Seconds(5)).unwrap();
    let key = session.session_key().unwrap().clone();
    session.clear();
    assert_eq!(session.get_expiry_age(ExpiryOptions::default()).unwrap(), 1_209_600);
    assert_eq!(session.session_key(), Some(&key));
    assert!(!session.is_empty(), "it has a key");
}

#[test]
fn is_empty_means_neither_key_nor_data() {
    let mut session = fresh();
    assert!(session.is_empty());
    session.set("a", 1).unwrap();
    assert!(!session.is_empty());
    session.remove("a").unwrap();
    assert!(session.is_empty());
    let unknown = run(site().sessions.open(&"x".repeat(32))).unwrap();
    assert!(!unknown.is_empty(), "not accessed yet");
}

#[test]
fn the_test_cookie_is_set_and_deleted_as_a_value() {
    let mut session = fresh();
    assert!(!session.test_cookie_worked().unwrap());
    session.set_test_cookie().unwrap();
    assert!(session.test_cookie_worked().unwrap());
    assert_eq!(session.item::<String>("testcookie").unwrap(), "worked");
    session.delete_test_cookie().unwrap();
    assert!(!session.test_cookie_worked().unwrap());
    assert_eq!(session.delete_test_cookie().unwrap_err().kind(), ErrorKind::MissingKey);
}

#[test]
fn decode_accepts_only_what_encode_returned() {
    let mut session = fresh();
    let text = session.encode([("user", json!("é☃")), ("n", json!([1, 2.5, null, true]))]).unwrap();
    let items = session.decode::<Value>(&text);
    assert_eq!(items, [("user".to_owned(), json!("é☃")), ("n".to_owned(), json!([1, 2.5, null, true]))]);
    assert!(session.decode::<Value>(&text.replace(':', ".")).is_empty());
    assert!(session.decode::<u8>(&text).is_empty(), "values of another type are ignored");
    assert!(session.encode([("n", f64::INFINITY)]).is_err());
}

#[test]
fn debug_shows_no_data_and_no_key() {
    let mut session = stored();
    session.set("password", "a private text").unwrap();
    let shown = format!("{session:?} {:?}", session.session_key());
    assert!(!shown.contains("private") && !shown.contains(session.session_key().unwrap().as_str()), "{shown}");
}

#[test]
fn a_number_keeps_every_digit() {
    let mut session = site().sessions.new_session().unwrap();
    for number in [3.412432537879795e-119, 1.3482365594245493e-36, f64::MAX, f64::MIN_POSITIVE, 5e-324, -0.0] {
        session.set("n", number).unwrap();
        assert_eq!(session.item::<f64>("n").unwrap().to_bits(), number.to_bits());
    }
}

#[test]
fn a_text_with_an_invalid_signature_decodes_to_no_data_and_emits_an_event() {
    let site = site();
    let mut session = site.sessions.new_session().unwrap();
    let signed = session.encode([("a", 1)]).unwrap();
    for (text, is_signed) in [(signed.as_str(), true), (&format!("{signed}x"), false), ("", false), ("a:b:c", false)] {
        let items = session.decode::<u8>(text);
        run(site.sessions.save(&mut session)).unwrap();
        let events = site.event_kinds();
        assert_eq!(events.contains(&"bad-signature".to_owned()), !is_signed, "{text}: {events:?}");
        assert_eq!(items.len(), usize::from(is_signed));
    }
}

#[test]
fn the_next_request_that_asks_gets_a_flashed_value_and_no_other() {
    let site = site();
    let mut session = site.sessions.new_session().unwrap();
    session.set("message", "of the data").unwrap();
    session.flash("message", json!({ "text": "Saved" })).unwrap();
    assert_eq!(session.flashed::<Value>("message").unwrap(), None, "not in the same request");
    assert_eq!(
        session.get::<Value>("_flash_message").unwrap(),
        Some(json!({ "text": "Saved" })),
        "as the npm package stores it"
    );
    run(site.sessions.save(&mut session)).unwrap();
    let key = session.session_key().unwrap().as_str().to_owned();

    let mut failed = run(site.sessions.open(&key)).unwrap();
    assert_eq!(failed.flashed("message").unwrap(), Some(json!({ "text": "Saved" })), "and nothing is saved");

    let mut shown = run(site.sessions.open(&key)).unwrap();
    assert!(shown.flashed::<bool>("message").is_err());
    for _ in 0..2 {
        assert_eq!(
            shown.flashed("message").unwrap(),
            Some(json!({ "text": "Saved" })),
            "as often as this request asks"
        );
    }
    shown.flash("message", "the next one").unwrap();
    assert_eq!(shown.flashed("message").unwrap(), Some(json!({ "text": "Saved" })));
    run(site.sessions.save(&mut shown)).unwrap();

    let mut next = run(site.sessions.open(&key)).unwrap();
    assert_eq!(next.flashed::<String>("message").unwrap().as_deref(), Some("the next one"));
    run(site.sessions.save(&mut next)).unwrap();
    let mut last = run(site.sessions.open(&key)).unwrap();
    assert_eq!(last.flashed::<String>("message").unwrap(), None);
    assert!(!last.modified(), "nothing was removed");
    assert_eq!(last.get::<String>("message").unwrap().as_deref(), Some("of the data"));
    assert_eq!(last.flash("x", f64::NAN).unwrap_err().to_string(), "session.x is NaN, which JSON does not hold");
}

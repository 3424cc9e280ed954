//! Values from Rust: those that JSON represents exactly are stored. The others are refused with their path, and the session stays
//! usable.

use std::collections::BTreeMap;

use edge_session::{ErrorKind, ExpiryOptions, Session};
use serde::Serialize;
use serde_json::Value;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use crate::support::{Browser, defaults, run, site, site_with, start};

fn fresh() -> Session {
    site().sessions.new_session().unwrap()
}

#[derive(Serialize)]
enum Shape {
    Pair(f64, f64),
}

/// A value whose serialization fails.
struct Stubborn;

impl Serialize for Stubborn {
    fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(serde::ser::Error::custom("no"))
    }
}

#[track_caller]
fn refused(value: impl Serialize) {
    let mut session = fresh();
    session.set("before", 1).unwrap();
    session.set_modified(false);
    let error = session.set("k", &value).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Value);
    assert_eq!(session.update([("other", &value)]).unwrap_err().kind(), ErrorKind::Value);
    assert!(session.encode([("k", &value)]).is_err());
    // No value was set, no flag changed, and the next call succeeds.
    assert_eq!((session.keys().unwrap(), session.modified()), (vec!["before".to_owned()], false));
    session.set("k", 2).unwrap();
    assert_eq!(session.item::<u8>("k").unwrap(), 2);
}

// H3: none of them has an exact JSON form.
#[test]
fn values_that_json_cannot_represent_are_refused() {
    refused(f64::NAN);
    refused(f32::INFINITY);
    refused([[1.0, f64::NEG_INFINITY]]);
    refused(Shape::Pair(1.0, f64::NAN));
    refused(BTreeMap::from([("a", Some(f64::NAN))]));
    refused(BTreeMap::from([((1, 2), "a key that is not a text")]));
    refused(BTreeMap::from([(vec![1], 1)]));
    refused(Stubborn);
    refused([Stubborn]);
}

// H2: Rust text cannot contain lone surrogates, JSON text can contain escapes for them.
#[test]
fn lone_surrogates_are_refused_at_every_place() {
    let mut session = fresh();
    for text in [
        r#""\ud800""#,
        r#""x\udfff""#,
        r#""\udc00\ud800""#,
        r#"["\ud83d \ude00"]"#,
        r#"{"\ud800":1}"#,
        r#"{"a":{"\udc00":1}}"#,
    ] {
        assert_eq!(session.set_json("k", text).unwrap_err().kind(), ErrorKind::Value, "{text}");
        assert!(session.update_json(text).is_err(), "{text}");
        assert!(session.update_json(&format!("{{\"k\":{text}}}")).is_err());
    }
    assert!(session.keys().unwrap().is_empty());
    session.set_json("k", r#""\ud83d\ude00""#).unwrap();
    assert_eq!(session.item::<String>("k").unwrap(), "😀");
}

// H4: every digit is kept in both directions; numbers that a double cannot represent are refused.
#[test]
fn numbers_are_read_as_they_were_written() {
    for text in [
        "0",
        "-0",
        "-0.0",
        "1.0",
        "1e2",
        "9007199254740993",
        "-9223372036854775808",
        "18446744073709551615",
        "123456789012345678901234567890",
        "1.7976931348623157e308",
        "5e-324",
        "1e-400",
    ] {
        let site = site();
        let mut browser = Browser::default();
        site.request(&mut browser, |session| session.set_json("n", text).unwrap());
        let mut session = site.load(&browser);
        assert_eq!(session.get_json("n").unwrap(), Some(text));
    }
    let mut session = fresh();
    for number in [i64::MIN, -(1 << 53) - 1, -1, 0, (1 << 53) + 1, i64::MAX] {
        session.set("n", number).unwrap();
        assert_eq!(session.item::<i64>("n").unwrap(), number);
    }
    session.set("n", u64::MAX).unwrap();
    assert_eq!(session.item::<u64>("n").unwrap(), u64::MAX);
    assert_eq!(
        session.item::<i64>("n").unwrap_err().kind(),
        ErrorKind::Value,
        "another type is an error, not another number"
    );
    assert!(session.item::<u32>("n").is_err());
    session.set("n", 1.0).unwrap();
    assert_eq!(session.get_json("n").unwrap(), Some("1.0"));
    session.set("n", -0.0).unwrap();
    assert!(session.item::<f64>("n").unwrap().is_sign_negative());
    for text in ["1e400", "-1e309", "1.7976931348623159e308", "NaN", "Infinity", "0x10", "1_000", "٣"] {
        assert!(session.set_json("n", text).is_err(), "{text}");
    }
}

// H5: names with a meaning in JavaScript are plain data, at every depth.
#[test]
fn names_that_javascript_knows_are_plain_keys() {
    let names = ["__proto__", "constructor", "prototype", "toString", "hasOwnProperty"];
    let site = site();
    let mut browser = Browser::default();
    let inner: BTreeMap<_, _> = names.into_iter().map(|name| (name, BTreeMap::from([(name, 1)]))).collect();
    site.request(&mut browser, |session| {
        for name in names {
            session.set(name, &inner).unwrap();
        }
        session.update_json(r#"{"__proto__":{"polluted":1}}"#).unwrap();
    });
    let mut session = site.load(&browser);
    assert_eq!(session.keys().unwrap(), names);
    assert_eq!(session.item::<Value>("__proto__").unwrap(), serde_json::json!({ "polluted": 1 }));
    assert_eq!(session.item::<Value>("constructor").unwrap(), serde_json::json!(inner));
}

// H7: the expiry's own key can be written like any other, as in Django. It moves no absolute deadline, and an invalid expiry is
// an error until the next write.
#[test]
fn a_bulk_update_of_the_expiry_gives_no_longer_life_than_the_settings_allow() {
    for expiry in ["9223372036854775807", "\"9999-12-31T23:59:59+00:00\"", "3155760000.0", "100"] {
        let site = site_with(defaults().absolute_age(1_000));
        let mut browser = Browser::default();
        site.request(&mut browser, |session| {
            session.update_json(&format!(r#"{{"user":"mallory","_session_expiry":{expiry}}}"#)).unwrap();
        });
        assert!(site.store.ttls.take().iter().all(|(_, ttl)| *ttl <= 1_000), "{expiry}");
        site.advance(1_000);
        assert_eq!(site.user(&browser), None, "{expiry}");
    }
    for expiry in ["\"soon\"", "[]", "{}", "true", "1.5", "\"2030-01-01T00:00:00\"", "99999999999999999999"] {
        let site = site();
        let mut session = site.sessions.new_session().unwrap();
        session.update_json(&format!(r#"{{"user":"mallory","_session_expiry":{expiry}}}"#)).unwrap();
        assert_eq!(session.get_expiry_age(ExpiryOptions::default()).unwrap_err().kind(), ErrorKind::Value);
        assert_eq!(site.failed_commit(&mut session).kind(), ErrorKind::Value);
        assert!(site.store.memory.is_empty());
        session.remove("_session_expiry").unwrap();
        run(site.sessions.save(&mut session)).unwrap();
        assert_eq!(session.stored_deadline().unwrap(), Some(start() + chrono::TimeDelta::days(14)));
    }
}

// H8: a record is an object of this shape without duplicate keys; anything else opens an anonymous session.
#[test]
fn foreign_json_in_the_place_of_a_record_is_an_anonymous_session() {
    let site = site();
    let browser = site.visitor();
    let (key, record) = site.store.memory.entries().pop().unwrap();
    let text = String::from_utf8(record).unwrap();
    for foreign in [
        "[]".to_owned(),
        "\"x\"".to_owned(),
        "1".to_owned(),
        "null".to_owned(),
        "{}".to_owned(),
        r#"{"user":"alice"}"#.to_owned(),
        format!("[{text}]"),
        format!("{text}{text}"),
        text.replace("\"data\":{", "\"data\":[") + "]",
        text.replace("\"data\":{\"user\":\"alice\"}", "\"data\":\"user\""),
        text.replace("\"user\":\"alice\"", "\"user\":\"alice\",\"user\":\"bob\""),
        text.replace("\"data\":", "\"data\":{},\"data\":"),
        text.replace("\"generation\":", "\"generation\":1,\"generation\":"),
        text.replace("\"deadline\":", "\"deadline\":1e"),
        text.replace("\"deadline\":", "\"deadline\":\"").replacen(",\"absolute\"", "\",\"absolute\"", 1),
    ] {
        site.store.memory.put(key.clone(), foreign.clone().into_bytes());
        let mut session = site.load(&browser);
        assert!(session.keys().unwrap().is_empty() && session.session_key().is_none(), "{foreign}");
        session.set("user", "eve").unwrap();
        run(site.sessions.commit_headers(&mut session, 200)).unwrap();
        let stored = site.store.memory.entries().into_iter().find(|(other, _)| *other == key);
        assert_eq!(stored.unwrap().1, foreign.into_bytes(), "it is unchanged");
    }
}

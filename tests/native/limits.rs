//! One limit of depth and one of size for writes and reads, so that every written value can be read.

use edge_session::{ErrorKind, LoadReason, Session};
use serde_json::Value;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use crate::support::{Browser, defaults, run, site, site_on, site_with};

const DEPTHS: [usize; 8] = [0, 1, 63, 64, 65, 127, 128, 200_000];
const MAX_DEPTH: usize = 64;

fn array(depth: usize) -> String {
    "[".repeat(depth) + "1" + &"]".repeat(depth)
}

fn object(depth: usize) -> String {
    r#"{"a":"#.repeat(depth) + "1" + &"}".repeat(depth)
}

fn fresh() -> Session {
    site().sessions.new_session().unwrap()
}

// H1: every call that takes JSON text.
#[test]
fn a_text_that_nests_to_64_levels_is_written_and_a_deeper_one_is_not() {
    for depth in DEPTHS {
        for text in [array(depth), object(depth)] {
            let mut session = fresh();
            assert_eq!(session.set_json("k", &text).is_ok(), depth <= MAX_DEPTH, "{depth}");
            assert_eq!(session.update_json(&format!("{{\"u\":{text}}}")).is_ok(), depth <= MAX_DEPTH, "{depth}");
            if depth <= MAX_DEPTH {
                assert_eq!(session.get_json("k").unwrap(), Some(text.as_str()));
                assert_eq!(session.values::<Value>().unwrap().len(), 2);
            } else {
                let error = session.set_json("k", &text).unwrap_err();
                assert!(error.to_string().contains("it nests deeper than 64 levels"), "{error}");
                assert!(session.keys().unwrap().is_empty());
            }
        }
    }
}

// H1: every call that takes a value. (Dropping a `Value` of more than some hundred levels overflows the stack.)
#[test]
fn a_value_that_nests_to_64_levels_is_written_and_a_deeper_one_is_not() {
    for depth in DEPTHS.into_iter().filter(|depth| *depth < 1_000) {
        let value = (0..depth).fold(Value::from(1), |inner, _| {
            Value::from([("a", inner)].into_iter().map(|(k, v)| (k.to_owned(), v)).collect::<serde_json::Map<_, _>>())
        });
        let fits = depth <= MAX_DEPTH;
        let mut session = fresh();
        assert_eq!(session.set("set", &value).is_ok(), fits, "{depth}");
        assert_eq!(session.setdefault("setdefault", value.clone()).is_ok(), fits, "{depth}");
        assert_eq!(session.update([("update", &value)]).is_ok(), fits, "{depth}");
        let signed = session.encode([("k", &value)]);
        assert_eq!(signed.is_ok(), fits, "{depth}");
        if fits {
            assert_eq!(session.items::<Value>().unwrap().len(), 3);
            assert_eq!(session.decode::<Value>(&signed.unwrap()), [("k".to_owned(), value)]);
        }
    }
}

// H1: foreign records are read to the same depth.
#[test]
fn foreign_records_are_read_to_64_levels_and_no_deeper() {
    for depth in DEPTHS {
        for text in [array(depth), object(depth)] {
            let site = site_with(defaults().max_record_bytes(2_000_000));
            let browser = site.visitor();
            let (key, record) = site.store.memory.entries().pop().unwrap();
            let record = String::from_utf8(record).unwrap().replace("\"alice\"", &text);
            let record = record.replace("\"sizes\":[6,7]", &format!("\"sizes\":[6,{}]", text.len()));
            site.store.memory.put(key, record.into_bytes());
            let mut session = site.load(&browser);
            assert!(session.contains_key("user").unwrap());
            let fits = depth <= MAX_DEPTH;
            assert_eq!(session.get::<Value>("user").is_ok(), fits, "{depth}");
            assert_eq!(session.get_json("user").is_ok(), fits, "{depth}");
            assert_eq!(session.values::<Value>().is_ok(), fits, "{depth}");
            assert_eq!(session.to_json(|_| true).is_ok(), fits, "{depth}");
            session.set("other", 2).unwrap();
            let mut browser = browser;
            site.commit(&mut browser, session, 200);
            assert_eq!(site.load(&browser).get::<u8>("other").unwrap(), Some(2), "the session works on");
        }
    }
}

#[test]
fn a_wide_value_is_not_a_deep_one() {
    let wide = serde_json::json!(vec![serde_json::json!({ "a": [1] }); 1_000]);
    let mut session = fresh();
    session.set("k", &wide).unwrap();
    assert_eq!(session.get::<Value>("k").unwrap(), Some(wide));
}

/// The bytes of a record without its header: the sizes and the data.
fn counted(record: &[u8]) -> usize {
    let sizes = br#","sizes":["#;
    let header = record.windows(sizes.len()).position(|window| window == sizes).unwrap();
    record.len() - header
}

// H1, F6: the header does not count when a record is written, and 1024 bytes are allowed for it when one is read.
#[test]
fn one_limit_holds_for_writing_and_for_reading() {
    let text = "x".repeat(5_000);
    let site = site_with(defaults().max_record_bytes(26_214_400));
    let mut browser = Browser::default();
    site.request(&mut browser, |session| session.set("k", &text).unwrap());
    let record = site.store.memory.entries().remove(0).1;
    let size = counted(&record);
    assert!(size > 5_000 && size < record.len());
    for (limit, fits) in [(size, true), (size + 1, true), (size - 1, false)] {
        let own = site_with(defaults().max_record_bytes(limit));
        let mut session = own.sessions.new_session().unwrap();
        session.set("k", &text).unwrap();
        match run(own.sessions.save(&mut session)) {
            Ok(_) => {
                assert!(fits);
                let key = session.session_key().unwrap().as_str().to_owned();
                let reader = site_on(own.store.clone(), defaults().max_record_bytes(limit));
                let mut session = run(reader.sessions.open(&key)).unwrap();
                assert_eq!(session.item::<String>("k").unwrap(), text, "what is written is read");
            }
            Err(error) => {
                assert!(!fits);
                assert_eq!(error.kind(), ErrorKind::TooLarge);
                let sentence = format!("the session's data have {size} bytes; SESSION_MAX_RECORD_BYTES allows {limit}");
                assert_eq!(error.to_string(), sentence);
                assert!(own.store.memory.is_empty(), "nothing is written or truncated");
                // The rest fits again.
                session.remove("k").unwrap();
                run(own.sessions.save(&mut session)).unwrap();
            }
        }
    }
    for (limit, fits) in [(record.len() - 1_024, true), (record.len() - 1_025, false)] {
        let reading = site_on(site.store.clone(), defaults().max_record_bytes(limit));
        let expected = if fits { LoadReason::Live } else { LoadReason::OtherSettings };
        assert_eq!(reading.load(&browser).load_reason(), expected, "{limit}");
        assert_eq!(reading.load(&browser).get::<String>("k").unwrap().is_some(), fits, "{limit}");
    }
    assert_eq!(site.load(&browser).item::<String>("k").unwrap(), text, "what is too large is left as it is");
    for (limit, fits) in
        [(1_023, false), (1_024, true), (25 * 1024 * 1024, true), (25 * 1024 * 1024 + 1, false), (usize::MAX, false)]
    {
        assert_eq!(defaults().max_record_bytes(limit).build().is_ok(), fits, "{limit}");
    }
}

// H1, F6, RUSTSEC-2024-0012 (serde-json-wasm): nested brackets overflowed the stack. Here a value of KV's maximum size.
#[test]
fn rustsec_2024_0012_twenty_five_mebibytes_of_brackets_are_an_anonymous_session() {
    let site = site();
    let browser = site.visitor();
    let (key, _) = site.store.memory.entries().pop().unwrap();
    for limit in [64 * 1024, 26_214_400] {
        site.store.memory.put(key.clone(), vec![b'['; 26_214_400]);
        let site = site_on(site.store.clone(), defaults().max_record_bytes(limit));
        let mut session = site.load(&browser);
        assert!(session.keys().unwrap().is_empty());
        assert!(session.session_key().is_none());
    }
}

//! The history of one visitor, with a given clock and given random bytes. Natively, in a browser, in Node and in workerd it has
//! the same bytes, those of `tests/data/golden-history.json`. `tests/node/golden-history.mjs` runs it in JavaScript.

use std::cell::Cell;
use std::rc::Rc;

use chrono::DateTime;
use edge_session::{Expiry, MemoryStore, Session, Sessions, Settings};
use serde_json::{Value, json};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

fn act(sessions: &Sessions<MemoryStore>, session: &mut Session, act: &Value) {
    let text = |at: usize| act[at].as_str().unwrap();
    match text(0) {
        "set" => session.set_json(text(1), text(2)).unwrap(),
        "remove" => session.remove(text(1)).unwrap(),
        "expire" => session.set_expiry(Expiry::Seconds(act[1].as_i64().unwrap())).unwrap(),
        "cycle" => session.cycle_key().unwrap(),
        "flush" => pollster::block_on(sessions.flush(session)).unwrap(),
        other => panic!("{other}"),
    }
}

// I10
#[test]
fn a_history_has_the_same_bytes_on_every_platform() {
    let history: Value = serde_json::from_str(include_str!("../data/golden-history.json")).unwrap();
    let secrets: Vec<_> =
        history["secrets"].as_array().unwrap().iter().map(|secret| secret.as_str().unwrap()).collect();
    let (store, now, seed) = (MemoryStore::eventual(), Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
    let (clock, entropy) = (Rc::clone(&now), Rc::clone(&seed));
    let sessions = Sessions::new(store.clone(), Settings::builder(secrets).build().unwrap())
        .with_clock(move || DateTime::from_timestamp_millis(clock.get()).unwrap())
        .with_entropy(move || Ok([entropy.get(); 32]));
    let mut cookie = String::new();
    for request in history["requests"].as_array().unwrap() {
        now.set(request["at"].as_i64().unwrap());
        seed.set(seed.get() + 1);
        let mut session = pollster::block_on(sessions.load(&cookie)).unwrap();
        request["acts"].as_array().unwrap().iter().for_each(|what| act(&sessions, &mut session, what));
        let headers = pollster::block_on(sessions.commit_headers(&mut session, 200)).unwrap();
        if let Some(line) = headers.set_cookie() {
            let over = line.contains("; Max-Age=0;");
            cookie = if over { String::new() } else { line.split(';').next().unwrap().to_owned() };
        }
        let mut all = Vec::<(String, String)>::new();
        headers.apply(&mut all).unwrap();
        assert_eq!(json!(all), request["headers"], "{}", request["acts"]);
        let entries = store.entries();
        let stored: Vec<_> =
            entries.iter().map(|(key, value)| (key.as_str(), str::from_utf8(value).unwrap())).collect();
        assert_eq!(json!(stored), request["stored"], "{}", request["acts"]);
    }
    assert!(seed.get() >= 10);
}

//! Native tests in a real browser: through WebAssembly, with the browser's clock and random source.
#![cfg(target_arch = "wasm32")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, clippy::arithmetic_side_effects)]
#![allow(missing_docs, unused_must_use)]
#![allow(dead_code, reason = "some support is for native tests only")]

#[path = "../native/anonymous_cookie.rs"]
mod anonymous_cookie;
#[path = "../native/at_rest.rs"]
mod at_rest;
#[path = "../native/caching.rs"]
mod caching;
#[path = "../native/cookies.rs"]
mod cookies;
#[path = "../native/dictionary.rs"]
mod dictionary;
#[path = "../native/ending.rs"]
mod ending;
#[path = "../native/expiry.rs"]
mod expiry;
#[path = "../native/full_session.rs"]
mod full_session;
#[path = "../native/golden_history.rs"]
mod golden_history;
#[path = "../native/interrupted.rs"]
mod interrupted;
#[path = "../native/journal.rs"]
mod journal;
#[path = "../native/limits.rs"]
mod limits;
#[path = "../native/other_settings.rs"]
mod other_settings;
#[path = "../native/outages.rs"]
mod outages;
#[path = "../native/outside_of_requests.rs"]
mod outside_of_requests;
#[path = "../native/requests.rs"]
mod requests;
#[path = "../native/revocation.rs"]
mod revocation;
#[path = "../native/settings.rs"]
mod settings;
#[path = "../native/staleness.rs"]
mod staleness;
#[path = "../native/superseded.rs"]
mod superseded;
#[path = "../native/support/mod.rs"]
mod support;
#[path = "../native/sweep.rs"]
mod sweep;
#[path = "../native/values.rs"]
mod values;

use edge_session::{MemoryStore, Sessions, Settings};
use wasm_bindgen_test::{wasm_bindgen_test, wasm_bindgen_test_configure};

wasm_bindgen_test_configure!(run_in_browser);

#[wasm_bindgen_test]
async fn the_browsers_clock_and_random_source_serve() {
    let settings = Settings::builder(["a secret of at least thirty-two bytes"]).build().unwrap();
    let sessions = Sessions::new(MemoryStore::default(), settings);
    let mut session = sessions.load("").await.unwrap();
    let now = js_sys::Date::now();
    assert!((session.now().timestamp_millis() as f64 - now).abs() < 5_000.0);
    session.set("user", "alice").unwrap();
    let headers = sessions.commit_headers(&mut session, 200).await.unwrap();
    let cookie = headers.set_cookie().unwrap().split(';').next().unwrap().to_owned();
    assert_eq!(sessions.load(&cookie).await.unwrap().item::<String>("user").unwrap(), "alice");
    let other = sessions.new_session().unwrap();
    assert!(other.is_empty());
}

//! The core's behaviour in a real browser: the same tests as natively, through wasm, with the browser's clock and random source.
#![cfg(target_arch = "wasm32")]
#![allow(clippy::duplicate_mod, clippy::unwrap_used, missing_docs)]

#[path = "anonymous_cookie.rs"]
mod anonymous_cookie;
#[path = "at_rest.rs"]
mod at_rest;
#[path = "caching.rs"]
mod caching;
#[path = "cookies.rs"]
mod cookies;
#[path = "dictionary.rs"]
mod dictionary;
#[path = "ending.rs"]
mod ending;
#[path = "expiry.rs"]
mod expiry;
#[path = "full_session.rs"]
mod full_session;
#[path = "interrupted.rs"]
mod interrupted;
#[path = "journal.rs"]
mod journal;
#[path = "limits.rs"]
mod limits;
#[path = "other_settings.rs"]
mod other_settings;
#[path = "outages.rs"]
mod outages;
#[path = "outside_of_requests.rs"]
mod outside_of_requests;
#[path = "requests.rs"]
mod requests;
#[path = "revocation.rs"]
mod revocation;
#[path = "settings.rs"]
mod settings;
#[path = "staleness.rs"]
mod staleness;
#[path = "story.rs"]
mod story;
#[path = "superseded.rs"]
mod superseded;
#[path = "sweep.rs"]
mod sweep;
#[path = "values.rs"]
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

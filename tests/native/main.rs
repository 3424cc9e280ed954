//! Integration tests of the crate, one module for each subject, and the tests of the documents. `tests/browser` runs some of
//! these modules in a browser.
#![cfg(not(target_arch = "wasm32"))]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::arithmetic_side_effects
)]
#![allow(missing_docs, unused_must_use)]

mod anonymous_cookie;
mod at_rest;
mod caching;
mod cancellation;
mod contract;
mod cookies;
#[path = "../../fuzz/corpus.rs"]
mod corpus;
mod dictionary;
mod documents;
mod ending;
mod expiry;
mod failed_puts;
mod faults;
mod full_session;
mod golden_history;
mod in_cookie;
mod interrupted;
mod isolate;
mod journal;
mod late_answers;
mod limits;
mod linearizable;
mod migration;
mod model;
mod other_settings;
mod outages;
mod outside_of_requests;
mod requests;
mod revocation;
mod sealing;
mod set_cookie;
mod settings;
mod staleness;
mod superseded;
mod support;
mod sweep;
mod times;
#[cfg(feature = "axum")]
mod tower;
#[cfg(feature = "axum")]
mod tower_sessions;
mod user_agent;
mod users;
mod values;

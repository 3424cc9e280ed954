//! Django's sessions for the edge.
//!
//! A [`Session`] is Django's `SessionBase`: a dictionary with two flags, a key and an expiry. [`Sessions`] loads one for a
//! request's `Cookie` header and commits it with the response. A [`Store`] keeps the records: [`MemoryStore`] here,
//! `Kv` (Workers KV) with the feature `cloudflare`, or your own.
//!
//! ```
//! use edge_session::{Expiry, MemoryStore, Sessions, Settings};
//!
//! # pollster::block_on(async {
//! let settings = Settings::builder(["a secret of at least thirty-two bytes"]).build()?;
//! let sessions = Sessions::new(MemoryStore::default(), settings);
//!
//! // A login: the visitor's data move under a new key.
//! let mut session = sessions.load("theme=dark").await?;
//! session.cycle_key()?;
//! session.set("user", "alice")?;
//! session.set_expiry(Expiry::Seconds(3600))?;
//! let headers = sessions.commit_headers(&mut session, 200).await?;
//! let cookie = headers.set_cookie().unwrap().split(';').next().unwrap();
//! assert!(cookie.starts_with("__Host-sessionid="), "before the login it was __Host-sessionid-anonymous");
//!
//! // A later request, and its logout.
//! let mut session = sessions.load(cookie).await?;
//! assert_eq!(session.item::<String>("user")?, "alice");
//! sessions.flush(&mut session).await?;
//! let headers = sessions.commit_headers(&mut session, 200).await?;
//! assert!(headers.set_cookie().unwrap().contains("Max-Age=0"));
//! # Ok::<(), edge_session::Error>(()) }).unwrap();
//! ```
//!
//! # The way a request takes
//!
//! `Cookie` header → find → token → verify → session key → storage key → read → record → [`Session`] → your handler →
//! commit → one put → `Set-Cookie`, `Vary`, `Cache-Control`.
//!
//! Everything that decides is free of I/O, clocks and randomness: time, random bytes and stored bytes are passed in, and
//! what is to be read or written comes out as plain values.
//!
//! # Features
//!
//! * `cloudflare`: Workers KV, settings from a Worker's variables, sessions around its requests.
//! * `app`: the events and routes of this repository's own Worker. A Worker that uses the crate has its own.
//! * `js`: what the npm package `edge-session` is built from. It has no Rust interface.
//! * `testing`: what its `edge-session/testing` is built from, likewise.
//! * `panics`: a build of it for this repository's tests, which can be made to panic.
//! * `fuzzing`: the parsers for this repository's fuzz targets. It has no interface that stays.

#![cfg_attr(all(any(feature = "js", feature = "testing"), target_arch = "wasm32"), no_std)]

#[macro_use]
extern crate alloc;

#[cfg(feature = "cloudflare")]
mod cloudflare;
mod cookie;
mod error;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
#[cfg(all(any(feature = "js", feature = "testing"), target_arch = "wasm32"))]
mod js;
mod protocol;
mod secret;
mod session;
mod sessions;
mod settings;
mod store;

#[cfg(feature = "cloudflare")]
pub use cloudflare::Kv;
pub use error::{Error, ErrorKind, Result};
pub use protocol::headers::{ResponseHeaders, SessionHeaders};
pub use protocol::isolate::IsolateMemory;
pub use protocol::save::Saved;
pub use protocol::sweep::{ClearExpired, Swept};
pub use protocol::{OnlyIf, Op, Page};
pub use session::event::{Event, EventKind};
pub use session::expiry::{Expiry, ExpiryOptions};
pub use session::key::{SessionKey, StorageKey};
pub use session::load_reason::LoadReason;
pub use session::session::Session;
pub use sessions::Sessions;
pub use settings::{SameSite, Settings, SettingsBuilder};
pub use store::{
    Fault, KvLocation, KvModel, KvModelOptions, Landed, MemoryStore, Operation, OperationCounts, OperationKind, Store,
    Task, Written,
};

/// The examples in the documents run.
#[cfg(doctest)]
mod documents {
    #[doc = include_str!("../README.md")]
    struct Readme;
    #[doc = include_str!("../docs/guides/rust-worker.md")]
    struct RustWorker;
    #[doc = include_str!("../docs/guides/testing.md")]
    struct Testing;
}

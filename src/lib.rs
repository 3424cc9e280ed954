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
//!
//! Without it the crate needs no platform: [`protocol`] has the operations without I/O, for those who bring their own.

#![cfg_attr(not(any(test, fuzzing, feature = "cloudflare")), no_std)]

#[macro_use]
extern crate alloc;
#[cfg(not(all(target_arch = "wasm32", target_os = "unknown")))]
extern crate std;

#[cfg(feature = "cloudflare")]
pub mod cloudflare;
mod cookie;
mod driver;
mod error;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzzing;
pub mod iso;
mod isolate;
pub mod json;
pub mod protocol;
mod secret;
mod session;
mod sessions;
pub mod settings;
mod store;

#[cfg(feature = "cloudflare")]
pub use cloudflare::Kv;
pub use error::{Error, ErrorKind, Result};
pub use isolate::IsolateMemory;
pub use protocol::headers::{ResponseHeaders, SessionHeaders};
pub use protocol::save::SaveOutcome;
pub use protocol::sweep::{ClearExpired, SweepOutcome};
pub use session::event::{Event, EventKind};
pub use session::expiry::{Expiry, ExpiryOptions};
pub use session::key::{SessionKey, StorageKey};
pub use session::load_reason::LoadReason;
pub use session::session::Session;
pub use sessions::Sessions;
pub use settings::{SameSite, Settings, SettingsBuilder};
pub use store::{MemoryStore, OnlyIf, Op, Page, Store, WriteOutcome};

#[cfg(doctest)]
mod documents {
    #[doc = include_str!("../README.md")]
    struct Readme;
    #[doc = include_str!("../docs/guides/rust-worker.md")]
    struct RustWorker;
    #[doc = include_str!("../docs/guides/testing.md")]
    struct Testing;
}

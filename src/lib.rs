//! Django's sessions for the edge.
//!
//! A [`Session`] is Django's `SessionBase`: a dictionary with two flags, a key and an expiry. [`Sessions`] loads a session for
//! the `Cookie` header of a request and commits it with the response. A [`Store`] contains the records: [`MemoryStore`], `Kv`,
//! `DurableObjects` or `D1` (with the feature `cloudflare`), or your own implementation.
//!
//! ```
//! use edge_session::{Expiry, MemoryStore, Sessions, Settings};
//!
//! # pollster::block_on(async {
//! let settings = Settings::builder(["a secret of at least thirty-two bytes"]).build()?;
//! let sessions = Sessions::new(MemoryStore::default(), settings);
//!
//! // A login moves the data to a new key.
//! let mut session = sessions.load("theme=dark").await?;
//! session.cycle_key()?;
//! session.set("user", "alice")?;
//! session.set_expiry(Expiry::Seconds(3600))?;
//! let headers = sessions.commit_headers(&mut session, 200).await?;
//! let cookie = headers.set_cookie().unwrap().split(';').next().unwrap();
//! assert!(cookie.starts_with("__Host-sessionid="), "before the login it was __Host-sessionid-anonymous");
//!
//! // A later request logs out.
//! let mut session = sessions.load(cookie).await?;
//! assert_eq!(session.item::<String>("user")?, "alice");
//! sessions.flush(&mut session).await?;
//! let headers = sessions.commit_headers(&mut session, 200).await?;
//! assert!(headers.set_cookie().unwrap().contains("Max-Age=0"));
//! # Ok::<(), edge_session::Error>(()) }).unwrap();
//! ```
//!
//! # The path of a request
//!
//! `Cookie` header → token → verification → session key → storage key → read → record → [`Session`] → your handler → commit →
//! one put → `Set-Cookie`, `Vary`, `Cache-Control`.
//!
//! The logic has no I/O, clock or source of randomness: the caller passes the time, random bytes and stored bytes, and receives
//! the reads and writes to perform as plain values.
//!
//! # Features
//!
//! * `cloudflare`: Workers KV, Durable Objects and D1 as stores, settings from a Worker's variables, and a wrapper for request
//!   handlers.
//!
//! * `tower`: [`tower::SessionLayer`](crate::tower), sessions around the requests of any tower service.
//! * `axum`: `tower`, the session as an extractor of axum's handlers, and errors as axum's responses.
//!
//! Without them the crate does not depend on a platform: [`protocol`] contains the operations without I/O, for other platforms.

#![cfg_attr(not(any(test, fuzzing, feature = "cloudflare", feature = "tower")), no_std)]

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
mod platform;
pub mod protocol;
mod secret;
mod session;
mod sessions;
pub mod settings;
pub mod store;
#[cfg(feature = "tower")]
pub mod tower;

#[cfg(feature = "cloudflare")]
pub use cloudflare::{D1, DurableObjects, Kv};
pub use error::{Error, ErrorKind, Result};
pub use protocol::headers::{ResponseHeaders, SessionHeaders};
pub use protocol::save::SaveOutcome;
pub use protocol::sweep::{ClearExpired, SweepOutcome};
pub use protocol::user_sessions::UserSession;
pub use session::event::{Event, EventKind};
pub use session::expiry::{Expiry, ExpiryOptions};
pub use session::key::SessionKey;
pub use session::load_reason::LoadReason;
pub use session::session::Session;
pub use sessions::Sessions;
pub use settings::{SameSite, Settings};
pub use store::{MemoryStore, Store};

#[cfg(doctest)]
mod documents {
    #[doc = include_str!("../README.md")]
    struct Readme;
    #[doc = include_str!("../docs/guides/rust-worker.md")]
    struct RustWorker;
    #[doc = include_str!("../docs/guides/testing.md")]
    struct Testing;
    #[cfg(feature = "axum")]
    #[doc = include_str!("../docs/guides/frameworks/axum.md")]
    struct Axum;
}

//! Django's sessions for the edge.

#[cfg(feature = "cloudflare")]
mod cloudflare;
mod cookie;
mod error;
mod protocol;
mod secret;
mod session;
mod sessions;
mod settings;
mod store;

#[cfg(feature = "cloudflare")]
pub use cloudflare::Kv;
pub use error::{Error, ErrorKind, Result};
pub use protocol::respond::{ResponseHeaders, SessionHeaders};
pub use protocol::save::Saved;
pub use protocol::sweep::Swept;
pub use protocol::{OnlyIf, Op, Page};
pub use session::expiry::{Expiry, ExpiryOptions};
pub use session::key::{SessionKey, StorageKey};
pub use session::session::Session;
pub use sessions::Sessions;
pub use settings::{SameSite, Settings, SettingsBuilder};
pub use store::{MemoryStore, Store, Written};

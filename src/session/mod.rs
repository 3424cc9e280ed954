//! A session: its dictionary, flags, key and expiry, and its record and journal. Nothing here does I/O.

pub(crate) mod data;
pub(crate) mod deadline;
mod dictionary;
pub(crate) mod event;
pub(crate) mod expiry;
mod flash;
pub(crate) mod identity;
pub(crate) mod incoming;
pub(crate) mod journal;
pub(crate) mod key;
pub(crate) mod key_digest;
pub(crate) mod key_state;
pub(crate) mod lifetime;
pub(crate) mod limits;
pub(crate) mod listing;
pub(crate) mod load_reason;
pub(crate) mod load_state;
pub(crate) mod random;
pub(crate) mod reconcile;
pub(crate) mod record;
pub(crate) mod record_header;
mod record_reader;
mod record_writer;
pub(crate) mod request_clock;
pub(crate) mod rotation;
pub(crate) mod saving;
pub(crate) mod sealed_document;
#[allow(clippy::module_inception, reason = "the file is named by its type")]
pub(crate) mod session;
mod session_expiry;
mod session_user;
pub(crate) mod signing;
pub(crate) mod storage_key;
pub(crate) mod stored_data;
pub(crate) mod user_entry;
pub(crate) mod user_link;
mod value;

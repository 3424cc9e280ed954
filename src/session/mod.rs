//! What a session is: Django's dictionary, its flags, its key, its expiry and its stored form. Nothing here reads or writes.

pub(crate) mod data;
mod dictionary;
pub(crate) mod event;
pub(crate) mod expiry;
pub(crate) mod identity;
pub(crate) mod incoming;
pub(crate) mod journal;
pub(crate) mod key;
pub(crate) mod key_state;
pub(crate) mod load_reason;
pub(crate) mod load_state;
pub(crate) mod reconcile;
pub(crate) mod record;
pub(crate) mod request_clock;
pub(crate) mod rotation;
pub(crate) mod saving;
#[allow(clippy::module_inception, reason = "the file is named by its type")]
pub(crate) mod session;
pub(crate) mod signing;
mod value;

//! What a session is: Django's dictionary, its flags, its key, its expiry and its stored form. Nothing here reads or writes.

pub(crate) mod contents;
pub(crate) mod data;
mod dictionary;
pub(crate) mod event;
pub(crate) mod expiry;
pub(crate) mod identity;
pub(crate) mod journal;
pub(crate) mod json;
pub(crate) mod key;
pub(crate) mod lifecycle;
pub(crate) mod load_reason;
pub(crate) mod record;
#[allow(clippy::module_inception, reason = "the file is named by its type")]
pub(crate) mod session;
pub(crate) mod signing;
mod value;

//! The change of the list of a user's sessions that follows a save.

use super::storage_key::StorageKey;

/// The change of the list of a user's sessions.
#[derive(Debug, Default)]
pub(crate) struct Listing {
    /// Whether the session's entry must be put.
    pub(crate) put: Option<Entry>,
    /// The entry of another user, or of another id, that must be deleted.
    pub(crate) delete: Option<StorageKey>,
}

/// An entry that must be put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    New,
    Changed,
}

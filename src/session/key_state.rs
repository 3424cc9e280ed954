//! The state of a session's key: none, stored, new in this request, or superseded.

use alloc::boxed::Box;

use super::identity::Identity;
use super::record::Record;

/// The state of a session's key.
#[derive(Debug, Default)]
pub(crate) enum KeyState {
    /// No key. The first save creates one.
    #[default]
    None,
    /// A key that has, or had, a record.
    Stored(Identity),
    /// A key created in this request. It has no record yet.
    New {
        identity: Identity,
        /// The identity whose record is the base of the next save, and which is revoked after it.
        replaces: Option<Identity>,
    },
    /// A key that a concurrent request rotated a moment ago. Only `cycle_key` leaves this state.
    Superseded {
        identity: Identity,
        /// The anonymous record that is the base of a second login.
        record: Option<Box<Record>>,
    },
}

impl KeyState {
    /// Returns the current identity.
    pub(crate) const fn identity(&self) -> Option<&Identity> {
        match self {
            Self::Stored(identity) | Self::New { identity, .. } => Some(identity),
            Self::None | Self::Superseded { .. } => None,
        }
    }

    /// Returns the identity of a stored key, for updates from its record.
    pub(crate) const fn stored_mut(&mut self) -> Option<&mut Identity> {
        match self {
            Self::Stored(identity) => Some(identity),
            Self::None | Self::New { .. } | Self::Superseded { .. } => None,
        }
    }

    /// Returns whether the key was created in this request.
    pub(crate) const fn is_new(&self) -> bool {
        matches!(self, Self::New { .. })
    }

    /// Returns the identity whose record is the base of the next save: the current one, or the one being replaced.
    pub(crate) const fn origin(&self) -> Option<&Identity> {
        match self {
            Self::Stored(identity) => Some(identity),
            Self::New { replaces, .. } => replaces.as_ref(),
            Self::None | Self::Superseded { .. } => None,
        }
    }
}

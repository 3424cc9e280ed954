//! The key of a session: none, one that is stored, or one that was made in this request.

use alloc::boxed::Box;

use super::identity::Identity;
use super::record::Record;

/// Which key a session has.
#[derive(Debug, Default)]
pub(crate) enum KeyState {
    /// No key: nothing is stored until a save makes one.
    #[default]
    None,
    /// A key under which a record is, or was, stored.
    Stored(Identity),
    /// A key made in this request. Nothing is stored under it yet.
    New {
        identity: Identity,
        /// The identity whose record is the base of the next save, and which is revoked after it.
        replaces: Option<Identity>,
    },
    /// A key that a concurrent request rotated a moment ago. Only `cycle_key` leads out of this state.
    Superseded {
        identity: Identity,
        /// The anonymous record that a second login starts from.
        record: Option<Box<Record>>,
    },
}

impl KeyState {
    /// The identity that the session has now.
    pub(crate) const fn identity(&self) -> Option<&Identity> {
        match self {
            Self::Stored(identity) | Self::New { identity, .. } => Some(identity),
            Self::None | Self::Superseded { .. } => None,
        }
    }

    /// The identity of a stored key, to complete what is known of it.
    pub(crate) const fn stored_mut(&mut self) -> Option<&mut Identity> {
        match self {
            Self::Stored(identity) => Some(identity),
            Self::None | Self::New { .. } | Self::Superseded { .. } => None,
        }
    }

    /// Whether the key was made in this request.
    pub(crate) const fn is_new(&self) -> bool {
        matches!(self, Self::New { .. })
    }

    /// The identity whose record is the base of the next save: the current one, or the one that is replaced.
    pub(crate) const fn origin(&self) -> Option<&Identity> {
        match self {
            Self::Stored(identity) => Some(identity),
            Self::New { replaces, .. } => replaces.as_ref(),
            Self::None | Self::Superseded { .. } => None,
        }
    }
}

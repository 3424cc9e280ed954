//! The identity of a session, and the position of its browser: the two parts of a token.

use super::deadline::Deadline;
use super::key::SessionKey;
use super::random::Random;
use crate::settings::CookieSlot;

/// 32 random bits that identify a save. Saves at two locations can have the same generation.
pub(crate) type Tag = [u8; 4];

/// The identity of a session.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    pub(crate) key: SessionKey,
    /// The number of rotations of the key. 0 is an anonymous session, whose cookie has a separate name.
    pub(crate) rotations: u16,
    /// The absolute deadline, which no save extends.
    pub(crate) absolute: Deadline,
}

impl Identity {
    /// Returns whether the key was never rotated.
    pub(crate) const fn is_anonymous(&self) -> bool {
        self.rotations == 0
    }

    /// Returns the identity after a rotation: a new key of the same family. The first rotation starts a new absolute lifetime,
    /// which later rotations do not extend.
    pub(crate) fn successor(&self, random: &mut Random, absolute: Deadline) -> Self {
        let absolute = if self.is_anonymous() { absolute } else { self.absolute.min(absolute) }; // mutation: life-of-successor
        Self { key: random.successor(&self.key), rotations: self.rotations.saturating_add(1), absolute }
    }
}

impl CookieSlot {
    /// Returns the cookie of `identity`.
    pub(crate) const fn of(identity: &Identity) -> Self {
        // mutation: anonymous-name
        if identity.is_anonymous() { Self::Anonymous } else { Self::Rotated }
    }
}

/// The position of a browser: the last save that it knows of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Position {
    pub(crate) generation: u32,
    pub(crate) tag: Tag,
    /// The time of the token's issue, in microseconds of Unix time.
    pub(crate) issued: i64,
}

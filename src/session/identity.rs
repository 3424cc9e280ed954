//! The identity of a session, and the last save that its browser knows of: the two halves of a token.

use super::expiry::Deadline;
use super::key::{Random, SessionKey};

/// 32 random bits that distinguish a save from every other: two saves at two locations can have the same generation.
pub(crate) type Tag = [u8; 4];

/// Which session it is.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    pub(crate) key: SessionKey,
    /// How often `cycle_key` has changed the key. 0 is an anonymous session: its cookie has a name of its own.
    pub(crate) rotations: u16,
    /// The end that no save extends.
    pub(crate) absolute: Deadline,
}

impl Identity {
    /// Whether `cycle_key` never changed the key.
    pub(crate) const fn is_anonymous(&self) -> bool {
        self.rotations == 0
    }

    /// The next key of the same family. The first rotation begins a new absolute lifetime, `absolute`; no later one extends it.
    pub(crate) fn successor(&self, random: &mut Random, absolute: Deadline) -> Self {
        let absolute = if self.is_anonymous() { absolute } else { self.absolute.min(absolute) }; // mutation: life-of-successor
        Self { key: random.successor(&self.key), rotations: self.rotations.saturating_add(1), absolute }
    }
}

/// The last save that the browser knows of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Position {
    pub(crate) generation: u32,
    pub(crate) tag: Tag,
    /// When the token was issued, in microseconds of Unix time.
    pub(crate) issued: i64,
}

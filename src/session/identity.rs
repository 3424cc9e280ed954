//! Who a session is, and where its browser last stood: the two halves of a token.

use super::expiry::Deadline;
use super::key::{KeyDigest, SessionKey};

/// 32 random bits that tell one save from every other: two saves at two places can make the same generation.
pub(crate) type Tag = [u8; 4];

/// Which session it is.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    pub(crate) key: SessionKey,
    /// The hash of the key that the first `cycle_key` made; later ones keep it, and a logout ends all of them.
    pub(crate) family: Option<KeyDigest>,
    /// The end that no save extends.
    pub(crate) absolute: Deadline,
}

/// The last save that the browser knows of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Position {
    pub(crate) generation: u32,
    pub(crate) tag: Tag,
    /// When the token was made, in microseconds of Unix time.
    pub(crate) issued: i64,
}

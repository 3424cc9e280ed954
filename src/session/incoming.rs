//! What a request brought: cookies of the two names, and the identities that they prove.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::identity::{Identity, Position};
use super::journal::Journal;

/// The two names under which sessions travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CookieSlot {
    /// `SESSION_COOKIE_NAME`: a session whose key was rotated at least once, as by a login.
    Rotated,
    /// The same name with `-anonymous` behind it: a session before its first rotation.
    Anonymous,
}

impl CookieSlot {
    pub(crate) const ALL: [Self; 2] = [Self::Rotated, Self::Anonymous];

    /// The name under which `identity` travels.
    pub(crate) const fn of(identity: &Identity) -> Self {
        // mutation: anonymous-name
        if identity.is_anonymous() { Self::Anonymous } else { Self::Rotated }
    }
}

/// A verified token of a session.
#[derive(Clone, Debug)]
pub(crate) struct SessionToken {
    pub(crate) identity: Identity,
    pub(crate) position: Position,
    /// Whether it was issued under this `SESSION_KEY_PREFIX`.
    pub(crate) same_prefix: bool,
    /// The MAC and the sealed journal behind it, or nothing.
    pub(crate) sealed: Box<[u8]>,
}

/// What a request's `Cookie` header says, or the key with which a session was opened.
#[derive(Debug, Default)]
pub(crate) struct Incoming {
    /// Whether a cookie of each name came, whatever it held.
    presented: (bool, bool),
    /// The verified tokens, at most two distinct ones of each name, in the order in which names count.
    pub(crate) tokens: Vec<SessionToken>,
    /// The session that a logout could not end, from its ending token.
    pub(crate) ending: Option<Identity>,
    /// Whether that session has ended by now, so that the cookie goes.
    pub(crate) has_ended: bool,
    /// The identity given by `open(key)`.
    pub(crate) opened: Option<Identity>,
    /// Whether the cookies stay as they are although they open no session.
    left_alone: bool,
}

impl Incoming {
    /// A session that is opened by its key, outside of a request; none where the key is malformed.
    pub(crate) fn of_key(identity: Option<Identity>) -> Self {
        Self { opened: identity, ..Self::default() }
    }

    /// Records that a cookie of this name came.
    pub(crate) const fn present(&mut self, slot: CookieSlot) {
        match slot {
            CookieSlot::Rotated => self.presented.0 = true,
            CookieSlot::Anonymous => self.presented.1 = true,
        }
    }

    /// Leaves the cookies alone: a newer one may have replaced them meanwhile.
    pub(crate) const fn leave_alone(&mut self) {
        self.left_alone = true;
    }

    pub(crate) const fn is_left_alone(&self) -> bool {
        self.left_alone
    }

    /// Whether a cookie of any name came.
    pub(crate) const fn is_presented(&self) -> bool {
        self.presented.0 || self.presented.1
    }

    /// Whether a cookie of this name came.
    pub(crate) const fn has(&self, slot: CookieSlot) -> bool {
        match slot {
            CookieSlot::Rotated => self.presented.0,
            CookieSlot::Anonymous => self.presented.1,
        }
    }

    /// All identities that the request proves or names.
    pub(crate) fn identities(&self) -> impl Iterator<Item = &Identity> {
        self.opened.iter().chain(self.proven())
    }

    /// The identities that the request's cookies prove. A logout revokes them, whatever became of them since.
    pub(crate) fn proven(&self) -> impl Iterator<Item = &Identity> {
        self.ending.iter().chain(self.tokens.iter().map(|token| &token.identity))
    }
}

/// What the browser knows of its session's saves.
#[derive(Debug, Default)]
pub(crate) struct Knowledge {
    /// The last save that it knows of.
    pub(crate) position: Option<Position>,
    /// The journal in its token, still sealed.
    pub(crate) sealed: Box<[u8]>,
    /// The journal, once it was opened.
    pub(crate) journal: Option<Journal>,
}

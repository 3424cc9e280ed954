//! The session cookies of a request, and the identities that they prove.

use alloc::vec::Vec;

use super::identity::{Identity, Position};
use super::journal::Journal;
use crate::settings::CookieSlot;

/// A verified token of a session.
#[derive(Clone, Debug)]
pub(crate) struct SessionToken {
    pub(crate) identity: Identity,
    pub(crate) position: Position,
    /// Whether the token was issued under this `SESSION_KEY_PREFIX`.
    pub(crate) same_prefix: bool,
    /// The encoded journal; empty without one.
    pub(crate) journal: Vec<u8>,
}

/// The session cookies of a request's `Cookie` header, or the key with which a session was opened.
#[derive(Debug, Default)]
pub(crate) struct Incoming {
    /// Whether the request contains a cookie of each name, valid or not.
    presented: (bool, bool),
    /// The verified tokens, at most two distinct ones of each name, in the order of precedence.
    pub(crate) tokens: Vec<SessionToken>,
    /// The session that a logout could not revoke, from its ending token.
    pub(crate) ending: Option<Identity>,
    /// Whether that session is revoked by now, so that the response deletes the cookie.
    pub(crate) has_ended: bool,
    /// The identity given by `open(key)`.
    pub(crate) opened: Option<Identity>,
    /// Whether the response leaves the cookies unchanged although they open no session.
    left_alone: bool,
}

impl Incoming {
    /// Creates the state of a session that is opened by key, outside of a request; `None` for a malformed key.
    pub(crate) fn of_key(identity: Option<Identity>) -> Self {
        Self { opened: identity, ..Self::default() }
    }

    /// Records that the request contains this cookie.
    pub(crate) const fn present(&mut self, slot: CookieSlot) {
        match slot {
            CookieSlot::Rotated => self.presented.0 = true,
            CookieSlot::Anonymous => self.presented.1 = true,
        }
    }

    /// Leaves the cookies unchanged: a concurrent response may have replaced them.
    pub(crate) const fn leave_alone(&mut self) {
        self.left_alone = true;
    }

    pub(crate) const fn is_left_alone(&self) -> bool {
        self.left_alone
    }

    /// Returns whether the request contains a session cookie.
    pub(crate) const fn is_presented(&self) -> bool {
        self.presented.0 || self.presented.1
    }

    /// Returns whether the request contains this cookie.
    pub(crate) const fn has(&self, slot: CookieSlot) -> bool {
        match slot {
            CookieSlot::Rotated => self.presented.0,
            CookieSlot::Anonymous => self.presented.1,
        }
    }

    /// Returns the identity of the opened key and those that the cookies prove.
    pub(crate) fn identities(&self) -> impl Iterator<Item = &Identity> {
        self.opened.iter().chain(self.proven())
    }

    /// Returns the identities that the cookies prove. A logout revokes them even if their state changed since.
    pub(crate) fn proven(&self) -> impl Iterator<Item = &Identity> {
        self.ending.iter().chain(self.tokens.iter().map(|token| &token.identity))
    }
}

/// The browser's knowledge of the saves of its session.
#[derive(Debug, Default)]
pub(crate) struct Knowledge {
    /// The last save that the browser knows of.
    pub(crate) position: Option<Position>,
    /// The index of its token in [`Incoming::tokens`], which has the encoded journal.
    pub(crate) token: Option<usize>,
    /// The journal, once it is decoded.
    pub(crate) journal: Option<Journal>,
    /// The record to send in the cookie, if the cookie contains the session.
    pub(crate) record: Option<Vec<u8>>,
}

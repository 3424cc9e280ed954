//! The session cookie: the `Cookie` header, the signed token in it, and the `Set-Cookie` header.

pub(crate) mod header;
pub(crate) mod sealed_journal;
pub(crate) mod set_cookie;
pub(crate) mod token;

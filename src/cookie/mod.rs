//! The session cookie: the `Cookie` header, the sealed token in it, and the `Set-Cookie` header.

pub(crate) mod header;
pub(crate) mod journal_codec;
pub(crate) mod set_cookie;
pub(crate) mod token;

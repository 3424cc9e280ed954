//! How a session travels: the `Cookie` header, the signed token in it, and the `Set-Cookie` header.

pub(crate) mod find;
pub(crate) mod sealed;
pub(crate) mod set;
pub(crate) mod token;

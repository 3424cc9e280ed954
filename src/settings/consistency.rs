//! The consistency of a store.

/// What a store guarantees. Sessions choose their protocol by it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Consistency {
    /// A read may return an older value, and puts may be unconditional, as on Workers KV. Sessions compensate by tombstones, a
    /// journal in the cookie and the isolate's memory; a logout takes effect elsewhere after the store's propagation.
    #[default]
    Eventual,
    /// A read returns the last write, and a put applies if and only if its [condition](crate::store::OnlyIf) holds at that moment.
    /// A load is then one read, and a save is one conditional put: a logout takes effect at once, and no acknowledged write is lost.
    Linearizable,
    /// A linearizable store that takes the sessions over from an eventually consistent one: a session that is missing there is read
    /// from the old store, and saved to the new one.
    Migrating,
    /// No store: the cookie contains the session, sealed. A logout deletes the cookie, but does not reach a copy of it.
    Cookie,
}

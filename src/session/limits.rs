//! Limits of the memory of records and journals.

/// The number of saves whose tags a record contains.
pub(crate) const MAX_TAGS: usize = 8;

/// The number of recent writes that a record lists individually.
pub(crate) const MAX_WRITES: usize = 64;

/// The time for which a journal contains a save, in milliseconds: KV's cache (30 s), its propagation (60 s), and a margin.
pub(crate) const JOURNAL_WINDOW: i64 = 130_000;

/// The time for which a record lists a write, in milliseconds. Invariant: it is longer than a journal contains the write.
pub(crate) const WRITES_WINDOW: i64 = JOURNAL_WINDOW + 20_000;

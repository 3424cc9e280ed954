//! Sweep: Django's `clear_expired`, page after page, within the operations that one run may use.

use alloc::string::String;
use alloc::vec::Vec;
use chrono::{DateTime, Utc};

use super::{Op, Page, Reply, Step};
use crate::error::{Error, Result};
use crate::session::expiry::Deadline;
use crate::session::key::StorageKey;
use crate::settings::Settings;

/// How long after its deadline a record goes, in seconds: a list can be older than a renewal.
const MARGIN: i64 = 120;

/// Store operations of one run: KV allows 1000 an invocation.
const MAX_OPERATIONS: usize = 1_000;

/// What a run of `clear_expired` did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct Swept {
    /// How many records it removed.
    pub removed: usize,
    /// Whether it came to the end of the list; if not, the next run goes on.
    pub complete: bool,
}

/// Lists the records and removes those that are over.
#[derive(Debug)]
pub(crate) struct Sweep {
    prefix: String,
    now: DateTime<Utc>,
    operations: usize,
    swept: Swept,
    /// Where the list goes on after the page at hand.
    cursor: Option<String>,
}

impl Sweep {
    pub(crate) fn new(settings: &Settings, now: DateTime<Utc>) -> Self {
        let prefix = StorageKey::begins(&settings.key_prefix);
        Self { prefix, now, operations: 0, swept: Swept::default(), cursor: None }
    }

    pub(crate) fn step(&mut self, reply: Reply) -> Step<Result<Swept>> {
        match reply {
            Reply::Start => self.list(),
            Reply::Page(page) => self.page(page),
            Reply::Written => self.go_on(),
            Reply::Unavailable(error) => Step::Done(Err(error)),
            _ => Step::Done(Err(Error::unexpected_reply())),
        }
    }

    fn list(&mut self) -> Step<Result<Swept>> {
        self.operations = self.operations.saturating_add(1);
        Step::List { prefix: self.prefix.clone(), cursor: self.cursor.take() }
    }

    fn page(&mut self, page: Page) -> Step<Result<Swept>> {
        self.cursor = page.cursor;
        let is_over =
            |deadline: i64| Deadline(deadline.saturating_add(MARGIN.saturating_mul(1_000_000))).has_passed(self.now);
        let over = page.entries.into_iter().filter(|(_, deadline)| deadline.is_some_and(is_over));
        let mut ops: Vec<_> = over.map(|(key, _)| Op::Delete { key }).collect();
        let left = MAX_OPERATIONS.saturating_sub(self.operations);
        let enough = ops.len() <= left;
        ops.truncate(left);
        self.operations = self.operations.saturating_add(ops.len());
        self.swept.removed = self.swept.removed.saturating_add(ops.len());
        self.swept.complete = enough && self.cursor.is_none();
        if ops.is_empty() { self.go_on() } else { Step::Write(ops) }
    }

    fn go_on(&mut self) -> Step<Result<Swept>> {
        if self.cursor.is_none() || self.operations >= MAX_OPERATIONS {
            return Step::Done(Ok(self.swept));
        }
        self.list()
    }
}

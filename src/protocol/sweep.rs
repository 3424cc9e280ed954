//! Sweep: Django's `clear_expired`. It lists records and tombstones page by page and deletes the expired ones, within the
//! operations that one run may use.
//!
//! | state | reply | next | guaranteed afterwards |
//! | --- | --- | --- | --- |
//! | `Start` | `Start` | `Listing`, from where the last run ended | |
//! | `Listing` | `Page` with an expired entry | `Deleting` | |
//! | `Listing` | `Page` without one | `Listing` the next page, or `Done` | |
//! | `Listing { resumed: true }` | `Unavailable` | `Listing`, from the beginning | |
//! | `Listing { resumed: false }` | `Unavailable` | `Failed` | the next run lists this page again |
//! | `Deleting` | `Written` | `Listing` the next page, or `Done` | all deleted entries had expired for at least `MARGIN` |
//! | `Deleting` | `Unavailable` | `Failed` | the next run lists this page again |
//! | any | any other | `Failed` | the next run lists this page again |
//!
//! A run is `Done` at the end of the list, and after `MAX_OPERATIONS`. [`Sweep::cursor`] is the start of the next run. No run is
//! needed if the [store expires records](crate::Store::expires_records) itself.

use alloc::string::String;
use alloc::vec::Vec;
use chrono::{DateTime, Utc};

use super::{Reply, Step};
use crate::error::{Error, Result};
use crate::session::deadline::Deadline;
use crate::session::storage_key::StorageKey;
use crate::settings::Settings;
use crate::store::{Op, Page};

/// How long after its deadline a record is deleted, in seconds: a list can be older than a renewal.
pub(crate) const MARGIN: i64 = 120;

/// The number of store operations of one run: a Worker is limited to 1000 per invocation.
pub(crate) const MAX_OPERATIONS: usize = 1_000;

/// Options of [`clear_expired_with`](crate::Sessions::clear_expired_with).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClearExpired {
    /// True to list the records even if the store expires them itself, as Workers KV does: for namespaces with entries that
    /// were put without an expiration. On KV each listed page is billed.
    pub full_pass: bool,
}

/// The outcome of a run of `clear_expired`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct SweepOutcome {
    /// The number of deleted records.
    pub removed: usize,
    /// True if it reached the end of the list. If not, the next run continues where this one ended.
    pub complete: bool,
}

impl SweepOutcome {
    /// The outcome of a run that lists nothing.
    pub(crate) const NOTHING: Self = Self { removed: 0, complete: true };
}

/// One run of `clear_expired`.
#[derive(Debug)]
pub struct Sweep {
    prefix: String,
    now: DateTime<Utc>,
    /// The cursor of the page that is listed, or whose records are deleted.
    cursor: Option<String>,
    operations: usize,
    outcome: SweepOutcome,
    state: State,
}

#[derive(Debug, Default)]
enum State {
    Start,
    Listing {
        /// True if the cursor is from an earlier run, so that the store may no longer accept it.
        resumed: bool,
    },
    Deleting {
        /// The cursor of the next page.
        next: Option<String>,
        /// True if these are all expired entries of the page.
        all: bool,
    },
    #[default]
    Failed,
}

type NextStep = Step<Result<SweepOutcome>>;

impl Sweep {
    /// Creates a run that begins at `cursor`, which [`cursor`](Self::cursor) returned after the last run.
    #[must_use]
    pub fn new(settings: &Settings, now: DateTime<Utc>, cursor: Option<String>) -> Self {
        let prefix = StorageKey::begins(&settings.key_prefix);
        Self { prefix, now, cursor, operations: 0, outcome: SweepOutcome::default(), state: State::Start }
    }

    /// Takes the reply to the last step, [`Reply::Start`] first, and returns the next one.
    pub fn step(&mut self, reply: Reply) -> NextStep {
        match (core::mem::take(&mut self.state), reply) {
            (State::Start, Reply::Start) => self.list(self.cursor.is_some()),
            (State::Listing { .. }, Reply::Page(page)) => self.page(page),
            (State::Listing { resumed: true }, Reply::Unavailable(_)) => {
                self.cursor = None;
                self.list(false)
            }
            (State::Deleting { next, all }, Reply::Written) => self.next_page(next, all),
            (State::Listing { .. } | State::Deleting { .. }, Reply::Unavailable(error)) => Step::Done(Err(error)),
            _ => Step::Done(Err(Error::unexpected_reply())),
        }
    }

    /// Returns the start of the next run; `None` is the beginning of the list.
    #[must_use]
    pub fn cursor(self) -> Option<String> {
        self.cursor
    }

    fn list(&mut self, resumed: bool) -> NextStep {
        self.operations = self.operations.saturating_add(1);
        self.state = State::Listing { resumed };
        Step::List { prefix: self.prefix.clone(), cursor: self.cursor.clone() }
    }

    fn page(&mut self, page: Page) -> NextStep {
        let is_over =
            |deadline: i64| Deadline(deadline.saturating_add(MARGIN.saturating_mul(1_000_000))).has_passed(self.now);
        // mutation: over-records
        let over = page.entries.into_iter().filter(|(_, deadline)| deadline.is_some_and(is_over));
        let mut ops: Vec<_> = over.map(|(key, _)| Op::Delete { key }).collect();
        let left = MAX_OPERATIONS.saturating_sub(self.operations);
        let all = ops.len() <= left;
        ops.truncate(left);
        if ops.is_empty() {
            return self.next_page(page.cursor, all);
        }
        self.operations = self.operations.saturating_add(ops.len());
        self.outcome.removed = self.outcome.removed.saturating_add(ops.len());
        self.state = State::Deleting { next: page.cursor, all };
        Step::Write(ops)
    }

    /// Finishes the page. Continues with the next one, at `next`, if all of this one is deleted and the run has operations left.
    fn next_page(&mut self, next: Option<String>, all: bool) -> NextStep {
        if all {
            self.outcome.complete = next.is_none();
            self.cursor = next;
        }
        if !all || self.outcome.complete || self.operations >= MAX_OPERATIONS {
            return Step::Done(Ok(self.outcome));
        }
        self.list(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;

    fn sweep(cursor: Option<&str>) -> Sweep {
        let settings = Settings::builder(["a secret of at least thirty-two bytes"]).build().unwrap();
        Sweep::new(&settings, DateTime::from_timestamp(1_000_000, 0).unwrap(), cursor.map(str::to_owned))
    }

    /// A page with one expired record and one that is not.
    fn page(cursor: Option<&str>) -> Reply {
        let entry = |name: &str, seconds: i64| (StorageKey::listed(name), Some(seconds.saturating_mul(1_000_000)));
        let entries = vec![entry("edge-session:session:a", 1), entry("edge-session:session:b", 2_000_000)];
        Reply::Page(Page { entries, cursor: cursor.map(str::to_owned) })
    }

    fn unavailable() -> Reply {
        Reply::Unavailable(Error::unavailable("planned by the test"))
    }

    fn listed_from(next: NextStep) -> Option<String> {
        let Step::List { cursor, .. } = next else { panic!("{next:?}") };
        cursor
    }

    #[test]
    fn a_page_is_finished_before_the_next_one_and_a_failure_leaves_it_to_the_next_run() {
        let mut run = sweep(Some("page 3"));
        assert_eq!(listed_from(run.step(Reply::Start)).as_deref(), Some("page 3"));
        assert!(matches!(run.step(page(Some("page 4"))), Step::Write(ops) if ops.len() == 1));
        assert_eq!(listed_from(run.step(Reply::Written)).as_deref(), Some("page 4"));
        assert!(matches!(run.step(page(Some("page 5"))), Step::Write(_)));
        assert!(matches!(run.step(unavailable()), Step::Done(Err(_))));
        assert_eq!(run.cursor().as_deref(), Some("page 4"), "its record is still there");
    }

    #[test]
    fn only_a_run_that_resumes_starts_over_when_its_cursor_is_refused() {
        let mut run = sweep(Some("gone"));
        assert!(listed_from(run.step(Reply::Start)).is_some());
        assert_eq!(listed_from(run.step(unavailable())), None);
        assert!(matches!(run.step(unavailable()), Step::Done(Err(_))), "then the store itself fails");
        assert_eq!(run.cursor(), None);

        let mut run = sweep(None);
        assert_eq!(listed_from(run.step(Reply::Start)), None);
        assert!(matches!(run.step(unavailable()), Step::Done(Err(_))));
    }

    #[test]
    fn an_unexpected_reply_fails_and_a_finished_run_stays_finished() {
        let replies: [fn() -> Reply; 5] =
            [|| Reply::Start, || page(None), || Reply::Written, || Reply::Waited, unavailable];
        let ended = |run: &mut Sweep| replies.iter().all(|reply| matches!(run.step(reply()), Step::Done(Err(_))));
        let mut fresh = sweep(None);
        assert!(matches!(fresh.step(Reply::Written), Step::Done(Err(_))) && ended(&mut fresh));
        let mut done = sweep(None);
        assert!(matches!((done.step(Reply::Start), done.step(page(None))), (Step::List { .. }, Step::Write(_))));
        assert!(matches!(done.step(Reply::Written), Step::Done(Ok(SweepOutcome { removed: 1, complete: true }))));
        assert!(ended(&mut done));
    }
}

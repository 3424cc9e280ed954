//! The state of a load: the outcome of the read until the first access evaluates it, then the data.

use super::data::Data;
use super::deadline::Deadline;
use super::load_reason::LoadReason;
use super::record::Record;
use crate::error::Error;

/// The outcome of reading the record and its tombstones.
#[derive(Debug)]
pub(crate) enum FetchOutcome {
    /// No usable record, with the reason.
    Nothing(LoadReason),
    /// The data of a record, and its deadline, which is evaluated on first access. Its header is in `Session::stored`.
    Record(LoadReason, Data, Deadline),
    /// The key was rotated a moment ago. Contains its record if the session was anonymous.
    Superseded(Option<Record>),
    /// The store did not answer.
    Unavailable(Error),
}

/// The data of a session, or the outcome of the read, which the first access evaluates.
#[derive(Debug)]
pub(crate) enum LoadState {
    Pending(FetchOutcome),
    Evaluated(LoadReason, Data),
}

impl LoadState {
    /// Returns the outcome of the load.
    pub(crate) const fn reason(&self) -> LoadReason {
        match self {
            Self::Evaluated(reason, _)
            | Self::Pending(FetchOutcome::Nothing(reason) | FetchOutcome::Record(reason, ..)) => *reason,
            Self::Pending(FetchOutcome::Superseded(_)) => LoadReason::Superseded,
            Self::Pending(FetchOutcome::Unavailable(_)) => LoadReason::Unavailable,
        }
    }
}

//! The outcome of a load: what was fetched, until the first access judges it, and the data from then on.

use super::data::Data;
use super::load_reason::LoadReason;
use super::record::Record;
use crate::error::Error;

/// What a read of the store gave.
#[derive(Debug)]
pub(crate) enum Fetched {
    /// No record that counts. The reason says why.
    Nothing(LoadReason),
    /// A record. Its expiry is evaluated on first access.
    Record(LoadReason, Record),
    /// The key was rotated a moment ago; the anonymous record under it, if that is what it was.
    Superseded(Option<Record>),
    /// The store did not answer; the error that it gave.
    Unavailable(Error),
}

/// The data of a session, or what will decide them on first access.
#[derive(Debug)]
pub(crate) enum LoadState {
    Unjudged(Fetched),
    Judged(LoadReason, Data),
}

impl LoadState {
    /// The outcome of the load.
    pub(crate) const fn reason(&self) -> LoadReason {
        match self {
            Self::Judged(reason, _) | Self::Unjudged(Fetched::Nothing(reason) | Fetched::Record(reason, _)) => *reason,
            Self::Unjudged(Fetched::Superseded(_)) => LoadReason::Superseded,
            Self::Unjudged(Fetched::Unavailable(_)) => LoadReason::Unavailable,
        }
    }
}

//! The time at which a session expires.

use chrono::{DateTime, Utc};

/// The time at which a session expires, in microseconds of Unix time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Deadline(pub(crate) i64);

impl Deadline {
    pub(crate) const NEVER: Self = Self(i64::MAX);

    /// Returns the deadline `seconds` after `moment`, clamped to the range of microseconds.
    pub(crate) fn after(moment: DateTime<Utc>, seconds: i64) -> Self {
        Self(micros(moment).saturating_add(seconds.saturating_mul(1_000_000)))
    }

    /// Returns whether the deadline has passed. As in Django, a record is live while its deadline is after now.
    pub(crate) fn has_passed(self, now: DateTime<Utc>) -> bool {
        // mutation: deadline-passed
        self.0 <= micros(now)
    }

    /// Returns the deadline as a date; `None` if it is beyond every date.
    pub(crate) const fn date(self) -> Option<DateTime<Utc>> {
        DateTime::from_timestamp_micros(self.0)
    }

    /// Returns the seconds from `now` to the deadline, rounded up.
    pub(crate) fn seconds_from(self, now: DateTime<Utc>) -> i64 {
        let left = self.0.saturating_sub(micros(now));
        left.div_euclid(1_000_000).saturating_add(i64::from(left.rem_euclid(1_000_000) > 0))
    }
}

/// Converts a date to microseconds of Unix time.
pub(super) fn micros<Tz: chrono::TimeZone>(date: DateTime<Tz>) -> i64 {
    // mutation: microseconds
    date.timestamp_micros()
}

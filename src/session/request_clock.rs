//! The times of one request.

use chrono::{DateTime, Utc};

/// The beginning of the request, the last reading of the clock, and the present time of its operations.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RequestClock {
    began: DateTime<Utc>,
    latest: DateTime<Utc>,
    now: DateTime<Utc>,
    /// The time of the last read of the session's tombstone, in milliseconds of Unix time.
    revocation_checked: i64,
}

impl RequestClock {
    pub(crate) const fn new(now: DateTime<Utc>) -> Self {
        Self { began: now, latest: now, now, revocation_checked: now.timestamp_millis() }
    }

    /// Returns the present time of the operations.
    pub(crate) const fn now(&self) -> DateTime<Utc> {
        self.now
    }

    /// Returns the last reading of the clock, in milliseconds of Unix time.
    pub(crate) const fn latest_millis(&self) -> i64 {
        self.latest.timestamp_millis()
    }

    /// Sets the present time.
    pub(crate) const fn set(&mut self, now: DateTime<Utc>) {
        self.now = now;
        self.latest = now;
    }

    /// Records a reading of the clock during an operation.
    pub(crate) const fn tick(&mut self, latest: DateTime<Utc>) {
        self.latest = latest;
    }

    /// Makes the last reading of the clock the present time.
    pub(crate) const fn catch_up(&mut self) {
        self.now = self.latest;
    }

    /// Records that the session's tombstone is read now.
    pub(crate) const fn revocation_checked(&mut self) {
        self.revocation_checked = self.latest.timestamp_millis();
    }

    /// Returns the milliseconds since the last read of the session's tombstone.
    pub(crate) const fn since_revocation_check(&self) -> i64 {
        self.latest.timestamp_millis().saturating_sub(self.revocation_checked)
    }

    /// Returns the milliseconds since the beginning of the request.
    pub(crate) const fn elapsed_millis(&self) -> i64 {
        self.latest.timestamp_millis().saturating_sub(self.began.timestamp_millis())
    }
}

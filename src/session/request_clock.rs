//! The times of one request.

use chrono::{DateTime, Utc};

/// When the request began, what the clock read last, and the present that its operations use.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RequestClock {
    began: DateTime<Utc>,
    latest: DateTime<Utc>,
    now: DateTime<Utc>,
    /// When the tombstone of the session's key was read last, in milliseconds of Unix time.
    revocation_checked: i64,
}

impl RequestClock {
    pub(crate) const fn new(now: DateTime<Utc>) -> Self {
        Self { began: now, latest: now, now, revocation_checked: now.timestamp_millis() }
    }

    /// The moment that operations take as the present.
    pub(crate) const fn now(&self) -> DateTime<Utc> {
        self.now
    }

    /// Milliseconds of Unix time, as the clock read last.
    pub(crate) const fn latest_millis(&self) -> i64 {
        self.latest.timestamp_millis()
    }

    /// Sets the present.
    pub(crate) const fn set(&mut self, now: DateTime<Utc>) {
        self.now = now;
        self.latest = now;
    }

    /// Records what the clock reads while an operation runs.
    pub(crate) const fn tick(&mut self, latest: DateTime<Utc>) {
        self.latest = latest;
    }

    /// Makes what the clock read last the present.
    pub(crate) const fn catch_up(&mut self) {
        self.now = self.latest;
    }

    /// Records that the tombstone of the session's key is read now.
    pub(crate) const fn revocation_checked(&mut self) {
        self.revocation_checked = self.latest.timestamp_millis();
    }

    /// Milliseconds since the tombstone of the session's key was read.
    pub(crate) const fn since_revocation_check(&self) -> i64 {
        self.latest.timestamp_millis().saturating_sub(self.revocation_checked)
    }

    /// Milliseconds since the request began.
    pub(crate) const fn elapsed_millis(&self) -> i64 {
        self.latest.timestamp_millis().saturating_sub(self.began.timestamp_millis())
    }
}

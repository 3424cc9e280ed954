//! Options of the model: times, probabilities, limits.

use core::time::Duration;

use chrono::{DateTime, Utc};

/// Options of a [`KvModel`](super::KvModel). The defaults are Workers KV on an ordinary day. Probabilities are between 0 and 1.
///
/// ```
/// use core::time::Duration;
/// use edge_session_kv_model::KvModelOptions;
///
/// let options = KvModelOptions { seed: 7, locally_invisible: 0.0, ..KvModelOptions::default() };
/// assert_eq!(options.staleness_bound(), Duration::from_secs(30 + 60 + 10));
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct KvModelOptions {
    /// The seed of the random generator. Default 0.
    pub seed: u64,
    /// The date at which virtual time begins. Default 1 January 2030.
    pub start: DateTime<Utc>,
    /// How long a location answers from its cache, for misses as well, unless a read sets its own. Default 30 s.
    pub cache_ttl: Duration,
    /// Half of the writes reach another location within this time. Default 10 s.
    pub typical_propagation: Duration,
    /// All writes reach it within this time. KV guarantees no bound. Default 60 s.
    pub max_propagation: Duration,
    /// The share of writes that are not visible at once where they were made: half of them until the cached value expires there,
    /// half for a propagation time. Default 0.1.
    pub locally_invisible: f64,
    /// The minimum and maximum duration of an operation, which is applied at a random time in between. With zero and zero,
    /// operations do not wait and need no executor. Default 5 to 80 ms.
    pub latency: (Duration, Duration),
    /// The share of operations with `slow_latency` instead. Default 0.01.
    pub slow: f64,
    /// The minimum and maximum duration of a slow operation. Default 1 to 10 s.
    pub slow_latency: (Duration, Duration),
    /// Whether puts are conditional, as on Durable Objects or D1. With a `cache_ttl`, a `max_propagation` and a `locally_invisible`
    /// of zero, the store is then linearizable. Default false.
    pub conditional_puts: bool,
    /// The interval after a put in which the key refuses the next one with 429. Default 1 s.
    pub write_interval: Duration,
    /// True if deletes count as writes for this limit. Default false; KV does not document it.
    pub limits_deletes: bool,
    /// The number of keys on a page of a list. Default 1000.
    pub page_size: usize,
    /// The share of reads that fail. Default 0.
    pub failing_reads: f64,
    /// The share of puts that fail and are not applied. Default 0.
    pub failing_puts: f64,
    /// The share of puts that are applied but fail. Default 0.
    pub puts_applied_but_failed: f64,
    /// The share of puts that fail and are applied later, over puts made meanwhile. Default 0.
    pub late_puts: f64,
    /// The share of deletes that fail and are not applied. Default 0.
    pub failing_deletes: f64,
    /// The share of deletes that fail and are applied later. Default 0.
    pub late_deletes: f64,
    /// The minimum and maximum delay of late puts and deletes. Default 1 to 20 s.
    pub lateness: (Duration, Duration),
    /// The share of operations that are never answered. Default 0.
    pub hanging: f64,
    /// The share of lists that fail. Default 0.
    pub failing_lists: f64,
    /// The share of list pages that are empty although they are not the last. Default 0.
    pub empty_pages: f64,
}

impl Default for KvModelOptions {
    fn default() -> Self {
        Self {
            seed: 0,
            start: DateTime::from_timestamp(1_893_456_000, 0).unwrap_or_default(),
            cache_ttl: Duration::from_secs(30),
            typical_propagation: Duration::from_secs(10),
            max_propagation: Duration::from_secs(60),
            locally_invisible: 0.1,
            latency: (Duration::from_millis(5), Duration::from_millis(80)),
            slow: 0.01,
            slow_latency: (Duration::from_secs(1), Duration::from_secs(10)),
            conditional_puts: false,
            write_interval: Duration::from_secs(1),
            limits_deletes: false,
            page_size: 1_000,
            failing_reads: 0.0,
            failing_puts: 0.0,
            puts_applied_but_failed: 0.0,
            late_puts: 0.0,
            failing_deletes: 0.0,
            late_deletes: 0.0,
            lateness: (Duration::from_secs(1), Duration::from_secs(20)),
            hanging: 0.0,
            failing_lists: 0.0,
            empty_pages: 0.0,
        }
    }
}

impl KvModelOptions {
    /// Returns the options of KV on a bad day: about one operation in a hundred has a fault, of every kind.
    ///
    /// ```
    /// assert!(edge_session_kv_model::KvModelOptions::hostile().late_puts > 0.0);
    /// ```
    #[must_use]
    pub fn hostile() -> Self {
        Self {
            slow: 0.02,
            failing_reads: 0.004,
            failing_puts: 0.01,
            puts_applied_but_failed: 0.005,
            late_puts: 0.005,
            failing_deletes: 0.01,
            late_deletes: 0.01,
            hanging: 0.001,
            failing_lists: 0.02,
            empty_pages: 0.1,
            ..Self::default()
        }
    }

    /// Returns the same times and limits without random faults.
    ///
    /// ```
    /// use edge_session_kv_model::KvModelOptions;
    ///
    /// assert_eq!(KvModelOptions { slow: 0.01, ..KvModelOptions::hostile().without_faults() }, KvModelOptions::default());
    /// ```
    #[must_use]
    pub fn without_faults(self) -> Self {
        Self {
            failing_reads: 0.0,
            failing_puts: 0.0,
            puts_applied_but_failed: 0.0,
            late_puts: 0.0,
            failing_deletes: 0.0,
            late_deletes: 0.0,
            hanging: 0.0,
            failing_lists: 0.0,
            empty_pages: 0.0,
            ..self
        }
    }

    /// Returns the longest duration of a read.
    ///
    /// ```
    /// # use core::time::Duration;
    /// assert_eq!(edge_session_kv_model::KvModelOptions::default().slowest(), Duration::from_secs(10));
    /// ```
    #[must_use]
    pub fn slowest(&self) -> Duration {
        if self.slow > 0.0 { self.latency.1.max(self.slow_latency.1) } else { self.latency.1 }
    }

    /// Returns the staleness bound: a read that begins this long after the acknowledgement of a write returns no older value. The
    /// sum of propagation, a read that took the old value just before, and the cache that this read filled.
    ///
    /// ```
    /// # use core::time::Duration;
    /// assert_eq!(edge_session_kv_model::KvModelOptions::default().staleness_bound(), Duration::from_secs(100));
    /// ```
    #[must_use]
    pub fn staleness_bound(&self) -> Duration {
        self.cache_ttl.saturating_add(self.max_propagation).saturating_add(self.slowest())
    }
}

/// Converts a duration to whole microseconds.
pub(super) fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

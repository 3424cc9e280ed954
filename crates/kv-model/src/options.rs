//! How a modelled KV behaves: its times, its chances, its limits.

use core::time::Duration;

use chrono::{DateTime, Utc};

/// How a [`KvModel`](super::KvModel) behaves. The defaults are Workers KV on an ordinary day; probabilities go from 0 to 1.
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
    /// What all chance follows from. Default 0.
    pub seed: u64,
    /// The date at which virtual time begins. Default 1 January 2030.
    pub start: DateTime<Utc>,
    /// How long a location answers from its cache, a miss too, unless the read says it. Default 30 s.
    pub cache_ttl: Duration,
    /// Half of the writes reach another location within this time. Default 10 s.
    pub typical_propagation: Duration,
    /// All of them within this one; KV promises none. Default 60 s.
    pub max_propagation: Duration,
    /// How many writes are not noticed at once where they were made. Half of them are seen as soon as nothing older is cached
    /// there, half only after a propagation time. Default 0.1.
    pub locally_invisible: f64,
    /// The least and the most that an operation takes; it is applied at some moment in between. With zero and zero
    /// nothing waits, and no executor is needed. Default 5 to 80 ms.
    pub latency: (Duration, Duration),
    /// How many operations take one of `slow_latency` instead. Default 0.01.
    pub slow: f64,
    /// Default 1 to 10 s.
    pub slow_latency: (Duration, Duration),
    /// A key that was put less than this ago refuses the next put with 429. Default 1 s.
    pub write_interval: Duration,
    /// Whether deletes count as writes there. Default false: KV does not say.
    pub limits_deletes: bool,
    /// How many keys a list gives at once. Default 1000.
    pub page_size: usize,
    /// How many reads fail. Default 0.
    pub failing_reads: f64,
    /// How many puts fail and are not applied. Default 0.
    pub failing_puts: f64,
    /// How many puts are applied and answered with an error all the same. Default 0.
    pub puts_applied_but_failed: f64,
    /// How many puts are answered with an error and land later, over what was put meanwhile. Default 0.
    pub late_puts: f64,
    /// How many deletes fail and are not applied. Default 0.
    pub failing_deletes: f64,
    /// How many deletes are answered with an error and land later. Default 0.
    pub late_deletes: f64,
    /// How late they land, at least and at most. Default 1 to 20 s.
    pub lateness: (Duration, Duration),
    /// How many operations are never answered. Default 0.
    pub hanging: f64,
    /// How many lists fail. Default 0.
    pub failing_lists: f64,
    /// How many pages of a list are empty though it goes on. Default 0.
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
    /// KV on a bad day: one operation in a hundred or so goes wrong, in every way that it can by itself.
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

    /// The same times and limits without the faults that come by chance.
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

    /// The longest that a read may take.
    ///
    /// ```
    /// # use core::time::Duration;
    /// assert_eq!(edge_session_kv_model::KvModelOptions::default().slowest(), Duration::from_secs(10));
    /// ```
    #[must_use]
    pub fn slowest(&self) -> Duration {
        if self.slow > 0.0 { self.latency.1.max(self.slow_latency.1) } else { self.latency.1 }
    }

    /// From this time after a write was acknowledged on, no read that begins gives what was there before: propagation, a
    /// read that took the old value just before, and the cache that this read filled.
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

/// Whole microseconds.
pub(super) fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

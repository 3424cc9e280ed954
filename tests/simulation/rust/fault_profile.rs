//! The faults and delays of KV in one simulation.

use std::time::Duration;

use edge_session_kv_model::KvModelOptions;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FaultProfile {
    /// Propagation, caches and limits as on an ordinary day. One operation in a thousand is slow; none fails at random.
    Ordinary,
    /// About one operation in a hundred fails.
    Hostile,
    /// About one operation in ten fails.
    Stormy,
    /// Propagation takes up to 300 seconds, five times what the protocol is designed for.
    SlowPropagation,
    /// Every write is visible everywhere at once. The limit of one write per second and key remains.
    Consistent,
    /// The same without that limit: a local KV in development.
    Local,
    /// A linearizable store with conditional puts, such as Durable Objects or D1.
    Linearizable,
    /// The same, of whose operations about one in fifty fails, or is slow, late or lost.
    FailingLinearizable,
}

impl FaultProfile {
    pub const ALL: [Self; 6] =
        [Self::Ordinary, Self::Hostile, Self::Stormy, Self::SlowPropagation, Self::Consistent, Self::Local];

    /// The profiles of linearizable stores.
    pub const LINEARIZABLE: [Self; 2] = [Self::Linearizable, Self::FailingLinearizable];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Ordinary => "ordinary KV",
            Self::Hostile => "hostile KV",
            Self::Stormy => "stormy KV",
            Self::SlowPropagation => "propagation up to 300 s",
            Self::Consistent => "strong KV",
            Self::Local => "strong KV without a limit of writes",
            Self::Linearizable => "linearizable store",
            Self::FailingLinearizable => "failing linearizable store",
        }
    }

    pub fn options(self, seed: u64) -> KvModelOptions {
        let ordinary = KvModelOptions { seed, slow: 0.001, ..KvModelOptions::default() };
        match self {
            Self::Ordinary => ordinary,
            Self::Hostile => KvModelOptions { seed, ..KvModelOptions::hostile() },
            Self::Stormy => KvModelOptions {
                seed,
                slow: 0.05,
                locally_invisible: 0.3,
                failing_reads: 0.03,
                failing_puts: 0.15,
                puts_applied_but_failed: 0.04,
                late_puts: 0.04,
                failing_deletes: 0.15,
                late_deletes: 0.05,
                ..KvModelOptions::hostile()
            },
            Self::SlowPropagation => KvModelOptions { max_propagation: Duration::from_secs(300), ..ordinary },
            Self::Consistent => KvModelOptions {
                cache_ttl: Duration::ZERO,
                typical_propagation: Duration::ZERO,
                max_propagation: Duration::ZERO,
                locally_invisible: 0.0,
                latency: (Duration::from_millis(2), Duration::from_millis(13)),
                slow: 0.0,
                ..ordinary
            },
            Self::Local => KvModelOptions { write_interval: Duration::ZERO, ..Self::Consistent.options(seed) },
            Self::Linearizable => KvModelOptions { conditional_puts: true, ..Self::Local.options(seed) },
            Self::FailingLinearizable => KvModelOptions {
                slow: 0.02,
                failing_reads: 0.005,
                failing_puts: 0.01,
                puts_applied_but_failed: 0.01,
                late_puts: 0.01,
                failing_deletes: 0.02,
                late_deletes: 0.01,
                ..Self::Linearizable.options(seed)
            },
        }
    }

    /// Returns whether propagation stays within the 60 seconds that the published bounds assume.
    pub const fn has_published_propagation(self) -> bool {
        !matches!(self, Self::SlowPropagation)
    }

    pub const fn is_consistent(self) -> bool {
        matches!(self, Self::Consistent | Self::Local | Self::Linearizable)
    }

    pub const fn is_linearizable(self) -> bool {
        matches!(self, Self::Linearizable | Self::FailingLinearizable)
    }

    /// Returns whether operations fail at random.
    pub const fn fails(self) -> bool {
        matches!(self, Self::Hostile | Self::Stormy | Self::FailingLinearizable)
    }
}

//! The state of the model: the last versions of each key, and the cache of each location.

use alloc::borrow::ToOwned;
use alloc::collections::BTreeMap;
use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;

use crate::options::{KvModelOptions, micros};
use crate::random::Random;

/// The minimum number of versions that are kept of a key.
const REMEMBERED: usize = 16;

/// A value with its metadata and expiration.
#[derive(Clone, Debug)]
pub(crate) struct Stored {
    pub(super) value: Rc<[u8]>,
    pub(crate) metadata: Option<Rc<str>>,
    /// When it expires, in microseconds of virtual time.
    pub(crate) expires: Option<u64>,
    /// For conditional puts.
    pub(crate) generation: u32,
}

impl Stored {
    pub(super) fn is_live(&self, now: u64) -> bool {
        self.expires.is_none_or(|expires| expires > now)
    }
}

/// One write of a key.
#[derive(Clone, Debug)]
struct Version {
    /// The value; `None` for a delete.
    stored: Option<Stored>,
    applied: u64,
    origin: usize,
    /// The seed of its propagation times.
    seed: u64,
}

impl Version {
    fn random(&self, location: usize) -> Random {
        Random::new(self.seed ^ (location as u64).wrapping_mul(0x2545_f491_4f6c_dd1d))
    }

    /// Returns whether it replaces the cached value where it was made.
    fn replaces_cached(&self, options: &KvModelOptions) -> bool {
        !self.random(self.origin).chance(options.locally_invisible)
    }

    /// Returns the time from which `location` can read it, once its cache has expired.
    fn visible(&self, location: usize, options: &KvModelOptions) -> u64 {
        let mut random = self.random(location);
        // Half of the writes that do not replace the cached value are hidden by the cache only.
        if location == self.origin && (!random.chance(options.locally_invisible) || random.chance(0.5)) {
            return self.applied;
        }
        let (typical, most) = (options.typical_propagation.min(options.max_propagation), options.max_propagation);
        let range = if random.chance(0.5) { (core::time::Duration::ZERO, typical) } else { (typical, most) };
        self.applied.saturating_add(random.between(range))
    }
}

#[derive(Debug, Default)]
struct Key {
    /// The versions, in order; the newest last.
    versions: Vec<Version>,
    /// The time of the last accepted write.
    written: Option<u64>,
}

#[derive(Debug)]
struct Cached {
    stored: Option<Stored>,
    since: u64,
}

#[derive(Debug)]
struct Location {
    name: Rc<str>,
    cache: BTreeMap<String, Cached>,
}

#[derive(Debug, Default)]
pub(super) struct Namespace {
    keys: BTreeMap<String, Key>,
    locations: Vec<Location>,
}

/// The result of a read at a location.
pub(super) enum Looked {
    Cached(Option<Stored>),
    /// Read from the central store; cached when the response arrives.
    Fetched(Option<Stored>),
}

impl Namespace {
    /// Returns the index of a location. Creates it at its first use.
    pub(super) fn location(&mut self, name: &str) -> usize {
        self.locations.iter().position(|location| &*location.name == name).unwrap_or_else(|| {
            self.locations.push(Location { name: name.into(), cache: BTreeMap::new() });
            self.locations.len().saturating_sub(1)
        })
    }

    pub(super) fn name(&self, location: usize) -> Rc<str> {
        self.locations.get(location).map(|location| Rc::clone(&location.name)).unwrap_or_default()
    }

    /// Reads from the location's cache if the entry is younger than `cache_ttl`, and otherwise from the central store.
    pub(super) fn look(
        &self,
        location: usize,
        key: &str,
        (now, cache_ttl): (u64, u64),
        options: &KvModelOptions,
    ) -> Looked {
        let cache = self.locations.get(location).and_then(|location| location.cache.get(key));
        if let Some(cached) = cache.filter(|cached| cached.since.saturating_add(cache_ttl) > now) {
            return Looked::Cached(cached.stored.clone().filter(|stored| stored.is_live(now)));
        }
        Looked::Fetched(self.visible(location, key, now, options).filter(|stored| stored.is_live(now)))
    }

    fn visible(&self, location: usize, key: &str, now: u64, options: &KvModelOptions) -> Option<Stored> {
        let versions = &self.keys.get(key)?.versions;
        let seen = versions.iter().rev().find(|version| version.visible(location, options) <= now);
        seen.and_then(|version| version.stored.clone())
    }

    /// Puts a fetched or written value into a location's cache. The last one replaces earlier ones.
    pub(super) fn fill(&mut self, location: usize, key: &str, stored: Option<Stored>, now: u64) {
        if let Some(location) = self.locations.get_mut(location) {
            location.cache.insert(key.to_owned(), Cached { stored, since: now });
        }
    }

    /// Returns whether the key accepts a write now, and records it then.
    pub(super) fn admit(&mut self, key: &str, now: u64, interval: u64) -> bool {
        let key = self.keys.entry(key.to_owned()).or_default();
        let early = key.written.is_some_and(|written| now < written.saturating_add(interval));
        if !early {
            key.written = Some(now);
        }
        !early
    }

    /// Applies a write: its version is the newest from now on.
    pub(super) fn apply(
        &mut self,
        origin: usize,
        key: &str,
        stored: Option<Stored>,
        (now, seed): (u64, u64),
        options: &KvModelOptions,
    ) {
        let version = Version { stored: stored.clone(), applied: now, origin, seed };
        if version.replaces_cached(options) {
            self.fill(origin, key, stored, now);
        }
        let versions = &mut self.keys.entry(key.to_owned()).or_default().versions;
        versions.push(version);
        let everywhere = |version: &Version| version.applied.saturating_add(micros(options.max_propagation)) <= now;
        while versions.len() > REMEMBERED && versions.get(1).is_some_and(everywhere) {
            versions.remove(0);
        }
    }

    /// Returns the version of this many writes before the newest one, even if it is not visible yet.
    pub(super) fn before(&self, key: &str, writes: usize) -> Option<Stored> {
        self.keys.get(key)?.versions.iter().rev().nth(writes)?.stored.clone()
    }

    /// Returns the newest value of each key.
    pub(super) fn newest(&self, now: u64) -> impl Iterator<Item = (&str, &Stored)> {
        self.keys.iter().filter_map(move |(key, Key { versions, .. })| {
            let stored = versions.last()?.stored.as_ref()?;
            stored.is_live(now).then_some((key.as_str(), stored))
        })
    }

    /// Returns the keys that are visible at a location, from `start` on.
    pub(super) fn list(
        &self,
        location: usize,
        (prefix, start): (&str, &str),
        (now, limit): (u64, usize),
        options: &KvModelOptions,
    ) -> Vec<(String, Stored)> {
        let named = self.keys.range(start.to_owned()..).map(|(key, _)| key).take_while(|key| key.starts_with(prefix));
        let seen = named.filter_map(|key| {
            let stored = self.visible(location, key, now, options)?;
            stored.is_live(now).then(|| (key.clone(), stored))
        });
        seen.take(limit.saturating_add(1)).collect()
    }
}

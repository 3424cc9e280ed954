//! What a modelled KV holds: every key's last versions, and the cache of each location.

use alloc::borrow::ToOwned;
use alloc::collections::BTreeMap;
use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;

use crate::options::{KvModelOptions, micros};
use crate::random::Random;

/// So many versions of a key are remembered at least.
const REMEMBERED: usize = 16;

/// A value, and what was put with it.
#[derive(Clone, Debug)]
pub(crate) struct Stored {
    pub(super) value: Rc<[u8]>,
    pub(crate) metadata: Option<Rc<str>>,
    /// When KV drops it, in microseconds of virtual time.
    pub(crate) expires: Option<u64>,
}

impl Stored {
    pub(super) fn is_live(&self, now: u64) -> bool {
        self.expires.is_none_or(|expires| expires > now)
    }
}

/// One write of a key.
#[derive(Clone, Debug)]
struct Version {
    /// `None` is a delete.
    stored: Option<Stored>,
    landed: u64,
    origin: usize,
    /// What its times of propagation follow from.
    seed: u64,
}

impl Version {
    fn random(&self, location: usize) -> Random {
        Random::new(self.seed ^ (location as u64).wrapping_mul(0x2545_f491_4f6c_dd1d))
    }

    /// Whether it takes the place of what is cached where it was made.
    fn is_noticed(&self, options: &KvModelOptions) -> bool {
        !self.random(self.origin).chance(options.locally_invisible)
    }

    /// When `location` can see it, at its first look or when its cache is over.
    fn visible(&self, location: usize, options: &KvModelOptions) -> u64 {
        let mut random = self.random(location);
        // Of those that are not noticed where they were made, half are hidden by the cache alone.
        if location == self.origin && (!random.chance(options.locally_invisible) || random.chance(0.5)) {
            return self.landed;
        }
        let (typical, most) = (options.typical_propagation.min(options.max_propagation), options.max_propagation);
        let range = if random.chance(0.5) { (core::time::Duration::ZERO, typical) } else { (typical, most) };
        self.landed.saturating_add(random.between(range))
    }
}

#[derive(Debug, Default)]
struct Key {
    /// The newest last.
    versions: Vec<Version>,
    /// When a write was last let through.
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

/// What a location has for a key.
pub(super) enum Looked {
    Cached(Option<Stored>),
    /// Read from further away; goes into the cache with the answer.
    Fetched(Option<Stored>),
}

impl Namespace {
    /// The place of a location, made at its first mention.
    pub(super) fn location(&mut self, name: &str) -> usize {
        self.locations.iter().position(|location| &*location.name == name).unwrap_or_else(|| {
            self.locations.push(Location { name: name.into(), cache: BTreeMap::new() });
            self.locations.len().saturating_sub(1)
        })
    }

    pub(super) fn name(&self, location: usize) -> Rc<str> {
        self.locations.get(location).map(|location| Rc::clone(&location.name)).unwrap_or_default()
    }

    /// Looks into the location's cache, as far as it is not older than `cache_ttl`, and else further away.
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

    /// Puts what was fetched, or written there, into a location's cache. Of two that come at once the later one stays.
    pub(super) fn fill(&mut self, location: usize, key: &str, stored: Option<Stored>, now: u64) {
        if let Some(location) = self.locations.get_mut(location) {
            location.cache.insert(key.to_owned(), Cached { stored, since: now });
        }
    }

    /// Whether the key takes a write now; if so, that is noted.
    pub(super) fn admit(&mut self, key: &str, now: u64, interval: u64) -> bool {
        let key = self.keys.entry(key.to_owned()).or_default();
        let early = key.written.is_some_and(|written| now < written.saturating_add(interval));
        if !early {
            key.written = Some(now);
        }
        !early
    }

    /// Writes a version that is the newest from now on.
    pub(super) fn land(
        &mut self,
        origin: usize,
        key: &str,
        stored: Option<Stored>,
        (now, seed): (u64, u64),
        options: &KvModelOptions,
    ) {
        let version = Version { stored: stored.clone(), landed: now, origin, seed };
        if version.is_noticed(options) {
            self.fill(origin, key, stored, now);
        }
        let versions = &mut self.keys.entry(key.to_owned()).or_default().versions;
        versions.push(version);
        let everywhere = |version: &Version| version.landed.saturating_add(micros(options.max_propagation)) <= now;
        while versions.len() > REMEMBERED && versions.get(1).is_some_and(everywhere) {
            versions.remove(0);
        }
    }

    /// The version so many writes before the newest one, wherever it can be seen.
    pub(super) fn before(&self, key: &str, writes: usize) -> Option<Stored> {
        self.keys.get(key)?.versions.iter().rev().nth(writes)?.stored.clone()
    }

    /// What the store holds in the end under each key.
    pub(super) fn newest(&self, now: u64) -> impl Iterator<Item = (&str, &Stored)> {
        self.keys.iter().filter_map(move |(key, Key { versions, .. })| {
            let stored = versions.last()?.stored.as_ref()?;
            stored.is_live(now).then_some((key.as_str(), stored))
        })
    }

    /// The keys that a location can see, from `start` on.
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

//! What a history is made of, before it runs: who sends which request when, to which location, and how the world is set up.
//! All of it follows from the seed; parts of it can be left out to find the least that still goes wrong.

use std::fmt;
use std::time::Duration;

use edge_session::KvModelOptions;

use crate::chance::Chance;

pub const LOCATIONS: [&str; 4] = ["AMS", "IAD", "SIN", "GRU"];

/// Data keys: the first says who is logged in.
pub const KEYS: [&str; 8] = ["user", "k1", "k2", "k3", "k4", "k5", "k6", "k7"];
pub const USER: usize = 0;

/// Where a browser's requests arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Topology {
    One,
    Mostly,
    Roaming,
}

impl Topology {
    pub const ALL: [Self; 3] = [Self::One, Self::Mostly, Self::Roaming];

    pub const fn name(self) -> &'static str {
        match self {
            Self::One => "one location",
            Self::Mostly => "mostly one",
            Self::Roaming => "roaming",
        }
    }

    fn location(self, home: usize, chance: &mut Chance) -> usize {
        let away = match self {
            Self::One => false,
            Self::Mostly => chance.percent(5),
            Self::Roaming => true,
        };
        if away { chance.below(LOCATIONS.len()) } else { home }
    }
}

/// Who sends requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Each browser sends a request when it has the answer to the one before.
    Sequence,
    /// Each browser has several tabs.
    Tabs,
    /// And somebody has stolen their cookies.
    Thief,
}

impl Shape {
    pub const ALL: [Self; 3] = [Self::Sequence, Self::Tabs, Self::Thief];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Sequence => "one browser in sequence",
            Self::Tabs => "parallel tabs",
            Self::Thief => "tabs and a thief",
        }
    }
}

/// How KV behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Weather {
    /// As on an ordinary day: propagation and limits, one slow operation in a thousand, and nothing that fails by chance.
    Fair,
    /// One operation in a hundred or so goes wrong.
    Hostile,
    /// One in ten.
    Stormy,
}

impl Weather {
    pub const ALL: [Self; 3] = [Self::Fair, Self::Hostile, Self::Stormy];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Fair => "an ordinary day",
            Self::Hostile => "a hostile KV",
            Self::Stormy => "a storm",
        }
    }

    pub fn options(self, seed: u64) -> KvModelOptions {
        match self {
            Self::Fair => KvModelOptions { seed, slow: 0.001, ..KvModelOptions::default() },
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
        }
    }
}

/// What a request does with its session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    /// Nothing.
    Pass,
    Read,
    Set([usize; 2]),
    Remove(usize),
    /// Sets something and then answers with 500.
    Break(usize),
    /// The same session under another key, and the user in it; another user's session is ended first.
    Login {
        switch: bool,
    },
    Logout,
    /// No request: the thief takes what cookie the browser has.
    Steal,
    /// After everything else: whether a cookie that was given once opens a session.
    Probe,
}

#[derive(Clone, Debug)]
pub struct Step {
    /// Time since the answer before it.
    pub pause: Duration,
    pub location: usize,
    pub deed: Deed,
    /// How long the application takes between reading and writing.
    pub work: Duration,
    pub uplink: Duration,
    pub downlink: Duration,
    /// When the browser gives up.
    pub patience: Duration,
    /// Whether the answer gets lost on its way.
    pub loses_answer: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// A tab of a browser; the tabs of one browser have one cookie.
    Tab(usize),
    /// Has a copy of that browser's cookie. `keeps` what it is given afterwards, or goes on with the old one.
    Thief { of: usize, keeps: bool },
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tab(browser) => write!(f, "browser {browser}"),
            Self::Thief { of, .. } => write!(f, "thief of {of}"),
        }
    }
}

/// Requests that follow one another.
#[derive(Clone, Debug)]
pub struct Lane {
    pub who: Who,
    pub steps: Vec<Step>,
}

#[derive(Clone, Debug)]
pub struct Plan {
    pub seed: u64,
    pub topology: Topology,
    pub shape: Shape,
    pub weather: Weather,
    pub check_ended: bool,
    pub merge_stale: bool,
    pub cookie_age: i64,
    pub absolute_age: i64,
    pub save_every_request: bool,
    /// Characters that make the values longer.
    pub padding: usize,
    /// How far each location's clock is ahead, in milliseconds.
    pub skews: [i64; LOCATIONS.len()],
    /// When each location gets the secrets of the next deployment.
    pub deploys: Vec<[Duration; LOCATIONS.len()]>,
    /// Until when each location runs code that knows no journal.
    pub older: [Duration; LOCATIONS.len()],
    /// When KV is out, and until when.
    pub outages: Vec<(Duration, Duration)>,
    pub lanes: Vec<Lane>,
}

/// A life in seconds that can end while the world runs.
pub const SHORT: i64 = 100_000;

/// The clocks differ by twice this at most, in milliseconds.
pub const SKEW: u64 = 5_000;

impl Plan {
    pub fn new(seed: u64) -> Self {
        let kind = seed as usize;
        let (topology, shape) = (Topology::ALL[kind % 3], Shape::ALL[kind / 3 % 3]);
        let mut chance = Chance::new(seed);
        let short = chance.percent(15);
        let mut plan = Self {
            seed,
            topology,
            shape,
            weather: chance.weighted(&[(2, Weather::Fair), (5, Weather::Hostile), (3, Weather::Stormy)]),
            check_ended: !chance.percent(5),
            merge_stale: chance.percent(5),
            cookie_age: if short { 240 + chance.below(300) as i64 } else { 1_209_600 },
            absolute_age: if chance.percent(15) { 300 + chance.below(600) as i64 } else { 34_560_000 },
            save_every_request: chance.percent(20),
            padding: chance.weighted(&[(6, 0), (3, 40), (1, 300)]),
            skews: core::array::from_fn(|_| chance.below(2 * SKEW as usize + 1) as i64 - SKEW as i64),
            deploys: Vec::new(),
            older: Default::default(),
            outages: Vec::new(),
            lanes: Vec::new(),
        };
        if chance.percent(30) {
            let mut at = chance.millis((0, 300_000));
            for _ in 0..2 {
                plan.deploys.push(core::array::from_fn(|_| at + chance.millis((0, 30_000))));
                at += Duration::from_secs(60);
            }
        }
        if chance.percent(6) {
            plan.older = core::array::from_fn(|_| chance.millis((0, 400_000)));
        }
        if plan.weather != Weather::Fair && chance.percent(10) {
            let begins = chance.millis((20_000, 400_000));
            plan.outages.push((begins, begins + chance.millis((2_000, 60_000))));
        }
        plan.people(&mut chance);
        plan
    }

    /// Whether the settings are those that everybody has, and all locations run the same code.
    pub fn is_usual(&self) -> bool {
        self.check_ended && !self.merge_stale && self.older.iter().all(Duration::is_zero)
    }

    fn people(&mut self, chance: &mut Chance) {
        let (tabs, steps) = match self.shape {
            Shape::Sequence => (1, 30),
            Shape::Tabs => (2 + chance.below(2), 14),
            Shape::Thief => (1 + chance.below(2), 16),
        };
        for browser in 0..2 {
            let home = chance.below(LOCATIONS.len());
            for tab in 0..tabs {
                let kinds = if self.weather == Weather::Fair { FAIR_TAB } else { TAB };
                let steps = (0..steps).map(|at| self.step(home, at + tab == 0, kinds, chance)).collect();
                self.lanes.push(Lane { who: Who::Tab(browser), steps });
            }
            if self.shape == Shape::Thief {
                let home = if self.topology == Topology::One { home } else { chance.below(LOCATIONS.len()) };
                let steps = (0..14).map(|_| self.step(home, false, THIEF, chance)).collect();
                self.lanes.push(Lane { who: Who::Thief { of: browser, keeps: chance.percent(40) }, steps });
            }
        }
    }

    fn step(&self, home: usize, first: bool, kinds: &[(usize, Kind)], chance: &mut Chance) -> Step {
        let kind = if first { Kind::Set } else { chance.weighted(kinds) };
        let key = 1 + chance.below(KEYS.len() - 1);
        let other = if chance.percent(25) { 1 + chance.below(KEYS.len() - 1) } else { key };
        let deed = match kind {
            Kind::Pass => Deed::Pass,
            Kind::Read => Deed::Read,
            Kind::Set | Kind::SlowSet => Deed::Set([key, other]),
            Kind::Remove => Deed::Remove(key),
            Kind::Break => Deed::Break(key),
            Kind::Login => Deed::Login { switch: chance.percent(30) },
            Kind::Logout => Deed::Logout,
            Kind::Steal => Deed::Steal,
        };
        let work = match kind {
            Kind::SlowSet => chance.weighted(&[(4, (3_000, 45_000)), (1, (45_000, 180_000))]),
            _ => chance.weighted(&[(9, (0, 50)), (1, (50, 3_000))]),
        };
        let way = |chance: &mut Chance| {
            let range = chance.weighted(&[(97, (5, 100)), (3, (100, 4_000))]);
            chance.millis(range)
        };
        let pause = chance.weighted(&PAUSES);
        Step {
            pause: chance.millis(pause),
            location: self.topology.location(home, chance),
            deed,
            work: chance.millis(work),
            uplink: way(chance),
            downlink: way(chance),
            patience: if chance.percent(1) { chance.millis((10, 2_000)) } else { Duration::from_secs(240) },
            loses_answer: chance.percent(1),
        }
    }
}

/// Milliseconds between an answer and the next request: clicks, reading, and coming back.
const PAUSES: [(usize, (u64, u64)); 4] =
    [(55, (50, 2_000)), (28, (2_000, 15_000)), (14, (15_000, 60_000)), (3, (60_000, 200_000))];

#[derive(Clone, Copy)]
enum Kind {
    Pass,
    Read,
    Set,
    SlowSet,
    Remove,
    Break,
    Login,
    Logout,
    Steal,
}

const TAB: &[(usize, Kind)] = &[
    (6, Kind::Pass),
    (42, Kind::Read),
    (30, Kind::Set),
    (5, Kind::SlowSet),
    (5, Kind::Remove),
    (2, Kind::Break),
    (6, Kind::Login),
    (4, Kind::Logout),
];

/// With few requests that take long, and longer stays.
const FAIR_TAB: &[(usize, Kind)] = &[
    (20, Kind::Pass),
    (110, Kind::Read),
    (60, Kind::Set),
    (1, Kind::SlowSet),
    (6, Kind::Remove),
    (1, Kind::Break),
    (2, Kind::Login),
    (1, Kind::Logout),
];

const THIEF: &[(usize, Kind)] = &[
    (20, Kind::Steal),
    (40, Kind::Read),
    (18, Kind::Set),
    (16, Kind::SlowSet),
    (2, Kind::Remove),
    (2, Kind::Login),
    (2, Kind::Logout),
];

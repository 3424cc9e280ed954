//! The input of one simulation: which client sends which request when and to which location, the settings, and the faults.
//!
//! Everything follows from the seed. Parts of a plan can be left out, to find the smallest plan that still breaks an
//! invariant.

mod pages;
mod sequences;

use std::fmt;
use std::time::Duration;

use crate::fault_profile::FaultProfile;
use crate::rng::Rng;

pub const LOCATIONS: [&str; 4] = ["AMS", "IAD", "SIN", "GRU"];

/// The most isolates that one location has.
pub const SLOTS: usize = 3;

/// Data keys: the first holds who is logged in.
pub const KEYS: [&str; 8] = ["user", "k1", "k2", "k3", "k4", "k5", "k6", "k7"];
pub const USER: usize = 0;

/// A session life in seconds below which sessions can expire within a simulation.
pub const SHORT: i64 = 100_000;

/// The largest deviation of a location's clock, in milliseconds. Two clocks differ by at most twice as much.
pub const SKEW: u64 = 5_000;

/// The largest difference between two clocks.
pub const CLOCKS: Duration = Duration::from_millis(2 * SKEW);

/// Where a browser's requests arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Topology {
    /// One location with one isolate that is never evicted.
    OneIsolate,
    /// One location with up to three isolates.
    OneLocation,
    /// Five of a hundred requests at another location.
    Mostly,
    /// Every request at any location.
    Roaming,
}

impl Topology {
    pub const ALL: [Self; 4] = [Self::OneIsolate, Self::OneLocation, Self::Mostly, Self::Roaming];

    pub const fn name(self) -> &'static str {
        match self {
            Self::OneIsolate => "one isolate",
            Self::OneLocation => "one location",
            Self::Mostly => "5 % elsewhere",
            Self::Roaming => "anywhere",
        }
    }

    fn location(self, home: usize, rng: &mut Rng) -> usize {
        let away = match self {
            Self::OneIsolate | Self::OneLocation => false,
            Self::Mostly => rng.percent(5),
            Self::Roaming => true,
        };
        if away { rng.below(LOCATIONS.len()) } else { home }
    }
}

/// What the clients do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Traffic {
    /// Each browser sends a request once the previous one is answered.
    Sequence,
    /// Each browser has several tabs, and each tab sends one request at a time.
    Tabs,
    /// Tabs, and a thief with a copy of the browser's cookies.
    Thief,
    /// Pages that send two to eight requests at once, and logins.
    Pages,
    /// Pages, logins and logouts.
    Logouts,
    /// Pages, logins, and saves from outside of requests.
    OutsideSaves,
    /// Pages, logins, and sessions that are ended by their key.
    Deletions,
    /// Pages and logins while a deployment with other settings is rolled out.
    Deployments,
    /// Requests that follow one another more often than the session's life requires, some of them slow.
    ActiveVisitor,
}

impl Traffic {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sequence => "one browser in sequence",
            Self::Tabs => "parallel tabs",
            Self::Thief => "tabs and a thief",
            Self::Pages => "pages",
            Self::Logouts => "pages and logouts",
            Self::OutsideSaves => "pages and saves from outside of requests",
            Self::Deletions => "pages and deletions by key",
            Self::Deployments => "pages during a deployment",
            Self::ActiveVisitor => "an active visitor",
        }
    }
}

/// What a request does with its session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Does not touch it.
    Pass,
    Read,
    Set([usize; 2]),
    Remove(usize),
    /// Clears it without a look at it, then sets a key.
    Clear(usize),
    /// Gives it a new key beside the old one, then sets a data key.
    Create(usize),
    /// Sets a key and saves at once, then sets it again before the commit.
    SaveEarly(usize),
    /// Sets a key, then answers with status 500.
    Break(usize),
    /// Sets a key, also logs in if `login`, then fails without a commit.
    Throw {
        key: usize,
        login: bool,
    },
    /// Rotates the key and sets the user. With `switch`, ends the session of another user first.
    Login {
        switch: bool,
    },
    Logout,
    /// No request: the thief copies the browser's cookies.
    Steal,
    /// Outside of a request: opens the browser's session by its key, sets a data key, and saves.
    SaveOutside(usize),
    /// A request of another visitor that opens the browser's session by its key and commits it.
    CommitOpened,
    /// Outside of a request: ends the browser's session by the key that the application noted.
    Delete(Noted),
    /// The same by opening and flushing it.
    FlushOpened(Noted),
    /// After everything else: reads with a cookie that was given at some time.
    Probe,
}

/// Which key of a browser's session the application has noted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Noted {
    AtFirstLogin,
    Last,
}

#[derive(Clone, Debug)]
pub struct Step {
    /// Time from the beginning of the page.
    pub delay: Duration,
    pub location: usize,
    /// Which of the location's isolates serves the request, modulo their number.
    pub slot: usize,
    pub action: Action,
    /// How long the handler takes between reading and writing.
    pub work: Duration,
    pub uplink: Duration,
    pub downlink: Duration,
    /// When the browser aborts the request.
    pub patience: Duration,
    /// Whether the answer is lost on its way.
    pub loses_answer: bool,
    /// How often the request is sent again after an error.
    pub retries: usize,
}

/// Requests that a tab sends together. Its next page begins when they are answered.
#[derive(Clone, Debug)]
pub struct Page {
    /// Time since the end of the previous page.
    pub pause: Duration,
    pub steps: Vec<Step>,
    /// The visitor goes on after this time even if not all requests are answered.
    pub stay: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// A tab of a browser. The tabs of one browser share its cookie jar.
    Tab(usize),
    /// Has a copy of that browser's cookies. With `keeps`, applies the cookies of its answers; else goes on with the copy.
    Thief { of: usize, keeps: bool },
    /// Works on that browser's session by its key.
    Operator { of: usize },
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tab(browser) => write!(f, "browser {browser}"),
            Self::Thief { of, .. } => write!(f, "thief of {of}"),
            Self::Operator { of } => write!(f, "operator on {of}"),
        }
    }
}

/// Pages that follow one another.
#[derive(Clone, Debug)]
pub struct Lane {
    pub who: Who,
    pub pages: Vec<Page>,
}

/// Where browsers send the cookie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// This host, every path: the default.
    Host,
    Path(&'static str),
    Domain(&'static str),
}

/// The settings of a deployment that differ between deployments.
#[derive(Clone, Copy, Debug)]
pub struct Version {
    /// The secrets in force, the signing one first.
    pub secrets: &'static [usize],
    pub scope: Scope,
    pub prefix: &'static str,
    pub max_record_bytes: usize,
}

impl Version {
    pub const FIRST: Self =
        Self { secrets: &[0], scope: Scope::Host, prefix: "edge-session", max_record_bytes: 64 * 1024 };
}

/// When the isolates of each location run a new version.
pub type Rollout = [[Duration; SLOTS]; LOCATIONS.len()];

/// The end of an isolate, whose memory is lost. Another one takes its place.
#[derive(Clone, Copy, Debug)]
pub struct Eviction {
    pub at: Duration,
    pub location: usize,
    pub slot: usize,
}

#[derive(Clone, Debug)]
pub struct Plan {
    pub seed: u64,
    pub topology: Topology,
    pub traffic: Traffic,
    pub profile: FaultProfile,
    pub check_ended: bool,
    pub merge_stale: bool,
    pub cookie_age: i64,
    pub absolute_age: i64,
    pub save_every_request: bool,
    /// Characters that make the values longer.
    pub padding: usize,
    /// How far each location's clock is ahead, in milliseconds.
    pub skews: [i64; LOCATIONS.len()],
    /// The versions, and when each but the first is rolled out.
    pub versions: Vec<Version>,
    pub rollouts: Vec<Rollout>,
    /// Until when each location runs code that knows no journal.
    pub older: [Duration; LOCATIONS.len()],
    /// When KV is out, and until when.
    pub outages: Vec<(Duration, Duration)>,
    /// Isolates per location.
    pub isolates: usize,
    pub evictions: Vec<Eviction>,
    pub lanes: Vec<Lane>,
}

/// Which generator makes the plans.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Generator {
    /// Three of four plans have pages, one of four has sequences of requests.
    Mixed,
    /// The mixed plans on linearizable stores.
    Linearizable,
    /// Sequences of requests only: the plans that `--generator sequences` numbers as earlier releases did.
    Sequences,
}

impl Plan {
    pub fn new(generator: Generator, seed: u64) -> Self {
        match generator {
            Generator::Sequences => sequences::plan(seed),
            Generator::Mixed if seed.is_multiple_of(4) => sequences::plan(seed / 4),
            Generator::Mixed => pages::plan(seed),
            Generator::Linearizable => {
                let profile = FaultProfile::LINEARIZABLE[usize::from(seed.is_multiple_of(3))];
                let older = Default::default();
                Self { profile, older, outages: Vec::new(), ..Self::new(Generator::Mixed, seed) }
            }
        }
    }

    /// Returns whether all settings are the default ones and all locations run the current code.
    pub fn is_usual(&self) -> bool {
        self.check_ended && !self.merge_stale && !self.runs_older_code() && !self.is_partitioned()
    }

    pub fn runs_older_code(&self) -> bool {
        self.older.iter().any(|until| !until.is_zero())
    }

    /// Returns whether versions run side by side that cannot read each other's records or cookies.
    pub fn is_partitioned(&self) -> bool {
        let first = self.versions[0];
        self.versions.iter().any(|version| {
            let reads = version.prefix == first.prefix && version.max_record_bytes == first.max_record_bytes;
            !reads || !version.secrets.contains(&0)
        })
    }

    /// Returns whether sessions can expire while the simulation runs.
    pub fn is_short_lived(&self) -> bool {
        self.cookie_age < SHORT || self.absolute_age < SHORT
    }
}

/// Evictions, some minutes apart at each location.
fn evictions(isolates: usize, rng: &mut Rng) -> Vec<Eviction> {
    let mut evictions = Vec::new();
    for location in 0..LOCATIONS.len() {
        let mut at = rng.millis((10_000, 200_000));
        while at < Duration::from_secs(600) {
            evictions.push(Eviction { at, location, slot: rng.below(isolates) });
            at += rng.millis((20_000, 300_000));
        }
    }
    evictions
}

/// The time that a message takes between browser and location.
fn way(rng: &mut Rng) -> Duration {
    let range = rng.weighted(&[(97, (5, 100)), (3, (100, 4_000))]);
    rng.millis(range)
}

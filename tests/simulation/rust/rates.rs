//! How often what happens: rates that are printed, one browser in sequence and parallel tabs apart.

use std::collections::BTreeMap;

use edge_session::ErrorKind;

use crate::history::{Exchange, History, Id};
use crate::plan::{Deed, Shape, Topology, Who};
use crate::promises::is_told;
use crate::world::World;

/// What happened in the histories of one topology and one shape.
#[derive(Default)]
pub struct Rates {
    pub requests: u64,
    pub operations: u64,
    /// So many requests for each reason that a load gave.
    pub reasons: BTreeMap<&'static str, u64>,
    /// So many requests for each way in which a commit failed.
    pub failures: BTreeMap<&'static str, u64>,
    /// Loads that lacked, untold, an acknowledged write of the same browser.
    pub own_writes_not_read: u64,
    /// Acknowledged writes that a save of the same session dropped though it did not overwrite them, for good.
    pub writes_lost: u64,
    /// So many cookies of each length, name included.
    pub cookies: BTreeMap<usize, u64>,
}

impl Rates {
    pub fn take(&mut self, world: &World) {
        let history = world.history.borrow();
        for (id, exchange) in history.each().filter(|(_, exchange)| exchange.deed != Deed::Probe) {
            self.requests += 1;
            self.operations += exchange.operations as u64;
            *self.reasons.entry(exchange.reason()).or_default() += 1;
            if let Some(Err(kind)) = exchange.commit.as_ref().map(|commit| commit.outcome) {
                *self.failures.entry(kind.code()).or_default() += 1;
            }
            self.own_writes_not_read += u64::from(lacks_own_write(&history, id, exchange));
            if let Some(token) = exchange.token {
                *self.cookies.entry(history.tokens[token].text.len() + "__Host-sessionid=".len()).or_default() += 1;
            }
        }
        let dropped = history.dropped.iter().filter(|(id, _)| history.of(*id).is_acknowledged());
        self.writes_lost += dropped.count() as u64;
    }

    pub fn add(&mut self, other: Self) {
        self.requests += other.requests;
        self.operations += other.operations;
        self.own_writes_not_read += other.own_writes_not_read;
        self.writes_lost += other.writes_lost;
        other.reasons.into_iter().for_each(|(reason, count)| *self.reasons.entry(reason).or_default() += count);
        other.failures.into_iter().for_each(|(code, count)| *self.failures.entry(code).or_default() += count);
        other.cookies.into_iter().for_each(|(bytes, count)| *self.cookies.entry(bytes).or_default() += count);
    }

    fn per_ten_thousand(&self, count: u64) -> f64 {
        count as f64 * 10_000.0 / self.requests.max(1) as f64
    }

    fn reason(&self, reason: &str) -> f64 {
        self.per_ten_thousand(self.reasons.get(reason).copied().unwrap_or_default())
    }

    fn failure(&self, kind: ErrorKind) -> f64 {
        self.per_ten_thousand(self.failures.get(kind.code()).copied().unwrap_or_default())
    }

    fn cookie_bytes(&self) -> (f64, usize, usize) {
        let count: u64 = self.cookies.values().sum();
        let sum: f64 = self.cookies.iter().map(|(bytes, count)| *bytes as f64 * *count as f64).sum();
        let mut rest = count.div_ceil(100);
        let high = self.cookies.iter().rev().find(|(_, count)| {
            let found = rest <= **count;
            rest = rest.saturating_sub(**count);
            found
        });
        let most = self.cookies.last_key_value().map_or(0, |(bytes, _)| *bytes);
        (sum / count.max(1) as f64, high.map_or(0, |(bytes, _)| *bytes), most)
    }

    /// The figures, each with what it is called.
    fn figures(&self) -> Vec<(&'static str, f64)> {
        let (mean, high, most) = self.cookie_bytes();
        vec![
            ("requests", self.requests as f64),
            ("own writes not read, untold", self.per_ten_thousand(self.own_writes_not_read)),
            ("writes lost to another save", self.per_ten_thousand(self.writes_lost)),
            ("unavailable", self.reason("unavailable")),
            ("unknown", self.reason("unknown")),
            ("interrupted saves", self.failure(ErrorKind::SessionInterrupted)),
            ("failed saves", self.failure(ErrorKind::StoreUnavailable)),
            ("cookie bytes, mean", mean),
            ("cookie bytes, 99 of 100", high as f64),
            ("cookie bytes, most", most as f64),
            ("KV operations a request", self.operations as f64 / self.requests.max(1) as f64),
        ]
    }
}

/// Whether a load lacked, untold, what its browser had written and had the answer to.
fn lacks_own_write(history: &History, id: Id, exchange: &Exchange) -> bool {
    let (Who::Tab(browser), Some(seen), Some(key)) = (exchange.who, exchange.seen, exchange.key) else { return false };
    if is_told(exchange) {
        return false;
    }
    let before = history.each().take(id - 1).filter(|(_, other)| other.who == Who::Tab(browser));
    let mut newest = [0; 8];
    for (by, other) in before {
        let is_answered = other.received.is_some_and(|(at, _)| at <= exchange.sent);
        let is_same = other.key_after.is_some_and(|other| history.root(other) == history.root(key));
        if is_answered && is_same && other.is_acknowledged() && other.has_put() {
            other.touched.iter().for_each(|key| newest[*key] = by);
        }
    }
    seen.into_iter().zip(newest).enumerate().any(|(key, (mark, by))| {
        let removed = by > 0 && matches!(history.of(by).deed, Deed::Remove(_));
        let older = if mark.present { mark.by < by } else { by > 0 && !removed };
        older && !exchange.touched_by_others(history, key, by)
    })
}

impl Exchange {
    /// Whether somebody else wrote the key since, so that what is seen may be theirs.
    fn touched_by_others(&self, history: &History, key: usize, since: Id) -> bool {
        history.each().skip(since).any(|(_, other)| other.touched.contains(&key) && other.began < self.began)
    }
}

/// A table for each shape: a line for each figure, a column for each topology.
pub fn print(rates: &BTreeMap<(usize, usize), Rates>) {
    for (at, shape) in Shape::ALL.into_iter().enumerate() {
        let columns: Vec<_> = (0..Topology::ALL.len()).filter_map(|topology| rates.get(&(topology, at))).collect();
        if columns.len() < Topology::ALL.len() {
            continue;
        }
        println!("\n{:<32}{}", shape.name(), Topology::ALL.map(|topology| format!("{:>14}", topology.name())).concat());
        let columns: Vec<_> = columns.into_iter().map(Rates::figures).collect();
        for (line, (name, _)) in columns[0].iter().enumerate() {
            let digits = usize::from(*name != "requests");
            let cells = columns.iter().map(|column| format!("{:>14.digits$}", column[line].1));
            println!("{name:<32}{}", cells.collect::<String>());
        }
    }
    println!("\nPer 10,000 requests, but for requests, bytes and operations.");
}

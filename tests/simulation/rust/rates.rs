//! How often what happens: rates that are printed, one browser in sequence and parallel tabs apart.

use std::collections::BTreeMap;

use edge_session::{ErrorKind, EventKind, LoadReason};

use crate::history::{Exchange, Given, History, Id};
use crate::plan::{Deed, Shape, Topology, Weather, Who};
use crate::promises::{is_told, is_touched};
use crate::world::World;

type Counted = fn(&History, Id, &Exchange) -> bool;

/// What is counted, for each 10,000 requests.
const COUNTED: [(&str, Counted); 15] = [
    ("repaired from the cookie", |_, _, exchange| exchange.reason == Some(LoadReason::StaleRepaired)),
    ("stale", |_, _, exchange| exchange.reason == Some(LoadReason::Stale)),
    ("not yet visible where it was saved", |history, _, exchange| {
        let saved = exchange.token.map(|token| history.of(history.tokens[token].by).location);
        exchange.reason == Some(LoadReason::NotYetVisible) && saved == Some(exchange.location)
    }),
    ("not yet visible", |_, _, exchange| exchange.reason == Some(LoadReason::NotYetVisible)),
    ("lost, and told", |_, _, exchange| exchange.reason == Some(LoadReason::Lost)),
    ("save refused: stale", |_, _, exchange| {
        is_refused(exchange) && exchange.reason != Some(LoadReason::NotYetVisible)
    }),
    ("save refused: not yet visible", |_, _, exchange| {
        is_refused(exchange) && exchange.reason == Some(LoadReason::NotYetVisible)
    }),
    ("own write not read, untold", |history, id, exchange| {
        lacks_own_write(history, id, exchange).is_some_and(|by| has_told(history.of(by)))
    }),
    ("own write not read, whose cookie did not come", |history, id, exchange| {
        lacks_own_write(history, id, exchange).is_some_and(|by| !has_told(history.of(by)))
    }),
    ("write undone by another save", |history, id, exchange| is_undone(history, id, exchange) && has_told(exchange)),
    ("write undone, whose cookie did not come", |history, id, exchange| {
        is_undone(history, id, exchange) && !has_told(exchange)
    }),
    ("write undone by the second try of a save at the same place", |history, id, exchange| {
        let undone = history.dropped.iter().filter(|((by, _), _)| *by == id).map(|(_, by)| history.of(*by));
        let mut between = undone.filter(|by| {
            let tries = by.puts.first().zip(by.puts.last());
            let is_between = tries.is_some_and(|(one, last)| one.at < exchange.ended() && exchange.ended() < last.at);
            is_between && by.location == exchange.location
        });
        exchange.is_acknowledged() && between.next().is_some()
    }),
    ("journal cut", |_, _, exchange| exchange.events.contains(&EventKind::JournalCut)),
    ("save of an ended session", |_, _, exchange| failed(exchange, ErrorKind::SessionInterrupted)),
    ("unavailable", |_, _, exchange| failed(exchange, ErrorKind::StoreUnavailable)),
];

/// What happened in the histories of one topology and one shape.
#[derive(Clone, Default)]
pub struct Rates {
    requests: u64,
    counts: [u64; COUNTED.len()],
    /// KV's reads, writes and deletes.
    operations: [u64; 3],
    /// So many cookies of each length, name included.
    cookies: BTreeMap<usize, u64>,
}

fn failed(exchange: &Exchange, kind: ErrorKind) -> bool {
    exchange.commit.as_ref().is_some_and(|commit| commit.outcome == Err(kind))
}

fn is_refused(exchange: &Exchange) -> bool {
    exchange.events.contains(&EventKind::RefusedStale)
}

fn is_undone(history: &History, id: Id, exchange: &Exchange) -> bool {
    exchange.is_acknowledged() && history.dropped.keys().any(|(by, _)| *by == id)
}

/// Whether the browser has a cookie of what the request wrote: not from one that took over 5 s, or whose answer got lost.
fn has_told(exchange: &Exchange) -> bool {
    matches!(exchange.given, Given::Token(_)) && exchange.received.is_some()
}

impl Rates {
    pub fn take(&mut self, world: &World) {
        let history = world.history.borrow();
        for (id, exchange) in history.each().filter(|(_, exchange)| exchange.deed != Deed::Probe) {
            self.requests += 1;
            for (count, (_, is_it)) in self.counts.iter_mut().zip(COUNTED) {
                *count += u64::from(is_it(&history, id, exchange));
            }
            for (sum, operations) in self.operations.iter_mut().zip(exchange.operations) {
                *sum += operations;
            }
            if let Some(token) = exchange.token {
                *self.cookies.entry(history.tokens[token].text.len() + "__Host-sessionid=".len()).or_default() += 1;
            }
        }
    }

    pub fn add(&mut self, other: Self) {
        self.requests += other.requests;
        let counts = self.counts.iter_mut().zip(other.counts);
        counts.chain(self.operations.iter_mut().zip(other.operations)).for_each(|(sum, count)| *sum += count);
        other.cookies.into_iter().for_each(|(bytes, count)| *self.cookies.entry(bytes).or_default() += count);
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
    pub fn figures(&self) -> Vec<(&'static str, f64)> {
        let each = |count: u64| count as f64 / self.requests.max(1) as f64;
        let (mean, high, most) = self.cookie_bytes();
        let mut figures: Vec<_> =
            COUNTED.iter().zip(self.counts).map(|((name, _), count)| (*name, each(count) * 10_000.0)).collect();
        figures.extend([("cookie bytes, mean", mean), ("cookie bytes, 99 of 100", high as f64)]);
        figures.extend([("cookie bytes, most", most as f64)]);
        let names = ["KV reads a request", "KV writes a request", "KV deletes a request"];
        figures.extend(names.into_iter().zip(self.operations.map(each)));
        figures
    }
}

/// Whose write a load lacked, untold, though the same browser had the answer to it.
fn lacks_own_write(history: &History, id: Id, exchange: &Exchange) -> Option<Id> {
    let (Who::Tab(browser), Some(seen), Some(key)) = (exchange.who, exchange.seen, exchange.key) else { return None };
    if is_told(exchange) || is_touched(history, id, key, exchange.began) {
        return None;
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
    let lacking = seen.into_iter().zip(newest).enumerate().find(|(key, (mark, by))| {
        let removed = *by > 0 && matches!(history.of(*by).deed, Deed::Remove(_));
        let older = if mark.present { mark.by < *by } else { *by > 0 && !removed };
        older && !exchange.touched_by_others(history, *key, *by)
    });
    lacking.map(|(_, (_, by))| by)
}

impl Exchange {
    /// Whether somebody else wrote the key since, so that what is seen may be theirs.
    fn touched_by_others(&self, history: &History, key: usize, since: Id) -> bool {
        history.each().skip(since).any(|(_, other)| other.touched.contains(&key) && other.began < self.began)
    }
}

/// The rates of each weather, shape and topology.
pub type All = BTreeMap<(Weather, usize, usize), Rates>;

/// A table for each weather and shape: a line for each figure, a column for each topology.
pub fn print(all: &All) {
    println!("\nPer 10,000 requests, but for bytes and operations.");
    for weather in Weather::ALL {
        for (at, shape) in Shape::ALL.into_iter().enumerate() {
            let columns: Vec<_> =
                (0..Topology::ALL.len()).filter_map(|topology| all.get(&(weather, at, topology))).collect();
            if columns.len() == Topology::ALL.len() {
                table(weather, shape, &columns);
            }
        }
    }
}

fn table(weather: Weather, shape: Shape, columns: &[&Rates]) {
    let requests: u64 = columns.iter().map(|column| column.requests).sum();
    println!("\n{}, {}: {requests} requests\n", shape.name(), weather.name());
    println!("| | {} |", Topology::ALL.map(Topology::name).join(" | "));
    println!("| --- | ---: | ---: | ---: |");
    let columns: Vec<_> = columns.iter().map(|column| column.figures()).collect();
    for (line, (name, _)) in columns[0].iter().enumerate() {
        let digits = match name {
            _ if name.starts_with("cookie") => 0,
            _ if name.starts_with("KV") => 2,
            _ => 1,
        };
        let cells: Vec<_> = columns.iter().map(|column| format!("{:.digits$}", column[line].1)).collect();
        println!("| {name} | {} |", cells.join(" | "));
    }
}

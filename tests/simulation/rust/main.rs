//! Random histories of browsers, tabs and thieves at several locations on a KV that is as bad as KV can be, and whether the
//! sessions keep what they promise: `simulation --seeds 5000 --first 1`, `--tell SEED` for what happened in one of them, and
//! `--brief` to leave out how a promise was broken.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, clippy::arithmetic_side_effects)]
#![allow(missing_docs)]

mod chance;
mod history;
mod plan;
mod promises;
mod rates;
mod report;
mod shrink;
mod store;
mod world;

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use plan::{Plan, Shape, Topology};
use promises::{Findings, Promise, check};

/// So many histories are enough for every promise to be put to the test.
const ENOUGH: u64 = 1_000;

#[derive(Default)]
struct Tally {
    tested: BTreeMap<Promise, u64>,
    /// The seeds in which each promise was broken.
    broken: BTreeMap<Promise, Vec<u64>>,
    rates: rates::All,
}

impl Tally {
    fn take(&mut self, seed: u64) {
        let plan = Plan::new(seed);
        let world = world::run(&plan, seed);
        let Findings { violations, tested } = check(&world);
        tested.into_iter().for_each(|(promise, times)| *self.tested.entry(promise).or_default() += times);
        for violation in violations {
            let seeds = self.broken.entry(violation.promise).or_default();
            if seeds.last() != Some(&seed) {
                seeds.push(seed);
            }
        }
        let topology = Topology::ALL.iter().position(|one| *one == plan.topology).unwrap();
        let shape = Shape::ALL.iter().position(|one| *one == plan.shape).unwrap();
        // What is left out on purpose would only blur them.
        if plan.is_usual() {
            self.rates.entry((plan.weather, shape, topology)).or_default().take(&world);
        }
    }

    fn add(&mut self, other: Self) {
        other.tested.into_iter().for_each(|(promise, times)| *self.tested.entry(promise).or_default() += times);
        other.broken.into_iter().for_each(|(promise, seeds)| self.broken.entry(promise).or_default().extend(seeds));
        other.rates.into_iter().for_each(|(kind, rates)| self.rates.entry(kind).or_default().add(rates));
    }
}

/// Runs the histories of these seeds on all processors.
fn tally(first: u64, seeds: u64) -> Tally {
    let next = AtomicU64::new(first);
    let work = || {
        let mut tally = Tally::default();
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= first + seeds {
                return tally;
            }
            tally.take(seed);
        }
    };
    let processors = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        let threads: Vec<_> = (0..processors).map(|_| scope.spawn(work)).collect();
        let mut all = Tally::default();
        threads.into_iter().for_each(|thread| all.add(thread.join().unwrap()));
        all.broken.values_mut().for_each(|seeds| seeds.sort_unstable());
        all
    })
}

fn option(name: &str) -> Option<u64> {
    let at = std::env::args().position(|argument| argument == name)?;
    let value = std::env::args().nth(at + 1).unwrap_or_default();
    Some(value.parse().unwrap_or_else(|_| panic!("{name} needs a number, not \"{value}\"")))
}

fn main() -> ExitCode {
    if let Some(seed) = option("--tell") {
        let world = world::run(&Plan::new(seed), seed);
        for violation in check(&world).violations {
            println!("{}", report::tell(&shrink::Broken { world: world.clone(), violation }, seed));
        }
        return ExitCode::SUCCESS;
    }
    let (first, seeds) = (option("--first").unwrap_or(1), option("--seeds").unwrap_or(5_000));
    let tally = tally(first, seeds);
    rates::print(&tally.rates);
    println!();
    let (mut kept, mut broken) = (0, 0);
    for promise in Promise::ALL {
        let times = tally.tested.get(&promise).copied().unwrap_or_default();
        let seeds_of = tally.broken.get(&promise);
        let untested = times == 0 && seeds >= ENOUGH;
        let how = match seeds_of {
            Some(seeds) => format!("BROKEN in {} of them", seeds.len()),
            None if untested => "NEVER TESTED".to_owned(),
            None => "kept".to_owned(),
        };
        if seeds_of.is_some() || untested {
            broken += 1
        } else {
            kept += 1
        }
        println!("{how:<26}{} (tested {times} times)", promise.text());
    }
    let brief = std::env::args().any(|argument| argument == "--brief");
    for (promise, seeds) in tally.broken.iter().filter(|_| !brief) {
        println!("\n{}: seeds {:?}", promise.text(), &seeds[..seeds.len().min(8)]);
        if let Some(least) = shrink::shrink(seeds[0], *promise) {
            println!("\n{}", report::tell(&least, seeds[0]));
        }
    }
    println!("\n{seeds} histories: {kept} promises kept, {broken} broken");
    if broken == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

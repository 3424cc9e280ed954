//! Simulations of browsers, thieves and operators at several locations, on a KV that behaves as badly as KV can, and whether
//! sessions hold their invariants: `simulation --seeds 5000 --first 1`; `--show SEED` prints the violations in one history;
//! `--brief` leaves the histories out; `--generator sequences` makes the plans of earlier releases; `--invariant LoginStays`
//! shrinks the violations of that one alone.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, clippy::arithmetic_side_effects)]
#![allow(missing_docs)]

mod analysis;
mod application;
mod fault_profile;
mod history;
mod invariants;
mod jar;
mod plan;
mod rates;
mod report;
mod rng;
mod shrink;
mod simulation;
mod store;

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use invariants::{Findings, Invariant, check};
use plan::{Generator, Plan, Topology};

/// The number of histories that suffices to test every invariant.
const ENOUGH: u64 = 1_000;

#[derive(Default)]
struct Tally {
    tested: BTreeMap<Invariant, u64>,
    /// The seeds in which each invariant was broken.
    broken: BTreeMap<Invariant, Vec<u64>>,
    rates: rates::All,
}

impl Tally {
    fn take(&mut self, generator: Generator, seed: u64) {
        let plan = Plan::new(generator, seed);
        let simulation = simulation::run(&plan, plan.seed);
        let Findings { violations, tested } = check(&simulation);
        tested.into_iter().for_each(|(invariant, times)| *self.tested.entry(invariant).or_default() += times);
        for violation in violations {
            let seeds = self.broken.entry(violation.invariant).or_default();
            if seeds.last() != Some(&seed) {
                seeds.push(seed);
            }
        }
        let topology = Topology::ALL.iter().position(|one| *one == plan.topology).unwrap();
        if let Some(group) = rates::Group::of(&plan) {
            self.rates.entry((plan.profile, group, topology)).or_default().take(&simulation);
        }
    }

    fn add(&mut self, other: Self) {
        other.tested.into_iter().for_each(|(invariant, times)| *self.tested.entry(invariant).or_default() += times);
        other.broken.into_iter().for_each(|(invariant, seeds)| self.broken.entry(invariant).or_default().extend(seeds));
        other.rates.into_iter().for_each(|(kind, rates)| self.rates.entry(kind).or_default().add(rates));
    }
}

/// Runs the histories of these seeds on all processors.
fn tally(generator: Generator, first: u64, seeds: u64) -> Tally {
    let next = AtomicU64::new(first);
    let work = || {
        let mut tally = Tally::default();
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= first + seeds {
                return tally;
            }
            tally.take(generator, seed);
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

fn text(name: &str) -> Option<String> {
    let at = std::env::args().position(|argument| argument == name)?;
    std::env::args().nth(at + 1)
}

fn number(name: &str) -> Option<u64> {
    let value = text(name)?;
    Some(value.parse().unwrap_or_else(|_| panic!("{name} needs a number, not \"{value}\"")))
}

fn generator() -> Generator {
    match text("--generator").as_deref() {
        None | Some("mixed") => Generator::Mixed,
        Some("sequences") => Generator::Sequences,
        Some("linearizable") => Generator::Linearizable,
        Some(other) => panic!("Unknown generator \"{other}\". Known ones: mixed, linearizable, sequences."),
    }
}

fn main() -> ExitCode {
    let generator = generator();
    if let Some(seed) = number("--show") {
        let plan = Plan::new(generator, seed);
        let simulation = simulation::run(&plan, plan.seed);
        for violation in check(&simulation).violations {
            println!("{}", report::describe(&shrink::Broken { simulation: simulation.clone(), violation }, seed));
        }
        return ExitCode::SUCCESS;
    }
    let (first, seeds) = (number("--first").unwrap_or(1), number("--seeds").unwrap_or(5_000));
    let tally = tally(generator, first, seeds);
    rates::print(&tally.rates);
    println!();
    let (mut kept, mut broken) = (0, 0);
    for invariant in Invariant::ALL {
        let times = tally.tested.get(&invariant).copied().unwrap_or_default();
        let seeds_of = tally.broken.get(&invariant);
        let untested = times == 0 && seeds >= ENOUGH && invariant.is_tested_by(generator);
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
        println!("{how:<26}{} (tested {times} times)", invariant.text());
    }
    let brief = std::env::args().any(|argument| argument == "--brief");
    let only = text("--invariant");
    let wanted = |invariant: Invariant| only.as_ref().is_none_or(|only| format!("{invariant:?}") == *only);
    for (invariant, seeds) in tally.broken.iter().filter(|(invariant, _)| wanted(**invariant)) {
        println!("\n{}: seeds {:?}", invariant.text(), &seeds[..seeds.len().min(40)]);
        if brief {
            continue;
        }
        if let Some(least) = shrink::shrink(&Plan::new(generator, seeds[0]), *invariant) {
            println!("\n{}", report::describe(&least, seeds[0]));
        }
    }
    println!("\n{seeds} histories: {kept} invariants kept, {broken} broken");
    if broken == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

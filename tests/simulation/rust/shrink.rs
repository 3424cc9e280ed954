//! The smallest plan that still breaks the same invariant.

use std::rc::Rc;
use std::time::Duration;

use crate::invariants::{Invariant, Violation, check};
use crate::plan::{Lane, Plan, Step};
use crate::simulation::{Simulation, run};

/// Each smaller plan is tried with so many seeds: leaving something out changes what the rest meets.
const LUCK: u64 = 40;

/// The most smaller plans that are tried.
const TRIES: usize = 20_000;

/// A simulation in which an invariant is broken.
pub struct Broken {
    pub simulation: Rc<Simulation>,
    pub violation: Violation,
}

fn broken(plan: &Plan, luck: u64, invariant: Invariant) -> Option<Broken> {
    let simulation = run(plan, luck);
    let violation = check(&simulation).violations.into_iter().find(|violation| violation.invariant == invariant)?;
    Some(Broken { simulation, violation })
}

pub fn shrink(plan: &Plan, invariant: Invariant) -> Option<Broken> {
    let mut least = broken(plan, plan.seed, invariant)?;
    let (mut luck, mut left) = (plan.seed, TRIES);
    loop {
        let tries = candidates(&least.simulation.plan)
            .into_iter()
            .flat_map(|plan| (luck..luck + LUCK).map(move |luck| (plan.clone(), luck)));
        let (mut tried, most) = (0, left);
        let mut tries = tries.take(most).inspect(|_| tried += 1);
        let smaller = tries.find_map(|(plan, luck)| Some((luck, broken(&plan, luck, invariant)?)));
        left -= tried;
        match smaller {
            Some(found) => (luck, least) = found,
            None => return Some(least),
        }
    }
}

/// Plans that are a little smaller, the coarser cuts first.
fn candidates(plan: &Plan) -> Vec<Plan> {
    let mut smaller = Vec::new();
    let mut with = |change: &dyn Fn(&mut Plan)| {
        let mut copy = plan.clone();
        change(&mut copy);
        smaller.push(copy);
    };
    for lane in 0..plan.lanes.len() {
        if !plan.lanes[lane].pages.is_empty() {
            with(&|plan| plan.lanes[lane].pages.clear());
        }
    }
    for parts in [2, 4, 8] {
        for lane in 0..plan.lanes.len() {
            let size = plan.lanes[lane].pages.len() / parts;
            for part in (0..parts).rev().filter(|_| size > 1) {
                with(&|plan| drop(plan.lanes[lane].pages.drain(part * size..(part + 1) * size)));
            }
        }
    }
    let pages = || {
        let lanes = plan.lanes.iter().enumerate();
        lanes.flat_map(|(lane, Lane { pages, .. })| (0..pages.len()).rev().map(move |page| (lane, page)))
    };
    for (lane, page) in pages() {
        with(&|plan| _ = plan.lanes[lane].pages.remove(page));
    }
    for (lane, page) in pages() {
        let steps = plan.lanes[lane].pages[page].steps.len();
        for step in (0..steps).rev().filter(|_| steps > 1) {
            with(&|plan| _ = plan.lanes[lane].pages[page].steps.remove(step));
        }
    }
    if !plan.rollouts.is_empty() {
        with(&|plan| plan.rollouts.clear());
    }
    if !plan.outages.is_empty() {
        with(&|plan| plan.outages.clear());
    }
    if !plan.evictions.is_empty() {
        with(&|plan| plan.evictions.clear());
    }
    if plan.isolates > 1 {
        with(&|plan| plan.isolates = 1);
    }
    if plan.skews.iter().any(|skew| *skew != 0) {
        with(&|plan| plan.skews = Default::default());
    }
    if plan.padding > 0 {
        with(&|plan| plan.padding = 0);
    }
    for (lane, page) in pages() {
        let now = &plan.lanes[lane].pages[page];
        if now.pause > Duration::from_millis(100) {
            with(&|plan| plan.lanes[lane].pages[page].pause /= 2);
        }
        for (at, step) in now.steps.iter().enumerate() {
            let change = |change: &dyn Fn(&mut Step)| with(&|plan| change(&mut plan.lanes[lane].pages[page].steps[at]));
            let mut change = change;
            if step.location != 0 {
                change(&|step| step.location = 0);
            }
            if step.work > Duration::from_millis(50) {
                change(&|step| step.work = Duration::ZERO);
            }
        }
    }
    smaller
}

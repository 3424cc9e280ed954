//! The least of a plan that still breaks the same promise.

use std::time::Duration;

use crate::plan::Plan;
use crate::promises::{Promise, Violation, check};
use crate::world::{World, run};
use std::rc::Rc;

/// With so many kinds of luck each smaller plan is tried: leaving something out changes what chance brings to the rest.
const LUCK: u64 = 40;

/// So many smaller plans are tried at most.
const TRIES: usize = 20_000;

/// A world in which the promise is broken, and how.
pub struct Broken {
    pub world: Rc<World>,
    pub violation: Violation,
}

fn broken(plan: &Plan, luck: u64, promise: Promise) -> Option<Broken> {
    let world = run(plan, luck);
    let violation = check(&world).violations.into_iter().find(|violation| violation.promise == promise)?;
    Some(Broken { world, violation })
}

pub fn shrink(seed: u64, promise: Promise) -> Option<Broken> {
    let mut least = broken(&Plan::new(seed), seed, promise)?;
    let (mut luck, mut left) = (seed, TRIES);
    loop {
        let tries = candidates(&least.world.plan)
            .into_iter()
            .flat_map(|plan| (luck..luck + LUCK).map(move |luck| (plan.clone(), luck)));
        let (mut tried, most) = (0, left);
        let mut tries = tries.take(most).inspect(|_| tried += 1);
        let smaller = tries.find_map(|(plan, luck)| Some((luck, broken(&plan, luck, promise)?)));
        left -= tried;
        match smaller {
            Some(found) => (luck, least) = found,
            None => return Some(least),
        }
    }
}

/// What is a little less than a plan, the coarser cuts first.
fn candidates(plan: &Plan) -> Vec<Plan> {
    let mut smaller = Vec::new();
    let mut with = |change: &dyn Fn(&mut Plan)| {
        let mut copy = plan.clone();
        change(&mut copy);
        smaller.push(copy);
    };
    for lane in 0..plan.lanes.len() {
        if !plan.lanes[lane].steps.is_empty() {
            with(&|plan| plan.lanes[lane].steps.clear());
        }
    }
    for parts in [2, 4, 8] {
        for lane in 0..plan.lanes.len() {
            let steps = plan.lanes[lane].steps.len();
            let size = steps / parts;
            for part in (0..parts).rev().filter(|_| size > 1) {
                with(&|plan| drop(plan.lanes[lane].steps.drain(part * size..(part + 1) * size)));
            }
        }
    }
    for lane in 0..plan.lanes.len() {
        for step in (0..plan.lanes[lane].steps.len()).rev() {
            with(&|plan| _ = plan.lanes[lane].steps.remove(step));
        }
    }
    if !plan.deploys.is_empty() {
        with(&|plan| plan.deploys.clear());
    }
    if !plan.outages.is_empty() {
        with(&|plan| plan.outages.clear());
    }
    if plan.skews.iter().any(|skew| *skew != 0) {
        with(&|plan| plan.skews = Default::default());
    }
    if plan.padding > 0 {
        with(&|plan| plan.padding = 0);
    }
    for (lane, step) in
        plan.lanes.iter().enumerate().flat_map(|(at, lane)| (0..lane.steps.len()).map(move |step| (at, step)))
    {
        let now = &plan.lanes[lane].steps[step];
        if now.location != 0 {
            with(&|plan| plan.lanes[lane].steps[step].location = 0);
        }
        if now.work > Duration::from_millis(50) {
            with(&|plan| plan.lanes[lane].steps[step].work = Duration::ZERO);
        }
        if now.pause > Duration::from_millis(100) {
            with(&|plan| plan.lanes[lane].steps[step].pause /= 2);
        }
    }
    smaller
}

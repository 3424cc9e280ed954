//! Plans in which each tab sends one request at a time.
//!
//! The numbers are drawn in the order of earlier releases, so that a seed gives the same requests as it did there.

use std::time::Duration;

use super::{
    Action, KEYS, LOCATIONS, Lane, Page, Plan, Rollout, SKEW, SLOTS, Step, Topology, Traffic, Version, Who, evictions,
    way,
};
use crate::fault_profile::FaultProfile;
use crate::rng::Rng;

const TOPOLOGIES: [Topology; 3] = [Topology::OneLocation, Topology::Mostly, Topology::Roaming];
const TRAFFIC: [Traffic; 3] = [Traffic::Sequence, Traffic::Tabs, Traffic::Thief];

/// The versions of a change of the secret: the new one verifies everywhere before it signs.
const SECRETS: [&[usize]; 3] = [&[0], &[0, 1], &[1, 0]];

pub fn plan(seed: u64) -> Plan {
    let kind = seed as usize;
    let (topology, traffic) = (TOPOLOGIES[kind % 3], TRAFFIC[kind / 3 % 3]);
    let mut rng = Rng::new(seed);
    let short = rng.percent(15);
    let mut plan = Plan {
        seed,
        topology,
        traffic,
        profile: rng.weighted(&[(2, FaultProfile::Ordinary), (5, FaultProfile::Hostile), (3, FaultProfile::Stormy)]),
        check_ended: !rng.percent(5),
        merge_stale: rng.percent(5),
        cookie_age: if short { 240 + rng.below(300) as i64 } else { 1_209_600 },
        absolute_age: if rng.percent(15) { 300 + rng.below(600) as i64 } else { 34_560_000 },
        save_every_request: rng.percent(20),
        padding: rng.weighted(&[(6, 0), (3, 40), (1, 300)]),
        skews: core::array::from_fn(|_| rng.below(2 * SKEW as usize + 1) as i64 - SKEW as i64),
        versions: SECRETS.map(|secrets| Version { secrets, ..Version::FIRST }).to_vec(),
        rollouts: Vec::new(),
        older: Default::default(),
        outages: Vec::new(),
        isolates: 1,
        evictions: Vec::new(),
        lanes: Vec::new(),
    };
    if rng.percent(30) {
        let mut at = rng.millis((0, 300_000));
        for _ in 0..2 {
            let rollout: Rollout = core::array::from_fn(|_| [at + rng.millis((0, 30_000)); SLOTS]);
            plan.rollouts.push(rollout);
            at += Duration::from_secs(60);
        }
    }
    if rng.percent(6) {
        plan.older = core::array::from_fn(|_| rng.millis((0, 400_000)));
    }
    if plan.profile != FaultProfile::Ordinary && rng.percent(10) {
        let begins = rng.millis((20_000, 400_000));
        plan.outages.push((begins, begins + rng.millis((2_000, 60_000))));
    }
    clients(&mut plan, &mut rng);
    // Isolates came later: what they draw must not change the requests.
    let mut rng = Rng::new(seed ^ 0x0069_736f_6c61_7465);
    plan.isolates = 1 + rng.below(SLOTS);
    plan.evictions = evictions(plan.isolates, &mut rng);
    for step in plan.lanes.iter_mut().flat_map(|lane| &mut lane.pages).flat_map(|page| &mut page.steps) {
        step.slot = rng.below(SLOTS);
    }
    plan
}

fn clients(plan: &mut Plan, rng: &mut Rng) {
    let (tabs, steps) = match plan.traffic {
        Traffic::Sequence => (1, 30),
        Traffic::Tabs => (2 + rng.below(2), 14),
        _ => (1 + rng.below(2), 16),
    };
    for browser in 0..2 {
        let home = rng.below(LOCATIONS.len());
        for tab in 0..tabs {
            let kinds = if plan.profile == FaultProfile::Ordinary { ORDINARY_TAB } else { TAB };
            let pages = (0..steps).map(|at| page(plan, home, at + tab == 0, kinds, rng)).collect();
            plan.lanes.push(Lane { who: Who::Tab(browser), pages });
        }
        if plan.traffic == Traffic::Thief {
            let home = if plan.topology == Topology::OneLocation { home } else { rng.below(LOCATIONS.len()) };
            let pages = (0..14).map(|_| page(plan, home, false, THIEF, rng)).collect();
            plan.lanes.push(Lane { who: Who::Thief { of: browser, keeps: rng.percent(40) }, pages });
        }
    }
}

fn page(plan: &Plan, home: usize, first: bool, kinds: &[(usize, Kind)], rng: &mut Rng) -> Page {
    let kind = if first { Kind::Set } else { rng.weighted(kinds) };
    let key = 1 + rng.below(KEYS.len() - 1);
    let other = if rng.percent(25) { 1 + rng.below(KEYS.len() - 1) } else { key };
    let action = match kind {
        Kind::Pass => Action::Pass,
        Kind::Read => Action::Read,
        Kind::Set | Kind::SlowSet => Action::Set([key, other]),
        Kind::Remove => Action::Remove(key),
        Kind::Break => Action::Break(key),
        Kind::Login => Action::Login { switch: rng.percent(30) },
        Kind::Logout => Action::Logout,
        Kind::Steal => Action::Steal,
    };
    let work = match kind {
        Kind::SlowSet => rng.weighted(&[(4, (3_000, 45_000)), (1, (45_000, 180_000))]),
        _ => rng.weighted(&[(9, (0, 50)), (1, (50, 3_000))]),
    };
    let pause = rng.weighted(&PAUSES);
    let pause = rng.millis(pause);
    let step = Step {
        delay: Duration::ZERO,
        location: plan.topology.location(home, rng),
        slot: 0,
        action,
        work: rng.millis(work),
        uplink: way(rng),
        downlink: way(rng),
        patience: if rng.percent(1) { rng.millis((10, 2_000)) } else { Duration::from_secs(240) },
        loses_answer: rng.percent(1),
        retries: 0,
    };
    Page { pause, steps: vec![step], stay: Duration::MAX }
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

/// Fewer slow requests, and longer sessions.
const ORDINARY_TAB: &[(usize, Kind)] = &[
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

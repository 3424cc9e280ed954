//! Plans in which browsers open pages: each sends several requests at once, with the cookies that the browser has then.
//!
//! The traffic is harsh on purpose: most logins have other requests beside them, and a quarter of the login forms is sent
//! twice.

use std::time::Duration;

use super::{
    Action, KEYS, LOCATIONS, Lane, Noted, Page, Plan, SKEW, SLOTS, Scope, Step, Topology, Traffic, Version, Who,
    evictions, way,
};
use crate::fault_profile::FaultProfile;
use crate::rng::Rng;

pub fn plan(seed: u64) -> Plan {
    let mut rng = Rng::new(seed);
    let profile = rng.weighted(&[
        (5, FaultProfile::Ordinary),
        (4, FaultProfile::Hostile),
        (1, FaultProfile::Stormy),
        (1, FaultProfile::SlowPropagation),
        (2, FaultProfile::Consistent),
        (2, FaultProfile::Local),
    ]);
    let traffic = rng.weighted(&[
        (4, Traffic::Pages),
        (4, Traffic::Logouts),
        (2, Traffic::OutsideSaves),
        (2, Traffic::Deletions),
        (1, Traffic::Deployments),
        (1, Traffic::ActiveVisitor),
    ]);
    let topology = match profile {
        FaultProfile::Consistent | FaultProfile::Local => Topology::OneIsolate,
        _ => rng.weighted(&[
            (3, Topology::OneIsolate),
            (3, Topology::OneLocation),
            (3, Topology::Mostly),
            (2, Topology::Roaming),
        ]),
    };
    let isolates = if topology == Topology::OneIsolate { 1 } else { 1 + rng.below(SLOTS) };
    let mut plan = Plan {
        seed,
        topology,
        traffic,
        profile,
        check_ended: !rng.percent(2),
        merge_stale: rng.percent(2),
        cookie_age: if traffic == Traffic::ActiveVisitor { 120 + rng.below(180) as i64 } else { 1_209_600 },
        absolute_age: 34_560_000,
        save_every_request: traffic == Traffic::ActiveVisitor || rng.percent(15),
        padding: rng.weighted(&[(6, 0), (3, 40), (1, 200)]),
        skews: core::array::from_fn(|_| rng.below(2 * SKEW as usize + 1) as i64 - SKEW as i64),
        versions: vec![Version::FIRST],
        rollouts: Vec::new(),
        older: Default::default(),
        outages: Vec::new(),
        isolates,
        evictions: Vec::new(),
        lanes: Vec::new(),
    };
    if topology != Topology::OneIsolate {
        plan.evictions = evictions(isolates, &mut rng);
    }
    if traffic == Traffic::Deployments {
        plan.versions = versions(&mut rng);
        if plan.versions.iter().any(|version| version.max_record_bytes == SMALL_RECORD) {
            plan.padding = 400;
        }
        let mut at = rng.millis((20_000, 60_000));
        for _ in 1..plan.versions.len() {
            plan.rollouts.push(core::array::from_fn(|_| core::array::from_fn(|_| at + rng.millis((0, 60_000)))));
            at += Duration::from_secs(60);
        }
    }
    if profile.fails() && rng.percent(if traffic == Traffic::Logouts { 40 } else { 10 }) {
        let begins = rng.millis((10_000, 150_000));
        plan.outages.push((begins, begins + rng.millis((2_000, 40_000))));
    }
    clients(&mut plan, &mut rng);
    plan
}

/// A limit, in bytes, that a record with some padded values exceeds.
const SMALL_RECORD: usize = 1024;

/// A deployment that changes one thing.
fn versions(rng: &mut Rng) -> Vec<Version> {
    let first = Version::FIRST;
    let scopes = |before, after| vec![Version { scope: before, ..first }, Version { scope: after, ..first }];
    match rng.below(8) {
        0 => scopes(Scope::Path("/shop/eu"), Scope::Path("/shop")),
        1 => scopes(Scope::Path("/shop"), Scope::Path("/shop/eu")),
        2 => scopes(Scope::Domain("www.example.com"), Scope::Domain("example.com")),
        3 => scopes(Scope::Host, Scope::Domain("example.com")),
        4 => vec![first, Version { secrets: &[0, 1], ..first }, Version { secrets: &[1, 0], ..first }],
        5 => vec![first, Version { prefix: "shop", ..first }],
        6 => vec![first, Version { secrets: &[1], ..first }],
        _ => vec![first, Version { max_record_bytes: SMALL_RECORD, ..first }],
    }
}

fn clients(plan: &mut Plan, rng: &mut Rng) {
    let browsers = 1 + rng.below(2);
    for browser in 0..browsers {
        let home = rng.below(LOCATIONS.len());
        let client = Client { plan, home, is_near: rng.percent(50) };
        let mut lanes = Vec::new();
        if plan.traffic == Traffic::ActiveVisitor {
            lanes.push(Lane { who: Who::Tab(browser), pages: client.visit(rng) });
        } else {
            for tab in 0..rng.weighted(&[(5, 1), (4, 2), (1, 3)]) {
                let pages = 5 + rng.below(4);
                let pages = (0..pages).map(|at| client.page(at + tab, rng)).collect();
                lanes.push(Lane { who: Who::Tab(browser), pages });
            }
        }
        let operations = match plan.traffic {
            Traffic::OutsideSaves => 3 + rng.below(6),
            Traffic::Deletions => 1 + rng.below(3),
            _ => 0,
        };
        if operations > 0 {
            let pages = (0..operations).map(|_| client.operation(rng)).collect();
            lanes.push(Lane { who: Who::Operator { of: browser }, pages });
        }
        if matches!(plan.traffic, Traffic::Logouts | Traffic::Deletions) && rng.percent(15) {
            let pages = (0..8).map(|_| client.theft(rng)).collect();
            lanes.push(Lane { who: Who::Thief { of: browser, keeps: rng.percent(40) }, pages });
        }
        plan.lanes.extend(lanes);
    }
}

/// Milliseconds that a handler takes.
const WORK: [(usize, (u64, u64)); 3] = [(78, (0, 50)), (14, (50, 3_000)), (8, (3_000, 20_000))];

/// Milliseconds between the answers to one page and the next page.
const PAUSES: [(usize, (u64, u64)); 4] =
    [(50, (50, 2_000)), (35, (2_000, 15_000)), (12, (15_000, 60_000)), (3, (60_000, 200_000))];

#[derive(Clone, Copy)]
enum Kind {
    Burst,
    Login,
    Logout,
    Single(Single),
}

#[derive(Clone, Copy)]
enum Single {
    Throw,
    ThrowLogin,
    Clear,
    Create,
    SaveEarly,
    Break,
}

const SINGLE: [(usize, Kind); 6] = [
    (2, Kind::Single(Single::Throw)),
    (1, Kind::Single(Single::ThrowLogin)),
    (2, Kind::Single(Single::Clear)),
    (1, Kind::Single(Single::Create)),
    (3, Kind::Single(Single::SaveEarly)),
    (1, Kind::Single(Single::Break)),
];

/// A browser at home at one location.
struct Client<'a> {
    plan: &'a Plan,
    home: usize,
    /// Whether its messages take almost no time.
    is_near: bool,
}

impl Client<'_> {
    fn page(&self, at: usize, rng: &mut Rng) -> Page {
        let pause = rng.weighted(&PAUSES);
        let pause = rng.millis(pause);
        let stay = if rng.percent(25) { rng.millis((500, 5_000)) } else { Duration::MAX };
        let logouts = match self.plan.traffic {
            Traffic::Logouts => 16,
            Traffic::Deletions => 3,
            _ => 0,
        };
        let mut kinds = vec![(58, Kind::Burst), (22, Kind::Login), (logouts, Kind::Logout)];
        kinds.extend(SINGLE);
        let steps = match (at, rng.weighted(&kinds)) {
            // The first page fills a cart.
            (0, _) => vec![self.step(Action::Set([1, 2]), Duration::ZERO, rng)],
            (_, Kind::Burst) => {
                let (count, within) = (2 + rng.below(7), rng.weighted(&[(1, 2), (1, 200)]));
                self.beside(count, within, rng)
            }
            (_, Kind::Login) => {
                let mut steps = self.login(rng);
                steps.extend(self.clear_beside(rng));
                steps
            }
            (_, Kind::Logout) => {
                let mut steps = if rng.percent(40) { self.some_beside(rng) } else { Vec::new() };
                let delay = rng.millis((0, 300));
                steps.push(Step { retries: 3, ..self.step(Action::Logout, delay, rng) });
                steps.extend(self.clear_beside(rng));
                steps
            }
            (_, Kind::Single(single)) => {
                let key = data_key(rng);
                let action = match single {
                    Single::Throw => Action::Throw { key, login: false },
                    Single::ThrowLogin => Action::Throw { key, login: true },
                    Single::Clear => Action::Clear(key),
                    Single::Create => Action::Create(key),
                    Single::SaveEarly => Action::SaveEarly(key),
                    Single::Break => Action::Break(key),
                };
                let mut steps = if rng.percent(30) { self.some_beside(rng) } else { Vec::new() };
                let delay = rng.millis((0, 300));
                steps.push(self.step(action, delay, rng));
                steps
            }
        };
        Page { pause, steps, stay }
    }

    /// A login, mostly with other requests beside it, and often sent twice.
    fn login(&self, rng: &mut Rng) -> Vec<Step> {
        let mut steps = if rng.percent(60) { self.some_beside(rng) } else { Vec::new() };
        let switch = self.plan.traffic == Traffic::Logouts && rng.percent(15);
        let delay = rng.millis((0, 300));
        let login = self.step(Action::Login { switch }, delay, rng);
        if rng.percent(25) {
            let again = delay + rng.millis((40, 600));
            steps.push(self.step(login.action, again, rng));
        }
        steps.push(login);
        steps
    }

    fn some_beside(&self, rng: &mut Rng) -> Vec<Step> {
        let count = 1 + rng.below(4);
        self.beside(count, 600, rng)
    }

    /// A request that clears the session at about the time at which its key ends.
    fn clear_beside(&self, rng: &mut Rng) -> Option<Step> {
        let delay = rng.millis((200, 600));
        rng.percent(5).then(|| self.step(Action::Clear(data_key(rng)), delay, rng))
    }

    /// Requests that a page sends within so many milliseconds.
    fn beside(&self, count: usize, within: u64, rng: &mut Rng) -> Vec<Step> {
        let step = |_| {
            let (key, other) = (data_key(rng), data_key(rng));
            let action = rng.weighted(&[
                (42, Action::Read),
                (40, Action::Set([key, key])),
                (6, Action::Set([key, other])),
                (4, Action::Remove(key)),
                (6, Action::Pass),
                (2, Action::SaveEarly(key)),
            ]);
            let delay = rng.millis((0, within));
            self.step(action, delay, rng)
        };
        (0..count).map(step).collect()
    }

    /// A page about every half a minute, by far more often than the session's life requires. Some handlers are slow.
    fn visit(&self, rng: &mut Rng) -> Vec<Page> {
        let slow = rng.percent(50);
        let most = self.plan.cookie_age as u64 * 1_000 / 5;
        let page = |at: usize| {
            let action = match at {
                0 => Action::Set([1, 2]),
                1 => Action::Login { switch: false },
                _ if rng.percent(60) => Action::Read,
                _ => Action::Set([data_key(rng), 7]),
            };
            let pause = rng.millis((most / 3, most));
            let work = if slow { rng.millis((5_500, 20_000)) } else { rng.millis((0, 4_000)) };
            let step = self.step(action, Duration::ZERO, rng);
            let step = Step { work, patience: Duration::from_secs(240), loses_answer: false, ..step };
            Page { pause, steps: vec![step], stay: Duration::MAX }
        };
        (0..24).map(page).collect()
    }

    /// What the application does with the browser's session outside of its requests.
    fn operation(&self, rng: &mut Rng) -> Page {
        let noted = if rng.percent(50) { Noted::AtFirstLogin } else { Noted::Last };
        let action = match self.plan.traffic {
            Traffic::OutsideSaves if rng.percent(10) => Action::CommitOpened,
            Traffic::OutsideSaves => Action::SaveOutside(data_key(rng)),
            _ if rng.percent(30) => Action::FlushOpened(noted),
            _ => Action::Delete(noted),
        };
        let elsewhere = self.plan.topology != Topology::OneIsolate && rng.percent(30);
        let step = self.step(action, Duration::ZERO, rng);
        let location = if elsewhere { rng.below(LOCATIONS.len()) } else { step.location };
        let pause = match action {
            Action::Delete(_) | Action::FlushOpened(_) => (20_000, 90_000),
            _ => (2_000, 40_000),
        };
        let step = Step { location, patience: Duration::from_secs(240), retries: 1, ..step };
        Page { pause: rng.millis(pause), steps: vec![step], stay: Duration::MAX }
    }

    fn theft(&self, rng: &mut Rng) -> Page {
        let key = data_key(rng);
        let action = rng.weighted(&[
            (30, Action::Steal),
            (40, Action::Read),
            (20, Action::Set([key, key])),
            (4, Action::Login { switch: false }),
            (2, Action::Logout),
        ]);
        let pause = rng.weighted(&PAUSES);
        Page { pause: rng.millis(pause), steps: vec![self.step(action, Duration::ZERO, rng)], stay: Duration::MAX }
    }

    fn step(&self, action: Action, delay: Duration, rng: &mut Rng) -> Step {
        let work = rng.weighted(&WORK);
        let uplink = if self.is_near { rng.millis((0, 4)) } else { way(rng) };
        Step {
            delay,
            location: self.plan.topology.location(self.home, rng),
            slot: rng.below(SLOTS),
            action,
            work: rng.millis(work),
            uplink,
            downlink: way(rng),
            patience: if rng.percent(3) { rng.millis((10, 3_000)) } else { Duration::from_secs(240) },
            loses_answer: rng.percent(1),
            retries: 0,
        }
    }
}

fn data_key(rng: &mut Rng) -> usize {
    1 + rng.below(KEYS.len() - 1)
}

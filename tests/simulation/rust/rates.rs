//! Rates: how often something happens, for each fault profile, kind of traffic and topology.

use std::collections::BTreeMap;
use std::time::Duration;

use edge_session::{EventKind, LoadReason};

use crate::analysis::{self, Fate, Login, LoginLoss, fate, lacks, logins};
use crate::fault_profile::FaultProfile;
use crate::history::{History, Id, Request};
use crate::plan::{Action, Plan, Topology, Traffic, USER};
use crate::simulation::Simulation;

/// What a rate is a share of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Per {
    Request,
    Login,
    /// An acknowledged write of a data key.
    Write,
    OutsideSave,
    Logout,
    Deletion,
    /// A number of its own.
    Count,
}

/// The rates, in the order in which they are printed.
const COUNTED: [(&str, Per); 36] = [
    ("requests", Per::Count),
    ("logins", Per::Count),
    ("acknowledged writes", Per::Count),
    ("saves from outside of requests", Per::Count),
    ("logouts", Per::Count),
    ("deletions by key", Per::Count),
    ("login lost: new anonymous session", Per::Login),
    ("login lost: old key's cookie", Per::Login),
    ("login lost: cookie deleted", Per::Login),
    ("login lost: found at the end", Per::Login),
    ("page without the login, noticed", Per::Request),
    ("page without the login, not noticed", Per::Request),
    ("acknowledged write lost", Per::Write),
    ("acknowledged write lost across a login", Per::Write),
    ("outside save lost", Per::OutsideSave),
    ("own write not read, noticed", Per::Request),
    ("own write not read, not noticed", Per::Request),
    ("409 interrupted", Per::Request),
    ("409 superseded", Per::Request),
    ("409 stale", Per::Request),
    ("409 not yet visible", Per::Request),
    ("503", Per::Request),
    ("logout ended nothing", Per::Logout),
    ("logout failed", Per::Logout),
    ("logout left a key of the session", Per::Logout),
    ("deletion left a key of the session", Per::Deletion),
    ("repaired from the cookie", Per::Request),
    ("stale", Per::Request),
    ("not yet visible where it was saved", Per::Request),
    ("not yet visible", Per::Request),
    ("superseded", Per::Request),
    ("lost, and noticed", Per::Request),
    ("write undone by another save", Per::Request),
    ("write undone, whose cookie did not come", Per::Request),
    ("write undone by the second try of a save at the same place", Per::Request),
    ("journal cut", Per::Request),
];

fn place(name: &str) -> usize {
    COUNTED.iter().position(|(other, _)| *other == name).unwrap()
}

/// The counts of the histories of one profile, kind of traffic and topology.
#[derive(Clone)]
pub struct Rates {
    counts: [u64; COUNTED.len()],
    /// KV's reads, writes and deletes.
    operations: [u64; 3],
    /// Requests whose write was acknowledged.
    accepted: u64,
    /// Acknowledged saves by the milliseconds that they took.
    saves: BTreeMap<u64, u64>,
    /// Cookies by their length, name included.
    cookies: BTreeMap<usize, u64>,
}

impl Default for Rates {
    fn default() -> Self {
        let (saves, cookies) = (BTreeMap::new(), BTreeMap::new());
        Self { counts: [0; COUNTED.len()], operations: [0; 3], accepted: 0, saves, cookies }
    }
}

/// Returns whether the browser has the cookie of what the request wrote.
fn has_cookie(request: &Request) -> bool {
    request.given().is_some() && request.received.is_some()
}

impl Rates {
    pub fn take(&mut self, simulation: &Simulation) {
        let history = &simulation.history.borrow();
        let logins = logins(history);
        for (id, request) in history.each().filter(|(_, request)| !request.is_probe()) {
            self.request(history, id, request);
            self.writes(history, id, request);
            self.ends(simulation, &logins, request);
            self.page(history, &logins, request);
        }
        logins.iter().for_each(|login| self.login(history, login));
    }

    fn count(&mut self, name: &str, happened: bool) {
        self.counts[place(name)] += u64::from(happened);
    }

    fn request(&mut self, history: &History, id: Id, request: &Request) {
        let outside = matches!(request.action, Action::SaveOutside(_) | Action::Delete(_) | Action::FlushOpened(_));
        self.count("requests", !outside);
        for (sum, operations) in self.operations.iter_mut().zip(request.operations) {
            *sum += operations;
        }
        let (reason, error) = (request.reason(), request.error());
        let is_invisible = reason == "not-yet-visible";
        self.count("409 interrupted", error == Some("ES_SESSION_INTERRUPTED"));
        self.count("409 superseded", error == Some("ES_SUPERSEDED"));
        self.count("409 stale", error == Some("ES_STALE") && !is_invisible);
        self.count("409 not yet visible", error == Some("ES_STALE") && is_invisible);
        self.count("503", error == Some("ES_STORE_UNAVAILABLE"));
        self.count("repaired from the cookie", reason == "stale-repaired");
        self.count("stale", reason == "stale");
        let saved_at = request.token.map(|token| history.of(history.tokens[token].by).location);
        self.count("not yet visible where it was saved", is_invisible && saved_at == Some(request.location));
        self.count("not yet visible", is_invisible);
        self.count("superseded", reason == "superseded");
        self.count("lost, and noticed", request.events.contains(&EventKind::Load(LoadReason::Lost)));
        self.count("journal cut", request.events.contains(&EventKind::JournalCut));
        let is_undone = request.is_acknowledged() && history.dropped.keys().any(|(by, _)| *by == id);
        self.count("write undone by another save", is_undone && has_cookie(request));
        self.count("write undone, whose cookie did not come", is_undone && !has_cookie(request));
        let undone = history.dropped.iter().filter(|((by, _), _)| *by == id).map(|(_, by)| history.of(*by));
        let mut between = undone.filter(|by| {
            let tries = by.puts.first().zip(by.puts.last());
            let is_between = tries.is_some_and(|(one, last)| one.at < request.ended() && request.ended() < last.at);
            is_between && by.location == request.location
        });
        let is_between = request.is_acknowledged() && between.next().is_some();
        self.count("write undone by the second try of a save at the same place", is_between);
        for token in &request.presented {
            let token = &history.tokens[*token];
            *self.cookies.entry(token.text.len() + token.name.len() + 1).or_default() += 1;
        }
    }

    fn writes(&mut self, history: &History, id: Id, request: &Request) {
        if request.is_acknowledged_write() {
            self.accepted += 1;
            let is_outside = matches!(request.action, Action::SaveOutside(_));
            for data_key in analysis::writes(request) {
                let fate = fate(history, id, data_key);
                if is_outside {
                    self.count("saves from outside of requests", true);
                    self.count("outside save lost", matches!(fate, Fate::Lost | Fate::LostAcrossLogin));
                } else {
                    self.count("acknowledged writes", true);
                    self.count("acknowledged write lost", fate == Fate::Lost);
                    self.count("acknowledged write lost across a login", fate == Fate::LostAcrossLogin);
                }
            }
            let took = request.commit.as_ref().map_or(Duration::ZERO, |commit| commit.ended - commit.began);
            *self.saves.entry(took.as_millis() as u64).or_default() += 1;
        }
        if lacks_own_write(history, id, request) {
            let is_noticed = request.is_noticed();
            self.count("own write not read, noticed", is_noticed);
            self.count("own write not read, not noticed", !is_noticed);
        }
    }

    /// What a logout or a deletion left.
    fn ends(&mut self, simulation: &Simulation, logins: &[Login], request: &Request) {
        let history = &simulation.history.borrow();
        let is_logout = match request.action {
            Action::Logout => true,
            Action::Delete(_) | Action::FlushOpened(_) => false,
            _ => return,
        };
        let Some(flush) = &request.flush else { return };
        self.count("logout failed", is_logout && flush.outcome.is_err());
        if flush.outcome.is_err() {
            return;
        }
        let names = if is_logout { "logouts" } else { "deletions by key" };
        self.count(names, true);
        let ought = |login: &Login| {
            let during = request.sent >= login.arrived && request.sent <= login.until;
            request.browser() == Some(login.browser) && during
        };
        self.count("logout ended nothing", is_logout && request.key.is_none() && logins.iter().any(ought));
        let is_left = |later: &Request| {
            let is_related = later.key.zip(request.key).is_some_and(|(one, other)| history.are_related(one, other));
            let is_full = later.seen.is_some_and(|seen| seen.iter().any(|mark| mark.present));
            later.began > flush.ended + simulation.bound && is_related && is_full
        };
        let is_left = history.each().any(|(_, later)| is_left(later));
        let name = if is_logout { "logout left a key of the session" } else { "deletion left a key of the session" };
        self.count(name, is_left);
    }

    /// A page that ought to be logged in.
    fn page(&mut self, history: &History, logins: &[Login], request: &Request) {
        let Some(seen) = request.seen.filter(|_| request.browser().is_some()) else { return };
        let ought = |login: &Login| {
            let during = request.sent >= login.arrived && request.loaded_at < login.until;
            request.browser() == Some(login.browser) && during && login.is_in(history, &request.presented)
        };
        if !seen[USER].present && logins.iter().any(ought) {
            self.count("page without the login, noticed", request.is_noticed());
            self.count("page without the login, not noticed", !request.is_noticed());
        }
    }

    fn login(&mut self, history: &History, login: &Login) {
        self.count("logins", true);
        let loss = login.loss(history, login.until).map(|(_, loss)| loss);
        self.count("login lost: new anonymous session", loss == Some(LoginLoss::NewSession));
        self.count("login lost: old key's cookie", loss == Some(LoginLoss::OldKey));
        self.count("login lost: cookie deleted", loss == Some(LoginLoss::Deleted));
        if loss.is_some() || login.until < Duration::MAX {
            return;
        }
        let jar = history.jars.iter().rfind(|change| change.browser == login.browser);
        let opens = |token: &usize| {
            let probe = history.each().find(|(_, probe)| probe.is_probe() && probe.token == Some(*token));
            probe.is_none_or(|(_, probe)| probe.seen.is_some_and(|seen| seen[USER].present))
        };
        let is_open = jar.is_none_or(|jar| jar.tokens.iter().any(opens));
        self.count("login lost: found at the end", !is_open);
    }

    pub fn add(&mut self, other: Self) {
        let counts = self.counts.iter_mut().zip(other.counts);
        counts.chain(self.operations.iter_mut().zip(other.operations)).for_each(|(sum, count)| *sum += count);
        self.accepted += other.accepted;
        other.saves.into_iter().for_each(|(time, count)| *self.saves.entry(time).or_default() += count);
        other.cookies.into_iter().for_each(|(bytes, count)| *self.cookies.entry(bytes).or_default() += count);
    }

    fn base(&self, per: Per) -> u64 {
        self.counts[place(match per {
            Per::Request | Per::Count => "requests",
            Per::Login => "logins",
            Per::Write => "acknowledged writes",
            Per::OutsideSave => "saves from outside of requests",
            Per::Logout => "logouts",
            Per::Deletion => "deletions by key",
        })]
    }

    /// The figures with their names, as text.
    pub fn figures(&self) -> Vec<(&'static str, String)> {
        let share = |count: u64, base: u64| count as f64 / base.max(1) as f64;
        let figure = |(name, per): (&'static str, Per)| {
            let count = self.counts[place(name)];
            let text = if per == Per::Count {
                count.to_string()
            } else {
                format!("{:.1}", share(count, self.base(per)) * 10_000.0)
            };
            (name, text)
        };
        let mut figures: Vec<_> = COUNTED.into_iter().map(figure).collect();
        let requests = self.base(Per::Request);
        let names = ["KV reads per request", "KV puts per request", "KV deletes per request"];
        figures.extend(names.into_iter().zip(self.operations.map(|count| format!("{:.2}", share(count, requests)))));
        figures.push(("KV puts per accepted write", format!("{:.2}", share(self.operations[1], self.accepted))));
        for (name, percent) in [("save ms, 50 %", 50), ("save ms, 90 %", 90), ("save ms, 99 %", 99)] {
            figures.push((name, percentile(&self.saves, percent).to_string()));
        }
        for (name, percent) in [("cookie bytes, 50 %", 50), ("cookie bytes, 99 %", 99), ("cookie bytes, most", 100)] {
            figures.push((name, percentile(&self.cookies, percent).to_string()));
        }
        figures
    }
}

/// The least value that a given percentage does not exceed.
fn percentile<T: Copy + Default>(counts: &BTreeMap<T, u64>, percent: u64) -> T {
    let all: u64 = counts.values().sum();
    let mut left = (all * percent).div_ceil(100);
    let found = counts.iter().find(|(_, count)| {
        let is_found = left <= **count;
        left = left.saturating_sub(**count);
        is_found
    });
    found.map(|(value, _)| *value).unwrap_or_default()
}

/// Returns whether a page lacks an acknowledged write whose answer the same browser had before it sent the page's request.
fn lacks_own_write(history: &History, id: Id, request: &Request) -> bool {
    let (Some(browser), Some(seen), Some(key)) = (request.browser(), request.seen, request.key) else { return false };
    if history.is_touched(id, key, request.loaded_at) {
        return false;
    }
    let is_answered = |write: &Request| write.received.is_some_and(|received| received <= request.sent);
    let is_own = |write: &Request| {
        let is_same = write.key_after.is_some_and(|other| other == key || history.descends(key, other));
        is_same && is_answered(write) && write.is_acknowledged_write()
    };
    let mut own = history.of_browser(browser).filter(|(_, write)| is_own(write));
    own.any(|(by, write)| analysis::writes(write).any(|data_key| lacks(history, seen[data_key], by, data_key)))
}

/// What is counted together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Group {
    /// Pages with logins, logouts, saves from outside and deletions.
    Pages,
    Sequence,
    Tabs,
    Thief,
}

impl Group {
    const ALL: [Self; 4] = [Self::Pages, Self::Sequence, Self::Tabs, Self::Thief];

    /// The group of a plan; none if what the plan leaves out on purpose would blur the rates.
    pub fn of(plan: &Plan) -> Option<Self> {
        if !plan.is_usual() {
            return None;
        }
        match plan.traffic {
            Traffic::Pages | Traffic::Logouts | Traffic::OutsideSaves | Traffic::Deletions => Some(Self::Pages),
            Traffic::Sequence => Some(Self::Sequence),
            Traffic::Tabs => Some(Self::Tabs),
            Traffic::Thief => Some(Self::Thief),
            Traffic::Deployments | Traffic::ActiveVisitor => None,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Pages => "Pages",
            Self::Sequence => "One browser in sequence",
            Self::Tabs => "Parallel tabs",
            Self::Thief => "Tabs and a thief",
        }
    }
}

pub type All = BTreeMap<(FaultProfile, Group, usize), Rates>;

/// Prints a table for each profile and group: a line for each figure, a column for each topology.
pub fn print(all: &All) {
    println!(
        "\nLost logins per 10,000 logins, lost writes per 10,000 acknowledged ones, logouts and deletions per 10,000 of"
    );
    println!("them, the other rates per 10,000 requests. Not noticed: no event, and the load outcome `live`.");
    for group in Group::ALL {
        for profile in FaultProfile::ALL {
            let columns: Vec<_> = (0..Topology::ALL.len())
                .filter_map(|topology| Some((Topology::ALL[topology], all.get(&(profile, group, topology))?)))
                .collect();
            if !columns.is_empty() {
                table(profile, group, &columns);
            }
        }
    }
}

fn table(profile: FaultProfile, group: Group, columns: &[(Topology, &Rates)]) {
    println!("\n{}, {}\n", group.name(), profile.name());
    println!("| | {} |", columns.iter().map(|(topology, _)| topology.name()).collect::<Vec<_>>().join(" | "));
    println!("| --- |{}", " ---: |".repeat(columns.len()));
    let columns: Vec<_> = columns.iter().map(|(_, column)| column.figures()).collect();
    for (line, (name, _)) in columns[0].iter().enumerate() {
        let cells: Vec<_> = columns.iter().map(|column| column[line].1.as_str()).collect();
        println!("| {name} | {} |", cells.join(" | "));
    }
}

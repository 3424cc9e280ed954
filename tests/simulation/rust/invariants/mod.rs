//! The invariants of sessions, and whether a history holds them.
//!
//! *The bound* is the time after which no location returns what was there before an acknowledged write: KV's cache, its
//! propagation, and one slow read. *In one isolate* means in the isolate of the acknowledged operation, as long as it runs.

mod cookies;
mod logins;
mod ownership;
mod revocation;
mod writes;

use std::collections::BTreeMap;
use std::time::Duration;

use edge_session::LoadReason;

use crate::analysis;
use crate::history::{History, Id, Request};
use crate::plan::Generator;
use crate::simulation::Simulation;

/// A request that ran longer deletes no cookie.
const LATE: Duration = Duration::from_secs(5);

/// From then on every location shows a save if KV's propagation takes no longer than usual.
const VISIBLE: Duration = Duration::from_secs(100);

/// How long an isolate certainly remembers what it wrote.
const REMEMBERED: Duration = Duration::from_secs(120);

/// How long a rotated key certainly counts as superseded, by any clock.
const SUPERSEDED: Duration = Duration::from_secs(80);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Invariant {
    OwnDataOnly,
    NoForeignCookie,
    FailedRequestSavesNothing,
    AbsoluteDeadlineStays,
    OutageLogsNoOneOut,
    OutageCreatesNothing,
    LogoutIsFinal,
    LogoutEndsEveryKey,
    NoSaveAfterLogout,
    FailedLogoutFinishes,
    DeleteEndsSession,
    OldKeyEnds,
    IsolateKnowsRevocations,
    NoCookieOfEndedKey,
    OldKeyStartsNoSession,
    ClearRevivesNothing,
    LoginCookieStays,
    NextPageIsLoggedIn,
    MovedCookieLogsIn,
    DoubleLoginKeepsCart,
    LoginStays,
    FailedLoginChangesNothing,
    ActiveVisitorStays,
    SessionStays,
    LiveSessionStays,
    LateAnswerGivesItsCookie,
    LateDeletionIsWithheld,
    IsolateKeepsWrites,
    IsolateReadsWrites,
    IsolateAcceptsWrites,
    StrongKvIsExact,
    OwnWritesAreRead,
    KnownWritesAreKept,
    LostIsTrue,
    StalePasses,
    NothingNewerIsReverted,
    LinearizableKeepsWrites,
}

impl Invariant {
    pub const ALL: [Self; 37] = [
        Self::OwnDataOnly,
        Self::NoForeignCookie,
        Self::FailedRequestSavesNothing,
        Self::AbsoluteDeadlineStays,
        Self::OutageLogsNoOneOut,
        Self::OutageCreatesNothing,
        Self::LogoutIsFinal,
        Self::LogoutEndsEveryKey,
        Self::NoSaveAfterLogout,
        Self::FailedLogoutFinishes,
        Self::DeleteEndsSession,
        Self::OldKeyEnds,
        Self::IsolateKnowsRevocations,
        Self::NoCookieOfEndedKey,
        Self::OldKeyStartsNoSession,
        Self::ClearRevivesNothing,
        Self::LoginCookieStays,
        Self::NextPageIsLoggedIn,
        Self::MovedCookieLogsIn,
        Self::DoubleLoginKeepsCart,
        Self::LoginStays,
        Self::FailedLoginChangesNothing,
        Self::ActiveVisitorStays,
        Self::SessionStays,
        Self::LiveSessionStays,
        Self::LateAnswerGivesItsCookie,
        Self::LateDeletionIsWithheld,
        Self::IsolateKeepsWrites,
        Self::IsolateReadsWrites,
        Self::IsolateAcceptsWrites,
        Self::StrongKvIsExact,
        Self::OwnWritesAreRead,
        Self::KnownWritesAreKept,
        Self::LostIsTrue,
        Self::StalePasses,
        Self::NothingNewerIsReverted,
        Self::LinearizableKeepsWrites,
    ];

    /// Returns whether the plans of this generator test the invariant.
    pub fn is_tested_by(self, generator: Generator) -> bool {
        // A failed put is repeated, so that hardly a login fails.
        let is_eventual = matches!(self, Self::LostIsTrue | Self::StalePasses | Self::FailedLoginChangesNothing);
        match generator {
            Generator::Mixed => self != Self::LinearizableKeepsWrites,
            Generator::Linearizable => !is_eventual,
            // The plans of earlier releases do not test all of them.
            Generator::Sequences => false,
        }
    }

    pub const fn text(self) -> &'static str {
        match self {
            Self::OwnDataOnly => "no response shows data of a session other than its cookie's",
            Self::NoForeignCookie => "no commit gives out a cookie of another visitor's session",
            Self::FailedRequestSavesNothing => {
                "a request that fails before its commit or answers with status 500 has saved nothing"
            }
            Self::AbsoluteDeadlineStays => "nothing outlives the absolute deadline by more than the clocks differ",
            Self::OutageLogsNoOneOut => "a failed read takes no cookie away",
            Self::OutageCreatesNothing => "a failed read creates no session",
            Self::LogoutIsFinal => "after an acknowledged logout and the bound, its key opens nothing",
            Self::LogoutEndsEveryKey => {
                "after an acknowledged logout and the bound, no other key of the session opens anything, in any tab"
            }
            Self::NoSaveAfterLogout => "after an acknowledged logout and the bound, nothing of the session is saved",
            Self::FailedLogoutFinishes => {
                "a failed logout is finished by the browser's later requests, and nothing is created before"
            }
            Self::DeleteEndsSession => {
                "after an acknowledged deletion by key and the bound, no key of the session opens anything"
            }
            Self::OldKeyEnds => "after a login and the bound, the key before it opens nothing",
            Self::IsolateKnowsRevocations => {
                "in one isolate, a key opens nothing as soon as its logout, login or deletion is acknowledged"
            }
            Self::NoCookieOfEndedKey => {
                "no response gives the cookie of a key whose end was acknowledged: in one isolate at once, elsewhere after the bound"
            }
            Self::OldKeyStartsNoSession => "a request with the key from before a login starts no session beside it",
            Self::ClearRevivesNothing => "clearing a session that has ended is refused",
            Self::LoginCookieStays => "no answer to another request takes the cookie of a login away that arrived",
            Self::NextPageIsLoggedIn => {
                "the next page after a login is logged in: in one isolate at once, elsewhere at the latest after the bound"
            }
            Self::MovedCookieLogsIn => "after a change of the cookie's path or domain, the first login holds",
            Self::DoubleLoginKeepsCart => "a login that is sent twice succeeds and keeps the session's data both times",
            Self::LoginStays => "a login that was acknowledged stays logged in",
            Self::FailedLoginChangesNothing => "a failed login leaves the session as it was",
            Self::ActiveVisitorStays => {
                "a visitor whose requests are more frequent than the session's life stays logged in, with slow handlers, too"
            }
            Self::SessionStays => "a saved session opens everywhere after the bound",
            Self::LiveSessionStays => "no response takes the cookie of a live session away",
            Self::LateAnswerGivesItsCookie => "a slow request that saved gives its cookie",
            Self::LateDeletionIsWithheld => "a slow request that is no logout deletes no cookie",
            Self::IsolateKeepsWrites => "no acknowledged write of one isolate is lost",
            Self::IsolateReadsWrites => "in one isolate, a load shows every acknowledged write",
            Self::IsolateAcceptsWrites => "in one isolate, no write to a live session is refused",
            Self::StrongKvIsExact => {
                "on a strong KV with one isolate, nothing is stale, refused for its age, unavailable or lost"
            }
            Self::OwnWritesAreRead => {
                "a browser in sequence reads what its cookie knows of, or the load outcome says why not"
            }
            Self::KnownWritesAreKept => "a save keeps what its cookie knows of, unless an event says that it is lost",
            Self::LostIsTrue => "nothing is called lost that can still appear",
            Self::StalePasses => "nothing is called stale that cannot appear any more",
            Self::NothingNewerIsReverted => "a save reverts nothing newer that its request read",
            Self::LinearizableKeepsWrites => "on a linearizable store, no acknowledged write is lost, wherever it ran",
        }
    }
}

#[derive(Clone, Debug)]
pub struct Violation {
    pub invariant: Invariant,
    pub at: Id,
    pub why: String,
}

/// The violations in a history, and how often each invariant was tested.
#[derive(Default)]
pub struct Findings {
    pub violations: Vec<Violation>,
    pub tested: BTreeMap<Invariant, u64>,
}

impl Findings {
    /// Counts a test of an invariant at a request, and notes a violation unless it `holds`.
    fn test(&mut self, invariant: Invariant, at: Id, holds: bool, why: impl FnOnce() -> String) {
        *self.tested.entry(invariant).or_default() += 1;
        if !holds {
            self.violations.push(Violation { invariant, at, why: why() });
        }
    }
}

/// A history under test.
struct Case<'a> {
    simulation: &'a Simulation,
    history: &'a History,
    bound: Duration,
    findings: Findings,
}

pub fn check(simulation: &Simulation) -> Findings {
    let history = simulation.history.borrow();
    let findings = Findings::default();
    let mut case = Case { simulation, history: &history, bound: simulation.bound, findings };
    let logins = analysis::logins(&history);
    for (id, request) in history.each() {
        ownership::check(&mut case, id, request);
        revocation::check(&mut case, id, request);
        cookies::check(&mut case, id, request);
        writes::check(&mut case, id, request);
        logins::check(&mut case, id, request);
    }
    logins.iter().for_each(|login| logins::check_browser(&mut case, login));
    case.findings
}

impl Case<'_> {
    fn test(&mut self, invariant: Invariant, at: Id, holds: bool, why: impl FnOnce() -> String) {
        self.findings.test(invariant, at, holds, why);
    }

    /// Returns whether KV's propagation stays within the time that the published bounds assume.
    fn has_published_propagation(&self) -> bool {
        self.simulation.plan.profile.has_published_propagation()
    }
}

/// Returns whether nothing was there for the application to read.
fn is_empty(request: &Request) -> Option<bool> {
    request.seen.map(|seen| !seen.iter().any(|mark| mark.present))
}

/// Returns whether the load found a record, whatever it lacks.
fn is_there(probe: &Request) -> bool {
    use LoadReason::{Live, Lost, Stale, StaleRepaired};
    matches!(probe.reason, Some(Live | StaleRepaired | Stale | Lost))
}

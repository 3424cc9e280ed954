//! Each fault of KV at each step of each operation, and its effect, on the model.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use edge_session::settings::SettingsBuilder;
use edge_session::{ClearExpired, ErrorKind, LoadReason, Sessions};
use edge_session_kv_model::{Fault, KvLocation, KvModel, KvModelOptions, OperationKind};

use crate::support::{Browser, defaults};

/// A KV without latency, in which only planned faults happen.
fn calm() -> KvModel {
    let none = (Duration::ZERO, Duration::ZERO);
    let write_interval = Duration::ZERO;
    KvModel::new(KvModelOptions {
        latency: none,
        slow: 0.0,
        locally_invisible: 0.0,
        write_interval,
        ..KvModelOptions::default()
    })
}

fn sessions_at(model: &KvModel, place: &str, settings: SettingsBuilder) -> Sessions<KvLocation> {
    let clock = model.clone();
    Sessions::new(model.at(place), settings.build().unwrap()).with_clock(move || clock.date())
}

// Found by the simulation: a retry on top of another save carried the tag of the first attempt. The
// first attempt, applied later, was mistaken for it.
#[test]
fn a_first_attempt_applied_after_its_retry_is_not_mistaken_for_it() {
    let model = calm();
    let sessions = sessions_at(&model, "AMS", defaults());
    model.block_on(async {
        let mut browser = Browser::default();
        for key in ["first", "mine"] {
            let mut session = sessions.load(browser.header()).await.unwrap();
            if key == "mine" {
                let mut other = sessions.load(browser.header()).await.unwrap();
                other.set("theirs", 1).unwrap();
                model.fail_next(OperationKind::Put, Fault::Late(Duration::from_secs(5)));
                let later = model.clone();
                let sessions = sessions_at(&model, "AMS", defaults());
                model.spawn(async move {
                    later.sleep(Duration::from_millis(500)).await;
                    sessions.commit_headers(&mut other, 200).await.unwrap();
                });
            }
            session.set(key, 1).unwrap();
            browser.take(&sessions.commit_headers(&mut session, 200).await.unwrap());
        }
        let mut session = sessions.load(browser.header()).await.unwrap();
        assert_eq!(session.keys().unwrap(), ["first", "theirs", "mine"]);
        model.sleep(Duration::from_secs(40)).await;
        // Another isolate does not mistake it for the retry.
        let mut session = sessions_at(&model, "AMS", defaults()).load(browser.header()).await.unwrap();
        assert_eq!(session.keys().unwrap(), ["first", "mine"]);
        assert_eq!(session.load_reason(), LoadReason::Stale);
        // Isolate memory has the save, and the next commit repairs the record.
        let mut session = sessions.load(browser.header()).await.unwrap();
        let mut keys = session.keys().unwrap();
        keys.sort();
        assert_eq!(
            (keys, session.load_reason()),
            (["first", "mine", "theirs"].map(str::to_owned).into(), LoadReason::Live)
        );
        let _ = sessions.commit_headers(&mut session, 200).await.unwrap();
        let mut session = sessions_at(&model, "AMS", defaults()).load(browser.header()).await.unwrap();
        assert_eq!((session.keys().unwrap().len(), session.load_reason()), (3, LoadReason::Live));
    });
}

/// An action of a visitor's request, or of the application beside one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Action {
    Load,
    Create,
    Save,
    Renewal,
    /// For an anonymous and for a logged-in session.
    Cycle,
    CycleAgain,
    Flush,
    FlushLogin,
    Delete,
    DeleteLogin,
    ClearExpired,
}

const ACTIONS: [Action; 11] = [
    Action::Load,
    Action::Create,
    Action::Save,
    Action::Renewal,
    Action::Cycle,
    Action::CycleAgain,
    Action::Flush,
    Action::FlushLogin,
    Action::Delete,
    Action::DeleteLogin,
    Action::ClearExpired,
];

impl Action {
    /// Whether the session was logged in before.
    fn is_of_login(self) -> bool {
        matches!(self, Self::CycleAgain | Self::FlushLogin | Self::DeleteLogin)
    }
}

/// The outcome of an action.
#[derive(Debug)]
struct Outcome {
    result: Result<(), ErrorKind>,
    reason: Option<LoadReason>,
    /// The name that the visitor's page showed.
    seen: Option<String>,
    set_cookie: Option<String>,
    old_record_remains: bool,
}

fn outcome(result: Result<(), ErrorKind>) -> Outcome {
    Outcome { result, reason: None, seen: None, set_cookie: None, old_record_remains: false }
}

/// A store with alice's session, saved twice, the session of another visitor, and an expired one.
struct Scenario {
    model: KvModel,
    sessions: Sessions<KvLocation>,
    alice: Browser,
    key: String,
}

fn settings() -> SettingsBuilder {
    defaults().save_every_request(true).cookie_age(100_000)
}

impl Scenario {
    fn new(action: Action) -> Self {
        let model = calm();
        let sessions = sessions_at(&model, "AMS", settings());
        let other = sessions_at(&model, "AMS", defaults().cookie_age(60));
        let (mut alice, mut key) = (Browser::default(), String::new());
        model.block_on(async {
            for (sessions, name) in [(&other, "carol"), (&sessions, "bob")] {
                let mut session = sessions.load("").await.unwrap();
                session.set("user", name).unwrap();
                sessions.commit_headers(&mut session, 200).await.unwrap();
            }
            for page in 0..2 {
                let mut session = sessions.load(alice.header()).await.unwrap();
                session.set("user", "alice").unwrap();
                session.set("page", page).unwrap();
                if page == 1 && action.is_of_login() {
                    session.cycle_key().unwrap();
                }
                alice.take(&sessions.commit_headers(&mut session, 200).await.unwrap());
                key = session.session_key().unwrap().as_str().to_owned();
            }
        });
        // Long enough for a renewal, and for carol's session to expire although KV still has its record.
        model.run_for(Duration::from_secs(20_000));
        Self { model, sessions, alice, key }
    }

    fn record_of(&self, name: &str) -> Option<String> {
        let entries = self.model.entries().into_iter();
        let mut found = entries.filter(|(key, value)| {
            key.contains(":session:") && String::from_utf8_lossy(value).contains(&format!("\"user\":\"{name}\""))
        });
        found.next().map(|(key, _)| key)
    }

    async fn carry_out(&self, action: Action, browser: &Browser) -> Outcome {
        match action {
            Action::Delete | Action::DeleteLogin => {
                outcome(self.sessions.delete(&self.key).await.map_err(|error| error.kind()))
            }
            Action::ClearExpired => {
                let swept = self.sessions.clear_expired_with(ClearExpired { full_pass: true }).await;
                outcome(swept.map(|_| ()).map_err(|error| error.kind()))
            }
            _ => self.request(action, if action == Action::Create { &Browser(None) } else { browser }).await,
        }
    }

    async fn request(&self, action: Action, browser: &Browser) -> Outcome {
        // Only a renewal writes unchanged data.
        let sessions = match action {
            Action::Renewal => &self.sessions,
            _ => &sessions_at(&self.model, "AMS", defaults().cookie_age(100_000)),
        };
        let mut session = sessions.load(browser.header()).await.unwrap();
        let seen = session.get::<String>("user").map_err(|error| error.kind());
        let handled = match (action, &seen) {
            (Action::Flush | Action::FlushLogin, _) => sessions.flush(&mut session).await,
            (_, Err(_)) => Ok(()),
            (Action::Create | Action::Save, _) => session.set("saved", true),
            (Action::Cycle | Action::CycleAgain, _) => session.cycle_key().and_then(|()| session.set("saved", true)),
            _ => Ok(()),
        };
        let committed = sessions.commit_headers(&mut session, 200).await;
        let mut result = handled.map_err(|error| error.kind());
        let (mut set_cookie, mut old_record_remains) = (None, false);
        match committed {
            Ok(headers) => {
                set_cookie = headers.set_cookie().map(str::to_owned);
                old_record_remains = headers.saved().old_record_remains;
            }
            Err(error) => result = result.and(Err(error.kind())),
        }
        if !matches!(action, Action::Flush | Action::FlushLogin) {
            result = result.and(seen.clone().map(|_| ()));
        }
        let seen = seen.ok().flatten();
        Outcome { result, reason: Some(session.load_reason()), seen, set_cookie, old_record_remains }
    }

    /// Opens a cookie at another location once every write is visible and nothing fails. Returns the name, and whether it was
    /// saved.
    fn opens(&self, browser: &Browser) -> (Option<String>, bool) {
        let sessions = sessions_at(&self.model, "SIN", settings());
        let opened = self.model.block_on(async {
            let mut session = sessions.load(browser.header()).await.unwrap();
            (session.get("user").unwrap(), session.contains_key("saved").unwrap())
        });
        opened.unwrap()
    }
}

/// Every fault. A fault that does not apply to an operation has no effect.
fn faults(scenario: &Scenario) -> Vec<Fault> {
    let mut faults: Vec<_> = [400, 413, 414, 429, 500, 503].map(Fault::Status).to_vec();
    faults.extend([Fault::Hang, Fault::Missing, Fault::Expired, Fault::EmptyPage, Fault::Stale(1), Fault::Stale(9)]);
    faults.extend([Fault::Slow(Duration::from_secs(20)), Fault::AppliedButFailed(500), Fault::AppliedButFailed(429)]);
    faults.extend([2, 40].map(|seconds| Fault::Late(Duration::from_secs(seconds))));
    faults.extend([0, 1, 30, 150, 200].map(Fault::Truncated));
    faults.extend([0, 100, 400, 900].map(Fault::FlippedBit));
    let junk: [&[u8]; 6] = [b"", b"null", b"[]", b"{}", b"\xff\xfe", b"{\"edge-session\":2}"];
    faults.extend(junk.map(|bytes| Fault::Replaced(bytes.to_vec())));
    faults.push(Fault::Replaced(vec![b' '; 2_000_000]));
    faults.extend(scenario.record_of("bob").map(Fault::OfKey));
    faults
}

/// Returns whether an operation with this fault returns an error.
fn is_refused(kind: OperationKind, fault: &Fault) -> bool {
    match fault {
        Fault::Status(_) => true,
        Fault::AppliedButFailed(_) | Fault::Late(_) => matches!(kind, OperationKind::Put | OperationKind::Delete),
        _ => false,
    }
}

/// The operations of an action: their kind, and the kind of their key.
type Operations = Rc<RefCell<Vec<(OperationKind, String)>>>;

/// Plans a fault of the operation at `place`, if given, and records all operations.
fn plant(scenario: &Scenario, place: Option<usize>, fault: Fault) -> Operations {
    let operations = Operations::default();
    let noted = Rc::clone(&operations);
    scenario.model.on_operation(move |operation| {
        let at = noted.borrow().len();
        noted.borrow_mut().push((operation.kind, operation.key.split(':').nth(1).unwrap().to_owned()));
        (Some(at) == place).then(|| fault.clone())
    });
    operations
}

#[test]
fn each_fault_at_each_step_of_each_operation() {
    let mut tried = 0;
    for action in ACTIONS {
        let usual = Scenario::new(action);
        let steps = plant(&usual, None, Fault::Hang);
        let result = usual.model.block_on(usual.carry_out(action, &usual.alice)).unwrap().result;
        assert_eq!(result, Ok(()), "{action:?}");
        let steps = steps.take();
        assert!(!steps.is_empty());
        for (place, (kind, of)) in steps.iter().enumerate() {
            for fault in faults(&usual) {
                let scenario = Scenario::new(action);
                let fault = match fault {
                    Fault::OfKey(_) => Fault::OfKey(scenario.record_of("bob").unwrap()),
                    other => other,
                };
                let case = format!("{action:?}, step {place} ({kind:?} {of}), {fault:?}");
                plant(&scenario, Some(place), fault.clone());
                let outcome = scenario.model.block_on(scenario.carry_out(action, &scenario.alice));
                scenario.model.on_operation(|_| None);
                scenario.model.run_for(Duration::from_secs(200));
                judge(&scenario, action, (*kind, of), &fault, outcome, &case);
                tried += 1;
            }
        }
    }
    assert!(tried > 700, "{tried}");
}

fn judge(
    scenario: &Scenario,
    action: Action,
    (kind, of): (OperationKind, &str),
    fault: &Fault,
    outcome: Option<Outcome>,
    case: &str,
) {
    let (alice, saved) = scenario.opens(&scenario.alice);
    let lives = alice.as_deref() == Some("alice");
    // KV never returns the value of another key, and a record does not contain its key: a save on a swapped record goes
    // undetected.
    if matches!(fault, Fault::OfKey(_)) && kind == OperationKind::Get && of == "session" {
        let reason = outcome.unwrap().reason;
        assert!(
            action != Action::Load || matches!(reason, Some(LoadReason::Stale | LoadReason::Lost)),
            "{case}: {reason:?}"
        );
        return;
    }
    assert!(alice.is_none() || lives, "{case}: another session's data");
    assert!(scenario.record_of("bob").is_some(), "{case}");
    let Some(outcome) = outcome else {
        assert_eq!(fault, &Fault::Hang, "{case}");
        let cycles = matches!(action, Action::Cycle | Action::CycleAgain);
        let ends = matches!(action, Action::Flush | Action::FlushLogin | Action::Delete | Action::DeleteLogin);
        assert!(cycles || ends || lives, "{case}: a request that vanished ended no session");
        assert!(!cycles || scenario.record_of("alice").is_some(), "{case}: both keys are dead");
        return;
    };
    let damaged = matches!(
        fault,
        Fault::Truncated(_)
            | Fault::FlippedBit(_)
            | Fault::Replaced(_)
            | Fault::OfKey(_)
            | Fault::Missing
            | Fault::Stale(_)
    );
    let misread = damaged && kind == OperationKind::Get;
    let deleted = outcome.set_cookie.as_deref().is_some_and(|cookie| cookie.contains("; Max-Age=0;"));
    let given = outcome.set_cookie.as_deref().filter(|_| !deleted);
    let new = given.map(|cookie| Browser(cookie.split(';').next().map(str::to_owned)));
    match action {
        Action::Load | Action::Save | Action::Renewal | Action::ClearExpired => {
            assert!(lives, "{case}: the session stays");
            assert!(!deleted || misread && of == "session", "{case}: only what cannot be read takes the cookie away");
        }
        Action::Create => {
            let opened = new.as_ref().is_some_and(|new| scenario.opens(new).1);
            assert_eq!(opened, outcome.result.is_ok(), "{case}: a new session is there if it was case to be");
        }
        Action::Cycle | Action::CycleAgain if !misread => {
            assert_eq!(outcome.result.is_err(), kind == OperationKind::Get && is_refused(kind, fault), "{case}");
            match new {
                Some(new) => assert_eq!(scenario.opens(&new), (Some("alice".to_owned()), true), "{case}"),
                None => assert!(lives && outcome.result.is_err(), "{case}: a login that failed changes nothing"),
            }
            assert!(!lives || outcome.result.is_err() || outcome.old_record_remains, "{case}: the old key ended");
        }
        // An unreadable session is anonymous, and a login starts a new one.
        Action::Cycle | Action::CycleAgain => assert!(lives || new.is_some_and(|new| scenario.opens(&new).1), "{case}"),
        Action::Delete | Action::DeleteLogin => {
            assert!(!lives || outcome.result.is_err(), "{case}: a session that was deleted opens nothing");
        }
        Action::Flush | Action::FlushLogin => {
            assert!(!lives || outcome.result.is_err(), "{case}: a session that has ended opens nothing");
            assert_eq!(deleted, outcome.result.is_ok(), "{case}: a logout that succeeded deletes the cookie");
        }
    }
    match (action, kind) {
        (Action::Load, OperationKind::Get) if is_refused(kind, fault) => {
            assert_eq!(
                (outcome.result, outcome.reason),
                (Err(ErrorKind::StoreUnavailable), Some(LoadReason::Unavailable)),
                "{case}"
            );
        }
        (Action::Load, OperationKind::Get) if of == "session" && matches!(fault, Fault::Stale(1)) => {
            assert_eq!(outcome.seen.as_deref(), Some("alice"), "{case}");
        }
        (Action::Load, OperationKind::Get) if misread && of == "session" => {
            let anonymous = outcome.seen.is_none();
            let is_reported = outcome.reason != Some(LoadReason::Live);
            assert!(anonymous || is_reported || matches!(fault, Fault::FlippedBit(_)), "{case}: {:?}", outcome.reason);
        }
        // A tombstone with any value revokes the session.
        (Action::Load, OperationKind::Get) if matches!(fault, Fault::Replaced(_) | Fault::OfKey(_)) => {
            assert_eq!((outcome.reason, outcome.seen), (Some(LoadReason::Revoked), None), "{case}");
        }
        // A change has two attempts.
        (Action::Save | Action::Create, OperationKind::Put) => {
            assert_eq!(outcome.result, Ok(()), "{case}");
            assert!(action == Action::Create || saved, "{case}");
        }
        // A failed renewal does not fail the response.
        (Action::Renewal, OperationKind::Put) => assert_eq!(outcome.result, Ok(()), "{case}"),
        (Action::Flush | Action::FlushLogin, _) if is_refused(kind, fault) => {
            assert_eq!(outcome.result, Ok(()), "{case}")
        }
        _ => {}
    }
}

//! What goes wrong in KV at each step of each operation, and what comes of it: on the model, fault by fault.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use edge_session::settings::SettingsBuilder;
use edge_session::{ClearExpired, ErrorKind, LoadReason, Sessions};
use edge_session_kv_model::{Fault, KvLocation, KvModel, KvModelOptions, OperationKind};

use crate::support::{Browser, defaults};

/// A KV in which nothing takes time and nothing fails unless it is told to.
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

// Found by the simulation: a second try on top of what another one had saved meanwhile carried the first one's mark, so that the
// first one, landing after it, was taken for it.
#[test]
fn a_first_try_that_lands_over_the_second_one_is_not_taken_for_it() {
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
        // Another isolate does not take it for the second try.
        let mut session = sessions_at(&model, "AMS", defaults()).load(browser.header()).await.unwrap();
        assert_eq!(session.keys().unwrap(), ["first", "mine"]);
        assert_eq!(session.load_reason(), LoadReason::Stale);
        // The isolate of the save remembers what it put, and its next commit repairs the record.
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

/// What a visitor's request does, or what the application does beside one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Deed {
    Load,
    Create,
    Save,
    Renewal,
    /// Of an anonymous session, and of one that is logged in.
    Cycle,
    CycleAgain,
    Flush,
    FlushLogin,
    Delete,
    DeleteLogin,
    ClearExpired,
}

const DEEDS: [Deed; 11] = [
    Deed::Load,
    Deed::Create,
    Deed::Save,
    Deed::Renewal,
    Deed::Cycle,
    Deed::CycleAgain,
    Deed::Flush,
    Deed::FlushLogin,
    Deed::Delete,
    Deed::DeleteLogin,
    Deed::ClearExpired,
];

impl Deed {
    /// Whether the session was logged in before.
    fn is_of_login(self) -> bool {
        matches!(self, Self::CycleAgain | Self::FlushLogin | Self::DeleteLogin)
    }
}

/// What came of it.
#[derive(Debug)]
struct Outcome {
    result: Result<(), ErrorKind>,
    reason: Option<LoadReason>,
    /// What the visitor saw of their name.
    seen: Option<String>,
    set_cookie: Option<String>,
    old_record_remains: bool,
}

fn outcome(result: Result<(), ErrorKind>) -> Outcome {
    Outcome { result, reason: None, seen: None, set_cookie: None, old_record_remains: false }
}

/// A store with alice's session, saved twice, another visitor's, and one that is long over.
struct World {
    model: KvModel,
    sessions: Sessions<KvLocation>,
    alice: Browser,
    key: String,
}

fn settings() -> SettingsBuilder {
    defaults().save_every_request(true).cookie_age(100_000)
}

impl World {
    fn new(deed: Deed) -> Self {
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
                if page == 1 && deed.is_of_login() {
                    session.cycle_key().unwrap();
                }
                alice.take(&sessions.commit_headers(&mut session, 200).await.unwrap());
                key = session.session_key().unwrap().as_str().to_owned();
            }
        });
        // Long enough for a renewal, and for carol's session to be over but for what KV keeps of it.
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

    async fn carry_out(&self, deed: Deed, browser: &Browser) -> Outcome {
        match deed {
            Deed::Delete | Deed::DeleteLogin => {
                outcome(self.sessions.delete(&self.key).await.map_err(|error| error.kind()))
            }
            Deed::ClearExpired => {
                let swept = self.sessions.clear_expired_with(ClearExpired { full_pass: true }).await;
                outcome(swept.map(|_| ()).map_err(|error| error.kind()))
            }
            _ => self.request(deed, if deed == Deed::Create { &Browser(None) } else { browser }).await,
        }
    }

    async fn request(&self, deed: Deed, browser: &Browser) -> Outcome {
        // Only a renewal is asked to write what did not change.
        let sessions = match deed {
            Deed::Renewal => &self.sessions,
            _ => &sessions_at(&self.model, "AMS", defaults().cookie_age(100_000)),
        };
        let mut session = sessions.load(browser.header()).await.unwrap();
        let seen = session.get::<String>("user").map_err(|error| error.kind());
        let handled = match (deed, &seen) {
            (Deed::Flush | Deed::FlushLogin, _) => sessions.flush(&mut session).await,
            (_, Err(_)) => Ok(()),
            (Deed::Create | Deed::Save, _) => session.set("saved", true),
            (Deed::Cycle | Deed::CycleAgain, _) => session.cycle_key().and_then(|()| session.set("saved", true)),
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
        if !matches!(deed, Deed::Flush | Deed::FlushLogin) {
            result = result.and(seen.clone().map(|_| ()));
        }
        let seen = seen.ok().flatten();
        Outcome { result, reason: Some(session.load_reason()), seen, set_cookie, old_record_remains }
    }

    /// What a cookie opens at another location, once everything is visible and nothing fails: the name, and whether it was saved.
    fn opens(&self, browser: &Browser) -> (Option<String>, bool) {
        let sessions = sessions_at(&self.model, "SIN", settings());
        let opened = self.model.block_on(async {
            let mut session = sessions.load(browser.header()).await.unwrap();
            (session.get("user").unwrap(), session.contains_key("saved").unwrap())
        });
        opened.unwrap()
    }
}

/// Every fault, of which those that do not fit an operation change nothing.
fn faults(world: &World) -> Vec<Fault> {
    let mut faults: Vec<_> = [400, 413, 414, 429, 500, 503].map(Fault::Status).to_vec();
    faults.extend([Fault::Hang, Fault::Missing, Fault::Expired, Fault::EmptyPage, Fault::Stale(1), Fault::Stale(9)]);
    faults.extend([Fault::Slow(Duration::from_secs(20)), Fault::AppliedButFailed(500), Fault::AppliedButFailed(429)]);
    faults.extend([2, 40].map(|seconds| Fault::Late(Duration::from_secs(seconds))));
    faults.extend([0, 1, 30, 150, 200].map(Fault::Truncated));
    faults.extend([0, 100, 400, 900].map(Fault::FlippedBit));
    let junk: [&[u8]; 6] = [b"", b"null", b"[]", b"{}", b"\xff\xfe", b"{\"edge-session\":2}"];
    faults.extend(junk.map(|bytes| Fault::Replaced(bytes.to_vec())));
    faults.push(Fault::Replaced(vec![b' '; 2_000_000]));
    faults.extend(world.record_of("bob").map(Fault::OfKey));
    faults
}

/// Whether an operation fails with a fault, and says so.
fn is_refused(kind: OperationKind, fault: &Fault) -> bool {
    match fault {
        Fault::Status(_) => true,
        Fault::AppliedButFailed(_) | Fault::Late(_) => matches!(kind, OperationKind::Put | OperationKind::Delete),
        _ => false,
    }
}

/// The operations of a deed: what kind, and of which kind of key.
type Operations = Rc<RefCell<Vec<(OperationKind, String)>>>;

/// Plants a fault in the operation at `place`, or in none, and writes down what operations there are.
fn plant(world: &World, place: Option<usize>, fault: Fault) -> Operations {
    let operations = Operations::default();
    let noted = Rc::clone(&operations);
    world.model.on_operation(move |operation| {
        let at = noted.borrow().len();
        noted.borrow_mut().push((operation.kind, operation.key.split(':').nth(1).unwrap().to_owned()));
        (Some(at) == place).then(|| fault.clone())
    });
    operations
}

#[test]
fn each_fault_at_each_step_of_each_operation() {
    let mut tried = 0;
    for deed in DEEDS {
        let usual = World::new(deed);
        let steps = plant(&usual, None, Fault::Hang);
        let result = usual.model.block_on(usual.carry_out(deed, &usual.alice)).unwrap().result;
        assert_eq!(result, Ok(()), "{deed:?}");
        let steps = steps.take();
        assert!(!steps.is_empty());
        for (place, (kind, of)) in steps.iter().enumerate() {
            for fault in faults(&usual) {
                let world = World::new(deed);
                let fault = match fault {
                    Fault::OfKey(_) => Fault::OfKey(world.record_of("bob").unwrap()),
                    other => other,
                };
                let said = format!("{deed:?}, step {place} ({kind:?} {of}), {fault:?}");
                plant(&world, Some(place), fault.clone());
                let outcome = world.model.block_on(world.carry_out(deed, &world.alice));
                world.model.on_operation(|_| None);
                world.model.run_for(Duration::from_secs(200));
                judge(&world, deed, (*kind, of), &fault, outcome, &said);
                tried += 1;
            }
        }
    }
    assert!(tried > 700, "{tried}");
}

fn judge(
    world: &World,
    deed: Deed,
    (kind, of): (OperationKind, &str),
    fault: &Fault,
    outcome: Option<Outcome>,
    said: &str,
) {
    let (alice, saved) = world.opens(&world.alice);
    let lives = alice.as_deref() == Some("alice");
    // KV does not mix up its keys, and a record does not say whose it is: that a save builds on what it was given then is told.
    if matches!(fault, Fault::OfKey(_)) && kind == OperationKind::Get && of == "session" {
        let told = outcome.unwrap().reason;
        assert!(deed != Deed::Load || matches!(told, Some(LoadReason::Stale | LoadReason::Lost)), "{said}: {told:?}");
        return;
    }
    assert!(alice.is_none() || lives, "{said}: another session's data");
    assert!(world.record_of("bob").is_some(), "{said}");
    let Some(outcome) = outcome else {
        assert_eq!(fault, &Fault::Hang, "{said}");
        let cycles = matches!(deed, Deed::Cycle | Deed::CycleAgain);
        let ends = matches!(deed, Deed::Flush | Deed::FlushLogin | Deed::Delete | Deed::DeleteLogin);
        assert!(cycles || ends || lives, "{said}: a request that vanished ended no session");
        assert!(!cycles || world.record_of("alice").is_some(), "{said}: both keys are dead");
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
    match deed {
        Deed::Load | Deed::Save | Deed::Renewal | Deed::ClearExpired => {
            assert!(lives, "{said}: the session stays");
            assert!(!deleted || misread && of == "session", "{said}: only what cannot be read takes the cookie away");
        }
        Deed::Create => {
            let opened = new.as_ref().is_some_and(|new| world.opens(new).1);
            assert_eq!(opened, outcome.result.is_ok(), "{said}: a new session is there if it was said to be");
        }
        Deed::Cycle | Deed::CycleAgain if !misread => {
            assert_eq!(outcome.result.is_err(), kind == OperationKind::Get && is_refused(kind, fault), "{said}");
            match new {
                Some(new) => assert_eq!(world.opens(&new), (Some("alice".to_owned()), true), "{said}"),
                None => assert!(lives && outcome.result.is_err(), "{said}: a login that failed changes nothing"),
            }
            assert!(!lives || outcome.result.is_err() || outcome.old_record_remains, "{said}: the old key ended");
        }
        // Whoever cannot be read is nobody: a login is of somebody new.
        Deed::Cycle | Deed::CycleAgain => assert!(lives || new.is_some_and(|new| world.opens(&new).1), "{said}"),
        Deed::Delete | Deed::DeleteLogin => {
            assert!(!lives || outcome.result.is_err(), "{said}: a session that was deleted opens nothing");
        }
        Deed::Flush | Deed::FlushLogin => {
            assert!(!lives || outcome.result.is_err(), "{said}: a session that has ended opens nothing");
            assert_eq!(deleted, outcome.result.is_ok(), "{said}: a logout that succeeded deletes the cookie");
        }
    }
    match (deed, kind) {
        (Deed::Load, OperationKind::Get) if is_refused(kind, fault) => {
            assert_eq!(
                (outcome.result, outcome.reason),
                (Err(ErrorKind::StoreUnavailable), Some(LoadReason::Unavailable)),
                "{said}"
            );
        }
        (Deed::Load, OperationKind::Get) if of == "session" && matches!(fault, Fault::Stale(1)) => {
            assert_eq!(outcome.seen.as_deref(), Some("alice"), "{said}");
        }
        (Deed::Load, OperationKind::Get) if misread && of == "session" => {
            let anonymous = outcome.seen.is_none();
            let told = outcome.reason != Some(LoadReason::Live);
            assert!(anonymous || told || matches!(fault, Fault::FlippedBit(_)), "{said}: {:?}", outcome.reason);
        }
        // One that stands there at all ends the session, whatever it says.
        (Deed::Load, OperationKind::Get) if matches!(fault, Fault::Replaced(_) | Fault::OfKey(_)) => {
            assert_eq!((outcome.reason, outcome.seen), (Some(LoadReason::Revoked), None), "{said}");
        }
        // A change is tried twice.
        (Deed::Save | Deed::Create, OperationKind::Put) => {
            assert_eq!(outcome.result, Ok(()), "{said}");
            assert!(deed == Deed::Create || saved, "{said}");
        }
        // A renewal fails no page.
        (Deed::Renewal, OperationKind::Put) => assert_eq!(outcome.result, Ok(()), "{said}"),
        (Deed::Flush | Deed::FlushLogin, _) if is_refused(kind, fault) => assert_eq!(outcome.result, Ok(()), "{said}"),
        _ => {}
    }
}

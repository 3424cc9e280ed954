//! Isolates on the model of KV: concurrent requests in one isolate, in virtual time.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use edge_session::settings::SettingsBuilder;
use edge_session::{ErrorKind, Session, SessionHeaders, Sessions};
use edge_session_kv_model::{KvLocation, KvModel, KvModelOptions, Operation, OperationKind, Task};

use super::{Browser, defaults};

pub const fn millis(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// KV on an ordinary day: no operation is slow, and each write is visible at once at its location.
pub fn usual() -> KvModelOptions {
    KvModelOptions { slow: 0.0, locally_invisible: 0.0, ..KvModelOptions::default() }
}

/// A store that shows each write at once and has no write limit.
pub fn strong() -> KvModelOptions {
    KvModelOptions {
        cache_ttl: Duration::ZERO,
        max_propagation: Duration::ZERO,
        latency: (millis(2), millis(13)),
        write_interval: Duration::ZERO,
        ..usual()
    }
}

/// One isolate at a location.
#[derive(Clone)]
pub struct Isolate {
    pub model: KvModel,
    pub location: KvLocation,
    settings: Rc<dyn Fn() -> SettingsBuilder>,
    events: Rc<RefCell<Vec<String>>>,
}

/// The outcome of a request.
#[derive(Clone, Debug)]
pub struct Outcome {
    pub result: Result<SessionHeaders, ErrorKind>,
    /// The duration of its commit.
    pub took: Duration,
    /// The browser after the response.
    pub browser: Browser,
}

/// A request that runs as a task of the model.
#[derive(Clone)]
pub struct Running {
    pub task: Task,
    outcome: Rc<RefCell<Option<Outcome>>>,
}

impl Running {
    /// The outcome of the request; panics if it still runs.
    #[track_caller]
    pub fn outcome(&self) -> Outcome {
        self.outcome.borrow().clone().expect("the request has ended")
    }

    /// The browser after a request whose save succeeded.
    #[track_caller]
    pub fn saved(&self) -> Browser {
        let outcome = self.outcome();
        outcome.result.unwrap();
        outcome.browser
    }
}

/// The outcomes of requests that have ended.
#[track_caller]
pub fn outcomes(running: &[Running]) -> Vec<Outcome> {
    running.iter().map(Running::outcome).collect()
}

/// Runs the model until every write has reached every location.
pub fn settle(model: &KvModel) {
    model.run_for(model.options().staleness_bound());
}

/// Runs the model step by step until the condition holds.
#[track_caller]
pub fn step_until(model: &KvModel, mut condition: impl FnMut() -> bool) {
    while !condition() {
        assert!(model.step());
    }
}

impl Isolate {
    pub fn at(model: &KvModel, place: &str) -> Self {
        Self::with(model, place, defaults)
    }

    /// A model of KV, an isolate in Amsterdam, and a [visitor](Self::visitor) of it.
    pub fn with_visitor(options: KvModelOptions) -> (KvModel, Self, Browser) {
        let model = KvModel::new(options);
        let isolate = Self::at(&model, "AMS");
        let browser = isolate.visitor();
        (model, isolate, browser)
    }

    pub fn with(model: &KvModel, place: &str, settings: impl Fn() -> SettingsBuilder + 'static) -> Self {
        let location = model.at(place);
        Self { model: model.clone(), location, settings: Rc::new(settings), events: Rc::default() }
    }

    /// The `Sessions` of one request, as a Rust Worker makes them. All of them share the isolate memory.
    pub fn sessions(&self) -> Sessions<KvLocation> {
        let (clock, events) = (self.model.clone(), Rc::clone(&self.events));
        Sessions::new(self.location.clone(), (self.settings)().build().unwrap())
            .with_clock(move || clock.date())
            .with_events(move |event| events.borrow_mut().push(event.kind.as_str().to_owned()))
    }

    /// The events since the last call.
    pub fn events(&self) -> Vec<String> {
        self.events.take()
    }

    /// Loads now. Virtual time passes.
    pub fn load(&self, browser: &Browser) -> Session {
        self.model.block_on(self.sessions().load(browser.header())).unwrap().unwrap()
    }

    pub fn get<T: serde::de::DeserializeOwned>(&self, browser: &Browser, key: &str) -> Option<T> {
        self.load(browser).get(key).unwrap()
    }

    /// The numbers that one load reads under these keys.
    pub fn numbers(&self, browser: &Browser, keys: &[&str]) -> Vec<Option<u8>> {
        let mut session = self.load(browser);
        keys.iter().map(|key| session.get(key).unwrap()).collect()
    }

    /// Runs one request alone, to its end.
    #[track_caller]
    pub fn request(&self, browser: &mut Browser, handler: impl FnOnce(&mut Session) + 'static) -> Outcome {
        let running = self.start(self.load(browser), browser, handler);
        self.model.run_for(Duration::from_secs(20));
        let outcome = running.outcome();
        *browser = outcome.browser.clone();
        outcome
    }

    /// Starts a task that runs the handler and commits a loaded session.
    pub fn start(
        &self,
        mut session: Session,
        browser: &Browser,
        handler: impl FnOnce(&mut Session) + 'static,
    ) -> Running {
        let outcome = Rc::<RefCell<Option<Outcome>>>::default();
        let (end, sessions, model, mut browser) =
            (Rc::clone(&outcome), self.sessions(), self.model.clone(), browser.clone());
        let task = self.model.spawn(async move {
            handler(&mut session);
            let began = model.now();
            let result = sessions.commit_headers(&mut session, 200).await.map_err(|error| error.kind());
            if let Ok(headers) = &result {
                browser.take(headers);
            }
            end.replace(Some(Outcome { result, took: model.now() - began, browser }));
        });
        Running { task, outcome }
    }

    /// Starts a request that sets a key to 1.
    pub fn set(&self, browser: &Browser, key: &'static str) -> Running {
        self.start(self.load(browser), browser, move |session| session.set(key, 1).unwrap())
    }

    /// Starts one request for each key. All of them load the session before any of them commits. Each sets its key to 1.
    pub fn parallel(&self, browser: &Browser, keys: &[&str]) -> Vec<Running> {
        let sessions: Vec<_> = keys.iter().map(|_| self.load(browser)).collect();
        let start = |(session, key): (Session, &&str)| {
            let key = (*key).to_owned();
            self.start(session, browser, move |session| session.set(&key, 1).unwrap())
        };
        sessions.into_iter().zip(keys).map(start).collect()
    }

    /// A browser with a session that holds `{"user": "alice"}`, saved long enough ago for the next write.
    pub fn visitor(&self) -> Browser {
        let mut browser = Browser::default();
        self.request(&mut browser, |session| session.set("user", "alice").unwrap()).result.unwrap();
        self.events();
        browser
    }
}

/// Records the time of each put of a record from now on.
pub fn watch_puts(model: &KvModel) -> Rc<RefCell<Vec<Duration>>> {
    let puts = Rc::<RefCell<Vec<Duration>>>::default();
    let noted = Rc::clone(&puts);
    model.on_operation(move |operation: &Operation<'_>| {
        if operation.kind == OperationKind::Put && operation.key.contains(":session:") {
            noted.borrow_mut().push(operation.at);
        }
        None
    });
    puts
}

//! A model of Workers KV for tests, in virtual time and from a seed.
//!
//! Locations cache their reads, and misses too. A write becomes visible at one location after the other, and not always at once
//! where it was made. A key accepts one write per second. Puts can fail although they were applied, or be applied after a later
//! one.

#![no_std]

extern crate alloc;

mod contract;
mod executor;
mod fault;
mod location;
mod namespace;
mod options;
mod random;
mod store;

use alloc::borrow::ToOwned;
use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;
use core::cell::{Cell, RefCell, RefMut};
use core::fmt;
use core::future::poll_fn;
use core::pin::pin;
use core::task::Poll;
use core::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use executor::{Executor, Sleep};
use namespace::{Namespace, Stored};
use options::micros;
use random::Random;

pub use contract::{Breach, StoreContract};
pub use executor::Task;
pub use fault::{AppliedWrite, Fault, Operation, OperationCounts, OperationKind};
pub use location::{Found, KvLocation, ListedKey};
pub use options::KvModelOptions;

type Hook = Rc<dyn Fn(&Operation<'_>) -> Option<Fault>>;
type Watcher = Rc<dyn Fn(&AppliedWrite<'_>)>;

/// A KV namespace that behaves like Workers KV, in virtual time. The same seed yields the same history.
///
/// Every operation takes virtual time, and others continue meanwhile. Virtual time advances only while the model runs.
///
/// ```
/// use edge_session::{Sessions, Settings};
/// use edge_session_kv_model::{KvModel, KvModelOptions};
///
/// # fn main() -> edge_session::Result<()> {
/// let model = KvModel::new(KvModelOptions::default());
/// let settings = Settings::builder(["a secret of at least thirty-two bytes"]).build()?;
/// let clock = model.clone();
/// let sessions = Sessions::new(model.at("AMS"), settings).with_clock(move || clock.date());
/// let headers = model.block_on(async {
///     let mut session = sessions.load("").await?;
///     session.set("user", "alice")?;
///     sessions.commit_headers(&mut session, 200).await
/// });
/// assert!(headers.unwrap()?.set_cookie().is_some());
/// assert_eq!(model.counts().puts, 1);
/// assert!(model.now().as_micros() > 0);
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct KvModel(Rc<Shared>);

struct Shared {
    executor: Rc<Executor>,
    options: RefCell<KvModelOptions>,
    random: RefCell<Random>,
    namespace: RefCell<Namespace>,
    counts: Cell<OperationCounts>,
    out: Cell<bool>,
    next: RefCell<VecDeque<(OperationKind, Fault)>>,
    hook: RefCell<Option<Hook>>,
    watcher: RefCell<Option<Watcher>>,
}

impl KvModel {
    /// Creates an empty namespace, at virtual time zero.
    ///
    /// ```
    /// use edge_session_kv_model::{KvModel, KvModelOptions};
    ///
    /// assert!(KvModel::new(KvModelOptions::default()).entries().is_empty());
    /// ```
    #[must_use]
    pub fn new(options: KvModelOptions) -> Self {
        Self(Rc::new(Shared {
            executor: Rc::default(),
            random: RefCell::new(Random::new(options.seed)),
            options: RefCell::new(options),
            namespace: RefCell::default(),
            counts: Cell::default(),
            out: Cell::default(),
            next: RefCell::default(),
            hook: RefCell::default(),
            watcher: RefCell::default(),
        }))
    }

    /// Returns the namespace as seen from a location. Any name is a location.
    ///
    /// ```
    /// # let model = edge_session_kv_model::KvModel::new(edge_session_kv_model::KvModelOptions::default());
    /// let (here, there) = (model.at("AMS"), model.at("SIN"));
    /// assert_ne!(here.name(), there.name());
    /// ```
    #[must_use]
    pub fn at(&self, location: &str) -> KvLocation {
        let place = self.namespace().location(location);
        KvLocation::new(self.clone(), place, location.into())
    }

    /// Returns the options.
    ///
    /// ```
    /// # let model = edge_session_kv_model::KvModel::new(edge_session_kv_model::KvModelOptions::default());
    /// assert_eq!(model.options().cache_ttl.as_secs(), 30);
    /// ```
    #[must_use]
    pub fn options(&self) -> KvModelOptions {
        self.0.options.borrow().clone()
    }

    /// Replaces the options from now on. The seed and the start are kept.
    ///
    /// ```
    /// use edge_session_kv_model::{KvModel, KvModelOptions};
    ///
    /// let model = KvModel::new(KvModelOptions::hostile());
    /// model.change_options(KvModelOptions::without_faults);
    /// assert_eq!(model.options().late_puts, 0.0);
    /// ```
    pub fn change_options(&self, change: impl FnOnce(KvModelOptions) -> KvModelOptions) {
        let changed = change(self.options());
        let (seed, start) = (self.options().seed, self.options().start);
        self.0.options.replace(KvModelOptions { seed, start, ..changed });
    }

    /// Plans a fault for the next operation of this kind, after those that were planned before.
    ///
    /// ```
    /// use edge_session_kv_model::{Fault, KvModel, KvModelOptions, OperationKind};
    ///
    /// let model = KvModel::new(KvModelOptions::default());
    /// model.fail_next(OperationKind::Get, Fault::Status(503));
    /// let here = model.at("AMS");
    /// assert!(model.block_on(here.get("key")).unwrap().is_err());
    /// assert!(model.block_on(here.get("key")).unwrap().is_ok());
    /// ```
    pub fn fail_next(&self, kind: OperationKind, fault: Fault) {
        self.0.next.borrow_mut().push_back((kind, fault));
    }

    /// Sets the callback that chooses the fault of each operation. If it returns `None`, the fault is random.
    ///
    /// ```
    /// use edge_session_kv_model::{Fault, KvModel, KvModelOptions};
    ///
    /// let model = KvModel::new(KvModelOptions::default());
    /// model.on_operation(|operation| (operation.location == "SIN").then_some(Fault::Status(500)));
    /// assert!(model.block_on(model.at("SIN").get("key")).unwrap().is_err());
    /// assert!(model.block_on(model.at("AMS").get("key")).unwrap().is_ok());
    /// ```
    pub fn on_operation(&self, hook: impl Fn(&Operation<'_>) -> Option<Fault> + 'static) {
        self.0.hook.replace(Some(Rc::new(hook)));
    }

    /// Sets the callback that is invoked for each applied write, in the order in which the store applies them.
    ///
    /// ```
    /// use edge_session_kv_model::{KvModel, KvModelOptions};
    /// use std::{cell::RefCell, rc::Rc};
    ///
    /// let model = KvModel::new(KvModelOptions::default());
    /// let log = Rc::new(RefCell::new(Vec::new()));
    /// let noted = Rc::clone(&log);
    /// model.on_applied_write(move |write| noted.borrow_mut().push(write.key.to_owned()));
    /// model.block_on(model.at("AMS").put("key", b"value", 60, None)).unwrap().unwrap();
    /// assert_eq!(*log.borrow(), ["key"]);
    /// ```
    pub fn on_applied_write(&self, watcher: impl Fn(&AppliedWrite<'_>) + 'static) {
        self.0.watcher.replace(Some(Rc::new(watcher)));
    }

    /// Begins or ends an outage: reads from the caches of locations succeed, other operations fail with 503.
    ///
    /// ```
    /// # let model = edge_session_kv_model::KvModel::new(edge_session_kv_model::KvModelOptions::default());
    /// model.set_outage(true);
    /// assert!(model.block_on(model.at("AMS").get("key")).unwrap().is_err());
    /// ```
    pub fn set_outage(&self, out: bool) {
        self.0.out.set(out);
    }

    /// Returns the virtual time since the start.
    ///
    /// ```
    /// # let model = edge_session_kv_model::KvModel::new(edge_session_kv_model::KvModelOptions::default());
    /// assert!(model.now().is_zero());
    /// ```
    #[must_use]
    pub fn now(&self) -> Duration {
        Duration::from_micros(self.micros())
    }

    /// Returns the virtual time as a date, on an exact clock.
    ///
    /// ```
    /// # let model = edge_session_kv_model::KvModel::new(edge_session_kv_model::KvModelOptions::default());
    /// assert_eq!(model.date().to_rfc3339(), "2030-01-01T00:00:00+00:00");
    /// ```
    #[must_use]
    pub fn date(&self) -> DateTime<Utc> {
        let since = TimeDelta::microseconds(i64::try_from(self.micros()).unwrap_or(i64::MAX));
        self.0.options.borrow().start.checked_add_signed(since).unwrap_or(DateTime::<Utc>::MAX_UTC)
    }

    /// Returns the number of operations that were begun, including failed ones.
    ///
    /// ```
    /// # let model = edge_session_kv_model::KvModel::new(edge_session_kv_model::KvModelOptions::default());
    /// model.block_on(model.at("AMS").get("key")).unwrap().unwrap();
    /// assert_eq!(model.counts().gets, 1);
    /// ```
    #[must_use]
    pub fn counts(&self) -> OperationCounts {
        self.0.counts.get()
    }

    /// Returns the newest value of each key, even if it is not visible everywhere yet.
    ///
    /// ```
    /// # let model = edge_session_kv_model::KvModel::new(edge_session_kv_model::KvModelOptions::default());
    /// model.block_on(model.at("AMS").put("key", b"value", 60, None)).unwrap().unwrap();
    /// assert_eq!(model.entries(), [("key".to_owned(), b"value".to_vec())]);
    /// ```
    #[must_use]
    pub fn entries(&self) -> Vec<(String, Vec<u8>)> {
        let namespace = self.namespace();
        namespace.newest(self.micros()).map(|(key, stored)| (key.to_owned(), stored.value.to_vec())).collect()
    }

    /// Spawns a future. It runs with the others, from the next [`run`](Self::run) on.
    ///
    /// ```
    /// # use core::time::Duration;
    /// # let model = edge_session_kv_model::KvModel::new(edge_session_kv_model::KvModelOptions::default());
    /// let inside = model.clone();
    /// model.spawn(async move { inside.sleep(Duration::from_secs(60)).await });
    /// model.run();
    /// assert_eq!(model.now(), Duration::from_secs(60));
    /// ```
    pub fn spawn(&self, future: impl Future<Output = ()> + 'static) -> Task {
        self.0.executor.spawn(Box::pin(future))
    }

    /// Runs the spawned futures until none can make progress, and drops the remaining ones. They must not call it.
    ///
    /// ```
    /// # let model = edge_session_kv_model::KvModel::new(edge_session_kv_model::KvModelOptions::default());
    /// let task = model.spawn(std::future::pending());
    /// model.run();
    /// assert!(!task.is_done());
    /// ```
    pub fn run(&self) {
        self.0.executor.run_until(u64::MAX);
        self.0.executor.drop_tasks();
    }

    /// Runs the spawned futures for this much virtual time. Those that wait longer stay. They must not call it.
    ///
    /// ```
    /// # use core::time::Duration;
    /// # let model = edge_session_kv_model::KvModel::new(edge_session_kv_model::KvModelOptions::default());
    /// model.run_for(Duration::from_secs(30));
    /// assert_eq!(model.now(), Duration::from_secs(30));
    /// ```
    pub fn run_for(&self, time: Duration) {
        self.0.executor.advance_to(self.micros().saturating_add(micros(time)));
    }

    /// Advances to the next time at which a spawned future can run, for use beside another event loop. Returns false if none can
    /// make progress. The futures must not call it.
    ///
    /// ```
    /// # use core::time::Duration;
    /// # let model = edge_session_kv_model::KvModel::new(edge_session_kv_model::KvModelOptions::default());
    /// for seconds in [1, 2] {
    ///     let inside = model.clone();
    ///     model.spawn(async move { inside.sleep(Duration::from_secs(seconds)).await });
    /// }
    /// assert!(model.step(), "both begin");
    /// assert!(model.step());
    /// assert_eq!(model.now(), Duration::from_secs(1));
    /// assert!(model.step());
    /// assert!(!model.step());
    /// ```
    pub fn step(&self) -> bool {
        self.0.executor.step()
    }

    /// Runs a future to completion, together with the spawned ones. Returns `None` if it can never make progress. The futures
    /// must not call it.
    ///
    /// ```
    /// # let model = edge_session_kv_model::KvModel::new(edge_session_kv_model::KvModelOptions::default());
    /// assert_eq!(model.block_on(async { 7 }), Some(7));
    /// assert_eq!(model.block_on(std::future::pending::<()>()), None);
    /// ```
    pub fn block_on<T>(&self, future: impl Future<Output = T>) -> Option<T> {
        self.0.executor.block_on(future)
    }

    /// Waits for this much virtual time.
    ///
    /// ```
    /// # use core::time::Duration;
    /// # let model = edge_session_kv_model::KvModel::new(edge_session_kv_model::KvModelOptions::default());
    /// model.block_on(model.sleep(Duration::from_secs(5)));
    /// assert_eq!(model.now(), Duration::from_secs(5));
    /// ```
    pub async fn sleep(&self, time: Duration) {
        self.sleep_until(self.micros().saturating_add(micros(time))).await;
    }

    async fn sleep_until(&self, moment: u64) {
        Sleep::new(Rc::clone(&self.0.executor), moment).await;
    }

    /// Waits for a future up to a limit of virtual time, and drops it then.
    ///
    /// ```
    /// # use core::time::Duration;
    /// # let model = edge_session_kv_model::KvModel::new(edge_session_kv_model::KvModelOptions::default());
    /// let limit = Duration::from_secs(30);
    /// assert_eq!(model.block_on(model.within(limit, std::future::pending::<()>())), Some(None));
    /// assert_eq!(model.now(), limit);
    /// ```
    pub async fn within<T>(&self, limit: Duration, future: impl Future<Output = T>) -> Option<T> {
        let (mut future, mut over) = (pin!(future), pin!(self.sleep(limit)));
        poll_fn(|context| match future.as_mut().poll(context) {
            Poll::Ready(value) => Poll::Ready(Some(value)),
            Poll::Pending => over.as_mut().poll(context).map(|()| None),
        })
        .await
    }

    fn micros(&self) -> u64 {
        self.0.executor.now()
    }

    fn namespace(&self) -> RefMut<'_, Namespace> {
        self.0.namespace.borrow_mut()
    }

    fn random(&self) -> RefMut<'_, Random> {
        self.0.random.borrow_mut()
    }

    fn is_out(&self) -> bool {
        self.0.out.get()
    }

    /// Counts an operation, and returns its fault: a planned one, the one of the callback, or a random one.
    fn begin(&self, kind: OperationKind, location: &str, key: &str) -> Option<Fault> {
        let mut counts = self.0.counts.get();
        counts.count(kind);
        self.0.counts.set(counts);
        let planned = {
            let mut next = self.0.next.borrow_mut();
            let place = next.iter().position(|(wanted, _)| *wanted == kind);
            place.and_then(|place| next.remove(place)).map(|(_, fault)| fault)
        };
        let hook = self.0.hook.borrow().clone();
        let at = self.now();
        let wanted = || hook.and_then(|hook| hook(&Operation { kind, location, key, at }));
        planned.or_else(wanted).or_else(|| self.random_fault(kind))
    }

    fn random_fault(&self, kind: OperationKind) -> Option<Fault> {
        let (options, mut random) = (self.0.options.borrow(), self.random());
        if random.chance(options.hanging) {
            return Some(Fault::Hang);
        }
        let (failing, applied, late) = match kind {
            OperationKind::Get => (options.failing_reads, 0.0, 0.0),
            OperationKind::Put => (options.failing_puts, options.puts_applied_but_failed, options.late_puts),
            OperationKind::Delete => (options.failing_deletes, 0.0, options.late_deletes),
            OperationKind::List => (options.failing_lists, 0.0, 0.0),
        };
        if random.chance(failing) {
            return Some(Fault::Status(500));
        }
        if random.chance(applied) {
            return Some(Fault::AppliedButFailed(500));
        }
        if random.chance(late) {
            return Some(Fault::Late(Duration::from_micros(random.between(options.lateness))));
        }
        (kind == OperationKind::List && random.chance(options.empty_pages)).then_some(Fault::EmptyPage)
    }

    fn apply(&self, place: usize, key: &str, stored: Option<Stored>) {
        let (now, seed) = (self.micros(), self.random().next());
        let value = stored.as_ref().map(|stored| Rc::clone(&stored.value));
        self.namespace().apply(place, key, stored, (now, seed), &self.0.options.borrow());
        let watcher = self.0.watcher.borrow().clone();
        if let Some(watcher) = watcher {
            let location = self.namespace().name(place);
            watcher(&AppliedWrite { location: &location, key, value: value.as_deref(), at: self.now() });
        }
    }
}

impl fmt::Debug for KvModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KvModel").field("now", &self.now()).field("counts", &self.counts()).finish_non_exhaustive()
    }
}

//! The simulation of one plan: locations with their isolates, clocks and versions, browsers with their cookie jars, and the
//! requests between them.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, Waker};
use std::time::Duration;

use chrono::TimeDelta;
use edge_session::store::IsolateMemory;
use edge_session::{LoadReason, SessionHeaders, Sessions, Settings};
use edge_session_kv_model::{KvModel, KvModelOptions};

use crate::history::{
    CookieChange, Flush, History, Id, JarChange, Marks, Origin, Put, Request, SaveMark, Saves, Token,
};
use crate::jar::Jar;
use crate::plan::{Action, Eviction, LOCATIONS, Noted, Plan, SHORT, SLOTS, Scope, Step, Who};
use crate::rng::Rng;
use crate::store::RecordingStore;

const SECRETS: [&str; 2] = ["the first secret, of thirty-two bytes", "the second secret, of thirty-two bytes"];

/// The time between an error and the next attempt.
const RETRY: Duration = Duration::from_secs(2);

/// One running instance of the Worker.
#[derive(Clone)]
struct Isolate {
    number: usize,
    memory: IsolateMemory,
}

/// What a browser gets.
pub struct Answer {
    pub set_cookies: Vec<String>,
    pub is_ok: bool,
}

pub struct Simulation {
    pub plan: Plan,
    pub model: KvModel,
    pub history: RefCell<History>,
    /// One for each browser.
    jars: RefCell<Vec<Jar>>,
    /// The cookies that the thief of each lane has.
    copies: RefCell<Vec<Jar>>,
    isolates: RefCell<Vec<[Isolate; SLOTS]>>,
    isolates_made: Cell<usize>,
    /// The keys that the application noted of each browser's session: at its first login, and at its last request.
    noted: RefCell<Vec<[Option<usize>; 2]>>,
    /// How long after a write was acknowledged a location may still return what was there before.
    pub bound: Duration,
}

/// Returns the `Set-Cookie` lines of a response.
pub fn set_cookies(headers: &SessionHeaders) -> Vec<String> {
    headers.set_cookies().to_vec()
}

/// Runs a plan to its end. `luck` is the seed of KV's delays and faults.
pub fn run(plan: &Plan, luck: u64) -> Rc<Simulation> {
    let options = plan.profile.options(luck);
    let bound = if plan.profile.is_linearizable() { Duration::ZERO } else { options.staleness_bound() };
    let lanes = plan.lanes.len();
    let simulation = Rc::new(Simulation {
        plan: plan.clone(),
        model: KvModel::new(options),
        history: RefCell::default(),
        jars: RefCell::new(vec![Jar::default(); lanes]),
        copies: RefCell::new(vec![Jar::default(); lanes]),
        isolates: RefCell::default(),
        isolates_made: Cell::default(),
        noted: RefCell::new(vec![[None; 2]; lanes]),
        bound,
    });
    simulation.start_isolates();
    simulation.history.borrow_mut().is_linearizable = plan.profile.is_linearizable();
    let landed = Rc::downgrade(&simulation);
    simulation.model.on_applied_write(move |landing| {
        if let Some(simulation) = landed.upgrade().filter(|_| landing.key.contains(":session:")) {
            simulation.history.borrow_mut().landed(landing.key, landing.value, landing.at);
        }
    });
    for lane in 0..lanes {
        simulation.model.spawn(Rc::clone(&simulation).walk(lane));
    }
    simulation.spawn_outages();
    simulation.spawn_evictions();
    simulation.model.run();
    simulation.linger();
    simulation.probe();
    simulation
}

/// The requests of a page that are not answered yet.
struct Open {
    left: Cell<usize>,
    waker: RefCell<Option<Waker>>,
}

impl Open {
    fn close_one(&self) {
        self.left.set(self.left.get() - 1);
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    async fn all_closed(&self) {
        poll_fn(|context| {
            self.waker.replace(Some(context.waker().clone()));
            if self.left.get() == 0 { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }
}

impl Simulation {
    fn start_isolates(&self) {
        let isolates = LOCATIONS.map(|_| core::array::from_fn(|_| self.new_isolate()));
        self.isolates.replace(isolates.to_vec());
    }

    fn new_isolate(&self) -> Isolate {
        self.isolates_made.set(self.isolates_made.get() + 1);
        Isolate { number: self.isolates_made.get(), memory: IsolateMemory::default() }
    }

    fn isolate(&self, location: usize, slot: usize) -> Isolate {
        self.isolates.borrow()[location][slot % self.plan.isolates].clone()
    }

    fn spawn_outages(self: &Rc<Self>) {
        for (begins, ends) in self.plan.outages.clone() {
            let model = self.model.clone();
            self.model.spawn(async move {
                model.sleep(begins).await;
                model.set_outage(true);
                model.sleep(ends - begins).await;
                model.set_outage(false);
            });
        }
    }

    fn spawn_evictions(self: &Rc<Self>) {
        // A new version runs in a new isolate.
        let locations = (0..LOCATIONS.len()).flat_map(|location| (0..SLOTS).map(move |slot| (location, slot)));
        let deployed = self.plan.rollouts.iter().flat_map(|rollout| {
            let eviction =
                move |(location, slot): (usize, usize)| Eviction { at: rollout[location][slot], location, slot };
            locations.clone().map(eviction)
        });
        for eviction in self.plan.evictions.iter().copied().chain(deployed).collect::<Vec<_>>() {
            let simulation = Rc::clone(self);
            self.model.spawn(async move {
                simulation.model.sleep(eviction.at).await;
                let isolate = simulation.new_isolate();
                simulation.isolates.borrow_mut()[eviction.location][eviction.slot] = isolate;
            });
        }
    }

    /// The pages of one lane, one after the other.
    async fn walk(self: Rc<Self>, lane: usize) {
        let (who, pages) = (self.plan.lanes[lane].who, self.plan.lanes[lane].pages.clone());
        for page in pages {
            self.model.sleep(page.pause).await;
            let open = Rc::new(Open { left: Cell::new(page.steps.len()), waker: RefCell::default() });
            for step in page.steps {
                let (simulation, open) = (Rc::clone(&self), Rc::clone(&open));
                self.model.spawn(async move {
                    simulation.model.sleep(step.delay).await;
                    simulation.visit(lane, who, &step).await;
                    open.close_one();
                });
            }
            if page.stay == Duration::MAX {
                open.all_closed().await;
            } else {
                self.model.within(page.stay, open.all_closed()).await;
            }
        }
    }

    /// One step, with its retries.
    async fn visit(self: &Rc<Self>, lane: usize, who: Who, step: &Step) {
        for left in (0..=step.retries).rev() {
            let answer = match who {
                _ if step.action == Action::Steal => return self.steal(lane, who),
                Who::Operator { of } => self.operate(of, step).await,
                _ => self.send(lane, who, step).await,
            };
            if answer.is_some_and(|answer| answer.is_ok) || left == 0 {
                return;
            }
            self.model.sleep(RETRY).await;
        }
    }

    fn steal(&self, lane: usize, who: Who) {
        if let Who::Thief { of, .. } = who {
            self.copies.borrow_mut()[lane] = self.jars.borrow()[of].clone();
        }
    }

    /// Sends a request with the cookies of this moment and applies those of its answer when it arrives.
    async fn send(self: &Rc<Self>, lane: usize, who: Who, step: &Step) -> Option<Answer> {
        let now = self.model.now();
        let cookies: Vec<(String, String)> = {
            let (jars, copies) = (self.jars.borrow(), self.copies.borrow());
            let jar = if let Who::Tab(browser) = who { &jars[browser] } else { &copies[lane] };
            jar.cookies(now).into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
        };
        let version = self.version(step);
        let id = self.arrives(who, step, cookies.iter().map(|(_, value)| value.as_str()), version);
        let served = Rc::clone(self).serve(id, step.clone(), cookies, version);
        let Some(answer) = self.model.within(step.patience, served).await else {
            self.history.borrow_mut().request(id).aborted = true;
            return None;
        };
        if step.loses_answer {
            return None;
        }
        self.model.sleep(step.downlink).await;
        self.receive(id, lane, who, &answer);
        Some(answer)
    }

    fn arrives<'a>(&self, who: Who, step: &Step, cookies: impl Iterator<Item = &'a str>, version: usize) -> Id {
        let mut history = self.history.borrow_mut();
        let now = self.model.now();
        let presented: Vec<_> = cookies.filter_map(|value| history.find_token(value)).collect();
        let mut request = Request::new(who, step.action, step.location, now, now + step.uplink);
        (request.presented, request.version) = (presented, version);
        history.requests.push(request);
        history.requests.len()
    }

    fn receive(&self, id: Id, lane: usize, who: Who, answer: &Answer) {
        let now = self.model.now();
        self.history.borrow_mut().request(id).received = Some(now);
        let (mut jars, mut copies) = (self.jars.borrow_mut(), self.copies.borrow_mut());
        let jar = match who {
            Who::Tab(browser) => &mut jars[browser],
            Who::Thief { keeps: true, .. } => &mut copies[lane],
            _ => return,
        };
        answer.set_cookies.iter().for_each(|line| jar.apply(line, now));
        if let Who::Tab(browser) = who {
            let mut history = self.history.borrow_mut();
            let tokens = jar.cookies(now).into_iter().filter_map(|(_, value)| history.find_token(value)).collect();
            history.jars.push(JarChange { browser, at: now, by: id, tokens });
        }
    }

    /// The version that an isolate runs at this moment.
    fn version(&self, step: &Step) -> usize {
        let now = self.model.now();
        self.plan
            .rollouts
            .iter()
            .filter(|rollout| rollout[step.location][step.slot % self.plan.isolates] <= now)
            .count()
    }

    /// The sessions of one request, as the isolate has them.
    fn sessions(
        self: &Rc<Self>,
        id: Id,
        location: usize,
        version: usize,
        memory: IsolateMemory,
    ) -> Sessions<RecordingStore> {
        let now = self.model.now();
        let version = &self.plan.versions[version];
        let settings = Settings::builder(version.secrets.iter().map(|secret| SECRETS[*secret]))
            .cookie_age(self.plan.cookie_age)
            .absolute_age(self.plan.absolute_age)
            .save_every_request(self.plan.save_every_request)
            .check_ended(self.plan.check_ended)
            .merge_stale(self.plan.merge_stale)
            .key_prefix(version.prefix)
            .max_record_bytes(version.max_record_bytes);
        // Older code gives tokens without a journal, and records without a list of writes.
        let older = now < self.plan.older[location];
        let settings = if older { settings.journal_bytes(0) } else { settings };
        let settings = match version.scope {
            Scope::Host => settings,
            Scope::Path(path) => settings.cookie_path(path),
            Scope::Domain(domain) => settings.cookie_domain(domain),
        };
        let location_of = self.model.at(LOCATIONS[location]).invocation();
        let store = RecordingStore { location: location_of, memory, simulation: Rc::clone(self), id, older };
        let (model, skew) = (self.model.clone(), TimeDelta::milliseconds(self.plan.skews[location]));
        let entropy = RefCell::new(Rng::new(self.plan.seed.wrapping_mul(1_000_003) ^ id as u64));
        let simulation = Rc::clone(self);
        Sessions::new(store, settings.build().unwrap())
            .with_clock(move || model.date() + skew)
            .with_entropy(move || Ok(entropy.borrow_mut().bytes()))
            .with_events(move |event| simulation.history.borrow_mut().request(id).events.push(event.kind))
    }

    /// A request from its arrival to its answer.
    async fn serve(self: Rc<Self>, id: Id, step: Step, cookies: Vec<(String, String)>, version: usize) -> Answer {
        self.model.sleep(step.uplink).await;
        let isolate = self.isolate(step.location, step.slot);
        let sessions = self.sessions(id, step.location, version, isolate.memory);
        self.begins(id, isolate.number);
        let pairs: Vec<_> = cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let mut session = sessions.load(pairs.join("; ")).await.unwrap();
        self.note_load(id, session.load_reason(), session.session_key().map(|key| key.as_str().to_owned()));
        let handled = self.handle(&sessions, &mut session, id, &step).await;
        if matches!(step.action, Action::Throw { .. }) {
            return Answer { set_cookies: Vec::new(), is_ok: false };
        }
        let status = match (&handled, step.action) {
            (Ok(()), Action::Break(_)) => 500,
            (Ok(()), _) => 200,
            (Err(_), _) => 503,
        };
        let began = self.begins_to_write(id);
        // An aborted request counts with the key that it was about to save.
        self.note_key(id, session.session_key().map(|key| key.as_str()));
        let headers = sessions.commit_headers(&mut session, status).await;
        self.note_key(id, session.session_key().map(|key| key.as_str()));
        let (outcome, headers) = match headers {
            Ok(headers) => (handled, headers),
            Err(error) => (Err(error.kind()), SessionHeaders::for_failure()),
        };
        self.note_commit(id, began, outcome, headers.saved().old_record_remains);
        let set_cookies = set_cookies(&headers);
        self.note_cookies(id, version, &set_cookies);
        Answer { set_cookies, is_ok: outcome.is_ok() }
    }

    /// Work on a browser's session by its key.
    async fn operate(self: &Rc<Self>, of: usize, step: &Step) -> Option<Answer> {
        let noted = match step.action {
            Action::Delete(Noted::AtFirstLogin) | Action::FlushOpened(Noted::AtFirstLogin) => 0,
            _ => 1,
        };
        let key = self.noted.borrow()[of][noted]?;
        let version = self.version(step);
        let id = self.arrives(Who::Operator { of }, step, core::iter::empty(), version);
        let isolate = self.isolate(step.location, step.slot);
        let sessions = self.sessions(id, step.location, version, isolate.memory);
        self.begins(id, isolate.number);
        let text = {
            let mut history = self.history.borrow_mut();
            history.request(id).key = Some(key);
            history.keys[key].text.clone()
        };
        if let Action::Delete(_) = step.action {
            let began = self.begins_flush(id);
            let outcome = sessions.delete(&text).await.map_err(|error| error.kind());
            self.note_flush(id, outcome);
            self.note_commit(id, began, outcome, false);
            return Some(Answer { set_cookies: Vec::new(), is_ok: outcome.is_ok() });
        }
        let mut session = sessions.open(&text).await.unwrap();
        self.note_load(id, session.load_reason(), None);
        let changed = match step.action {
            Action::SaveOutside(data_key) => self.set(&mut session, id, data_key),
            Action::CommitOpened => self.set(&mut session, id, 7),
            _ => self.flush(&sessions, &mut session, id).await,
        };
        self.model.sleep(step.work).await;
        let began = self.begins_to_write(id);
        self.note_key(id, session.session_key().map(|key| key.as_str()));
        let mut lines = Vec::new();
        let saved = match (changed, step.action) {
            (Err(kind), _) => Err(kind),
            (Ok(()), Action::SaveOutside(_)) => {
                sessions.save(&mut session).await.map(|_| ()).map_err(|error| error.kind())
            }
            (Ok(()), Action::CommitOpened) => match sessions.commit_headers(&mut session, 200).await {
                Ok(headers) => {
                    lines = set_cookies(&headers);
                    Ok(())
                }
                Err(error) => Err(error.kind()),
            },
            (Ok(()), _) => Ok(()),
        };
        self.note_key(id, session.session_key().map(|key| key.as_str()));
        self.note_commit(id, began, saved, false);
        self.note_cookies(id, version, &lines);
        // A deliberate refusal is not tried again.
        let is_ok = saved.is_ok() || step.action == Action::CommitOpened;
        Some(Answer { set_cookies: Vec::new(), is_ok })
    }

    fn begins(&self, id: Id, isolate: usize) {
        let mut history = self.history.borrow_mut();
        let request = history.request(id);
        (request.began, request.isolate) = (self.model.now(), isolate);
    }

    fn begins_to_write(&self, id: Id) -> Duration {
        let now = self.model.now();
        self.history.borrow_mut().request(id).write_began.get_or_insert(now);
        now
    }

    /// Notes the load outcome, and the token that it belongs to.
    fn note_load(&self, id: Id, reason: LoadReason, key: Option<String>) {
        let mut history = self.history.borrow_mut();
        let now = self.model.now();
        let key = key.map(|key| history.key(&key, now));
        let request = history.of(id);
        let usable = request.presented.iter().copied().filter(|token| !history.tokens[*token].is_ending);
        let token = match key {
            Some(key) => {
                usable.filter(|token| history.tokens[*token].key == key).max_by_key(|token| history.tokens[*token].by)
            }
            None if matches!(reason, LoadReason::New | LoadReason::Malformed) => None,
            // A session that the load found ended has no key any more. Its token is the first by rank.
            None => usable.min_by_key(|token| history.tokens[*token].name.ends_with("-anonymous")),
        };
        let named = token.map(|token| history.tokens[token].key);
        // Of two cookies of different sessions, the load has read both records.
        let place = key.and_then(|key| history.places.get(&key)).cloned().filter(|_| history.is_linearizable);
        let request = history.request(id);
        if let Some((place, marks)) = place.and_then(|place| Some((place.clone(), *request.found.get(&place)?))) {
            (request.place, request.read) = (Some(place), Some(marks));
        }
        (request.is_loaded, request.reason, request.token) = (true, Some(reason), token);
        request.loaded_at = now;
        request.key = request.key.or(key).or(named);
    }

    fn note_key(&self, id: Id, key: Option<&str>) {
        let mut history = self.history.borrow_mut();
        let now = self.model.now();
        let is_known = key.is_some_and(|key| history.find_key(key).is_some());
        // The save of a new record has chosen another key, beside another login or after a failure.
        if let (Some(key), Some((old, _)), false) = (key, history.of(id).cycled, is_known) {
            let new = history.new_key(key, old, Origin::Beside, now);
            history.request(id).cycled = Some((old, new));
        }
        if let (Some(key), Some((old, _)), false) = (key, history.of(id).created, is_known) {
            let new = history.new_key(key, old, Origin::Created, now);
            history.request(id).created = Some((old, new));
        }
        let key = key.map(|key| history.key(key, now));
        // A session that begins after a logout in the same request is a login's: Django's `login` flushes another user's session.
        if let Some(key) =
            key.filter(|_| !is_known && history.of(id).flush.as_ref().is_some_and(|flush| flush.outcome.is_ok()))
        {
            history.keys[key].is_logged_in = true;
        }
        history.request(id).key_after = key;
        let place = history.of(id).puts.last().filter(|put| put.is_new_key).map(|put| put.place.clone());
        if let (Some(key), Some(place)) = (key, place) {
            history.places.entry(key).or_insert(place);
        }
    }

    fn note_commit(
        &self,
        id: Id,
        began: Duration,
        outcome: Result<(), edge_session::ErrorKind>,
        old_record_remains: bool,
    ) {
        let commit = crate::history::Commit { began, ended: self.model.now(), outcome, old_record_remains };
        let mut history = self.history.borrow_mut();
        history.request(id).commit = Some(commit);
        let request = history.of(id);
        let (browser, key, cycled) = (request.browser(), request.key_after, request.cycled.is_some());
        if let (Some(browser), Some(key), Ok(())) = (browser, key, outcome) {
            let noted = &mut self.noted.borrow_mut()[browser];
            noted[0] = noted[0].or(Some(key).filter(|_| cycled));
            noted[1] = Some(key);
        }
    }

    fn note_cookies(&self, id: Id, version: usize, lines: &[String]) {
        for line in lines {
            let (name, value) = line.split(';').next().unwrap().split_once('=').unwrap();
            let token = (!value.is_empty()).then(|| {
                let mut history = self.history.borrow_mut();
                let (known, saves) = known(&history, id);
                let request = history.of(id);
                // A token that comes with no session can only continue a logout.
                let is_ending = request.key_after.is_none();
                let key = request.key_after.or(request.key).unwrap_or_else(|| {
                    let ending = request.presented.iter().find(|token| history.tokens[**token].is_ending);
                    history.tokens[*ending.unwrap()].key
                });
                let (text, name) = (value.to_owned(), name.to_owned());
                history.token(Token { text, name, version, key, is_ending, by: id, known, saves })
            });
            let change = CookieChange { name: name.to_owned(), token };
            self.history.borrow_mut().request(id).cookies.push(change);
        }
    }

    pub fn begins_flush(&self, id: Id) -> Duration {
        let began = self.begins_to_write(id);
        // The outcome is unknown if the request is aborted.
        let unfinished = Flush { ended: self.model.now(), outcome: Err(edge_session::ErrorKind::StoreUnavailable) };
        self.history.borrow_mut().request(id).flush = Some(unfinished);
        began
    }

    pub fn note_flush(&self, id: Id, outcome: Result<(), edge_session::ErrorKind>) {
        self.history.borrow_mut().request(id).flush = Some(Flush { ended: self.model.now(), outcome });
    }

    pub fn start_writing(&self, id: Id) {
        self.begins_to_write(id);
    }

    /// Tries each cookie just before the absolute deadline of its session, by the slowest clock.
    fn linger(self: &Rc<Self>) {
        if self.plan.absolute_age > SHORT {
            return;
        }
        let (location, skew) = self.plan.skews.into_iter().enumerate().min_by_key(|(_, skew)| *skew).unwrap();
        let (plan_age, early) = (Duration::from_secs(self.plan.absolute_age as u64), Duration::from_millis(500));
        let mut moments: Vec<_> = {
            let history = self.history.borrow();
            let token = |(at, token): (usize, &Token)| {
                let key = history.keys[token.key].absolute_from;
                let made = history.keys[key].made.as_millis() as i64 + self.plan.skews[history.of(token.by).location];
                (Duration::from_millis((made - skew).max(0) as u64) + plan_age - early, at)
            };
            history.tokens.iter().enumerate().map(token).collect()
        };
        moments.sort_unstable();
        for (moment, token) in moments {
            if let Some(left) = moment.checked_sub(self.model.now()) {
                self.model.run_for(left);
                self.look_again(token, location);
            }
        }
    }

    /// Tries each cookie that was given, after the bound and without faults.
    fn probe(self: &Rc<Self>) {
        self.model.change_options(|options| KvModelOptions { slow: 0.0, ..options.without_faults() });
        self.model.set_outage(false);
        self.model.run_for(self.bound);
        if self.plan.seed.is_multiple_of(2) {
            self.start_isolates();
        }
        let tokens = self.history.borrow().tokens.len();
        for token in 0..tokens {
            self.look_again(token, token % LOCATIONS.len());
        }
    }

    /// A request with a cookie that was given at some time.
    fn look_again(self: &Rc<Self>, token: usize, location: usize) {
        let Token { name, text, version, is_ending, .. } = self.history.borrow().tokens[token].clone();
        if is_ending {
            return;
        }
        let step = Step {
            delay: Duration::ZERO,
            location,
            slot: token,
            action: Action::Probe,
            work: Duration::ZERO,
            uplink: Duration::ZERO,
            downlink: Duration::ZERO,
            patience: Duration::MAX,
            loses_answer: false,
            retries: 0,
        };
        let id = self.arrives(Who::Tab(0), &step, [text.as_str()].into_iter(), version);
        self.model.block_on(Rc::clone(self).serve(id, step, vec![(name, text)], version));
    }
}

/// The earliest possible writers of the record that a token refers to, and the number of saves that the record builds on.
fn known(history: &History, id: Id) -> (Marks, Option<Saves>) {
    let request = history.of(id);
    let own = request.puts.last();
    if let Some(put) = own.filter(|put| put.acknowledged) {
        return (put.marks, Some(put.saves));
    }
    // Another request of the isolate may have put what this one saved.
    let is_shared = |marks: &Marks| marks.iter().any(|mark| mark.by == id && mark.present);
    let shared = history.records.values().filter(|record| is_shared(&record.marks));
    let is_there = |by: Id, put: usize| history.of(by).puts[put].acknowledged;
    let first = shared.filter(|record| is_there(record.by, record.put)).min_by_key(|record| record.saves.least);
    // The put of a group shows no change of a member that another member has overwritten.
    let first = first.or_else(|| {
        let own = own?;
        let is_of_isolate = |by: Id| by != id && history.of(by).isolate == request.isolate;
        let is_later = |put: &Put| put.acknowledged && put.place == own.place && put.at >= own.at;
        let later = history.records.values().filter(|record| is_of_isolate(record.by));
        let later = later.filter(|record| is_later(&history.of(record.by).puts[record.put]));
        later.min_by_key(|record| history.of(record.by).puts[record.put].at)
    });
    match (own, first) {
        (None, None) => {}
        (Some(put), None) => return (put.marks, Some(put.saves)),
        (None, Some(record)) => return (record.marks, Some(record.saves)),
        // Either its own put landed although it failed, or another one has put its changes again.
        (Some(put), Some(record)) => {
            let common =
                |at: usize| if put.marks[at] == record.marks[at] { put.marks[at] } else { SaveMark::default() };
            let least = put.saves.least.min(record.saves.least);
            let saves = Saves { least, most: put.saves.most.max(record.saves.most) };
            return (core::array::from_fn(common), Some(saves));
        }
    }
    let mut marks = request.read.unwrap_or_default();
    request.removed.iter().for_each(|key| marks[*key] = SaveMark { by: id, present: false });
    (marks, request.saves)
}

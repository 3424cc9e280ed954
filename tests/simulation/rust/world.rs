//! The world that a plan runs in: locations with their clocks and secrets, browsers with their cookies, and the requests
//! between them.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::Duration;

use chrono::TimeDelta;
use edge_session::{ErrorKind, KvModel, KvModelOptions, Session, SessionHeaders, Sessions, Settings};

use crate::chance::Chance;
use crate::history::{Commit, Exchange, Flush, Given, History, Id, Mark, Marks, Token};
use crate::plan::{Deed, KEYS, LOCATIONS, Plan, SHORT, Step, USER, Who};
use crate::store::{Watched, writer};

/// The secrets, and how each deployment lists them: a new one is known everywhere before it signs.
const SECRETS: [&str; 2] = ["the first secret, of thirty-two bytes", "the second secret, of thirty-two bytes"];
const DEPLOYED: [&[usize]; 3] = [&[0], &[0, 1], &[1, 0]];

/// A browser's cookie, or the copy that somebody has.
#[derive(Clone, Copy, Default)]
struct Jar {
    token: Option<usize>,
    expires: Option<Duration>,
}

impl Jar {
    fn token(&self, now: Duration) -> Option<usize> {
        self.token.filter(|_| self.expires.is_none_or(|expires| expires > now))
    }
}

pub struct World {
    pub plan: Plan,
    pub model: KvModel,
    pub history: RefCell<History>,
    /// One for each browser.
    jars: RefCell<Vec<Jar>>,
    /// How long after a write was acknowledged a location may still give what was there before.
    pub bound: Duration,
}

/// Runs a plan to its end. `luck` is the seed of what KV does.
pub fn run(plan: &Plan, luck: u64) -> Rc<World> {
    let options = plan.weather.options(luck);
    let bound = options.staleness_bound();
    let model = KvModel::new(options);
    let (history, jars) = (RefCell::default(), RefCell::new(vec![Jar::default(); plan.lanes.len()]));
    let world = Rc::new(World { plan: plan.clone(), model, history, jars, bound });
    let landed = Rc::downgrade(&world);
    world.model.on_landed(move |landing| {
        if let Some(world) = landed.upgrade().filter(|_| landing.key.contains(":session:")) {
            world.history.borrow_mut().landed(landing.key, landing.value);
        }
    });
    for lane in 0..plan.lanes.len() {
        world.model.spawn(Rc::clone(&world).walk(lane));
    }
    let model = world.model.clone();
    for (begins, ends) in plan.outages.clone() {
        let model = model.clone();
        world.model.spawn(async move {
            model.sleep(begins).await;
            model.set_outage(true);
            model.sleep(ends - begins).await;
            model.set_outage(false);
        });
    }
    model.run();
    world.linger();
    world.probe();
    world
}

impl World {
    /// The requests of one lane, one after the other.
    async fn walk(self: Rc<Self>, lane: usize) {
        let mut copy = Jar::default();
        let (who, steps) = (self.plan.lanes[lane].who, self.plan.lanes[lane].steps.clone());
        for step in steps {
            self.model.sleep(step.pause).await;
            if let (Deed::Steal, Who::Thief { of, .. }) = (step.deed, who) {
                copy = self.jars.borrow()[of];
                continue;
            }
            let jar = match who {
                Who::Tab(browser) => self.jars.borrow()[browser],
                Who::Thief { .. } => copy,
            };
            let id = self.arrives(who, &step, jar.token(self.model.now()));
            let request = self.clone().request(id, step.clone());
            let answer = self.model.within(step.patience, request).await;
            let Some(set_cookie) = answer.filter(|_| !step.loses_answer) else { continue };
            self.model.sleep(step.downlink).await;
            match who {
                Who::Tab(browser) => self.receive(id, &mut self.jars.borrow_mut()[browser], set_cookie.as_deref()),
                Who::Thief { keeps: true, .. } => self.receive(id, &mut copy, set_cookie.as_deref()),
                Who::Thief { keeps: false, .. } => self.receive(id, &mut copy.clone(), None),
            }
        }
    }

    fn arrives(&self, who: Who, step: &Step, token: Option<usize>) -> Id {
        let mut history = self.history.borrow_mut();
        history.exchanges.push(Exchange {
            who,
            deed: step.deed,
            location: step.location,
            sent: self.model.now(),
            began: self.model.now() + step.uplink,
            token,
            key: None,
            read_failed_in_load: false,
            is_loaded: false,
            reason: None,
            seen: None,
            events: Vec::new(),
            touched: BTreeSet::new(),
            cycled: None,
            flush: None,
            commit: None,
            key_after: None,
            puts: Vec::new(),
            given: Given::Nothing,
            received: None,
            operations: [0; 3],
            read: None,
            loaded: None,
            saves: None,
            gone: Marks::default(),
            place: None,
        });
        history.exchanges.len()
    }

    fn receive(&self, id: Id, jar: &mut Jar, set_cookie: Option<&str>) {
        let (now, before) = (self.model.now(), jar.token);
        let mut history = self.history.borrow_mut();
        let exchange = history.exchange(id);
        exchange.received = Some((now, before));
        let Some(line) = set_cookie else { return };
        let age = line.split("; Max-Age=").nth(1).map(|rest| rest.split(';').next().unwrap().parse::<i64>().unwrap());
        *jar = match exchange.given {
            Given::Token(token) => {
                Jar { token: Some(token), expires: age.map(|age| now + Duration::from_secs(age.max(0) as u64)) }
            }
            _ => Jar::default(),
        };
    }

    /// The sessions of one request, as the location has them at that moment.
    fn sessions(self: &Rc<Self>, id: Id, location: usize) -> Sessions<Watched> {
        let now = self.model.now();
        let deployed = self.plan.deploys.iter().filter(|at| at[location] <= now).count();
        let settings = Settings::builder(DEPLOYED[deployed].iter().map(|secret| SECRETS[*secret]))
            .cookie_age(self.plan.cookie_age)
            .absolute_age(self.plan.absolute_age)
            .save_every_request(self.plan.save_every_request)
            .check_ended(self.plan.check_ended)
            .merge_stale(self.plan.merge_stale)
            .build()
            .unwrap();
        let location_of = self.model.at(LOCATIONS[location]).invocation();
        let older = now < self.plan.older[location];
        let store = Watched { location: location_of, world: Rc::clone(self), id, older };
        let (model, skew) = (self.model.clone(), TimeDelta::milliseconds(self.plan.skews[location]));
        let entropy = RefCell::new(Chance::new(self.plan.seed.wrapping_mul(1_000_003) ^ id as u64));
        let world = Rc::clone(self);
        Sessions::new(store, settings)
            .with_clock(move || model.date() + skew)
            .with_entropy(move || Ok(entropy.borrow_mut().bytes()))
            .with_events(move |event| world.history.borrow_mut().exchange(id).events.push(event.kind))
    }

    /// A request from its arrival to its answer: what the answer says about the cookie.
    async fn request(self: Rc<Self>, id: Id, step: Step) -> Option<String> {
        self.model.sleep(step.uplink).await;
        let sessions = self.sessions(id, step.location);
        let cookie = {
            let mut history = self.history.borrow_mut();
            history.exchange(id).began = self.model.now();
            let token = history.of(id).token;
            let text = token.map(|token| history.tokens[token].text.as_str());
            let text = text.map(|text| if self.is_older(&step) { without_journal(text) } else { text });
            text.map(|text| format!("{}={text}", sessions.settings().cookie_name()))
        };
        let mut session = sessions.load(cookie.unwrap_or_default()).await.unwrap();
        self.note(id, |history, exchange| {
            exchange.is_loaded = true;
            exchange.reason = Some(session.load_reason());
            exchange.key = session.session_key().map(|key| history.key(key.as_str(), self.model.now()));
        });
        let answered = self.handle(&sessions, &mut session, id, &step).await;
        let status = match (&answered, step.deed) {
            (Ok(()), Deed::Break(_)) => 500,
            (Ok(()), _) => 200,
            (Err(_), _) => 503,
        };
        let began = self.model.now();
        // What a request that goes away was about to do counts as well.
        self.note_key(id, &session);
        let headers = sessions.commit_headers(&mut session, status).await;
        self.note_key(id, &session);
        let (outcome, headers) = match headers {
            Ok(headers) => (answered, headers),
            Err(error) => (Err(error.kind()), SessionHeaders::for_failure()),
        };
        let old_record_remains = headers.saved().old_record_remains;
        let commit = Commit { began, ended: self.model.now(), outcome, old_record_remains };
        let mut set_cookie = headers.set_cookie().map(str::to_owned);
        if let Some((text, attributes)) = set_cookie.as_deref().and_then(|line| line.split_once(';'))
            && self.is_older(&step)
        {
            let (name, text) = text.split_once('=').unwrap();
            set_cookie = Some(format!("{name}={};{attributes}", without_journal(text)));
        }
        let given = self.given(id, set_cookie.as_deref());
        self.note(id, |_, exchange| (exchange.commit, exchange.given) = (Some(commit), given));
        set_cookie
    }

    /// Whether the location of a request runs the older code now. What the older code writes has no journal, no list of
    /// writes, and fewer tags.
    fn is_older(&self, step: &Step) -> bool {
        self.model.now() < self.plan.older[step.location]
    }

    fn note<T>(&self, id: Id, change: impl FnOnce(&mut History, &mut Exchange) -> T) -> T {
        let mut history = self.history.borrow_mut();
        let mut exchange = history.of(id).clone();
        let value = change(&mut history, &mut exchange);
        *history.exchange(id) = exchange;
        value
    }

    fn note_key(&self, id: Id, session: &Session) {
        let now = self.model.now();
        let key = session.session_key().map(|key| self.history.borrow_mut().key(key.as_str(), now));
        self.history.borrow_mut().exchange(id).key_after = key;
    }

    fn given(&self, id: Id, set_cookie: Option<&str>) -> Given {
        let Some(line) = set_cookie else { return Given::Nothing };
        let text = line.split(';').next().unwrap().split_once('=').unwrap().1.to_owned();
        if text.is_empty() {
            return Given::TakenAway;
        }
        let mut history = self.history.borrow_mut();
        let exchange = history.of(id);
        let known = exchange.puts.last().map(|put| put.marks).or(exchange.read).unwrap_or_default();
        let saves = exchange.puts.last().map(|put| put.saves).or(exchange.saves);
        let key = exchange.key_after.unwrap();
        Given::Token(history.token(Token { text, key, by: id, known, saves }))
    }

    /// What the application does.
    async fn handle(
        &self,
        sessions: &Sessions<Watched>,
        session: &mut Session,
        id: Id,
        step: &Step,
    ) -> Result<(), ErrorKind> {
        if step.deed == Deed::Pass {
            self.model.sleep(step.work).await;
            return Ok(());
        }
        let seen = look(session);
        self.note(id, |_, exchange| exchange.seen = seen.as_ref().ok().copied());
        self.model.sleep(step.work).await;
        let seen = seen?;
        let value = format!("{id}.{}", "x".repeat(self.plan.padding));
        let touch = |key: usize| self.history.borrow_mut().exchange(id).touched.insert(key);
        let kind = |error: edge_session::Error| error.kind();
        match step.deed {
            Deed::Set(keys) => {
                for key in keys {
                    touch(key);
                    session.set(KEYS[key], &value).map_err(kind)?;
                }
            }
            Deed::Break(key) => {
                touch(key);
                session.set(KEYS[key], &value).map_err(kind)?;
            }
            Deed::Remove(key) if seen[key].present => {
                touch(key);
                session.remove(KEYS[key]).map_err(kind)?;
            }
            Deed::Login { switch } => {
                if switch && seen[USER].present {
                    self.flush(sessions, session, id).await?;
                } else {
                    let now = self.model.now();
                    let old = session.session_key().map(|key| self.history.borrow_mut().key(key.as_str(), now));
                    session.cycle_key().map_err(kind)?;
                    let mut history = self.history.borrow_mut();
                    let new = history.key(session.session_key().unwrap().as_str(), now);
                    history.keys[new].parent = old;
                    history.keys[new].family = old.and_then(|old| history.keys[old].family).or(Some(new));
                    history.exchange(id).cycled = Some((old, new));
                }
                touch(USER);
                session.set(KEYS[USER], format!("{id}.")).map_err(kind)?;
            }
            Deed::Logout => self.flush(sessions, session, id).await?,
            _ => {}
        }
        Ok(())
    }

    async fn flush(&self, sessions: &Sessions<Watched>, session: &mut Session, id: Id) -> Result<(), ErrorKind> {
        // What it has done when the request goes away is not known.
        let unfinished = Flush { ended: self.model.now(), outcome: Err(ErrorKind::StoreUnavailable) };
        self.history.borrow_mut().exchange(id).flush = Some(unfinished);
        let outcome = sessions.flush(session).await.map_err(|error| error.kind());
        self.history.borrow_mut().exchange(id).flush = Some(Flush { ended: self.model.now(), outcome });
        outcome
    }

    /// Where sessions soon come to their absolute deadline: whether something opens just before it, by the slowest clock.
    fn linger(self: &Rc<Self>) {
        if self.plan.absolute_age > SHORT {
            return;
        }
        let (location, skew) = self.plan.skews.into_iter().enumerate().min_by_key(|(_, skew)| *skew).unwrap();
        let (plan_age, early) = (Duration::from_secs(self.plan.absolute_age as u64), Duration::from_millis(500));
        let mut moments: Vec<_> = {
            let history = self.history.borrow();
            let token = |(at, token): (usize, &Token)| {
                let key = history.keys[token.key].family.unwrap_or(token.key);
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

    /// When all is over and nothing fails any more: whether each cookie that was given still opens a session.
    fn probe(self: &Rc<Self>) {
        self.model.change_options(|options| KvModelOptions { slow: 0.0, ..options.without_faults() });
        self.model.set_outage(false);
        self.model.run_for(self.bound);
        let tokens = self.history.borrow().tokens.len();
        for token in 0..tokens {
            self.look_again(token, token % LOCATIONS.len());
        }
    }

    /// A request with a cookie that was given once.
    fn look_again(self: &Rc<Self>, token: usize, location: usize) {
        let step = Step {
            pause: Duration::ZERO,
            location,
            deed: Deed::Probe,
            work: Duration::ZERO,
            uplink: Duration::ZERO,
            downlink: Duration::ZERO,
            patience: Duration::MAX,
            loses_answer: false,
        };
        let id = self.arrives(Who::Tab(0), &step, Some(token));
        self.model.block_on(Rc::clone(self).request(id, step));
    }
}

/// Everything in the session.
fn look(session: &mut Session) -> Result<Marks, ErrorKind> {
    let mut marks = Marks::default();
    for (mark, key) in marks.iter_mut().zip(KEYS) {
        if let Some(value) = session.get::<String>(key).map_err(|error| error.kind())? {
            *mark = Mark { by: writer(&value), present: true };
        }
    }
    Ok(marks)
}

/// A token as older code gives it, and as far as it reads one: the journal stands behind what is signed.
fn without_journal(token: &str) -> &str {
    // The second character's upper bits say whether the family is another key's, which takes 24 bytes.
    let has_family = matches!(token.as_bytes().get(1), Some(b'g'..=b'v'));
    token.get(..if has_family { 148 } else { 116 }).unwrap_or(token)
}

//! A small site for the tests: sessions over a store that is watched and can fail, a clock that is set by hand, and
//! browsers that keep a cookie.
#![allow(dead_code, reason = "each test file uses its own part")]

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use chrono::{DateTime, TimeDelta, Utc};
use edge_session::{
    Error, MemoryStore, Op, Page, Result, Session, SessionHeaders, Sessions, Settings, SettingsBuilder, StorageKey,
    Store, Written,
};

pub const SECRET: &str = "a secret of at least thirty-two bytes";
pub const OLD_SECRET: &str = "an older secret, of thirty-two bytes too";

/// Runs a future that never waits: the memory store answers at once, here and in a browser.
pub fn run<T>(future: impl Future<Output = T>) -> T {
    pollster::block_on(future)
}

pub fn defaults() -> SettingsBuilder {
    Settings::builder([SECRET])
}

/// Which operations fail.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Failing {
    Nothing,
    Reads,
    Puts,
    Deletes,
    /// The next delete, and none after it.
    OneDelete,
    Everything,
}

/// A memory store that writes down what it is asked for and fails when it is told to.
#[derive(Clone)]
pub struct Watched {
    pub memory: MemoryStore,
    pub log: Rc<RefCell<Vec<String>>>,
    pub ttls: Rc<RefCell<Vec<u64>>>,
    pub failing: Rc<Cell<Failing>>,
}

impl Watched {
    fn new() -> Self {
        Self {
            memory: MemoryStore::default(),
            log: Rc::default(),
            ttls: Rc::default(),
            failing: Rc::new(Cell::new(Failing::Nothing)),
        }
    }

    fn note(&self, what: &str, failing: bool) -> Result<()> {
        self.log.borrow_mut().push(what.to_owned());
        if failing || self.failing.get() == Failing::Everything {
            return Err(Error::unavailable("told to fail"));
        }
        Ok(())
    }
}

impl Store for Watched {
    async fn read(&self, keys: &[StorageKey]) -> Result<Vec<Option<Vec<u8>>>> {
        self.note("read", self.failing.get() == Failing::Reads)?;
        self.memory.read(keys).await
    }

    async fn write(&self, ops: Vec<Op>) -> Result<Written> {
        let mut written = Written::All;
        for op in ops {
            match &op {
                Op::Put { ttl, .. } => {
                    self.note("put", self.failing.get() == Failing::Puts)?;
                    self.ttls.borrow_mut().push(*ttl);
                }
                Op::Delete { .. } => {
                    let failing = self.failing.get();
                    if failing == Failing::OneDelete {
                        self.failing.set(Failing::Nothing);
                    }
                    self.note("delete", matches!(failing, Failing::Deletes | Failing::OneDelete))?;
                }
                _ => unreachable!("an operation that this test does not know"),
            }
            written = self.memory.write(vec![op]).await?;
        }
        Ok(written)
    }

    async fn list(&self, prefix: &str, cursor: Option<&str>) -> Result<Page> {
        self.note("list", false)?;
        self.memory.list(prefix, cursor).await
    }
}

pub struct Site {
    pub sessions: Sessions<Watched>,
    pub store: Watched,
    pub now: Rc<Cell<DateTime<Utc>>>,
}

/// 1 January 2030 and 250 microseconds.
pub fn start() -> DateTime<Utc> {
    DateTime::from_timestamp_micros(1_893_456_000_000_250).unwrap()
}

pub fn site() -> Site {
    site_with(defaults())
}

pub fn site_with(settings: SettingsBuilder) -> Site {
    site_on(Watched::new(), settings)
}

/// A site on a store that is there already: a restart, or a second deployment.
pub fn site_on(store: Watched, settings: SettingsBuilder) -> Site {
    let now = Rc::new(Cell::new(start()));
    let clock = Rc::clone(&now);
    let sessions = Sessions::new(store.clone(), settings.build().unwrap()).with_clock(move || clock.get());
    Site { sessions, store, now }
}

impl Site {
    pub fn pass(&self, seconds: i64) {
        self.now.set(self.now.get() + TimeDelta::seconds(seconds));
    }

    /// The operations since the last look.
    pub fn operations(&self) -> Vec<String> {
        self.store.log.take()
    }

    pub fn fail(&self, what: Failing) {
        self.store.failing.set(what);
    }

    pub fn load(&self, browser: &Browser) -> Session {
        run(self.sessions.load(browser.header())).unwrap()
    }

    pub fn commit(&self, browser: &mut Browser, mut session: Session, status: u16) -> SessionHeaders {
        let headers = run(self.sessions.commit_headers(&mut session, status)).unwrap();
        browser.take(&headers);
        headers
    }

    /// One request that is answered with 200.
    pub fn request(&self, browser: &mut Browser, handler: impl FnOnce(&mut Session)) -> SessionHeaders {
        self.request_answered(200, browser, handler)
    }

    pub fn request_answered(
        &self,
        status: u16,
        browser: &mut Browser,
        handler: impl FnOnce(&mut Session),
    ) -> SessionHeaders {
        let mut session = self.load(browser);
        handler(&mut session);
        self.commit(browser, session, status)
    }

    /// A browser with a session that holds `{"user": "alice"}`; nothing of it is in the log.
    pub fn visitor(&self) -> Browser {
        let mut browser = Browser::default();
        self.request(&mut browser, |session| session.set("user", "alice").unwrap());
        self.operations();
        browser
    }

    pub fn logout(&self, browser: &mut Browser, status: u16) -> SessionHeaders {
        let mut session = self.load(browser);
        run(self.sessions.flush(&mut session)).unwrap();
        self.commit(browser, session, status)
    }

    pub fn user(&self, browser: &Browser) -> Option<String> {
        self.load(browser).get("user").unwrap()
    }
}

/// Keeps one cookie, as name and value.
#[derive(Clone, Default)]
pub struct Browser(pub Option<String>);

impl Browser {
    pub fn header(&self) -> String {
        self.0.clone().unwrap_or_default()
    }

    pub fn take(&mut self, headers: &SessionHeaders) {
        if let Some(cookie) = headers.set_cookie() {
            let deleted = cookie.contains("; Max-Age=0;");
            self.0 = (!deleted).then(|| cookie.split(';').next().unwrap().to_owned());
        }
    }
}

//! A request that is aborted at each of its waits for the store: the stored state is readable, and is
//! either the state before the request or the state after it.

use std::cell::Cell;
use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use chrono::TimeDelta;
use edge_session::store::{Op, Page, StorageKey, WriteOutcome};
use edge_session::{ErrorKind, LoadReason, MemoryStore, Result, Session, Sessions, Store};

use crate::support::{defaults, start};

/// A memory store in which each operation is pending once before and once after its effect, and which refuses a given number
/// of puts. Only its waits take time.
#[derive(Clone, Default)]
struct Slow {
    memory: MemoryStore,
    refusals: Rc<Cell<u32>>,
    /// Milliseconds since the start.
    now: Rc<Cell<i64>>,
}

/// A future that is pending once.
async fn later() {
    let mut waited = false;
    poll_fn(|_| if std::mem::replace(&mut waited, true) { Poll::Ready(()) } else { Poll::Pending }).await;
}

impl Store for Slow {
    async fn read(&self, keys: &[StorageKey]) -> Result<Vec<Option<Vec<u8>>>> {
        later().await;
        let values = self.memory.read(keys).await;
        later().await;
        values
    }

    async fn write(&self, ops: Vec<Op>) -> Result<WriteOutcome> {
        for op in ops {
            later().await;
            if matches!(op, Op::Put { .. }) && self.refusals.get() > 0 {
                self.refusals.set(self.refusals.get() - 1);
                return Err(edge_session::Error::unavailable("429 Too Many Requests"));
            }
            if self.memory.write(vec![op]).await? == WriteOutcome::Conflict {
                return Ok(WriteOutcome::Conflict);
            }
            later().await;
        }
        Ok(WriteOutcome::All)
    }

    async fn wait(&self, milliseconds: u64) {
        later().await;
        self.now.set(self.now.get() + i64::try_from(milliseconds).unwrap());
    }

    async fn list(&self, prefix: &str, cursor: Option<&str>) -> Result<Page> {
        later().await;
        self.memory.list(prefix, cursor).await
    }
}

/// Polls a future a number of times, then drops it. Returns `None` if it was still pending.
fn cut<T>(polls: usize, future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    (0..polls).find_map(|_| match future.as_mut().poll(&mut context) {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    })
}

/// Polls a future until it is ready.
fn finish<T>(future: impl Future<Output = T>) -> T {
    cut(10_000, future).unwrap()
}

struct Scenario {
    store: Slow,
    sessions: Sessions<Slow>,
    cookie: String,
}

fn scenario() -> Scenario {
    let store = Slow::default();
    let now = Rc::clone(&store.now);
    let sessions = Sessions::new(store.clone(), defaults().build().unwrap())
        .with_clock(move || start() + TimeDelta::milliseconds(now.get()));
    let mut scenario = Scenario { store, sessions, cookie: String::new() };
    for _ in 0..2 {
        // A logged-in session that is rotated once more.
        let request = request(&scenario.sessions, &scenario.cookie, |session| {
            session.set("user", "alice").unwrap();
            session.cycle_key().unwrap();
        });
        scenario.cookie = finish(request).unwrap().unwrap();
    }
    scenario
}

/// Runs one request. Returns the cookie of its response.
async fn request(
    sessions: &Sessions<Slow>,
    cookie: &str,
    handler: impl FnOnce(&mut Session),
) -> Result<Option<String>> {
    let mut session = sessions.load(cookie).await.unwrap();
    handler(&mut session);
    let headers = sessions.commit_headers(&mut session, 200).await?;
    Ok(headers.set_cookie().map(|line| line.split(';').next().unwrap().to_owned()))
}

async fn logout(sessions: &Sessions<Slow>, cookie: &str) {
    let mut session = sessions.load(cookie).await.unwrap();
    sessions.flush(&mut session).await.unwrap();
    sessions.commit_headers(&mut session, 200).await.unwrap();
}

/// Aborts the request after 0, 1, 2 … polls, until it completes, and checks each time which session the earlier cookie opens.
/// An aborted request blocks no other one: in the same isolate the next save succeeds within the five seconds after which a put,
/// or a login, counts as abandoned.
fn sweep<T>(
    refusals: u32,
    request_of: impl AsyncFn(&Sessions<Slow>, &str) -> T,
    look: impl Fn(&Scenario, &mut Session, Option<T>),
) -> usize {
    for polls in 0..1_000 {
        let scenario = scenario();
        scenario.store.refusals.set(refusals);
        let end = cut(polls, request_of(&scenario.sessions, &scenario.cookie));
        scenario.store.refusals.set(0);
        let done = end.is_some();
        let mut session = finish(scenario.sessions.load(&scenario.cookie)).unwrap();
        look(&scenario, &mut session, end);
        let (reason, before) = (session.load_reason(), scenario.store.now.get());
        let next = finish(request(&scenario.sessions, &scenario.cookie, |session| session.set("next", polls).unwrap()));
        let waited = scenario.store.now.get() - before;
        assert!(waited <= 5_100, "{waited}");
        match next {
            Ok(cookie) => {
                let mut session = finish(scenario.sessions.load(cookie.unwrap())).unwrap();
                assert_eq!(session.item::<usize>("next").unwrap(), polls);
            }
            Err(error) => assert_eq!((error.kind(), reason), (ErrorKind::Superseded, LoadReason::Superseded)),
        }
        let other = finish(request(&scenario.sessions, "", |session| session.set("next", polls).unwrap())).unwrap();
        let mut session = finish(scenario.sessions.load(other.unwrap())).unwrap();
        assert_eq!(session.item::<usize>("next").unwrap(), polls);
        if done {
            return polls;
        }
    }
    panic!("it never ends");
}

// G15
#[test]
fn an_aborted_save_is_complete_or_has_no_effect() {
    for refusals in [0, 1] {
        let saves = sweep(
            refusals,
            async |sessions, cookie| {
                request(sessions, cookie, |session| session.set("page", 2).unwrap()).await.unwrap();
            },
            |_, session, end| {
                assert_eq!(session.load_reason(), LoadReason::Live);
                assert_eq!(session.item::<String>("user").unwrap(), "alice");
                let page = session.get::<u8>("page").unwrap();
                assert!(page == Some(2) || (page.is_none() && end.is_none()), "{page:?}");
            },
        );
        assert!(saves >= 4, "it waits at each operation, and is aborted there");
    }
}

// G15: either the old key still opens the session, or it is revoked.
#[test]
fn an_aborted_login_is_complete_or_has_no_effect() {
    for refusals in [0, 1] {
        let login = sweep(
            refusals,
            async |sessions, cookie| {
                request(sessions, cookie, |session| session.cycle_key().unwrap()).await.unwrap().unwrap()
            },
            |scenario, session, end| {
                let is_alice =
                    |session: &mut Session| session.get::<String>("user").unwrap().as_deref() == Some("alice");
                match session.load_reason() {
                    LoadReason::Live => {
                        assert!(is_alice(session));
                        assert!(end.is_none(), "an acknowledged login has revoked the old key");
                    }
                    reason => {
                        assert_eq!(reason, LoadReason::Superseded);
                        assert!(session.keys().unwrap().is_empty());
                        // Isolate memory keeps a rotation that was not acknowledged for 15 seconds.
                        let before = scenario.store.now.replace(scenario.store.now.get() + 15_001);
                        let mut old = finish(scenario.sessions.load(&scenario.cookie)).unwrap();
                        assert!(old.load_reason() == LoadReason::Superseded || (is_alice(&mut old) && end.is_none()));
                        scenario.store.now.set(before);
                    }
                }
                if let Some(cookie) = end {
                    assert!(is_alice(&mut finish(scenario.sessions.load(cookie)).unwrap()));
                }
            },
        );
        assert!(login >= 10);
    }
}

// G15: an aborted logout may or may not take effect. An acknowledged one does.
#[test]
fn an_aborted_logout_is_complete_or_has_no_effect() {
    for refusals in [0, 1] {
        let logout = sweep(
            refusals,
            async |sessions, cookie| logout(sessions, cookie).await,
            |scenario, session, end| {
                let ended = session.load_reason() == LoadReason::Revoked;
                assert!(ended || end.is_none());
                assert_eq!(session.get::<String>("user").unwrap().is_none(), ended);
                // A retry succeeds.
                finish(self::logout(&scenario.sessions, &scenario.cookie));
                let again = finish(scenario.sessions.load(&scenario.cookie)).unwrap();
                assert_eq!(again.load_reason(), LoadReason::Revoked);
            },
        );
        assert!(logout >= 10);
    }
}

// G15: an aborted first visit leaves no record, or one whose cookie no browser has.
#[test]
fn an_aborted_first_save_leaves_at_most_an_unreachable_record() {
    for polls in 0..10 {
        let scenario = scenario();
        let before = scenario.store.memory.len();
        let cookie = cut(polls, request(&scenario.sessions, "", |session| session.set("user", "bob").unwrap()));
        assert!((before..=before + 1).contains(&scenario.store.memory.len()));
        if let Some(cookie) = cookie.and_then(|cookie| cookie.unwrap()) {
            assert_eq!(finish(scenario.sessions.load(cookie)).unwrap().item::<String>("user").unwrap(), "bob");
            return;
        }
    }
    panic!("it never ends");
}

//! A request that goes away while it waits for the store, at each of the places where it waits: what is stored can be read, and is
//! what was there before or what was to be there afterwards.

use std::cell::Cell;
use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use chrono::TimeDelta;
use edge_session::store::{Op, Page, StorageKey, WriteOutcome};
use edge_session::{ErrorKind, LoadReason, MemoryStore, Result, Session, Sessions, Store};

use crate::support::{defaults, start};

/// A memory store in which each operation is pending once before and once after it, and which refuses as many puts as it is told
/// to. Only its waits take time.
#[derive(Clone, Default)]
struct Slow {
    memory: MemoryStore,
    refusals: Rc<Cell<u32>>,
    /// Milliseconds since the start.
    now: Rc<Cell<i64>>,
}

/// Comes back later, once.
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

/// Polls a future so many times and drops it; `None` where it was not done by then.
fn cut<T>(polls: usize, future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    (0..polls).find_map(|_| match future.as_mut().poll(&mut context) {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    })
}

/// To the end, however often it waits.
fn finish<T>(future: impl Future<Output = T>) -> T {
    cut(10_000, future).unwrap()
}

struct World {
    store: Slow,
    sessions: Sessions<Slow>,
    cookie: String,
}

fn world() -> World {
    let store = Slow::default();
    let now = Rc::clone(&store.now);
    let sessions = Sessions::new(store.clone(), defaults().build().unwrap())
        .with_clock(move || start() + TimeDelta::milliseconds(now.get()));
    let mut world = World { store, sessions, cookie: String::new() };
    for _ in 0..2 {
        // Logged in, and rotated once more.
        let request = request(&world.sessions, &world.cookie, |session| {
            session.set("user", "alice").unwrap();
            session.cycle_key().unwrap();
        });
        world.cookie = finish(request).unwrap().unwrap();
    }
    world
}

/// One request; the cookie that its answer brings.
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

/// Cuts `story` off after 0, 1, 2 … polls, until it comes to its end, and looks each time at what the cookie of before opens then.
/// Nothing waits for what was cut off: in the same isolate the next save succeeds within the five seconds after which a put, or a
/// login, counts as gone.
fn sweep<T>(
    refusals: u32,
    story: impl AsyncFn(&Sessions<Slow>, &str) -> T,
    look: impl Fn(&World, &mut Session, Option<T>),
) -> usize {
    for polls in 0..1_000 {
        let world = world();
        world.store.refusals.set(refusals);
        let end = cut(polls, story(&world.sessions, &world.cookie));
        world.store.refusals.set(0);
        let done = end.is_some();
        let mut session = finish(world.sessions.load(&world.cookie)).unwrap();
        look(&world, &mut session, end);
        let (reason, before) = (session.load_reason(), world.store.now.get());
        let next = finish(request(&world.sessions, &world.cookie, |session| session.set("next", polls).unwrap()));
        let waited = world.store.now.get() - before;
        assert!(waited <= 5_100, "{waited}");
        match next {
            Ok(cookie) => {
                let mut session = finish(world.sessions.load(cookie.unwrap())).unwrap();
                assert_eq!(session.item::<usize>("next").unwrap(), polls);
            }
            Err(error) => assert_eq!((error.kind(), reason), (ErrorKind::Superseded, LoadReason::Superseded)),
        }
        let other = finish(request(&world.sessions, "", |session| session.set("next", polls).unwrap())).unwrap();
        let mut session = finish(world.sessions.load(other.unwrap())).unwrap();
        assert_eq!(session.item::<usize>("next").unwrap(), polls);
        if done {
            return polls;
        }
    }
    panic!("it never ends");
}

// G15
#[test]
fn a_save_that_is_given_up_is_made_or_not() {
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
        assert!(saves >= 6, "it waits, and is cut off, at each operation");
    }
}

// G15: either the old key still opens the session, or it was ended; never is it half of either.
#[test]
fn a_login_that_is_given_up_is_one_or_none() {
    for refusals in [0, 1] {
        let login = sweep(
            refusals,
            async |sessions, cookie| {
                request(sessions, cookie, |session| session.cycle_key().unwrap()).await.unwrap().unwrap()
            },
            |world, session, end| {
                let is_alice =
                    |session: &mut Session| session.get::<String>("user").unwrap().as_deref() == Some("alice");
                match session.load_reason() {
                    LoadReason::Live => {
                        assert!(is_alice(session));
                        assert!(end.is_none(), "a login that was acknowledged has ended the old key");
                    }
                    reason => {
                        assert_eq!(reason, LoadReason::Superseded);
                        assert!(session.keys().unwrap().is_empty());
                        // What the isolate remembers of a rotation that was not acknowledged counts for 15 seconds.
                        let before = world.store.now.replace(world.store.now.get() + 15_001);
                        let mut old = finish(world.sessions.load(&world.cookie)).unwrap();
                        assert!(old.load_reason() == LoadReason::Superseded || (is_alice(&mut old) && end.is_none()));
                        world.store.now.set(before);
                    }
                }
                if let Some(cookie) = end {
                    assert!(is_alice(&mut finish(world.sessions.load(cookie)).unwrap()));
                }
            },
        );
        assert!(login >= 10);
    }
}

// G15: a logout that nobody heard the end of may have been one; one that was acknowledged is.
#[test]
fn a_logout_that_is_given_up_is_one_or_none() {
    for refusals in [0, 1] {
        let logout = sweep(
            refusals,
            async |sessions, cookie| logout(sessions, cookie).await,
            |world, session, end| {
                let ended = session.load_reason() == LoadReason::Revoked;
                assert!(ended || end.is_none());
                assert_eq!(session.get::<String>("user").unwrap().is_none(), ended);
                // Whoever tries again succeeds.
                finish(self::logout(&world.sessions, &world.cookie));
                let again = finish(world.sessions.load(&world.cookie)).unwrap();
                assert_eq!(again.load_reason(), LoadReason::Revoked);
            },
        );
        assert!(logout >= 10);
    }
}

// G15: a first visit leaves a record that nobody has the cookie of, or none.
#[test]
fn a_first_save_that_is_given_up_leaves_at_most_a_record_of_nobodys() {
    for polls in 0..10 {
        let world = world();
        let before = world.store.memory.len();
        let cookie = cut(polls, request(&world.sessions, "", |session| session.set("user", "bob").unwrap()));
        assert!((before..=before + 1).contains(&world.store.memory.len()));
        if let Some(cookie) = cookie.and_then(|cookie| cookie.unwrap()) {
            assert_eq!(finish(world.sessions.load(cookie)).unwrap().item::<String>("user").unwrap(), "bob");
            return;
        }
    }
    panic!("it never ends");
}

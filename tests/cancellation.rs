//! A request that goes away while it waits for the store, at each of the places where it waits: what is stored can be read, and is
//! what was there before or what was to be there afterwards.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, clippy::arithmetic_side_effects)]
#![allow(missing_docs, unused_must_use)]
#![cfg(not(target_arch = "wasm32"))]

mod support;

use std::cell::Cell;
use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use edge_session::{LoadReason, MemoryStore, Op, Page, Result, Session, Sessions, StorageKey, Store, Written};
use support::{defaults, start};

/// A memory store that keeps who asks waiting, before and after each operation, and refuses the puts that it is told to.
#[derive(Clone, Default)]
struct Slow {
    memory: MemoryStore,
    refusals: Rc<Cell<u32>>,
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

    async fn write(&self, ops: Vec<Op>) -> Result<Written> {
        for op in ops {
            later().await;
            if matches!(op, Op::Put { .. }) && self.refusals.get() > 0 {
                self.refusals.set(self.refusals.get() - 1);
                return Err(edge_session::Error::unavailable("429 Too Many Requests"));
            }
            if self.memory.write(vec![op]).await? == Written::Conflict {
                return Ok(Written::Conflict);
            }
            later().await;
        }
        Ok(Written::All)
    }

    async fn wait(&self, _: u64) {
        later().await;
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
    let sessions = Sessions::new(store.clone(), defaults().build().unwrap()).with_clock(start);
    let mut world = World { store, sessions, cookie: String::new() };
    for _ in 0..2 {
        // Logged in, and once more: with a family whose first key is another one.
        world.cookie = finish(request(&world.sessions, &world.cookie, |session| {
            session.set("user", "alice").unwrap();
            session.cycle_key().unwrap();
        }))
        .unwrap();
    }
    world
}

/// One request; the cookie that its answer brings.
async fn request(sessions: &Sessions<Slow>, cookie: &str, handler: impl FnOnce(&mut Session)) -> Option<String> {
    let mut session = sessions.load(cookie).await.unwrap();
    handler(&mut session);
    let headers = sessions.commit_headers(&mut session, 200).await.unwrap();
    headers.set_cookie().map(|line| line.split(';').next().unwrap().to_owned())
}

async fn logout(sessions: &Sessions<Slow>, cookie: &str) {
    let mut session = sessions.load(cookie).await.unwrap();
    sessions.flush(&mut session).await.unwrap();
    sessions.commit_headers(&mut session, 200).await.unwrap();
}

/// Cuts `story` off after 0, 1, 2 … polls, until it comes to its end, and looks each time at what the cookie of before opens then.
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
        // The store takes what comes next, from this visitor and from others.
        let next =
            finish(request(&world.sessions, &world.cookie, |session| session.set("next", polls).unwrap())).unwrap();
        let mut session = finish(world.sessions.load(&next)).unwrap();
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
            async |sessions, cookie| request(sessions, cookie, |session| session.set("page", 2).unwrap()).await,
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
            async |sessions, cookie| request(sessions, cookie, |session| session.cycle_key().unwrap()).await,
            |world, session, end| match session.load_reason() {
                LoadReason::Live => {
                    assert_eq!(session.item::<String>("user").unwrap(), "alice");
                    assert!(end.is_none(), "a login that came to its end has ended the old key");
                }
                reason => {
                    assert_eq!(reason, LoadReason::Revoked);
                    assert!(session.keys().unwrap().is_empty());
                    if let Some(cookie) = end.flatten() {
                        let mut session = finish(world.sessions.load(cookie)).unwrap();
                        assert_eq!(session.item::<String>("user").unwrap(), "alice");
                    }
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
        if let Some(cookie) = cookie.flatten() {
            assert_eq!(finish(world.sessions.load(cookie)).unwrap().item::<String>("user").unwrap(), "bob");
            return;
        }
    }
    panic!("it never ends");
}

//! The comparison with tower-sessions, and the migration from it: docs/guides/migrating/from-tower-sessions.md.

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Path, State};
use axum::http::header::{CACHE_CONTROL, COOKIE, SET_COOKIE, VARY};
use axum::http::{Method, Request};
use axum::response::Response;
use axum::routing::{get, post};
use edge_session::tower::{Session, SessionLayer};
use edge_session::{MemoryStore, Result, Sessions};
use futures_util::future::{join, join_all};
use tower::ServiceExt;
use tower_sessions::session::{Id, Record};
use tower_sessions::session_store::{Error as OldError, Result as OldResult};
use tower_sessions::{MemoryStore as OldStore, Session as OldSession, SessionManagerLayer, SessionStore};

use crate::support::{Browser, Failing, SECRET, defaults, run, site};

mod after;
mod before;
mod take_over;

/// Sends a request of a browser, which takes the cookies of the response.
async fn fetch(app: &Router, browser: &mut Browser, method: Method, path: &str) -> Response {
    let request = Request::builder().method(method).uri(path).header(COOKIE, browser.header());
    let response = app.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    for cookie in response.headers().get_all(SET_COOKIE) {
        browser.take_line(cookie.to_str().unwrap());
    }
    response
}

async fn text(response: Response) -> String {
    String::from_utf8(to_bytes(response.into_body(), usize::MAX).await.unwrap().into()).unwrap()
}

/// What slow pages wait for, between their first use of the session and their write.
#[derive(Clone, Default)]
struct Flag(Arc<AtomicBool>);

impl Flag {
    fn raise(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    async fn wait(&self) {
        poll_fn(|context| {
            context.waker().wake_by_ref();
            if self.0.load(Ordering::Relaxed) { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }
}

async fn old_slow(Path(key): Path<String>, State(flag): State<Flag>, session: OldSession) {
    session.get::<String>("user").await.unwrap();
    flag.wait().await;
    session.insert(&key, 1).await.unwrap();
}

async fn slow(Path(key): Path<String>, State(flag): State<Flag>, session: Session) -> Result<()> {
    session.contains_key("user")?;
    flag.wait().await;
    session.set(&key, 1)
}

async fn old_keys(session: OldSession) -> String {
    let mut present = Vec::new();
    for key in ["user", "a", "b"] {
        present.extend(session.get_value(key).await.unwrap().map(|_| key.to_owned()));
    }
    present.join(" ")
}

async fn keys(session: Session) -> Result<String> {
    Ok(session.keys()?.join(" "))
}

/// The same application with tower-sessions, and with this crate on a store in memory.
fn both(flag: &Flag) -> [Router; 2] {
    let old = Router::new()
        .route("/login", post(async |session: OldSession| session.insert("user", "alice").await.unwrap()))
        .route("/logout", post(async |session: OldSession| session.flush().await.unwrap()))
        .route("/slow/{key}", get(old_slow))
        .route("/keys", get(old_keys))
        .with_state(flag.clone())
        .layer(SessionManagerLayer::new(OldStore::default()));
    let new = Router::new()
        .route("/login", post(async |session: Session| session.set("user", "alice")))
        .route("/logout", post(async |session: Session| session.flush().await))
        .route("/slow/{key}", get(slow))
        .route("/keys", get(keys))
        .with_state(flag.clone())
        .layer(SessionLayer::new(Sessions::new(MemoryStore::default(), defaults().build().unwrap())));
    [old, new]
}

#[test]
fn a_slow_request_brings_a_session_back_after_a_logout_there_and_is_refused_here() {
    let observed = [0, 1].map(|place| {
        let flag = Flag::default();
        let app = &both(&flag)[place];
        run(async {
            let mut browser = Browser::default();
            fetch(app, &mut browser, Method::POST, "/login").await;
            let (mut tab, mut stolen) = (browser.clone(), browser.clone());
            let logout = async {
                fetch(app, &mut browser, Method::POST, "/logout").await;
                flag.raise();
            };
            let (slow, ()) = join(fetch(app, &mut tab, Method::GET, "/slow/a"), logout).await;
            (slow.status().as_u16(), text(fetch(app, &mut stolen, Method::GET, "/keys").await).await)
        })
    });
    assert_eq!(observed, [(200, "user a".to_owned()), (400, String::new())]);
}

#[test]
fn of_two_requests_one_write_is_lost_there_and_both_are_kept_here() {
    let observed = [0, 1].map(|place| {
        let flag = Flag::default();
        let app = &both(&flag)[place];
        run(async {
            let mut browser = Browser::default();
            fetch(app, &mut browser, Method::POST, "/login").await;
            let tabs = ["/slow/a", "/slow/b"].map(|path| {
                let mut tab = browser.clone();
                async move { _ = fetch(app, &mut tab, Method::GET, path).await }
            });
            join(join_all(tabs), async { flag.raise() }).await;
            text(fetch(app, &mut browser, Method::GET, "/keys").await).await
        })
    });
    assert_eq!(observed, ["user b", "user a b"]);
}

#[test]
fn caches_may_store_a_page_of_a_session_there_and_not_here() {
    let headers = both(&Flag::default()).map(|app| {
        let response = run(fetch(&app, &mut Browser::default(), Method::POST, "/login"));
        assert!(response.headers().contains_key(SET_COOKIE));
        [VARY, CACHE_CONTROL].map(|name| response.headers().get(name).map(|value| value.to_str().unwrap().to_owned()))
    });
    assert_eq!(headers[0], [None, None]);
    assert_eq!(headers[1], [Some("Cookie".to_owned()), Some("private, no-store".to_owned())]);
}

#[test]
fn the_store_sees_the_id_of_the_cookie_there_and_its_hash_here() {
    let old = OldStore::default();
    let mut browser = Browser::default();
    run(fetch(&before::app(old.clone()), &mut browser, Method::POST, "/login"));
    let id: Id = browser.cookie("id").unwrap().parse().unwrap();
    assert!(run(old.load(&id)).unwrap().is_some());
    let (new, mut browser) = (MemoryStore::default(), Browser::default());
    let app = after::app(new.clone(), SECRET).unwrap();
    run(fetch(&app, &mut browser, Method::POST, "/login"));
    let sessions = Sessions::new(new.clone(), defaults().build().unwrap());
    let session = run(sessions.load(browser.header())).unwrap();
    let key = session.session_key().unwrap().as_str();
    assert!(!new.entries().is_empty());
    for (name, value) in new.entries() {
        assert!(!name.as_str().contains(key) && !String::from_utf8_lossy(&value).contains(key));
    }
}

/// A store of tower-sessions that cannot be written.
#[derive(Clone, Debug)]
struct ReadOnly;

type OldFuture<'a, T> = std::pin::Pin<Box<dyn Future<Output = OldResult<T>> + Send + 'a>>;

// What the macro `async_trait` makes.
impl SessionStore for ReadOnly {
    fn save<'a, 'b, 'c>(&'a self, _: &'b Record) -> OldFuture<'c, ()>
    where
        'a: 'c,
        'b: 'c,
        Self: 'c,
    {
        Box::pin(async { Err(OldError::Backend("read-only".to_owned())) })
    }

    fn load<'a, 'b, 'c>(&'a self, _: &'b Id) -> OldFuture<'c, Option<Record>>
    where
        'a: 'c,
        'b: 'c,
        Self: 'c,
    {
        Box::pin(async { Ok(None) })
    }

    fn delete<'a, 'b, 'c>(&'a self, _: &'b Id) -> OldFuture<'c, ()>
    where
        'a: 'c,
        'b: 'c,
        Self: 'c,
    {
        Box::pin(async { Ok(()) })
    }
}

#[test]
fn a_save_that_fails_is_500_without_a_body_there_and_503_with_the_error_here() {
    let old = Router::new().route("/", get(async |session: OldSession| session.insert("page", 1).await.unwrap()));
    let old = old.layer(SessionManagerLayer::new(ReadOnly));
    let site = site();
    site.fail(Failing::Puts);
    let new = Router::new().route("/", get(async |session: Session| session.set("page", 1)));
    let new = new.layer(SessionLayer::new(Sessions::new(site.store.clone(), defaults().build().unwrap())));
    let [old, new] = [old, new].map(|app| {
        run(async {
            let response = fetch(&app, &mut Browser::default(), Method::GET, "/").await;
            (response.status().as_u16(), text(response).await)
        })
    });
    assert_eq!(old, (500, String::new()));
    assert_eq!(new.0, 503);
    assert!(new.1.contains("ES_STORE_UNAVAILABLE"));
}

#[test]
fn the_application_before_and_the_one_after_serve_the_same_pages() {
    let pages = [before::app(OldStore::default()), after::app(MemoryStore::default(), SECRET).unwrap()].map(|app| {
        run(async {
            let mut browser = Browser::default();
            let mut texts = Vec::new();
            for (method, path) in [
                (Method::GET, "/"),
                (Method::POST, "/login"),
                (Method::GET, "/"),
                (Method::GET, "/"),
                (Method::POST, "/logout"),
                (Method::GET, "/"),
            ] {
                let response = fetch(&app, &mut browser, method, path).await;
                assert_eq!(response.status(), 200);
                texts.push(text(response).await);
            }
            texts
        })
    });
    assert_eq!(pages[0], [" Visit number 1", "", "Welcome! Visit number 2", " Visit number 3", "", " Visit number 1"]);
    assert_eq!(pages[1], pages[0]);
}

#[test]
fn an_old_session_is_taken_over_once_and_ends() {
    let (old, new) = (OldStore::default(), MemoryStore::default());
    let mut browser = Browser::default();
    run(fetch(&before::app(old.clone()), &mut browser, Method::POST, "/login"));
    let mut stolen = browser.clone();
    let layer = || SessionLayer::new(Sessions::new(new.clone(), defaults().build().unwrap()));
    let app =
        take_over::migrating(Router::new().route("/keys", get(keys)), layer(), SessionManagerLayer::new(old.clone()));
    run(async {
        assert_eq!(text(fetch(&app, &mut browser, Method::GET, "/keys").await).await, "user");
        assert_eq!(browser.cookie("id"), None, "the old cookie is deleted");
        assert_eq!(text(fetch(&app, &mut stolen, Method::GET, "/keys").await).await, "");
        let after = Router::new().route("/keys", get(keys)).layer(layer());
        assert_eq!(text(fetch(&after, &mut browser, Method::GET, "/keys").await).await, "user");
    });
}

#[test]
fn an_old_session_stays_if_it_cannot_be_taken_over() {
    let (old, site) = (OldStore::default(), site());
    let mut browser = Browser::default();
    run(fetch(&before::app(old.clone()), &mut browser, Method::POST, "/login"));
    let sessions = Sessions::new(site.store.clone(), defaults().build().unwrap());
    let app = Router::new().route("/keys", get(keys));
    let app = take_over::migrating(app, SessionLayer::new(sessions), SessionManagerLayer::new(old));
    site.fail(Failing::Puts);
    assert_eq!(run(fetch(&app, &mut browser, Method::GET, "/keys")).status(), 503);
    site.fail(Failing::Nothing);
    assert_eq!(run(async { text(fetch(&app, &mut browser, Method::GET, "/keys").await).await }), "user");
}

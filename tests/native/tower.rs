//! The features `tower` and `axum`: axum applications with sessions in memory and on the model of KV.

use std::convert::Infallible;
use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::task::Poll;
use std::thread;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::State;
use axum::handler::Handler;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, COOKIE, SET_COOKIE, VARY, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode};
use axum::middleware::map_response;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use edge_session::tower::{Session, SessionLayer};
use edge_session::{Error, ErrorKind, MemoryStore, Result, Sessions, Store};
use edge_session_kv_model::KvModel;
use futures_util::future::join;
use futures_util::{StreamExt, stream};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tower::{Service, ServiceExt, service_fn};

use crate::support::isolate::{Isolate, settle, strong, usual};
use crate::support::{
    ANONYMOUS, Browser, Failing, ROTATED, RecordingStore, Site, defaults, is_deletion, linearizable, run, site,
};

async fn count(session: Session) -> Result<String> {
    let visits = session.get::<u32>("visits")?.unwrap_or(0) + 1;
    session.set("visits", visits)?;
    Ok(visits.to_string())
}

async fn log_in(session: Session) -> Result<&'static str> {
    session.cycle_key()?;
    session.set("user", "alice")?;
    Ok("Welcome")
}

async fn log_out(session: Session) -> Result<&'static str> {
    session.flush().await?;
    Ok("Goodbye")
}

async fn user(session: Session) -> Result<String> {
    Ok(session.get("user")?.unwrap_or_else(|| "stranger".to_owned()))
}

/// Headers of an application that lets any cache store its responses, and sets a cookie of its own.
fn cacheable() -> [(HeaderName, &'static str); 4] {
    [
        (CACHE_CONTROL, "public, max-age=60, s-maxage=600"),
        (HeaderName::from_static("cloudflare-cdn-cache-control"), "max-age=600"),
        (VARY, "accept-encoding"),
        (SET_COOKIE, "theme=dark"),
    ]
}

/// The application of the tests, without its layer.
fn pages() -> Router {
    Router::new()
        .route("/", get(count))
        .route("/login", post(log_in))
        .route("/logout", post(log_out))
        .route("/user", get(user))
        .route("/untouched", get(async || (cacheable(), "the same for everyone")))
        .route("/read", get(async |session: Session| session.keys().map(|_| (cacheable(), "read"))))
        .route("/written", get(async |session: Session| session.set("page", 1).map(|()| (cacheable(), "written"))))
        .route("/status/{status}", get(fails_with_status))
        .route("/item", get(fails_with_missing_key))
        .route("/large", get(async |session: Session| session.set("essay", "x".repeat(100_000))))
        .route("/catches", get(catches))
        .route("/saves", get(saves))
}

async fn fails_with_status(axum::extract::Path(status): axum::extract::Path<u16>, session: Session) -> StatusCode {
    session.set("from", "a page that failed").unwrap();
    StatusCode::from_u16(status).unwrap()
}

async fn fails_with_missing_key(session: Session) -> Result<String> {
    session.set("from", "a page that failed")?;
    session.with(|session| session.item("missing"))
}

async fn catches(session: Session) -> String {
    session.get::<String>("user").map_or_else(|error| error.code().to_owned(), |user| format!("{user:?}"))
}

async fn saves(session: Session) -> Result<String> {
    session.set("order", 7)?;
    session.save().await?;
    Ok(session.session_key()?.unwrap().as_str().to_owned())
}

fn app<S: Store + 'static>(sessions: Sessions<S>) -> Router {
    pages().layer(SessionLayer::new(sessions))
}

/// Sessions on the store of a site, with its clock.
fn sessions_of(site: &Site) -> Sessions<RecordingStore> {
    let clock = std::rc::Rc::clone(&site.now);
    Sessions::new(site.store.clone(), defaults().build().unwrap()).with_clock(move || clock.get())
}

fn in_memory() -> Router {
    app(Sessions::new(MemoryStore::default(), defaults().build().unwrap()))
}

/// A response whose body has been read.
#[derive(Debug)]
struct Page {
    status: u16,
    headers: HeaderMap,
    text: String,
    error: Option<ErrorKind>,
}

impl Page {
    async fn of(response: Response) -> Self {
        let (head, body) = response.into_parts();
        let bytes = to_bytes(body, usize::MAX).await.unwrap();
        Self {
            status: head.status.as_u16(),
            headers: head.headers,
            text: String::from_utf8(bytes.into()).unwrap(),
            error: head.extensions.get::<Error>().map(Error::kind),
        }
    }

    /// The values of a header.
    fn all(&self, name: &HeaderName) -> Vec<&str> {
        self.headers.get_all(name).iter().map(|value| value.to_str().unwrap()).collect()
    }

    /// The names of the cookies that it sets or deletes.
    fn cookies(&self) -> Vec<&str> {
        self.all(&SET_COOKIE).into_iter().map(|cookie| cookie.split('=').next().unwrap()).collect()
    }

    #[track_caller]
    fn assert_is_error(&self, status: u16, kind: ErrorKind) {
        assert_eq!((self.status, self.error), (status, Some(kind)), "{self:?}");
        let json: serde_json::Value = serde_json::from_str(&self.text).unwrap();
        assert_eq!(json["error"]["code"], kind.code());
        assert!(json["error"]["message"].as_str().is_some_and(|message| !message.is_empty()));
        assert_eq!(self.all(&CONTENT_TYPE), ["application/json"]);
        assert_eq!(self.all(&X_CONTENT_TYPE_OPTIONS), ["nosniff"]);
        assert_eq!(self.all(&VARY), ["Cookie"]);
        assert_eq!(self.all(&CACHE_CONTROL), ["private, no-store"]);
    }
}

fn request(method: Method, path: &str, browser: &Browser) -> Request<Body> {
    let request = Request::builder().method(method).uri(path);
    let request = if let Some(cookies) = &browser.0 { request.header(COOKIE, cookies) } else { request };
    request.body(Body::empty()).unwrap()
}

/// Sends a request of a browser, which takes the cookies of the response.
async fn fetch(app: &Router, browser: &mut Browser, method: Method, path: &str) -> Page {
    let response = app.clone().oneshot(request(method, path, browser)).await.unwrap();
    let page = Page::of(response).await;
    for cookie in page.all(&SET_COOKIE).into_iter().filter(|cookie| cookie.starts_with("__Host-")) {
        browser.take_line(cookie);
    }
    page
}

fn visit(app: &Router, browser: &mut Browser, path: &str) -> Page {
    run(fetch(app, browser, Method::GET, path))
}

fn submit(app: &Router, browser: &mut Browser, path: &str) -> Page {
    run(fetch(app, browser, Method::POST, path))
}

const fn assert_is_send<T: Send + Sync + 'static>() {}

#[test]
fn what_axum_requires_of_a_layer_and_an_extension_holds() {
    assert_is_send::<SessionLayer>();
    assert_is_send::<Session>();
    const fn assert_future_is_send<T: Send>(_: &T) {}
    let service = tower::Layer::layer(
        &layer(),
        service_fn(async |_: Request<()>| Ok::<_, Infallible>(Response::new(String::new()))),
    );
    assert_future_is_send(&service.oneshot(Request::new(())));
}

fn layer() -> SessionLayer {
    SessionLayer::new(Sessions::new(MemoryStore::default(), defaults().build().unwrap()))
}

#[test]
fn visits_are_counted_for_each_browser() {
    let app = in_memory();
    let (mut one, mut other) = (Browser::default(), Browser::default());
    let counted = [&mut one, &mut other].map(|browser| [(); 3].map(|()| visit(&app, browser, "/").text));
    assert_eq!(counted, [["1", "2", "3"], ["1", "2", "3"]]);
}

#[test]
fn a_login_keeps_what_was_set_and_changes_the_key() {
    for store in [MemoryStore::default(), MemoryStore::eventual()] {
        let app = app(Sessions::new(store, defaults().build().unwrap()));
        let mut browser = Browser::default();
        assert_eq!(visit(&app, &mut browser, "/").cookies(), [ANONYMOUS]);
        let mut before = browser.clone();
        let login = submit(&app, &mut browser, "/login");
        assert_eq!(login.cookies(), [ROTATED, ANONYMOUS]);
        assert_eq!(visit(&app, &mut browser, "/").text, "2");
        assert_eq!(visit(&app, &mut browser, "/user").text, "alice");
        assert_eq!(visit(&app, &mut before, "/user").text, "stranger");
    }
}

#[test]
fn a_logout_deletes_the_cookie_and_the_session() {
    let app = in_memory();
    let mut browser = Browser::default();
    submit(&app, &mut browser, "/login");
    let mut stolen = browser.clone();
    let logout = submit(&app, &mut browser, "/logout");
    assert_eq!((logout.status, logout.text.as_str()), (200, "Goodbye"));
    assert!(logout.all(&SET_COOKIE).iter().all(|cookie| is_deletion(cookie)));
    assert_eq!(browser, Browser::default());
    assert_eq!(visit(&app, &mut stolen, "/user").text, "stranger");
}

#[test]
fn a_response_to_a_request_that_does_not_use_its_session_is_unchanged() {
    let site = site();
    let app = app(sessions_of(&site));
    let plain = run(fetch(&pages(), &mut Browser::default(), Method::GET, "/untouched"));
    for mut browser in [Browser::default(), site.visitor()] {
        let page = visit(&app, &mut browser, "/untouched");
        assert_eq!((page.status, &page.headers, &page.text), (200, &plain.headers, &plain.text));
    }
    assert!(site.operations().iter().all(|operation| operation == "read"));
}

#[test]
fn the_headers_of_the_application_are_merged() {
    let app = in_memory();
    let mut browser = Browser::default();
    submit(&app, &mut browser, "/login");
    let read = visit(&app, &mut browser, "/read");
    assert_eq!(read.all(&VARY), ["accept-encoding, Cookie"]);
    assert_eq!(read.all(&CACHE_CONTROL), ["private, max-age=60"]);
    assert!(!read.headers.contains_key("cloudflare-cdn-cache-control"));
    assert_eq!(read.all(&SET_COOKIE), ["theme=dark"]);
    let written = visit(&app, &mut browser, "/written");
    assert_eq!(written.all(&VARY), ["accept-encoding, Cookie"]);
    assert_eq!(written.all(&CACHE_CONTROL), ["private, no-store"]);
    assert_eq!(written.cookies(), ["theme", ROTATED]);
}

#[test]
fn several_vary_headers_become_one() {
    let pages = Router::new().route(
        "/",
        get(async |session: Session| {
            let mut headers = HeaderMap::new();
            headers.append(VARY, HeaderValue::from_static("accept"));
            headers.append(VARY, HeaderValue::from_static("origin"));
            session.contains_key("user").map(|_| headers)
        }),
    );
    let page = visit(&pages.layer(layer()), &mut Browser::default(), "/");
    assert_eq!(page.all(&VARY), ["accept, origin, Cookie"]);
}

#[test]
fn a_forged_cookie_opens_no_session_and_costs_no_read() {
    let site = site();
    let app = app(sessions_of(&site));
    for name in [ANONYMOUS, ROTATED] {
        let mut browser = Browser(Some(format!("{name}=forged")));
        let page = visit(&app, &mut browser, "/user");
        assert_eq!((page.text.as_str(), page.cookies()), ("stranger", vec![name]));
        assert_eq!(browser, Browser::default(), "the response deletes it");
    }
    assert!(site.operations().is_empty());
}

#[test]
fn cookies_in_several_headers_are_joined_whatever_bytes_others_have() {
    let app = in_memory();
    let mut browser = Browser::default();
    submit(&app, &mut browser, "/login");
    let request =
        Request::builder().uri("/user").header(COOKIE, b"theme=\xff".as_slice()).header(COOKIE, browser.header());
    let response = run(app.oneshot(request.body(Body::empty()).unwrap())).unwrap();
    assert_eq!(run(Page::of(response)).text, "alice");
}

#[test]
fn a_status_of_500_or_more_saves_nothing_and_a_lower_one_saves() {
    for (status, is_saved) in [(200, true), (302, true), (404, true), (499, true), (500, false), (503, false)] {
        let site = site();
        let app = app(sessions_of(&site));
        let mut browser = Browser::default();
        let page = visit(&app, &mut browser, &format!("/status/{status}"));
        assert_eq!((page.status, page.cookies().len()), (status, usize::from(is_saved)));
        assert_eq!(site.stored().0, usize::from(is_saved));
        assert_eq!(page.all(&VARY), ["Cookie"]);
    }
}

#[test]
fn a_session_error_of_a_handler_saves_nothing_whatever_its_status() {
    let site = site();
    let app = app(sessions_of(&site));
    visit(&app, &mut Browser::default(), "/item").assert_is_error(500, ErrorKind::MissingKey);
    assert!(site.operations().is_empty());
    let conflicts = Router::new().route(
        "/",
        get(async |session: Session| {
            session.set("from", "a page that failed")?;
            Err::<(), _>(Error::new(ErrorKind::Stale, "as an application's own save reports it"))
        }),
    );
    let conflicts = conflicts.layer(SessionLayer::new(sessions_of(&site)));
    visit(&conflicts, &mut Browser::default(), "/").assert_is_error(409, ErrorKind::Stale);
    assert!(site.operations().is_empty());
}

#[test]
fn an_error_of_the_inner_service_saves_nothing_and_is_returned() {
    let site = site();
    let service = tower::Layer::layer(
        &SessionLayer::new(sessions_of(&site)),
        service_fn(async |request: Request<()>| {
            request.extensions().get::<Session>().unwrap().set("page", 1).unwrap();
            Err::<Response<String>, _>("the connection of the service broke")
        }),
    );
    assert_eq!(run(service.oneshot(Request::new(()))).unwrap_err(), "the connection of the service broke");
    assert!(site.operations().is_empty());
}

#[test]
fn an_outage_is_503_for_a_page_that_uses_its_session_and_the_cookie_stays() {
    let site = site();
    let app = app(sessions_of(&site));
    let mut browser = site.visitor();
    let before = browser.clone();
    site.fail(Failing::Reads);
    for path in ["/user", "/", "/written", "/read"] {
        visit(&app, &mut browser, path).assert_is_error(503, ErrorKind::StoreUnavailable);
    }
    assert_eq!(visit(&app, &mut browser, "/untouched").status, 200);
    assert_eq!(visit(&app, &mut browser, "/catches").text, "ES_STORE_UNAVAILABLE");
    assert_eq!(browser, before);
    assert!(site.operations().iter().all(|operation| operation == "read"));
    site.fail(Failing::Nothing);
    assert_eq!(visit(&app, &mut browser, "/user").text, "alice");
}

#[test]
fn a_save_that_fails_replaces_the_response_by_503() {
    let site = site();
    let app = app(sessions_of(&site));
    site.fail(Failing::Puts);
    let page = visit(&app, &mut Browser::default(), "/written");
    page.assert_is_error(503, ErrorKind::StoreUnavailable);
    assert!(page.cookies().is_empty(), "neither the session's cookie nor that of the page that was replaced");
    visit(&app, &mut Browser::default(), "/saves").assert_is_error(503, ErrorKind::StoreUnavailable);
}

#[test]
fn a_logout_that_fails_is_503_and_its_cookie_lets_a_later_request_finish_it() {
    let site = site();
    let app = app(sessions_of(&site));
    let mut browser = site.visitor();
    submit(&app, &mut browser, "/login");
    let mut stolen = browser.clone();
    site.fail(Failing::Puts);
    let logout = submit(&app, &mut browser, "/logout");
    assert_eq!((logout.status, logout.error), (503, Some(ErrorKind::StoreUnavailable)));
    assert_eq!(logout.cookies(), [ROTATED]);
    site.fail(Failing::Nothing);
    assert_eq!(visit(&app, &mut browser, "/user").text, "stranger");
    assert_eq!(visit(&app, &mut stolen, "/user").text, "stranger");
}

#[test]
fn a_session_that_grew_too_large_is_413_and_one_that_ended_meanwhile_400() {
    let site = linearizable(defaults());
    let app = app(sessions_of(&site));
    let mut browser = Browser::default();
    submit(&app, &mut browser, "/login");
    visit(&app, &mut browser, "/large").assert_is_error(413, ErrorKind::TooLarge);
    let (store, cookies) = (site.store.clone(), browser.header());
    site.before("put", move || {
        let sessions = Sessions::new(store.memory, defaults().build().unwrap());
        let mut session = run(sessions.load(cookies)).unwrap();
        run(sessions.flush(&mut session)).unwrap();
    });
    visit(&app, &mut browser, "/written").assert_is_error(400, ErrorKind::SessionInterrupted);
}

#[test]
fn an_outer_layer_can_replace_the_response_to_an_error() {
    let site = site();
    async fn error_page(response: Response) -> Response {
        match response.extensions().get::<Error>() {
            Some(error) => (response.status(), format!("<h1>{}</h1>", error.code())).into_response(),
            None => response,
        }
    }
    let app = app(sessions_of(&site)).layer(map_response(error_page));
    let mut browser = site.visitor();
    site.fail(Failing::Everything);
    let page = visit(&app, &mut browser, "/user");
    assert_eq!((page.status, page.text.as_str()), (503, "<h1>ES_STORE_UNAVAILABLE</h1>"));
    assert_eq!(visit(&app, &mut browser, "/untouched").text, "the same for everyone");
}

#[test]
fn a_configuration_error_does_not_show_visitors_its_setting() {
    let pages = Router::new().route("/", get(async || Error::new(ErrorKind::Config, "SESSION_SECRET is missing")));
    let page = visit(&pages.layer(layer()), &mut Browser::default(), "/");
    page.assert_is_error(500, ErrorKind::Config);
    assert!(!page.text.contains("SECRET"));
}

#[test]
fn a_saved_session_can_be_opened_before_the_response() {
    let site = site();
    let app = app(sessions_of(&site));
    let page = visit(&app, &mut Browser::default(), "/saves");
    assert!(run(site.another_isolate().sessions.exists(&page.text)).unwrap());
    assert_eq!(page.cookies(), [ANONYMOUS]);
}

/// A body that is read after the response was committed.
fn streamed(session: Session) -> Body {
    Body::from_stream(stream::once(async move {
        let written = session.set("page", 1).and_then(|()| session.cycle_key()).map_err(|error| error.code());
        let flushed = session.flush().await.map_err(|error| error.code());
        let read = session.get::<String>("user").map_err(|error| error.code()); // after calls that were refused
        Ok::<_, io::Error>(Bytes::from(format!("{read:?} {written:?} {flushed:?}")))
    }))
}

#[test]
fn a_streamed_body_reads_a_session_that_was_used_before_and_cannot_change_it() {
    let site = site();
    let pages = Router::new()
        .route("/used", get(async |session: Session| session.contains_key("user").map(|_| streamed(session))))
        .route("/unused", get(async |session: Session| streamed(session)));
    let app = pages.layer(SessionLayer::new(sessions_of(&site)));
    let mut browser = site.visitor();
    let used = visit(&app, &mut browser, "/used");
    assert_eq!(used.text, r#"Ok(Some("alice")) Err("ES_USAGE") Err("ES_USAGE")"#);
    assert_eq!(used.all(&VARY), ["Cookie"]);
    let unused = visit(&app, &mut browser, "/unused");
    assert_eq!(unused.text, r#"Err("ES_USAGE") Err("ES_USAGE") Err("ES_USAGE")"#);
    assert!(!unused.headers.contains_key(VARY));
    assert_eq!(site.user(&browser).as_deref(), Some("alice"));
}

#[test]
fn a_stream_is_passed_on_chunk_by_chunk() {
    let pages = Router::new().route(
        "/",
        get(async |session: Session| {
            session.set("page", 1).map(|()| {
                Body::from_stream(stream::iter(["one", "two"]).map(Ok::<_, Infallible>).chain(stream::pending()))
            })
        }),
    );
    let response = run(pages.layer(layer()).oneshot(request(Method::GET, "/", &Browser::default()))).unwrap();
    assert!(response.headers().contains_key(SET_COOKIE));
    let mut body = response.into_body().into_data_stream();
    assert_eq!(run(body.next()).unwrap().unwrap(), "one");
    assert_eq!(run(body.next()).unwrap().unwrap(), "two");
}

#[test]
fn concurrent_requests_of_one_browser_are_all_kept() {
    for options in [usual(), strong()] {
        let (model, isolate, browser) = Isolate::with_visitor(options);
        // Each request has a layer of its own, as in a Worker.
        for key in ["a", "b", "c", "d"] {
            let pages = Router::new().route("/{key}", get(set_one)).layer(SessionLayer::new(isolate.sessions()));
            let request = request(Method::GET, &format!("/{key}"), &browser);
            model.spawn(async move { assert_eq!(pages.oneshot(request).await.unwrap().status(), 200) });
        }
        model.run_for(std::time::Duration::from_secs(20));
        settle(&model);
        assert_eq!(isolate.numbers(&browser, &["a", "b", "c", "d"]), [Some(1); 4]);
    }
}

async fn set_one(axum::extract::Path(key): axum::extract::Path<String>, session: Session) -> Result<()> {
    session.set(&key, 1)
}

#[test]
fn concurrent_requests_of_two_browsers_do_not_meet() {
    let app = in_memory();
    let (mut one, mut other) = (Browser::default(), Browser::default());
    run(join(fetch(&app, &mut one, Method::POST, "/login"), fetch(&app, &mut other, Method::GET, "/")));
    let pages = run(join(fetch(&app, &mut one, Method::GET, "/user"), fetch(&app, &mut other, Method::GET, "/user")));
    assert_eq!((pages.0.text.as_str(), pages.1.text.as_str()), ("alice", "stranger"));
    assert_ne!(one, other);
}

#[test]
fn a_login_on_the_model_of_kv_is_kept_and_an_outage_is_503() {
    let (model, isolate, mut browser) = Isolate::with_visitor(usual());
    let visit = |model: &KvModel, browser: &mut Browser, method, path| {
        model.block_on(fetch(&app(isolate.sessions()), browser, method, path)).unwrap()
    };
    assert_eq!(visit(&model, &mut browser, Method::POST, "/login").cookies(), [ROTATED, ANONYMOUS]);
    settle(&model);
    model.set_outage(true);
    visit(&model, &mut browser, Method::GET, "/user").assert_is_error(503, ErrorKind::StoreUnavailable);
    model.set_outage(false);
    assert_eq!(visit(&model, &mut browser, Method::GET, "/user").text, "alice");
    assert_eq!(visit(&model, &mut browser, Method::POST, "/logout").status, 200);
    assert_eq!(browser, Browser::default());
}

#[test]
fn a_second_layer_passes_the_session_of_the_first_one_on() {
    let (outer, inner) = (site(), site());
    let both = app(sessions_of(&inner)).layer(SessionLayer::new(sessions_of(&outer)));
    let mut browser = Browser::default();
    let page = visit(&both, &mut browser, "/written");
    assert_eq!(page.cookies(), ["theme", ANONYMOUS]);
    assert_eq!((outer.stored().0, inner.stored().0), (1, 0));
    assert!(inner.operations().is_empty());
}

#[test]
fn extractors_extensions_and_clones_are_one_session() {
    let pages = Router::new().route(
        "/",
        get(async |one: Session, axum::Extension(other): axum::Extension<Session>| {
            one.set("page", 1)?;
            Ok::<_, Error>(format!("{:?}", other.clone().get::<u8>("page")?))
        }),
    );
    assert_eq!(visit(&pages.layer(layer()), &mut Browser::default(), "/").text, "Some(1)");
}

#[test]
fn a_route_without_the_layer_says_what_to_add() {
    let page = visit(&pages(), &mut Browser::default(), "/");
    page.assert_is_error(500, ErrorKind::Usage);
    assert!(page.text.contains(".layer(SessionLayer::new(sessions))"), "{}", page.text);
}

/// Runs a handler of this application and returns the text of its response.
fn answer<T: 'static>(handler: impl Handler<T, ()>) -> Page {
    visit(&Router::new().route("/", get(handler)).layer(layer()), &mut Browser::default(), "/")
}

#[test]
fn a_clone_inside_of_with_is_an_error_and_no_panic() {
    let page = answer(async |session: Session| {
        let clone = session.clone();
        let inside = session.with(move |_| Ok([clone.set("page", 1), clone.get::<u8>("page").map(|_| ())]))?;
        session.set("page", 2)?;
        Ok::<_, Error>(format!(
            "{:?} {:?}",
            inside.map(|result| result.unwrap_err().kind()),
            session.get::<u8>("page")?
        ))
    });
    assert_eq!(page.text, "[Usage, Usage] Some(2)");
}

#[test]
fn a_panic_inside_of_with_does_not_lock_the_session() {
    let page = answer(async |session: Session| {
        let clone = std::panic::AssertUnwindSafe(session.clone());
        let hook = std::panic::take_hook();
        std::panic::set_hook(Box::new(|_| ()));
        let caught = std::panic::catch_unwind(move || clone.with::<()>(|_| panic!("as the test wants it")));
        std::panic::set_hook(hook);
        session.set("page", 2)?;
        Ok::<_, Error>(caught.is_err().to_string())
    });
    assert_eq!((page.status, page.text.as_str()), (200, "true"));
    assert_eq!(page.cookies(), [ANONYMOUS]);
}

/// A store whose writes do not return until the test says so.
#[derive(Clone, Default)]
struct Slow {
    memory: MemoryStore,
    is_stuck: std::rc::Rc<std::cell::Cell<bool>>,
}

impl Store for Slow {
    async fn read(&self, keys: &[edge_session::store::StorageKey]) -> Result<Vec<Option<Vec<u8>>>> {
        self.memory.read(keys).await
    }
    async fn write(&self, ops: Vec<edge_session::store::Op>) -> Result<edge_session::store::WriteOutcome> {
        poll_fn(|_| if self.is_stuck.get() { Poll::Pending } else { Poll::Ready(()) }).await;
        self.memory.write(ops).await
    }
    async fn list(&self, prefix: &str, cursor: Option<&str>) -> Result<edge_session::store::Page> {
        self.memory.list(prefix, cursor).await
    }
}

/// Polls a future once and returns whether it is ready.
async fn is_ready<T>(mut future: std::pin::Pin<&mut impl Future<Output = T>>) -> bool {
    poll_fn(|context| Poll::Ready(future.as_mut().poll(context).is_ready())).await
}

/// An application on a store that is stuck, with this handler under `/`.
fn stuck<T: 'static>(handler: impl Handler<T, ()>) -> (Slow, Router, Browser) {
    let store = Slow::default();
    let sessions = || Sessions::new(store.clone(), defaults().build().unwrap());
    let mut browser = Browser::default();
    submit(&app(sessions()), &mut browser, "/login");
    store.is_stuck.set(true);
    let app = pages().route("/stuck", get(handler)).layer(SessionLayer::new(sessions()));
    (store, app, browser)
}

#[test]
fn during_a_flush_the_session_cannot_be_used() {
    let (_, app, mut browser) = stuck(async |session: Session| {
        let mut flush = pin!(session.flush());
        assert!(!is_ready(flush.as_mut()).await);
        let refused = [session.get::<u8>("page").unwrap_err(), session.save().await.unwrap_err()];
        Ok::<_, Error>(format!("{:?}", refused.map(|error| error.kind())))
    });
    assert_eq!(visit(&app, &mut browser, "/stuck").text, "[Usage, Usage]");
}

#[test]
fn a_dropped_flush_leaves_a_session_that_the_response_ends() {
    let (store, app, mut browser) = stuck(async |session: Session| {
        assert!(!is_ready(pin!(session.flush())).await);
        session.contains_key("user").map(|is_present| is_present.to_string())
    });
    let mut stolen = browser.clone();
    let page = visit(&app, &mut browser, "/stuck");
    assert_eq!((page.status, page.text.as_str()), (200, "false"));
    assert_eq!(page.cookies(), [ROTATED], "an ending token");
    store.is_stuck.set(false);
    assert_eq!(visit(&app, &mut browser, "/user").text, "stranger");
    assert_eq!(visit(&app, &mut stolen, "/user").text, "stranger");
}

#[test]
fn a_response_during_a_flush_is_500() {
    let (_, app, mut browser) = stuck(async |session: Session| {
        let mut flush = Box::pin(session.flush());
        assert!(!is_ready(flush.as_mut()).await);
        std::mem::forget(flush); // as if another task awaited it
        Ok::<_, Error>("Goodbye".to_owned())
    });
    let page = visit(&app, &mut browser, "/stuck");
    page.assert_is_error(500, ErrorKind::Usage);
    assert!(page.text.contains("await its flush or save"));
}

/// As many headers as fit, with `Vary` and `Cache-Control`.
fn full() -> HeaderMap {
    let mut headers =
        HeaderMap::from_iter([VARY, CACHE_CONTROL].map(|name| (name, HeaderValue::from_static("private"))));
    for number in 0.. {
        let name = HeaderName::try_from(format!("x-{number}")).unwrap();
        if headers.try_insert(name, HeaderValue::from_static("1")).is_err() {
            break;
        }
    }
    headers
}

#[test]
fn a_response_without_room_for_another_header_is_500_and_no_panic() {
    let with_room_for_one_cookie = async |session: Session| {
        let mut headers = full();
        headers.remove("x-0");
        session.cycle_key().map(|()| headers) // sets one cookie and deletes another one
    };
    let app = pages()
        .route("/full", get(async |session: Session| session.set("page", 1).map(|()| full())))
        .route("/room", get(with_room_for_one_cookie))
        .layer(layer());
    for path in ["/full", "/room"] {
        let mut browser = Browser::default();
        visit(&app, &mut browser, "/");
        visit(&app, &mut browser, path).assert_is_error(500, ErrorKind::Value);
    }
}

#[test]
fn on_another_thread_each_call_is_an_error_and_nothing_panics() {
    let layer = layer();
    let app = pages().layer(layer.clone());
    let elsewhere = app.clone();
    let page = thread::spawn(move || visit(&elsewhere, &mut Browser::default(), "/")).join().unwrap();
    page.assert_is_error(500, ErrorKind::Usage);
    assert!(page.text.contains("current_thread"), "{}", page.text);
    // A layer that is cloned and dropped there, and a call that begins here.
    let begun = app.clone().oneshot(request(Method::GET, "/", &Browser::default()));
    let page = thread::spawn(move || {
        drop(layer.clone());
        drop(layer);
        run(async move { Page::of(begun.await.unwrap()).await })
    });
    page.join().unwrap().assert_is_error(500, ErrorKind::Usage);
    assert_eq!(visit(&app, &mut Browser::default(), "/").text, "1");
}

#[test]
fn a_request_that_moves_to_another_thread_is_500_and_one_that_is_dropped_there_does_not_panic() {
    let echo = service_fn(async |_: Request<()>| Ok::<_, Infallible>(Response::new("echo".to_owned())));
    let mut service = tower::Layer::layer(&layer(), echo);
    let (moved, dropped) = (service.call(Request::new(())), service.call(Request::new(())));
    let status = thread::spawn(move || {
        drop(dropped);
        run(moved).unwrap().status()
    });
    assert_eq!(status.join().unwrap(), 500);
    assert_eq!(run(service.call(Request::new(()))).unwrap().body(), "echo");
}

#[test]
fn a_session_on_another_thread_is_an_error_and_nothing_panics() {
    let page = answer(async |session: Session| {
        session.set("page", 1)?;
        let (clone, flush) = (session.clone(), session.flush());
        let kinds = thread::spawn(move || {
            let kind = |result: Result<()>| result.unwrap_err().kind();
            let copy = clone.clone();
            let calls = [
                kind(clone.set("page", 2)),
                kind(clone.get::<u8>("page").map(|_| ())),
                kind(copy.cycle_key()),
                kind(run(copy.flush())),
                kind(run(flush)),
            ];
            drop((clone, copy));
            calls
        });
        let kinds = kinds.join().unwrap();
        Ok::<_, Error>(format!("{kinds:?} {:?}", session.get::<u8>("page")?))
    });
    assert_eq!(page.text, "[Usage, Usage, Usage, Usage, Usage] Some(1)");
}

/// The response to a request over TCP.
async fn over_tcp(address: std::net::SocketAddr, path: &str) -> String {
    let mut connection = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    connection.write_all(request.as_bytes()).await.unwrap();
    let mut response = String::new();
    connection.read_to_string(&mut response).await.unwrap();
    response
}

/// Serves an application and sends it two requests at once.
async fn serve(app: Router) -> (String, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(async move { axum::serve(listener, app).await });
    let responses = join(over_tcp(address, "/"), over_tcp(address, "/written")).await;
    server.abort();
    responses
}

#[test]
fn a_server_of_one_thread_has_sessions() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap();
    let (count, written) = runtime.block_on(serve(in_memory()));
    for response in [count, written] {
        assert!(response.starts_with("HTTP/1.1 200 OK\r\n"), "{response}");
        assert!(response.contains("set-cookie: __Host-sessionid-anonymous="), "{response}");
    }
}

#[test]
fn a_server_of_several_threads_answers_500_and_says_what_to_do() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_io().build().unwrap();
    let (count, written) = runtime.block_on(serve(in_memory()));
    for response in [count, written] {
        assert!(response.starts_with("HTTP/1.1 500 Internal Server Error\r\n"), "{response}");
        assert!(response.contains("current_thread"), "{response}");
    }
}

#[test]
fn an_application_shares_its_sessions_with_the_layer() {
    type Shared = send_wrapper::SendWrapper<std::rc::Rc<Sessions<MemoryStore>>>;
    async fn devices(State(sessions): State<Shared>, session: Session) -> Result<String> {
        session.with(|session| session.bind_user("alice", Some("this browser")))?;
        session.save().await?;
        let list = send_wrapper::SendWrapper::new(async move { sessions.list("alice", None).await });
        Ok(list.await?.len().to_string())
    }
    let sessions = std::rc::Rc::new(Sessions::new(MemoryStore::default(), defaults().build().unwrap()));
    let state = Shared::new(std::rc::Rc::clone(&sessions));
    let app = Router::new().route("/", get(devices)).with_state(state).layer(SessionLayer::from(sessions));
    assert_eq!(visit(&app, &mut Browser::default(), "/").text, "1");
}

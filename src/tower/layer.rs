//! The layer, and the service that it makes of another one.

use alloc::rc::Rc;
use core::fmt;
use core::mem;
use core::pin::Pin;
use core::task::{Context, Poll};

use http::header::COOKIE;
use http::{HeaderMap, Request, Response};
use tower_layer::Layer;
use tower_service::Service;

use super::one_thread::{OneThread, SessionFuture, elsewhere};
use super::response::{apply, error_response, log};
use super::session::Session;
use crate::error::{Error, Result};
use crate::protocol::headers::SessionHeaders;
use crate::protocol::save::SaveOutcome;
use crate::session::session::Session as CoreSession;
use crate::sessions::Sessions;
use crate::store::Store;

/// The status of a commit that saves nothing.
const FAILED: u16 = 500;

/// The future of a call of [`AnySessions`].
pub(super) type LocalFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T>> + 'a>>;

/// [`Sessions`] of any store.
pub(super) trait AnySessions {
    fn load<'a>(&'a self, cookie_header: &'a [u8]) -> LocalFuture<'a, CoreSession>;
    fn commit_headers<'a>(&'a self, session: &'a mut CoreSession, status: u16) -> LocalFuture<'a, SessionHeaders>;
    fn save<'a>(&'a self, session: &'a mut CoreSession) -> LocalFuture<'a, SaveOutcome>;
    fn flush<'a>(&'a self, session: &'a mut CoreSession) -> LocalFuture<'a, ()>;
}

impl<S: Store> AnySessions for Sessions<S> {
    fn load<'a>(&'a self, cookie_header: &'a [u8]) -> LocalFuture<'a, CoreSession> {
        Box::pin(self.load(cookie_header))
    }

    fn commit_headers<'a>(&'a self, session: &'a mut CoreSession, status: u16) -> LocalFuture<'a, SessionHeaders> {
        Box::pin(self.commit_headers(session, status))
    }

    fn save<'a>(&'a self, session: &'a mut CoreSession) -> LocalFuture<'a, SaveOutcome> {
        Box::pin(self.save(session))
    }

    fn flush<'a>(&'a self, session: &'a mut CoreSession) -> LocalFuture<'a, ()> {
        Box::pin(self.flush(session))
    }
}

/// Loads the session of each request, passes it to the service as an extension of the request, and commits it with the response.
///
/// It saves when Django's middleware would: if the session was changed and the status is below 500. It merges `Set-Cookie`,
/// `Vary` and `Cache-Control` into the response's own headers. A response to a request that did not use its session is unchanged.
///
/// A [session error](crate::Error) is answered with `{"error":{"code","message"}}`, with the status 503, 400, 409 or 413, and
/// with 500 if it is a mistake of the application. It is in the extensions of the response, for an outer layer that writes a log
/// or another body. If the inner service fails, or its response has an [`Error`] in its extensions, nothing is saved.
///
/// The first layer that a request passes loads the session. Further ones change nothing.
///
/// The layer belongs to the thread that created it, see the [module](super).
///
/// ```
/// use edge_session::tower::{Session, SessionLayer};
/// use edge_session::{MemoryStore, Sessions, Settings};
/// use http::{Request, Response};
/// use tower::{Layer, ServiceExt, service_fn};
///
/// # pollster::block_on(async {
/// let settings = Settings::builder(["a secret of at least thirty-two bytes"]).build()?;
/// let layer = SessionLayer::new(Sessions::new(MemoryStore::default(), settings));
/// let service = layer.layer(service_fn(async |request: Request<()>| {
///     let session = request.extensions().get::<Session>().unwrap();
///     session.set("theme", "dark")?;
///     Ok::<_, edge_session::Error>(Response::new(String::new()))
/// }));
/// let response = service.oneshot(Request::new(())).await?;
/// assert!(response.headers().contains_key("set-cookie"));
/// # Ok::<(), edge_session::Error>(()) }).unwrap();
/// ```
#[derive(Clone)]
pub struct SessionLayer {
    sessions: OneThread<Rc<dyn AnySessions>>,
}

impl SessionLayer {
    /// Creates the layer of sessions in any store.
    ///
    /// ```
    /// use edge_session::tower::SessionLayer;
    /// use edge_session::{MemoryStore, Sessions, Settings};
    ///
    /// let settings = Settings::builder(["a secret of at least thirty-two bytes"]).build()?;
    /// let layer = SessionLayer::new(Sessions::new(MemoryStore::default(), settings));
    /// # Ok::<(), edge_session::Error>(())
    /// ```
    #[must_use]
    pub fn new<S: Store + 'static>(sessions: Sessions<S>) -> Self {
        Self::from(Rc::new(sessions))
    }
}

/// For an application that also calls its [`Sessions`], for example to list those of a user.
impl<S: Store + 'static> From<Rc<Sessions<S>>> for SessionLayer {
    fn from(sessions: Rc<Sessions<S>>) -> Self {
        Self { sessions: OneThread::new(sessions) }
    }
}

impl<I> Layer<I> for SessionLayer {
    type Service = SessionService<I>;

    fn layer(&self, inner: I) -> SessionService<I> {
        SessionService { inner, sessions: self.sessions.clone() }
    }
}

impl fmt::Debug for SessionLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionLayer").finish_non_exhaustive()
    }
}

/// A service with sessions: what [`SessionLayer`] makes of another service.
#[derive(Clone)]
pub struct SessionService<I> {
    inner: I,
    sessions: OneThread<Rc<dyn AnySessions>>,
}

impl<I: fmt::Debug> fmt::Debug for SessionService<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionService").field("inner", &self.inner).finish_non_exhaustive()
    }
}

impl<I, Q, B> Service<Request<Q>> for SessionService<I>
where
    I: Service<Request<Q>, Response = Response<B>> + Clone + 'static,
    Q: 'static,
    B: From<String> + 'static,
{
    type Response = Response<B>;
    type Error = I::Error;
    type Future = SessionFuture<Result<Response<B>, I::Error>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), I::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Q>) -> Self::Future {
        // The ready service serves this request; its clone has to become ready for the next one.
        let clone = self.inner.clone();
        let inner = mem::replace(&mut self.inner, clone);
        let sessions = self.sessions.get().cloned();
        SessionFuture::new(serve(sessions, inner, request), || Ok(error_response(elsewhere())))
    }
}

/// Runs `inner` with the session of `request`, and commits it.
async fn serve<I, Q, B>(
    sessions: Option<Rc<dyn AnySessions>>,
    mut inner: I,
    mut request: Request<Q>,
) -> Result<Response<B>, I::Error>
where
    I: Service<Request<Q>, Response = Response<B>>,
    B: From<String>,
{
    if request.extensions().get::<Session>().is_some() {
        return inner.call(request).await; // an outer layer commits it
    }
    let Some(sessions) = sessions else { return Ok(failed(elsewhere())) };
    let session = match sessions.load(&cookies(request.headers())).await {
        Ok(session) => Session::open(session, sessions),
        Err(error) => return Ok(failed(error)),
    };
    request.extensions_mut().insert(session.clone());
    let mut response = inner.call(request).await?;
    let status = match response.extensions().get::<Error>() {
        Some(error) => {
            log(error);
            FAILED
        }
        None => response.status().as_u16(),
    };
    let committed = session.commit(status).await;
    match committed.and_then(|headers| apply(&headers, response.headers_mut())) {
        Ok(()) => Ok(response),
        Err(error) => Ok(failed(error)),
    }
}

/// Logs an error and creates its response.
fn failed<B: From<String>>(error: Error) -> Response<B> {
    log(&error);
    error_response(error)
}

/// Returns the cookies of a request. HTTP/2 may send several `Cookie` headers.
fn cookies(headers: &HeaderMap) -> Vec<u8> {
    let values: Vec<_> = headers.get_all(COOKIE).iter().map(http::HeaderValue::as_bytes).collect();
    values.join(b"; ".as_slice())
}

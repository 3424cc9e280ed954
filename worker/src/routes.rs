//! The routes: JSON in and out, each a call on the visitor's session.

use edge_session::cloudflare::json_response;
use edge_session::{Error, ErrorKind, Event, Expiry, Result, Session, SessionHeaders, Sessions, Settings, Store, json};
use worker::{Response, console_log, js_sys};

use crate::cost::{Cost, Counted};
use crate::description::{self, expiry};
use crate::engine::Engine;
use crate::rate_limit::RateLimit;
use crate::refusal::Refusal;
use crate::request::Incoming;

/// The resource that a path identifies.
#[derive(Debug, PartialEq, Eq)]
enum Resource {
    Session,
    Data,
    Item(String),
    Expiry,
    CycleKey,
    Flush,
    TestCookie,
}

impl Resource {
    fn find(path: &str) -> Result<Self, Refusal> {
        Ok(match path {
            "/session" => Self::Session,
            "/session/data" => Self::Data,
            "/session/expiry" => Self::Expiry,
            "/session/cycle-key" => Self::CycleKey,
            "/session/flush" => Self::Flush,
            "/session/test-cookie" => Self::TestCookie,
            _ => match path.strip_prefix("/session/data/") {
                Some(key) if !key.is_empty() && !key.contains('/') => Self::Item(decode(key)?),
                _ => {
                    return Err(Refusal::new(
                        404,
                        "not_found",
                        "there is no such route; docs/reference/http-routes.md lists them",
                    ));
                }
            },
        })
    }

    const fn methods(&self) -> &'static str {
        match self {
            Self::Session => "GET, HEAD",
            Self::Data => "PATCH, DELETE",
            Self::Item(_) => "GET, HEAD, PUT, DELETE",
            Self::Expiry => "PUT",
            Self::CycleKey | Self::Flush => "POST",
            Self::TestCookie => "GET, HEAD, POST, DELETE",
        }
    }

    fn check_method(&self, method: &str) -> Result<(), Refusal> {
        let allowed = self.methods().split(", ").any(|allowed| allowed == method);
        if allowed { Ok(()) } else { Err(Refusal::method(self.methods())) }
    }
}

/// Writes an event to the Worker's log.
fn log_event(event: &Event) {
    console_log!("edge-session: {} {}", event.kind.as_str(), event.session);
}

/// Decodes the percent-encoding of a path segment.
fn decode(segment: &str) -> Result<String, Refusal> {
    let mut bytes = Vec::with_capacity(segment.len());
    let mut rest = segment.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        let digits = after.get(..2).filter(|digits| byte == b'%' && digits.iter().all(u8::is_ascii_hexdigit));
        match digits.and_then(|digits| u8::from_str_radix(str::from_utf8(digits).ok()?, 16).ok()) {
            Some(decoded) => {
                bytes.push(decoded);
                rest = after.get(2..).unwrap_or_default();
            }
            None => bytes.push(byte),
        }
    }
    String::from_utf8(bytes).map_err(|_| Refusal::new(400, "bad_key", "the key in the path is not UTF-8"))
}

/// Returns whether routes show a key. Keys that begin with `_` belong to the application and the framework.
pub(super) fn is_visible(key: &str) -> bool {
    !key.starts_with('_')
}

fn check_visible(key: &str) -> Result<(), Refusal> {
    if is_visible(key) {
        return Ok(());
    }
    Err(Refusal::new(
        403,
        "reserved_key",
        "keys that begin with _ belong to the application; no route shows or changes them",
    ))
}

/// The longest path segment for a key, in bytes: Cloudflare accepts URLs of up to 16 KB, with scheme and host.
const MAX_SEGMENT: usize = 16_000;

/// Refuses keys that no URL can contain: `/session/data/{key}` could neither read nor delete them. URLs resolve `.` and `..` even
/// if they are percent-encoded.
fn check_addressable(key: &str) -> Result<(), Refusal> {
    if matches!(key, "" | "." | "..") {
        let message = "a key cannot be empty, \".\" or \"..\", since no URL can name it; choose another one";
        return Err(Refusal::new(400, "bad_key", message));
    }
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.!~*'()".contains(&byte);
    let segment = key.bytes().map(|byte| if is_plain(byte) { 1 } else { 3 }).sum::<usize>();
    if segment > MAX_SEGMENT {
        let message =
            "a key may have 16000 bytes at most, percent-encoded, since no longer URL is taken; choose a shorter one";
        return Err(Refusal::new(400, "bad_key", message));
    }
    Ok(())
}

/// Answers a request. `limit` is that of new sessions. `parts` returns the store and the settings; it is called once the route and the method are valid.
pub(super) async fn answer(
    request: Incoming,
    limit: Option<RateLimit>,
    parts: impl FnOnce() -> Result<(Engine, Settings)>,
) -> worker::Result<Response> {
    let cost = Cost::new(js_sys::Date::now);
    let sessions = || {
        let (store, settings) = parts()?;
        let engine = store.name();
        Ok((engine, Sessions::new(Counted { store, cost: &cost }, settings).with_events(log_event)))
    };
    let answered = match Call::read(&request, sessions).await {
        Ok(call) => call.answer(&request, limit, &cost).await,
        Err(refusal) => Err(refusal),
    };
    let (headers, response) = match answered {
        Ok((headers, answer)) => (headers, answer.response()?),
        Err(refusal) => (SessionHeaders::for_failure(), refusal.response()?),
    };
    response.headers().set("Server-Timing", &cost.server_timing(headers.set_cookie()))?;
    Ok(headers.apply_to(response)?)
}

/// The body of a response.
enum Answer {
    Json(String),
    Nothing,
    Refused(Refusal),
}

impl Answer {
    fn response(self) -> worker::Result<Response> {
        match self {
            Self::Json(json) => json_response(json),
            Self::Nothing => Ok(Response::empty()?.with_status(204)),
            Self::Refused(refusal) => refusal.response(),
        }
    }
}

/// A valid call of a route.
struct Call<S> {
    /// The name of the engine.
    engine: &'static str,
    sessions: Sessions<S>,
    resource: Resource,
    method: String,
    body: String,
}

impl<S: Store> Call<S> {
    async fn read(
        request: &Incoming,
        sessions: impl FnOnce() -> Result<(&'static str, Sessions<S>)>,
    ) -> Result<Self, Refusal> {
        let resource = Resource::find(request.path())?;
        let method = request.method();
        resource.check_method(&method)?;
        let (engine, sessions) = sessions()?;
        request.check_origin()?;
        let body = request.body().await?;
        Ok(Self { engine, sessions, resource, method, body })
    }

    /// Loads the session, makes the call, and commits.
    async fn answer(
        self,
        request: &Incoming,
        limit: Option<RateLimit>,
        cost: &Cost,
    ) -> Result<(SessionHeaders, Answer), Refusal> {
        let mut session = self.sessions.load(request.header("Cookie").unwrap_or_default()).await?;
        cost.presented(&session);
        if let Some(limit) = limit.filter(|_| self.creates()) {
            limit.check(&session, &request.header("CF-Connecting-IP").unwrap_or_default()).await?;
        }
        let called = self.call(&mut session).await;
        // A refused call changes nothing: with status 500 the commit saves nothing.
        let status = if called.is_err() { 500 } else { 200 };
        let headers = self.sessions.commit_headers(&mut session, status).await?;
        let answer = match called {
            // Described after the commit, which may have renewed it.
            Ok(None) if self.resource == Resource::Session => {
                description::session(&mut session, self.engine).map(Answer::Json)
            }
            Ok(json) => Ok(json.map_or(Answer::Nothing, Answer::Json)),
            Err(refusal) => Err(refusal),
        };
        Ok((headers, answer.unwrap_or_else(Answer::Refused)))
    }

    /// Returns whether the call stores a session if there is none.
    fn creates(&self) -> bool {
        matches!(self.method.as_str(), "PUT" | "PATCH" | "POST") && self.resource != Resource::Flush
    }

    /// Makes the call of the route. Returns the JSON of the response, if it has a body.
    async fn call(&self, session: &mut Session) -> Result<Option<String>, Refusal> {
        match (&self.resource, self.method.as_str()) {
            (Resource::Session, _) => _ = session.is_new()?,
            (Resource::Data, "DELETE") => {
                for key in session.keys()?.iter().filter(|key| is_visible(key)) {
                    session.remove(key)?;
                }
            }
            (Resource::Data, _) => self.update(session)?,
            (Resource::Item(key), method) => {
                check_visible(key)?;
                match method {
                    "PUT" => {
                        check_addressable(key)?;
                        session.set_json(key, &self.body).map_err(bad_json)?;
                    }
                    "DELETE" => session.remove(key)?,
                    _ => {
                        let json = session.get_json(key)?.map(str::to_owned);
                        return json.map(Some).ok_or_else(|| missing_key(key));
                    }
                }
            }
            (Resource::Expiry, _) => {
                session.set_expiry(parse_expiry(&self.body)?)?;
                return expiry(session).map(Some);
            }
            (Resource::CycleKey, _) => {
                session.cycle_key()?;
                if !self.body.is_empty() {
                    self.update(session)?;
                }
            }
            (Resource::Flush, _) => self.sessions.flush(session).await?,
            (Resource::TestCookie, "POST") => session.set_test_cookie()?,
            (Resource::TestCookie, "DELETE") => session.delete_test_cookie()?,
            (Resource::TestCookie, _) => {
                let worked = session.test_cookie_worked()?;
                return Ok(Some(format!(r#"{{"worked":{worked}}}"#)));
            }
        }
        Ok(None)
    }

    /// Sets the members of the body's object, all or none.
    fn update(&self, session: &mut Session) -> Result<(), Refusal> {
        for (key, _) in json::members(&self.body).unwrap_or_default() {
            check_visible(&key)?;
            check_addressable(&key)?;
        }
        session.update_json(&self.body).map_err(bad_json)
    }
}

/// Returns the counterpart of Django's `KeyError`.
fn missing_key(key: &str) -> Refusal {
    Error::new(ErrorKind::MissingKey, format!("the session has no key \"{key}\"")).into()
}

/// Converts an error: invalid JSON of the client is `bad_json`.
fn bad_json(error: Error) -> Refusal {
    if error.kind() == ErrorKind::Value { Refusal::new(400, "bad_json", error.to_string()) } else { error.into() }
}

/// Reads `{"value": …}`, the body of a `set_expiry`.
fn parse_expiry(body: &str) -> Result<Expiry, Refusal> {
    let members = json::members(body).unwrap_or_default();
    let expiry = match members.as_slice() {
        [(name, value)] if name == "value" => match *value {
            "null" => Some(Expiry::Policy),
            text if text.starts_with('"') => Expiry::parse_iso(&json::unquote(text)),
            number => number.parse().ok().map(Expiry::Seconds),
        },
        _ => None,
    };
    expiry.ok_or_else(|| {
        let message = "the body must be {\"value\": whole seconds, an ISO date with an offset, 0 or null}";
        Refusal::new(400, "bad_expiry", message)
    })
}

//! Sessions around a Worker's requests.

use worker::js_sys::Reflect;
use worker::wasm_bindgen::JsValue;
use worker::{Headers, Request, Response, ResponseBody, console_error, web_sys};

use crate::error::{Error, ErrorKind};
use crate::json;
use crate::protocol::headers::{ResponseHeaders, SessionHeaders};
use crate::session::session::Session;
use crate::sessions::Sessions;
use crate::store::Store;

/// The status of a commit that is to save nothing.
const FAILED: u16 = 500;

impl<S: Store> Sessions<S> {
    /// The session of `request`, from its `Cookie` header.
    ///
    /// # Errors
    ///
    /// As [`load`](Self::load).
    pub async fn load_request(&self, request: &Request) -> crate::Result<Session> {
        let header = request.headers().get("Cookie").ok().flatten();
        self.load(header.unwrap_or_default()).await
    }

    /// Saves `session` where Django's middleware saves it, and gives `response` its `Set-Cookie`, `Vary` and
    /// `Cache-Control`.
    ///
    /// # Errors
    ///
    /// As [`commit_headers`](Self::commit_headers), and [`ErrorKind::Value`] for a response that cannot be sent: its body was
    /// read or is locked, or its status allows none. Nothing is saved then. To read or cache the response as well, take
    /// [`Response::cloned`].
    pub async fn commit(&self, session: Session, response: Response) -> crate::Result<Response> {
        self.commit_sendable(session, sendable(response)?).await
    }

    async fn commit_sendable(&self, mut session: Session, response: Response) -> crate::Result<Response> {
        let headers = self.commit_headers(&mut session, response.status_code()).await?;
        headers.apply_to(response)
    }

    /// A handler that failed saves nothing, whatever the status of the answer.
    async fn commit_failed(&self, mut session: Session, error: Error) -> worker::Result<Response> {
        let headers = self.commit_headers(&mut session, FAILED).await?;
        Ok(headers.apply_to(answer(error)?)?)
    }

    /// Runs `handler` with the request's session and commits what it answers: the whole of it in one call.
    ///
    /// A session that was used but could not be read, and a save or commit that fails, are answered with 503, 400, 409 or 413 and
    /// `{"error":{"code","message"}}`, unless the handler takes the error. The commit saves nothing then, and the cookie stays.
    ///
    /// ```no_run
    /// # mod worker_of_the_example {
    /// use edge_session::{Kv, Sessions, Settings};
    /// use worker::{Context, Env, Request, Response, Result, event};
    ///
    /// #[event(fetch)]
    /// async fn fetch(request: Request, env: Env, _: Context) -> Result<Response> {
    ///     let sessions = Sessions::new(Kv::from_env(&env, "SESSIONS")?, Settings::from_env(&env)?);
    ///     sessions
    ///         .serve(request, async |_request, session| {
    ///             let visits = session.get::<u32>("visits")?.unwrap_or(0) + 1;
    ///             session.set("visits", visits)?;
    ///             Response::ok(format!("Visit number {visits}"))
    ///         })
    ///         .await
    /// }
    /// # } fn main() {}
    /// ```
    ///
    /// # Errors
    ///
    /// What the handler fails with, where it is not the session's doing, and a response that cannot be sent, as for
    /// [`commit`](Self::commit). Nothing is saved then either.
    pub async fn serve(
        &self,
        request: Request,
        handler: impl AsyncFnOnce(Request, &mut Session) -> worker::Result<Response>,
    ) -> worker::Result<Response> {
        let mut session = self.load_request(&request).await?;
        let response = match handler(request, &mut session).await {
            Ok(response) => sendable(response)?,
            Err(error) => return self.commit_failed(session, of_session(error)?).await,
        };
        match self.commit_sendable(session, response).await {
            Ok(response) => Ok(response),
            Err(error) => Ok(SessionHeaders::for_failure().apply_to(answer(error)?)?),
        }
    }
}

/// `{"error":{"code","message"}}`.
fn error_response(status: u16, code: &str, message: &str) -> worker::Result<Response> {
    let mut body = String::from("{\"error\":{\"code\":");
    json::quote(code, &mut body);
    body.push_str(",\"message\":");
    json::quote(message, &mut body);
    body.push_str("}}");
    json_response(body).map(|response| response.with_status(status))
}

/// A JSON text as a response.
fn json_response(json: String) -> worker::Result<Response> {
    let response = Response::ok(json)?;
    response.headers().set("Content-Type", "application/json")?;
    Ok(response)
}

/// Writes an error into the Worker's log, with what the store said. Neither holds a key, a token or data.
fn log(what: &str, error: &Error) {
    let cause = std::error::Error::source(error).map(|cause| format!(" ({cause})")).unwrap_or_default();
    console_error!("{what}: {}: {error}{cause}", error.code());
}

fn answer(error: Error) -> worker::Result<Response> {
    log("edge-session", &error);
    error_response(error.kind().status(), error.code(), &error.to_string())
}

/// An error of a session that has an answer; every other one is given back.
fn of_session(error: worker::Error) -> worker::Result<Error> {
    let worker::Error::Io(error) = error else { return Err(error) };
    let error = error.downcast::<Error>().map_err(worker::Error::Io)?;
    Ok(error)
}

/// For `?` in a Worker's handler. What [`Sessions::serve`] answers travels in a [`worker::Error::Io`]; the rest as a text,
/// since the log would show no more of an `Io` than "I/O error".
impl From<Error> for worker::Error {
    fn from(error: Error) -> Self {
        match error.kind() {
            ErrorKind::StoreUnavailable
            | ErrorKind::SessionInterrupted
            | ErrorKind::Stale
            | ErrorKind::Superseded
            | ErrorKind::TooLarge => Self::Io(std::io::Error::other(error)),
            _ => Self::RustError(format!("{}: {error}", error.code())),
        }
    }
}

/// Refuses a response that the platform would refuse to send, before anything is saved for it. It is found by making another one
/// with the same status, headers and stream; a body of bytes needs no copy for that.
fn sendable(response: Response) -> crate::Result<Response> {
    let (head, body) = response.into_parts();
    let init = head.clone().into();
    let made = match &body {
        ResponseBody::Stream(stream) if is_used(stream) => {
            Err("its body was read or is locked; read, or cache, response.cloned() instead".into())
        }
        ResponseBody::Stream(stream) => web_sys::Response::new_with_opt_readable_stream_and_init(Some(stream), &init),
        ResponseBody::Body(bytes) => {
            let text = if bytes.is_empty() { "" } else { " " };
            web_sys::Response::new_with_opt_str_and_init(Some(text), &init)
        }
        ResponseBody::Empty => web_sys::Response::new_with_opt_str_and_init(None, &init),
    };
    match made {
        Ok(_) => Ok(head.body(body)),
        Err(thrown) => {
            let reason = message(&thrown);
            Err(Error::value(format!("nothing was saved, since the response cannot be sent: {reason}")))
        }
    }
}

/// Whether no response can be made of a stream any more.
fn is_used(stream: &web_sys::ReadableStream) -> bool {
    stream.locked() || web_sys::Response::new_with_opt_readable_stream(Some(stream)).is_err()
}

/// The message of what JavaScript threw, or the text that it threw.
fn message(thrown: &JsValue) -> String {
    let message = if thrown.is_object() { Reflect::get(thrown, &"message".into()).ok() } else { Some(thrown.clone()) };
    message.and_then(|message| message.as_string()).unwrap_or_else(|| "the platform does not say why".to_owned())
}

impl SessionHeaders {
    /// The response with these headers, for responses that are built elsewhere than [`Sessions::commit`].
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Value`] if the response refuses a header.
    pub fn apply_to(&self, response: Response) -> crate::Result<Response> {
        if self.saved().old_record_remains {
            console_error!("cycle_key: the old key could not be ended; it ends when its record expires");
        }
        let mut headers = response.headers().clone();
        self.apply(&mut headers).map_err(|error| Error::new(ErrorKind::Value, error.to_string()))?;
        Ok(response.with_headers(headers))
    }
}

impl ResponseHeaders for Headers {
    type Error = worker::Error;

    fn get(&self, name: &str) -> worker::Result<Option<String>> {
        Self::get(self, name)
    }

    fn set(&mut self, name: &str, value: &str) -> worker::Result<()> {
        Self::set(self, name, value)
    }

    fn append(&mut self, name: &str, value: &str) -> worker::Result<()> {
        Self::append(self, name, value)
    }

    fn remove(&mut self, name: &str) -> worker::Result<()> {
        self.delete(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_that_a_save_can_end_with_travels_through_a_handler_to_its_status() {
        let too_large = Error::new(ErrorKind::TooLarge, "the data are too large");
        let saves = [Error::out_of_reach(), Error::interrupted(), Error::stale(), Error::superseded(), too_large];
        let statuses = saves.map(|error| {
            let kind = error.kind();
            let error = of_session(worker::Error::from(error)).unwrap();
            assert_eq!(error.kind(), kind);
            kind.status()
        });
        assert_eq!(statuses, [503, 400, 409, 409, 413]);
        assert!(of_session(Error::missing_key("user").into()).is_err(), "that is a mistake of the handler");
    }
}

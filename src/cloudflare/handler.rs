//! Sessions around a Worker's requests.

use worker::js_sys::Reflect;
use worker::wasm_bindgen::JsValue;
use worker::{Headers, Request, Response, ResponseBody, console_error, web_sys};

use super::response::{error_response, log_error};
use crate::error::{Error, ErrorKind};
use crate::protocol::headers::{ResponseHeaders, SessionHeaders};
use crate::session::session::Session;
use crate::sessions::Sessions;
use crate::store::Store;

/// The status of a commit that saves nothing.
const FAILED: u16 = 500;

impl<S: Store> Sessions<S> {
    /// Loads the session of `request`, from its `Cookie` header.
    ///
    /// # Errors
    ///
    /// As [`load`](Self::load).
    pub async fn load_request(&self, request: &Request) -> crate::Result<Session> {
        let header = request.headers().get("Cookie").ok().flatten();
        self.load(header.unwrap_or_default()).await
    }

    /// Saves `session` when Django's middleware would, and adds `Set-Cookie`, `Vary` and `Cache-Control` to `response`.
    ///
    /// # Errors
    ///
    /// As [`commit_headers`](Self::commit_headers), and [`ErrorKind::Value`] for a response that cannot be sent: its body was
    /// read or is locked, or its status allows no body. Then nothing is saved. To read or cache the response as well, use
    /// [`Response::cloned`].
    pub async fn commit(&self, session: Session, response: Response) -> crate::Result<Response> {
        self.commit_sendable(session, sendable(response)?).await
    }

    async fn commit_sendable(&self, mut session: Session, response: Response) -> crate::Result<Response> {
        let headers = self.commit_headers(&mut session, response.status_code()).await?;
        headers.apply_to(response)
    }

    /// Responds to a failed handler. Saves nothing, regardless of the status of the response.
    async fn commit_failed(&self, mut session: Session, error: Error) -> worker::Result<Response> {
        let headers = self.commit_headers(&mut session, FAILED).await?;
        Ok(headers.apply_to(error_answer(error)?)?)
    }

    /// Loads the request's session, runs `handler` with it and commits its response.
    ///
    /// If a session that is used could not be read, or a save or commit fails, the response is 503, 400, 409 or 413 with
    /// `{"error":{"code","message"}}`, unless the handler catches the error. Then nothing is saved, and the cookie stays.
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
    /// Errors of the handler that are not session errors, and a response that cannot be sent, as for [`commit`](Self::commit).
    /// Then nothing is saved either.
    pub async fn serve(
        &self,
        request: Request,
        handler: impl AsyncFnOnce(Request, &mut Session) -> worker::Result<Response>,
    ) -> worker::Result<Response> {
        let mut session = self.load_request(&request).await?;
        let response = match handler(request, &mut session).await {
            Ok(response) => sendable(response)?,
            Err(error) => return self.commit_failed(session, session_error(error)?).await,
        };
        match self.commit_sendable(session, response).await {
            Ok(response) => Ok(response),
            Err(error) => Ok(SessionHeaders::for_failure().apply_to(error_answer(error)?)?),
        }
    }
}

/// Logs a session error and returns its response.
fn error_answer(error: Error) -> worker::Result<Response> {
    log_error("edge-session", &error);
    error_response(error.kind().status(), error.code(), &error.to_string())
}

/// Returns the session error inside a Worker's error, if it has a response. Other errors are returned as `Err`.
fn session_error(error: worker::Error) -> worker::Result<Error> {
    let worker::Error::Io(error) = error else { return Err(error) };
    let error = error.downcast::<Error>().map_err(worker::Error::Io)?;
    Ok(error)
}

/// For `?` in a Worker's handler. Errors that [`Sessions::serve`] converts to a response are wrapped in a [`worker::Error::Io`],
/// others in a text, since the log shows an `Io` only as "I/O error".
impl From<Error> for worker::Error {
    fn from(error: Error) -> Self {
        if error.kind().is_expected() {
            Self::Io(std::io::Error::other(error))
        } else {
            Self::RustError(format!("{}: {error}", error.code()))
        }
    }
}

/// Refuses a response that the platform would refuse to send, before the session is saved. The check creates another response
/// with the same status, headers and stream, and without a copy of a body of bytes.
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

/// Returns whether a stream can no longer be the body of a response.
fn is_used(stream: &web_sys::ReadableStream) -> bool {
    stream.locked() || web_sys::Response::new_with_opt_readable_stream(Some(stream)).is_err()
}

/// Returns the message of a JavaScript exception, or the text that was thrown.
fn message(thrown: &JsValue) -> String {
    let message = if thrown.is_object() { Reflect::get(thrown, &"message".into()).ok() } else { Some(thrown.clone()) };
    message.and_then(|message| message.as_string()).unwrap_or_else(|| "unknown error".to_owned())
}

impl SessionHeaders {
    /// Returns the response with these headers, for responses that do not go through [`Sessions::commit`].
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Value`] if the response refuses a header.
    pub fn apply_to(&self, response: Response) -> crate::Result<Response> {
        if self.saved().old_record_remains {
            console_error!("cycle_key: the old key could not be revoked; it ends when its record expires");
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
    fn errors_of_a_save_keep_their_kind_and_status_through_a_handler() {
        let too_large = Error::new(ErrorKind::TooLarge, "the data are too large");
        let saves = [Error::out_of_reach(), Error::interrupted(), Error::stale(), Error::superseded(), too_large];
        let statuses = saves.map(|error| {
            let kind = error.kind();
            let error = session_error(worker::Error::from(error)).unwrap();
            assert_eq!(error.kind(), kind);
            kind.status()
        });
        assert_eq!(statuses, [503, 400, 409, 409, 413]);
        assert!(session_error(Error::missing_key("user").into()).is_err(), "an error of the handler");
    }
}

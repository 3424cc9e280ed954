//! Why a request is not answered with what it asked for.

use std::error::Error as _;

use edge_session::{Error, ErrorKind, json};
use worker::{Response, console_error};

/// A status, a code for programs, and a sentence for people.
#[derive(Debug)]
pub(super) struct Refusal {
    status: u16,
    code: &'static str,
    message: String,
    allow: Option<&'static str>,
}

impl Refusal {
    pub(super) fn new(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), allow: None }
    }

    /// A method that the route does not take; it takes `allow`.
    pub(super) fn method(allow: &'static str) -> Self {
        let message = format!("this route takes {allow}");
        Self { allow: Some(allow), ..Self::new(405, "method_not_allowed", message) }
    }

    pub(super) fn response(&self) -> worker::Result<Response> {
        let mut body = String::from("{\"error\":{\"code\":");
        json::quote(self.code, &mut body);
        body.push_str(",\"message\":");
        json::quote(&self.message, &mut body);
        body.push_str("}}");
        let response = json_response(body)?.with_status(self.status);
        if let Some(allow) = self.allow {
            response.headers().set("Allow", allow)?;
        }
        Ok(response)
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        if matches!(error.kind(), ErrorKind::Config | ErrorKind::StoreUnavailable | ErrorKind::Entropy) {
            log("edge-session", &error);
        }
        if error.kind() == ErrorKind::Config {
            // What is wrong with the settings is for the log, not for visitors.
            let message = "sessions are not configured on this site; its log says which setting is wrong";
            return Self::new(500, error.code(), message);
        }
        Self::new(error.kind().status(), error.code(), error.to_string())
    }
}

/// A JSON text as a response.
pub(super) fn json_response(json: String) -> worker::Result<Response> {
    let response = Response::ok(json)?;
    response.headers().set("Content-Type", "application/json")?;
    Ok(response)
}

/// Writes an error into the Worker's log, with what the store said. Neither holds a key, a token or data.
pub(super) fn log(what: &str, error: &Error) {
    let cause = error.source().map(|cause| format!(" ({cause})")).unwrap_or_default();
    console_error!("{what}: {}: {error}{cause}", error.code());
}

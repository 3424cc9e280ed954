//! Error responses of the routes.

use edge_session::cloudflare::{error_response, log_error};
use edge_session::{Error, ErrorKind};
use worker::Response;

/// An error response: a status, a code for programs, and a message for people.
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

    /// Refuses a method that the route does not allow. `allow` lists the allowed ones.
    pub(super) fn method(allow: &'static str) -> Self {
        let message = format!("this route takes {allow}");
        Self { allow: Some(allow), ..Self::new(405, "method_not_allowed", message) }
    }

    pub(super) fn response(&self) -> worker::Result<Response> {
        let response = error_response(self.status, self.code, &self.message)?;
        if let Some(allow) = self.allow {
            response.headers().set("Allow", allow)?;
        }
        Ok(response)
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        if matches!(error.kind(), ErrorKind::Config | ErrorKind::StoreUnavailable | ErrorKind::Entropy) {
            log_error("edge-session", &error);
        }
        if error.kind() == ErrorKind::Config {
            // Visitors do not see which setting is wrong; the log does.
            let message = "sessions are not configured on this site; its log says which setting is wrong";
            return Self::new(500, error.code(), message);
        }
        Self::new(error.kind().status(), error.code(), error.to_string())
    }
}

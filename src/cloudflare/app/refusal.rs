//! Why a request is not answered with what it asked for.

use worker::Response;

use crate::cloudflare::handler::{error_response, log, status};
use crate::error::{Error, ErrorKind};

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
            log("edge-session", &error);
        }
        if error.kind() == ErrorKind::Config {
            // What is wrong with the settings is for the log, not for visitors.
            let message = "sessions are not configured on this site; its log says which setting is wrong";
            return Self::new(500, error.code(), message);
        }
        Self::new(status(error.kind()), error.code(), error.to_string())
    }
}

//! JSON responses and error logs: for [`Sessions::serve`](crate::Sessions::serve), and for Workers with error responses of their
//! own.

use worker::{Response, console_error};

use crate::error::Error;
use crate::json;

/// Creates a response with a JSON text as its body.
///
/// # Errors
///
/// Returns the error of the platform if it refuses the response.
pub fn json_response(json: String) -> worker::Result<Response> {
    let response = Response::ok(json)?;
    response.headers().set("Content-Type", "application/json")?;
    response.headers().set("X-Content-Type-Options", "nosniff")?;
    Ok(response)
}

/// Creates the response `{"error":{"code","message"}}` with this status, which no cache stores.
///
/// # Errors
///
/// As [`json_response`].
pub fn error_response(status: u16, code: &str, message: &str) -> worker::Result<Response> {
    let response = json_response(json::error(code, message))?;
    response.headers().set("Cache-Control", "no-store")?;
    Ok(response.with_status(status))
}

/// Writes an error and its cause to the Worker's log, after the name of what failed. Errors contain no key, token or data.
pub fn log_error(failed: &str, error: &Error) {
    let cause = std::error::Error::source(error).map(|cause| format!(" ({cause})")).unwrap_or_default();
    console_error!("{failed}: {}: {error}{cause}", error.code());
}

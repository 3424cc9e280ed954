//! The headers of a session on an `http::Response`, and the response to an error.

use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, X_CONTENT_TYPE_OPTIONS};
use http::{Response, StatusCode};

use crate::error::{Error, ErrorKind, Result};
use crate::json;
use crate::protocol::headers::{ResponseHeaders, SessionHeaders};

/// The message of a response to a configuration error. The error itself names the setting.
const CONFIG_MESSAGE: &str =
    "sessions are not configured on this site; the error in the response's extensions says why";

impl ResponseHeaders for HeaderMap {
    type Error = http::Error;

    fn get(&self, name: &str) -> http::Result<Option<String>> {
        let values: Vec<_> = self.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes())).collect();
        Ok((!values.is_empty()).then(|| values.join(", ")))
    }

    fn set(&mut self, name: &str, value: &str) -> http::Result<()> {
        self.try_insert(HeaderName::try_from(name)?, HeaderValue::try_from(value)?)?;
        Ok(())
    }

    fn append(&mut self, name: &str, value: &str) -> http::Result<()> {
        self.try_append(HeaderName::try_from(name)?, HeaderValue::try_from(value)?)?;
        Ok(())
    }

    fn remove(&mut self, name: &str) -> http::Result<()> {
        Self::remove(self, name);
        Ok(())
    }
}

/// Adds a session's headers to those of a response.
///
/// # Errors
///
/// `Value` if the response refuses a header.
pub(super) fn apply(headers: &SessionHeaders, response: &mut HeaderMap) -> Result<()> {
    #[cfg(all(feature = "cloudflare", target_arch = "wasm32"))]
    if headers.saved().old_record_remains {
        worker::console_error!("cycle_key: the old key could not be revoked; it ends when its record expires");
    }
    headers.apply(response).map_err(|error| Error::new(ErrorKind::Value, error.to_string()))
}

/// Creates the response to an error, `{"error":{"code","message"}}`, with the error in its extensions. An error that only a
/// mistake of the application causes has the status 500.
pub(super) fn error_response<B: From<String>>(error: Error) -> Response<B> {
    let message = if error.kind() == ErrorKind::Config { CONFIG_MESSAGE } else { error.message() };
    let mut response = Response::new(B::from(json::error(error.code(), message)));
    if error.kind().is_expected() {
        *response.status_mut() =
            StatusCode::from_u16(error.kind().status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    } else {
        *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
    }
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    // The names and values are constants, so that they are valid.
    let _ = SessionHeaders::for_failure().apply(headers);
    response.extensions_mut().insert(error);
    response
}

/// Writes an error to the Worker's log.
#[cfg(all(feature = "cloudflare", target_arch = "wasm32"))]
pub(super) fn log(error: &Error) {
    crate::cloudflare::log_error("edge-session", error);
}

/// Writes nothing: a native program has no log that this crate knows.
#[cfg(not(all(feature = "cloudflare", target_arch = "wasm32")))]
pub(super) const fn log(_: &Error) {}

//! The session as an extractor of axum, and errors as its responses.

use axum_core::extract::FromRequestParts;
use axum_core::response::{IntoResponse, Response};
use http::request::Parts;

use super::response::error_response;
use super::session::Session;
use crate::error::{Error, ErrorKind};

/// Extracts the session that a [`SessionLayer`](super::SessionLayer) has loaded. Without the layer, the response has the status
/// 500.
impl<S: Sync> FromRequestParts<S> for Session {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Error> {
        let missing =
            "this route has no sessions: add `.layer(SessionLayer::new(sessions))` to its router, after the route";
        parts.extensions.get::<Self>().cloned().ok_or_else(|| Error::new(ErrorKind::Usage, missing))
    }
}

/// Answers with `{"error":{"code","message"}}` and the status that [`SessionLayer`](super::SessionLayer) documents. The layer
/// saves nothing then.
impl IntoResponse for Error {
    fn into_response(self) -> Response {
        error_response(self)
    }
}

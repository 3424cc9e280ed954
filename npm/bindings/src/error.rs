//! Errors as JavaScript receives them.

use alloc::string::String;

use edge_session::{Error, Result};
use wasm_bindgen::JsValue;

/// The result of an exported call. The error is a string: the code of an [`ErrorKind`](edge_session::ErrorKind), a space, and the
/// message. `core-errors.ts` maps it to a class.
pub(super) type JsResult<T> = core::result::Result<T, JsValue>;

pub(super) fn js_result<T>(result: Result<T>) -> JsResult<T> {
    result.map_err(|error| to_text(&error).into())
}

/// Returns the code of an error, a space, and its message.
pub(super) fn to_text(error: &Error) -> String {
    [error.code(), " ", error.message()].concat()
}

//! The form of a sealed value in a store: a JSON document.
//!
//! ```json
//! {"edge-session":1,"deadline":1893456000000000,"sealed":"…"}
//! ```
//!
//! `sealed` is base64url of a nonce, the encrypted text, and the tag.

use alloc::vec::Vec;
use edge_session_crypto::{from_base64, to_base64};

use super::deadline::Deadline;
use crate::json;
use crate::secret::{NONCE_BYTES, SEAL_BYTES};

/// The parts around the deadline and the sealed text.
const START: &str = "{\"edge-session\":1,\"deadline\":";
const SEALED: &str = ",\"sealed\":\"";
const END: &str = "\"}";

/// Returns the document.
pub(crate) fn encode(deadline: i64, nonce: [u8; NONCE_BYTES], text: &[u8], tag: [u8; SEAL_BYTES]) -> Vec<u8> {
    let sealed = to_base64(&[nonce.as_slice(), text, &tag].concat());
    [START, itoa::Buffer::new().format(deadline), SEALED, &sealed, END].concat().into_bytes()
}

/// Returns the deadline and the sealed bytes: the nonce, the text and the tag.
pub(crate) fn decode(document: &[u8]) -> Option<(Deadline, Vec<u8>)> {
    let rest = document.strip_prefix(START.as_bytes())?;
    let (deadline, rest) = rest.split_at(rest.iter().position(|byte| *byte == b',')?);
    let sealed = from_base64(rest.strip_prefix(SEALED.as_bytes())?.strip_suffix(END.as_bytes())?)?;
    Some((Deadline(json::integer(deadline)?), sealed))
}

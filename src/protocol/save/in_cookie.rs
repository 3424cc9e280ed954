//! Save of a session that its cookie contains: no I/O. The commit sends the cookie.

use super::put::record_of;
use super::{NextStep, SaveOutcome};
use crate::cookie::token;
use crate::error::{Error, ErrorKind, Result};
use crate::protocol::Step;
use crate::session::event::EventKind;
use crate::session::identity::Position;
use crate::session::session::Session;

/// Encodes the record of the session for its cookie.
///
/// # Errors
///
/// [`ErrorKind::TooLarge`] if no browser keeps a cookie of this length.
pub(super) fn save(session: &mut Session) -> Result<NextStep> {
    let tag = session.random.tag();
    let limit = session.settings.max_record_bytes;
    let (mut head, data, time) = session.next_record(tag)?;
    let record = record_of(limit, &mut head, data)?;
    let Some(identity) = session.key.identity() else { return Err(Error::unexpected_reply()) };
    let position = Position { generation: head.generation, tag, issued: session.now().timestamp_micros() };
    token::seal_record(&session.settings, [0; _], identity, position, &record).map_err(too_large)?;
    let is_new = session.key.is_new();
    let replaced = session.record_stored(head, time);
    session.known.record = Some(record);
    if is_new {
        session.report(if replaced.is_some() { EventKind::Cycled } else { EventKind::Created });
    }
    Ok(Step::Done(Ok(SaveOutcome::default())))
}

fn too_large(length: usize) -> Error {
    let mut number = itoa::Buffer::new();
    let message = ["the session makes a cookie of ", number.format(length), " bytes; browsers keep 4096"];
    Error::new(ErrorKind::TooLarge, message.concat())
}

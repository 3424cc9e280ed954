//! Delete: Django's `delete(session_key)`, outside of a request. It ends the session of the key: successors and copies, too.
//!
//! | state | reply | next | guaranteed afterwards |
//! | --- | --- | --- | --- |
//! | `Start` | `Start` | `Reading` | |
//! | `Reading` | `Values` | `Revoking`: the record says how often the key was rotated | |
//! | `Reading` | `Unavailable` | `Revoking`, from an unrotated key on | |
//! | `Revoking` | as [`Revoke`] | `Done` | no key of the session opens it after the published bound |

use alloc::boxed::Box;

use super::flush::FAR_REACH;
use super::isolate::IsolateMemory;
use super::revoke::{self, Revoke};
use super::{Reply, Step};
use crate::error::{Error, Result};
use crate::session::identity::Identity;
use crate::session::record;
use crate::session::session::Session;

/// Ends the session that a session was opened for.
#[derive(Debug, Default)]
pub(crate) struct Delete {
    state: State,
}

#[derive(Debug, Default)]
enum State {
    #[default]
    Start,
    Reading,
    Revoking(Box<Revoke>),
    Failed,
}

impl Delete {
    pub(crate) fn step(&mut self, session: &Session, memory: &IsolateMemory, reply: Reply) -> Step<Result<()>> {
        let Some(identity) = &session.incoming.opened else { return Step::Done(Ok(())) };
        let key = revoke::record_key(&session.settings, identity);
        match (core::mem::replace(&mut self.state, State::Failed), reply) {
            (State::Start, Reply::Start) => {
                self.state = State::Reading;
                Step::Read(vec![key])
            }
            (State::Reading, Reply::Values(mut values)) => {
                let newest = memory.newest(&key, values.pop().flatten(), session.clock.latest_millis());
                let head = newest.bytes.as_deref().and_then(record::head);
                let rotations = head.map_or(0, |head| head.rotations);
                self.revoke(session, memory, Identity { rotations, ..identity.clone() })
            }
            (State::Reading, Reply::Unavailable(_)) => self.revoke(session, memory, identity.clone()),
            (State::Revoking(mut revoke), reply) => {
                let step = revoke.step(memory, reply);
                self.state = State::Revoking(revoke);
                step
            }
            _ => Step::Done(Err(Error::unexpected_reply())),
        }
    }

    fn revoke(&mut self, session: &Session, memory: &IsolateMemory, identity: Identity) -> Step<Result<()>> {
        let mut revoke = Box::new(Revoke::new(&session.settings, memory, &[identity], FAR_REACH, session.now()));
        let step = revoke.step(memory, Reply::Start);
        self.state = State::Revoking(revoke);
        step
    }
}

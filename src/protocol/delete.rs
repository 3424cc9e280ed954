//! Delete: Django's `delete(session_key)`, outside of a request. It revokes all keys of the session, with successors and copies.
//!
//! | state | reply | next | guaranteed afterwards |
//! | --- | --- | --- | --- |
//! | `Loading` | as [`Load`] | `Revoking`: the record or the tombstones contain the number of rotations | |
//! | `Revoking` | as [`Revoke`] | `Done`, or `Unlisting` | no key of the session opens it after the documented bound |
//! | `Unlisting` | `Written`, `Unavailable` | `Done` | the entry in the list of its user is deleted, or shown no more |

use alloc::boxed::Box;

use super::flush;
use super::load::Load;
use super::revoke::{Revoke, Target};
use super::sealing;
use super::{Reply, Step};
use crate::error::{Error, Result};
use crate::isolate::IsolateMemory;
use crate::session::session::Session;
use crate::store::Op;

/// Revokes the session that was opened by key.
#[derive(Debug)]
pub struct Delete {
    state: State,
}

#[derive(Debug)]
enum State {
    Loading(Box<Load>),
    Revoking(Box<Revoke>),
    /// Deletes the entry in the list of the user's sessions.
    Unlisting,
}

impl Default for Delete {
    fn default() -> Self {
        Self { state: State::Loading(Box::default()) }
    }
}

impl Delete {
    /// Takes the reply to the last step, [`Reply::Start`] first, and returns the next one.
    pub fn step(&mut self, session: &mut Session, memory: &IsolateMemory, reply: Reply) -> Step<Result<()>> {
        let reply = sealing::open(session, reply);
        let step = self.advance(session, memory, reply);
        sealing::seal(session, step)
    }

    fn advance(&mut self, session: &mut Session, memory: &IsolateMemory, reply: Reply) -> Step<Result<()>> {
        match &mut self.state {
            State::Revoking(revoke) => match (revoke.step(memory, reply), session.listing.delete.take()) {
                (Step::Done(Ok(())), Some(key)) => {
                    self.state = State::Unlisting;
                    Step::Write(vec![Op::Delete { key }])
                }
                (step, key) => {
                    session.listing.delete = key;
                    step
                }
            },
            State::Unlisting => match reply {
                Reply::Written | Reply::Unavailable(_) => Step::Done(Ok(())),
                _ => Step::Done(Err(Error::unexpected_reply())),
            },
            State::Loading(load) => match load.advance(session, memory, reply) {
                Step::Done(()) => self.revoke(session, memory),
                step => step.map(Ok),
            },
        }
    }

    /// Revokes the session regardless of the load outcome: an unreadable one has to end as well.
    fn revoke(&mut self, session: &mut Session, memory: &IsolateMemory) -> Step<Result<()>> {
        if session.settings.is_in_cookie() {
            return Step::Done(Err(Error::only_in_cookie()));
        }
        let Some(identity) = session.incoming.opened.clone() else { return Step::Done(Ok(())) };
        let reach = flush::reach(session);
        session.unlink();
        let targets = core::iter::once(Target::from(&identity));
        let mut revoke = Box::new(Revoke::new(&session.settings, memory, targets, reach, session.now()));
        let step = revoke.step(memory, Reply::Start);
        self.state = State::Revoking(revoke);
        step
    }
}

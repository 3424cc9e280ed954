//! Delete: Django's `delete(session_key)`, outside of a request. It revokes all keys of the session, with successors and copies.
//!
//! | state | reply | next | guaranteed afterwards |
//! | --- | --- | --- | --- |
//! | `Loading` | as [`Load`] | `Revoking`: the record or the tombstones contain the number of rotations | |
//! | `Revoking` | as [`Revoke`] | `Done` | no key of the session opens it after the documented bound |

use alloc::boxed::Box;

use super::flush;
use super::load::Load;
use super::revoke::Revoke;
use super::sealing;
use super::{Reply, Step};
use crate::error::{Error, Result};
use crate::isolate::IsolateMemory;
use crate::session::session::Session;

/// Revokes the session that was opened by key.
#[derive(Debug)]
pub struct Delete {
    state: State,
}

#[derive(Debug)]
enum State {
    Loading(Box<Load>),
    Revoking(Box<Revoke>),
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
            State::Revoking(revoke) => revoke.step(memory, reply),
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
        let mut revoke = Box::new(Revoke::new(&session.settings, memory, &[identity], reach, session.now()));
        let step = revoke.step(memory, Reply::Start);
        self.state = State::Revoking(revoke);
        step
    }
}

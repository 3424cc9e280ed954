//! Delete: Django's `delete(session_key)`, outside of a request. It ends the session of the key: successors and copies, too.
//!
//! | state | reply | next | guaranteed afterwards |
//! | --- | --- | --- | --- |
//! | `Loading` | as [`Load`] | `Revoking`: the record or the tombstones say how often the key was rotated | |
//! | `Revoking` | as [`Revoke`] | `Done` | no key of the session opens it after the published bound |

use alloc::boxed::Box;

use super::flush;
use super::isolate::IsolateMemory;
use super::load::Load;
use super::revoke::Revoke;
use super::{Reply, Step};
use crate::error::Result;
use crate::session::session::Session;

/// Ends the session that a session was opened for.
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
        match &mut self.state {
            State::Revoking(revoke) => revoke.step(memory, reply),
            State::Loading(load) => match load.step(session, memory, reply) {
                Step::Done(()) => self.revoke(session, memory),
                step => step.map(Ok),
            },
        }
    }

    /// Whatever the load gave: a session that could not be read has to end as well.
    fn revoke(&mut self, session: &mut Session, memory: &IsolateMemory) -> Step<Result<()>> {
        let Some(identity) = session.incoming.opened.clone() else { return Step::Done(Ok(())) };
        let reach = flush::reach(session);
        let mut revoke = Box::new(Revoke::new(&session.settings, memory, &[identity], reach, session.now()));
        let step = revoke.step(memory, Reply::Start);
        self.state = State::Revoking(revoke);
        step
    }
}

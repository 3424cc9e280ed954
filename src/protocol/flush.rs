//! Flush: Django's `flush`. It ends the session at once and not only at the commit, so that a missing commit leaves no login
//! behind.
//!
//! The states are those of [`Revoke`]. On `Done(Ok)` every key of the session is revoked and a commit deletes the cookies; on
//! `Done(Err)` a commit sends an ending token, with which later requests retry.

use alloc::boxed::Box;

use super::load::MAX_SEARCHED;
use super::revoke::{Reach, Revoke, Target};
use super::sealing;
use super::{Reply, Step};
use crate::error::{Error, Result};
use crate::isolate::IsolateMemory;
use crate::session::event::EventKind;
use crate::session::load_reason::LoadReason;
use crate::session::session::{FlushState, Session};
use crate::store::Op;

/// The number of later rotations that a logout revokes. A key that is not the newest one, or came without a token, may be further
/// behind.
const NEAR: u16 = 1; // mutation: reach
pub(super) const FAR: u16 = 3; // mutation: far-reach

/// How long after its load a session counts as the newest one, in milliseconds.
const RECENT: i64 = 1_000;

/// Revokes every key that the session has or had, and those of the request's tokens.
#[derive(Debug, Default)]
pub struct Flush {
    state: State,
}

#[derive(Debug, Default)]
enum State {
    #[default]
    Start,
    Revoking(Box<Revoke>),
    /// Deletes the entry in the list of the user's sessions, which shows ended sessions no more in any case.
    Unlisting,
}

impl Flush {
    /// Takes the reply to the last step, [`Reply::Start`] first, and returns the next one.
    pub fn step(&mut self, session: &mut Session, memory: &IsolateMemory, reply: Reply) -> Step<Result<()>> {
        let reply = sealing::open(session, reply);
        let step = self.advance(session, memory, reply);
        sealing::seal(session, step)
    }

    fn advance(&mut self, session: &mut Session, memory: &IsolateMemory, reply: Reply) -> Step<Result<()>> {
        let (mut revoke, reply) = match (core::mem::take(&mut self.state), reply) {
            (State::Start, Reply::Start) => {
                let reach = reach(session);
                let identities = session.begin_flush();
                let targets = identities.iter().map(Target::from);
                (Box::new(Revoke::new(&session.settings, memory, targets, reach, session.now())), Reply::Start)
            }
            (State::Revoking(revoke), reply) => (revoke, reply),
            (State::Unlisting, Reply::Written | Reply::Unavailable(_)) => return Step::Done(Ok(())),
            (State::Start | State::Unlisting, _) => return Step::Done(Err(Error::unexpected_reply())),
        };
        let step = revoke.step(memory, reply);
        match step {
            Step::Done(result) => {
                complete(session, &result);
                match session.listing.delete.take_if(|_| result.is_ok()) {
                    Some(key) => {
                        self.state = State::Unlisting;
                        Step::Write(vec![Op::Delete { key }]) // mutation: entry-of-logout
                    }
                    None => Step::Done(result),
                }
            }
            step => {
                self.state = State::Revoking(revoke);
                step
            }
        }
    }
}

/// Returns the rotations to revoke. A session that was opened by key has no token with a number of rotations: if neither a record
/// nor a tombstone contains it, all that a load searches are revoked.
pub(super) fn reach(session: &Session) -> Reach {
    use LoadReason::{Live, StaleRepaired, Unavailable, Unknown};
    let reason = session.load_reason();
    let is_newest = matches!(reason, Live | StaleRepaired) && session.clock.elapsed_millis() <= RECENT;
    match session.incoming.opened.is_some() {
        true if matches!(reason, Unknown | Unavailable) => Reach { ahead: MAX_SEARCHED, anonymous: true },
        true => Reach { ahead: FAR, anonymous: true },
        // mutation: newest-key
        false => Reach { ahead: if is_newest { NEAR } else { FAR }, anonymous: false },
    }
}

/// Sets the flush state, and reports the event.
fn complete(session: &mut Session, result: &Result<()>) {
    if result.is_err() {
        session.report(EventKind::StoreFailed);
        return;
    }
    let ended = matches!(&session.flush, FlushState::Pending(identities) if !identities.is_empty());
    if ended {
        session.report(EventKind::Flushed);
    }
    session.flush = FlushState::Done;
}

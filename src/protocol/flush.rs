//! Flush: the end of a session, at once and not only with the response, so that a forgotten commit leaves nobody logged in.

use alloc::collections::VecDeque;

use super::{Op, Reply, Step, out_of_turn, revoke};
use crate::error::{Error, Result};
use crate::session::event::EventKind;
use crate::session::session::Session;

/// How long to wait before a tombstone is put once more, in milliseconds.
const PAUSE: u64 = 1_000;

/// Ends the session's key, the one it had before, and the one that the cookie named, each with its family; then deletes their
/// records. Each is tried, even if another one failed; the first tombstone that fails, twice.
#[derive(Debug, Default)]
pub(crate) struct Flush {
    left: VecDeque<Op>,
    at_hand: Option<Op>,
    tried_again: bool,
    failed: Option<Error>,
}

impl Flush {
    pub(crate) fn step(&mut self, session: &mut Session, reply: Reply) -> Step<Result<()>> {
        match (reply, self.at_hand.take()) {
            (Reply::Start, _) => self.plan(session),
            (Reply::Written | Reply::Waited, _) => {}
            (Reply::Unavailable(_), Some(op @ Op::Put { .. })) if !self.tried_again => {
                self.tried_again = true;
                self.left.push_front(op);
                return Step::Wait(PAUSE);
            }
            // Where the tombstone stands, the record is nobody's any more.
            (Reply::Unavailable(_), Some(Op::Delete { .. })) if session.settings().check_ended => {}
            (Reply::Unavailable(error), _) => self.failed = Some(error),
            _ => return Step::Done(Err(out_of_turn())),
        }
        self.at_hand = self.left.pop_front();
        match &self.at_hand {
            Some(op) => Step::Write(vec![op.clone()]),
            None => Step::Done(self.end(session)),
        }
    }

    fn plan(&mut self, session: &mut Session) {
        let ending = session.forget();
        let (settings, now) = (session.settings(), session.now());
        self.left.extend(ending.iter().flat_map(|identity| revoke::end_family(settings, identity, now)));
        self.left.extend(ending.iter().map(|identity| revoke::delete(settings, identity)));
    }

    fn end(&mut self, session: &mut Session) -> Result<()> {
        if let Some(error) = self.failed.take() {
            session.tell(EventKind::StoreFailed);
            return Err(error);
        }
        session.all_ended();
        Ok(())
    }
}

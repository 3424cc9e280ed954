//! Runs the protocol's operations on a store.

use crate::error::{Error, Result};
use crate::protocol::{Reply, Step};
use crate::store::{Store, WriteOutcome};

/// Runs an operation on a store until it is done.
pub(crate) async fn drive<S: Store, T>(store: &S, mut step: impl FnMut(Reply) -> Step<T>) -> T {
    let mut reply = Reply::Start;
    loop {
        let answer: Result<Reply, Error> = match step(reply) {
            Step::Read(keys) => store.read(&keys).await.map(Reply::Values),
            Step::List { prefix, cursor } => store.list(&prefix, cursor.as_deref()).await.map(Reply::Page),
            Step::Write(ops) => store.write(ops).await.map(|written| match written {
                WriteOutcome::All => Reply::Written,
                WriteOutcome::Conflict => Reply::Conflict,
            }),
            Step::Wait(milliseconds) => {
                store.wait(milliseconds).await;
                Ok(Reply::Waited)
            }
            Step::Done(result) => return result,
        };
        reply = answer.unwrap_or_else(Reply::Unavailable);
    }
}

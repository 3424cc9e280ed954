//! The I/O of one step of a state machine: requests one at a time, and one reply for the step.

use alloc::string::String;
use alloc::vec::Vec;

use edge_session::Error;
use edge_session::protocol::{Reply, Step};
use edge_session::store::{Op, Page, StorageKey};

/// One request to the store.
#[derive(Debug)]
pub(super) enum Request {
    /// Reads all of these keys in parallel.
    Read(Vec<StorageKey>),
    /// Waits for this many milliseconds.
    Wait(u64),
    List {
        prefix: String,
        cursor: Option<String>,
    },
    Write(Op),
}

/// The remaining requests of one step, and the page that is being listed.
#[derive(Debug, Default)]
pub(super) struct PendingIo {
    /// In reverse order: the current request is the last one.
    requests: Vec<Request>,
    page: Page,
}

impl PendingIo {
    /// Adds the requests of a step. Returns the result if the machine is done.
    pub(super) fn enqueue<T>(&mut self, step: Step<T>) -> Option<T> {
        match step {
            Step::Read(keys) => self.requests.push(Request::Read(keys)),
            Step::Wait(milliseconds) => self.requests.push(Request::Wait(milliseconds)),
            Step::List { prefix, cursor } => self.requests.push(Request::List { prefix, cursor }),
            Step::Write(ops) => self.requests.extend(ops.into_iter().rev().map(Request::Write)),
            Step::Done(result) => return Some(result),
        }
        None
    }

    /// Returns the current request.
    pub(super) fn first(&self) -> Option<&Request> {
        self.requests.last()
    }

    /// Removes a completed read, with the values that `values` returns for its number of keys.
    pub(super) fn complete_read(&mut self, values: impl FnOnce(usize) -> Vec<Option<Vec<u8>>>) -> Option<Reply> {
        let Some(Request::Read(keys)) = self.requests.pop() else { return None };
        Some(Reply::Values(values(keys.len())))
    }

    pub(super) fn complete_wait(&mut self) -> Option<Reply> {
        self.requests.pop();
        Some(Reply::Waited)
    }

    /// Removes a completed write. Returns the reply to the step after the last write.
    pub(super) fn complete_write(&mut self) -> Option<Reply> {
        self.requests.pop();
        self.requests.is_empty().then_some(Reply::Written)
    }

    pub(super) fn add_list_entry(&mut self, key: StorageKey, deadline: Option<i64>) {
        self.page.entries.push((key, deadline));
    }

    pub(super) fn complete_list(&mut self, cursor: Option<String>) -> Option<Reply> {
        self.requests.pop();
        self.page.cursor = cursor;
        Some(Reply::Page(core::mem::take(&mut self.page)))
    }

    /// Drops the remaining requests after a condition that did not hold.
    pub(super) fn conflict(&mut self) -> Option<Reply> {
        self.clear();
        Some(Reply::Conflict)
    }

    /// Drops the remaining requests after a failure of the store.
    pub(super) fn fail(&mut self, error: Error) -> Option<Reply> {
        self.clear();
        Some(Reply::Unavailable(error))
    }

    /// Drops everything.
    pub(super) fn clear(&mut self) {
        self.requests.clear();
        self.page = Page::default();
    }
}

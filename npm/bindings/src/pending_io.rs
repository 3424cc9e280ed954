//! A state machine's step, taken apart: one operation at a time for the driver, one reply for the machine.

use alloc::string::String;
use alloc::vec::Vec;

use edge_session::Error;
use edge_session::protocol::{Reply, Step};
use edge_session::store::{Op, Page, StorageKey};

/// One operation on the store.
#[derive(Debug)]
pub(super) enum Operation {
    /// All of these at once.
    Read(Vec<StorageKey>),
    Wait(u64),
    List {
        prefix: String,
        cursor: Option<String>,
    },
    Write(Op),
}

/// The operations of one step that are still to be carried out, and what came of the others.
#[derive(Debug, Default)]
pub(super) struct Operations {
    /// The next one last.
    waiting: Vec<Operation>,
    values: Vec<Option<Vec<u8>>>,
    page: Page,
}

impl Operations {
    /// Takes a step apart. What it carries, if it is the last one.
    pub(super) fn take<T>(&mut self, step: Step<T>) -> Option<T> {
        match step {
            Step::Read(keys) => self.waiting.push(Operation::Read(keys)),
            Step::Wait(milliseconds) => self.waiting.push(Operation::Wait(milliseconds)),
            Step::List { prefix, cursor } => self.waiting.push(Operation::List { prefix, cursor }),
            Step::Write(ops) => self.waiting.extend(ops.into_iter().rev().map(Operation::Write)),
            Step::Done(result) => return Some(result),
        }
        None
    }

    /// The operation whose turn it is.
    pub(super) fn first(&self) -> Option<&Operation> {
        self.waiting.last()
    }

    pub(super) fn first_mut(&mut self) -> Option<&mut Operation> {
        self.waiting.last_mut()
    }

    /// A value was read. The reply to the step, if it was the last one.
    pub(super) fn read(&mut self, value: Option<Vec<u8>>) -> Option<Reply> {
        self.values.push(value);
        let Some(Operation::Read(keys)) = self.waiting.last() else { return None };
        if self.values.len() < keys.len() {
            return None;
        }
        self.waiting.pop();
        Some(Reply::Values(core::mem::take(&mut self.values)))
    }

    pub(super) fn waited(&mut self) -> Option<Reply> {
        self.waiting.pop();
        Some(Reply::Waited)
    }

    /// An operation was carried out. The reply to the step, if it was its last one.
    pub(super) fn written(&mut self) -> Option<Reply> {
        self.waiting.pop();
        self.waiting.is_empty().then_some(Reply::Written)
    }

    pub(super) fn entry(&mut self, key: StorageKey, deadline: Option<i64>) {
        self.page.entries.push((key, deadline));
    }

    pub(super) fn listed(&mut self, cursor: Option<String>) -> Option<Reply> {
        self.waiting.pop();
        self.page.cursor = cursor;
        Some(Reply::Page(core::mem::take(&mut self.page)))
    }

    /// A condition did not hold: nothing after it is carried out.
    pub(super) fn conflict(&mut self) -> Option<Reply> {
        *self = Self::default();
        Some(Reply::Conflict)
    }

    /// The store failed: nothing after it is carried out.
    pub(super) fn failed(&mut self) -> Option<Reply> {
        *self = Self::default();
        Some(Reply::Unavailable(Error::out_of_reach()))
    }
}

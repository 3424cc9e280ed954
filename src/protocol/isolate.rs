//! Isolate memory: what one running instance of a Worker remembers of its own recent writes.

use alloc::rc::Rc;
use core::cell::RefCell;

/// What one isolate remembers of its own recent saves and revocations. Clones share it.
///
/// A store that several [`Sessions`](crate::Sessions) of one isolate use returns the same memory to each of them, from
/// [`Store::memory`](crate::Store::memory).
#[derive(Clone, Debug, Default)]
pub struct IsolateMemory(#[expect(dead_code, reason = "filled by the lane")] Rc<RefCell<Memory>>);

#[derive(Debug, Default)]
struct Memory {}

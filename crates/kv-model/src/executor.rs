//! Virtual time: an executor whose clock jumps to the next timer that is due.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::rc::Rc;
use alloc::sync::Arc;
use alloc::task::Wake;
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};
use core::pin::{Pin, pin};
use core::sync::atomic::{AtomicBool, Ordering};
use core::task::{Context, Poll, Waker};

type Work = Pin<Box<dyn Future<Output = ()>>>;

/// The due time of a timer, and its order among those of the same time.
type Moment = (u64, u64);

/// A spawned future. Several that are woken at the same time run in the order in which they were spawned.
struct Running {
    /// `None` while it is polled.
    work: Option<Work>,
    woken: Arc<Woken>,
    task: Task,
}

struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Progress {
    Running,
    Cancelled,
    Done,
}

/// A handle to a future that a [`KvModel`](super::KvModel) runs.
///
/// ```
/// use edge_session_kv_model::{KvModel, KvModelOptions};
///
/// let model = KvModel::new(KvModelOptions::default());
/// let task = model.spawn(std::future::pending());
/// task.cancel();
/// model.run();
/// assert!(!task.is_done());
/// ```
#[derive(Clone, Debug)]
pub struct Task(Rc<Cell<Progress>>);

impl Task {
    /// Drops the future before its next poll, as when a client disconnects.
    ///
    /// ```
    /// # let model = edge_session_kv_model::KvModel::new(edge_session_kv_model::KvModelOptions::default());
    /// let task = model.spawn(async { unreachable!("it was cancelled before it began") });
    /// task.cancel();
    /// model.run();
    /// ```
    pub fn cancel(&self) {
        if self.0.get() == Progress::Running {
            self.0.set(Progress::Cancelled);
        }
    }

    /// Returns whether the future has completed.
    ///
    /// ```
    /// # let model = edge_session_kv_model::KvModel::new(edge_session_kv_model::KvModelOptions::default());
    /// let task = model.spawn(async {});
    /// assert!(!task.is_done());
    /// model.run();
    /// assert!(task.is_done());
    /// ```
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.0.get() == Progress::Done
    }
}

#[derive(Default)]
pub(super) struct Executor {
    now: Cell<u64>,
    timers: RefCell<BTreeMap<Moment, Waker>>,
    timers_made: Cell<u64>,
    tasks: RefCell<Vec<Running>>,
}

impl Executor {
    pub(super) const fn now(&self) -> u64 {
        self.now.get()
    }

    pub(super) fn spawn(&self, work: Work) -> Task {
        let task = Task(Rc::new(Cell::new(Progress::Running)));
        let woken = Arc::new(Woken(AtomicBool::new(true)));
        self.tasks.borrow_mut().push(Running { work: Some(work), woken, task: task.clone() });
        task
    }

    /// Runs tasks and timers until no timer is due before `until`.
    pub(super) fn run_until(&self, until: u64) {
        while self.poll_woken() || self.next_timer(until) {}
    }

    /// Advances to the next time at which a task can run. Returns false if there is none.
    pub(super) fn step(&self) -> bool {
        let any = self.poll_woken() || self.next_timer(u64::MAX);
        while self.poll_woken() {}
        any
    }

    /// Advances to the next timer, if it is due before `until`, and wakes its task.
    fn next_timer(&self, until: u64) -> bool {
        let mut timers = self.timers.borrow_mut();
        let Some(next) = timers.first_entry().filter(|next| next.key().0 <= until) else { return false };
        let ((at, _), waker) = next.remove_entry();
        self.now.set(at.max(self.now()));
        waker.wake();
        true
    }

    pub(super) fn advance_to(&self, moment: u64) {
        self.run_until(moment);
        self.now.set(moment.max(self.now()));
    }

    /// Runs a future, and the tasks, until it is done or no task can make progress.
    pub(super) fn block_on<T>(&self, future: impl Future<Output = T>) -> Option<T> {
        let mut future = pin!(future);
        let woken = Arc::new(Woken(AtomicBool::new(true)));
        let waker = Waker::from(Arc::clone(&woken));
        loop {
            while woken.0.swap(false, Ordering::Relaxed) {
                if let Poll::Ready(value) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
                    return Some(value);
                }
            }
            if !self.poll_woken() && !self.next_timer(u64::MAX) && !woken.0.load(Ordering::Relaxed) {
                return None;
            }
        }
    }

    /// Drops the remaining tasks, and those that are spawned by the drop.
    pub(super) fn drop_tasks(&self) {
        loop {
            let tasks = self.tasks.take();
            if tasks.is_empty() {
                return;
            }
        }
    }

    /// Polls every woken task once. Returns whether there was one.
    fn poll_woken(&self) -> bool {
        let (mut any, mut any_ended) = (false, false);
        let mut place = 0;
        loop {
            // The task is taken out of the list while it is polled, since it may spawn others.
            let taken = match self.tasks.borrow_mut().get_mut(place) {
                None => break,
                Some(running) if running.task.0.get() == Progress::Cancelled => Some((running.work.take(), None)),
                Some(running) if running.woken.0.swap(false, Ordering::Relaxed) => {
                    Some((running.work.take(), Some(Arc::clone(&running.woken))))
                }
                Some(_) => None,
            };
            place = place.saturating_add(1);
            let Some((Some(mut work), woken)) = taken else { continue };
            let Some(woken) = woken else {
                any_ended = true;
                continue;
            };
            any = true;
            let ended = work.as_mut().poll(&mut Context::from_waker(&Waker::from(woken))).is_ready();
            any_ended |= ended;
            if let Some(running) = self.tasks.borrow_mut().get_mut(place.saturating_sub(1)) {
                if ended {
                    running.task.0.set(Progress::Done);
                } else {
                    running.work = Some(work);
                }
            }
        }
        if any_ended {
            self.tasks.borrow_mut().retain(|running| running.work.is_some());
        }
        any
    }
}

/// Future that waits until a moment of virtual time.
pub(super) struct Sleep {
    executor: Rc<Executor>,
    until: u64,
    timer: Option<Moment>,
}

impl Sleep {
    pub(super) const fn new(executor: Rc<Executor>, until: u64) -> Self {
        Self { executor, until, timer: None }
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.executor.now() >= self.until {
            return Poll::Ready(());
        }
        if self.timer.is_none() {
            let made = self.executor.timers_made.get();
            self.executor.timers_made.set(made.wrapping_add(1));
            let moment = (self.until, made);
            self.executor.timers.borrow_mut().insert(moment, context.waker().clone());
            self.timer = Some(moment);
        }
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some(moment) = self.timer {
            self.executor.timers.borrow_mut().remove(&moment);
        }
    }
}

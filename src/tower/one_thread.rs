//! Values of one thread inside of types that are `Send`.

use core::fmt;
use core::pin::Pin;
use core::task::{Context, Poll};

use send_wrapper::SendWrapper;

use crate::error::{Error, ErrorKind};

/// A value that only the thread that created it can reach. On another thread it is absent.
pub(super) struct OneThread<T>(Option<SendWrapper<T>>);

impl<T> OneThread<T> {
    pub(super) fn new(value: T) -> Self {
        Self(Some(SendWrapper::new(value)))
    }

    /// Returns the value; `None` on another thread.
    pub(super) fn get(&self) -> Option<&T> {
        self.0.as_ref().filter(|value| value.valid()).map(|value| &**value)
    }

    /// Returns the value; `None` on another thread.
    fn get_mut(&mut self) -> Option<&mut T> {
        self.0.as_mut().filter(|value| value.valid()).map(|value| &mut **value)
    }
}

impl<T: Clone> Clone for OneThread<T> {
    fn clone(&self) -> Self {
        Self(self.get().cloned().map(SendWrapper::new))
    }
}

impl<T> Drop for OneThread<T> {
    fn drop(&mut self) {
        // `SendWrapper` panics if another thread drops it, so the value is leaked there.
        if let Some(value) = self.0.take()
            && !value.valid()
        {
            core::mem::forget(value);
        }
    }
}

/// The error of a session on another thread than that of its layer.
pub(super) fn elsewhere() -> Error {
    let message = "sessions belong to the thread that created the SessionLayer: serve all requests on it, on a \
                   current-thread runtime such as #[tokio::main(flavor = \"current_thread\")]";
    Error::new(ErrorKind::Usage, message)
}

/// The future of a session: it is `Send`, and ends with an error if another thread polls it.
#[must_use = "futures do nothing unless they are awaited"]
pub struct SessionFuture<T> {
    future: OneThread<Pin<Box<dyn Future<Output = T>>>>,
    /// Returns the output on another thread.
    elsewhere: fn() -> T,
}

impl<T> SessionFuture<T> {
    pub(super) fn new(future: impl Future<Output = T> + 'static, elsewhere: fn() -> T) -> Self {
        Self { future: OneThread::new(Box::pin(future)), elsewhere }
    }
}

impl<T> Future for SessionFuture<T> {
    type Output = T;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        let this = self.get_mut();
        match this.future.get_mut() {
            Some(future) => future.as_mut().poll(context),
            None => Poll::Ready((this.elsewhere)()),
        }
    }
}

impl<T> fmt::Debug for SessionFuture<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionFuture").finish_non_exhaustive()
    }
}

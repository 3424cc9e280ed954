//! The session of a request, as a handler holds it.

use alloc::boxed::Box;
use alloc::rc::Rc;
use core::cell::RefCell;
use core::{fmt, mem};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::layer::{AnySessions, LocalFuture};
use super::one_thread::{OneThread, SessionFuture, elsewhere};
use crate::error::{Error, ErrorKind, Result};
use crate::protocol::headers::SessionHeaders;
use crate::protocol::save::SaveOutcome;
use crate::session::expiry::Expiry;
use crate::session::key::SessionKey;
use crate::session::session::Session as CoreSession;

/// The session of a request: an extension of the request, and an extractor with the feature `axum`.
///
/// Clones are the same session. The layer has loaded it, so that only [`flush`](Self::flush) and [`save`](Self::save) are
/// asynchronous. The calls are those of [`edge_session::Session`](crate::Session); [`with`](Self::with) reaches the ones that are
/// not repeated here.
///
/// A session that was used before the response can be read afterwards, by a streamed body for example. It can no longer be
/// changed.
///
/// # Errors
///
/// Every call fails with [`ErrorKind::Usage`] on another thread than that of the layer, while a `flush` or `save` of the session
/// runs, and after the response, except for reads of a session that was used before it.
#[derive(Clone)]
pub struct Session(OneThread<Rc<Shared>>);

/// The session that all clones share.
struct Shared {
    phase: RefCell<Phase>,
    sessions: Rc<dyn AnySessions>,
}

/// The phase of a session in its request. The session is boxed, since it moves from phase to phase.
enum Phase {
    /// The handler may use the session.
    Open(Box<CoreSession>),
    /// A flush, a save or the commit holds the session.
    Held,
    /// The response has been committed.
    Committed(Box<CoreSession>),
}

impl Phase {
    /// Returns the error of a call that needs an open session.
    fn refusal(&self) -> Error {
        match self {
            Self::Open(_) | Self::Held => held(),
            Self::Committed(_) => committed(),
        }
    }
}

/// The session during a flush, a save or the commit. It returns to its `Shared` also if the future is dropped.
struct Held {
    shared: Rc<Shared>,
    session: Option<Box<CoreSession>>,
    next: fn(Box<CoreSession>) -> Phase,
}

impl Held {
    /// Takes the session out of the phase `Open`. It goes on to the phase `next`.
    fn take(shared: Rc<Shared>, next: fn(Box<CoreSession>) -> Phase) -> Result<Self> {
        let mut phase = shared.phase.try_borrow_mut().map_err(|_| held())?;
        match mem::replace(&mut *phase, Phase::Held) {
            Phase::Open(session) => {
                drop(phase);
                Ok(Self { shared, session: Some(session), next })
            }
            other => {
                let refusal = other.refusal();
                *phase = other;
                Err(refusal)
            }
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if let (Some(session), Ok(mut phase)) = (self.session.take(), self.shared.phase.try_borrow_mut()) {
            *phase = (self.next)(session);
        }
    }
}

/// An operation on a session that waits for the store.
type Operation<T> = for<'a> fn(&'a dyn AnySessions, &'a mut CoreSession) -> LocalFuture<'a, T>;

impl Session {
    /// Begins with a session that was just loaded.
    pub(super) fn open(session: CoreSession, sessions: Rc<dyn AnySessions>) -> Self {
        Self(OneThread::new(Rc::new(Shared { phase: RefCell::new(Phase::Open(Box::new(session))), sessions })))
    }

    /// Commits the session with a response of this status. Nothing can be changed afterwards.
    pub(super) async fn commit(&self, status: u16) -> Result<SessionHeaders> {
        let shared = self.0.get().ok_or_else(elsewhere)?;
        let mut held = Held::take(Rc::clone(shared), Phase::Committed)?;
        let Some(session) = &mut held.session else { return Err(self::held()) };
        shared.sessions.commit_headers(session, status).await
    }

    /// Returns the value of `key`, or `None` if it is absent: Django's `get(k)`.
    ///
    /// ```
    /// # use edge_session::tower::Session;
    /// fn user(session: &Session) -> edge_session::Result<String> {
    ///     Ok(session.get("user")?.unwrap_or_else(|| "anonymous".to_owned()))
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// `Value` if the value is not a `T`; `StoreUnavailable` if the store did not answer.
    #[doc(alias = "get_value")]
    pub fn get<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>> {
        self.read(|session| session.get(key))
    }

    /// Returns whether `key` is present: Django's `k in s`.
    ///
    /// ```
    /// # use edge_session::tower::Session;
    /// fn is_logged_in(session: &Session) -> edge_session::Result<bool> {
    ///     session.contains_key("user")
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// `StoreUnavailable` if the store did not answer.
    pub fn contains_key(&self, key: &str) -> Result<bool> {
        self.read(|session| session.contains_key(key))
    }

    /// Returns the keys in insertion order: Django's `keys`.
    ///
    /// ```
    /// # use edge_session::tower::Session;
    /// fn is_empty(session: &Session) -> edge_session::Result<bool> {
    ///     Ok(session.keys()?.is_empty())
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// `StoreUnavailable` if the store did not answer.
    #[doc(alias = "is_empty")]
    pub fn keys(&self) -> Result<Vec<String>> {
        self.read(CoreSession::keys)
    }

    /// Sets `key` to `value`: Django's `s[k] = v`.
    ///
    /// ```
    /// # use edge_session::tower::Session;
    /// fn dark(session: &Session) -> edge_session::Result<()> {
    ///     session.set("theme", "dark")
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// `Value`, with the path, if JSON cannot represent the value exactly; `StoreUnavailable` if the store did not answer.
    #[doc(alias = "insert")]
    #[doc(alias = "insert_value")]
    pub fn set<T: Serialize>(&self, key: &str, value: T) -> Result<()> {
        self.with(|session| session.set(key, value))
    }

    /// Removes `key`: Django's `del s[k]`.
    ///
    /// ```
    /// # use edge_session::tower::Session;
    /// fn empty_cart(session: &Session) -> edge_session::Result<()> {
    ///     if session.contains_key("cart")? { session.remove("cart") } else { Ok(()) }
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// `MissingKey` if the key is absent; `StoreUnavailable` if the store did not answer.
    pub fn remove(&self, key: &str) -> Result<()> {
        self.with(|session| session.remove(key))
    }

    /// Removes `key` and returns its value: Django's `pop(k)`.
    ///
    /// ```
    /// # use edge_session::tower::Session;
    /// fn finish_order(session: &Session) -> edge_session::Result<Vec<String>> {
    ///     session.pop("cart")
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// `MissingKey` if the key is absent; `Value` if the value is not a `T` (it is not removed); `StoreUnavailable`.
    pub fn pop<T: DeserializeOwned>(&self, key: &str) -> Result<T> {
        self.with(|session| session.pop(key))
    }

    /// Removes `key` and returns its value, or `default` if it is absent: Django's `pop(k, d)`. An absent key changes nothing.
    ///
    /// ```
    /// # use edge_session::tower::Session;
    /// fn coupon(session: &Session) -> edge_session::Result<Option<String>> {
    ///     session.pop_or("coupon", None)
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// `Value` if the value is not a `T` (it is not removed); `StoreUnavailable` if the store did not answer.
    #[doc(alias = "remove_value")]
    pub fn pop_or<T: DeserializeOwned>(&self, key: &str, default: T) -> Result<T> {
        self.with(|session| session.pop_or(key, default))
    }

    /// Stores a value for a later request: the next one that calls [`flashed`](Self::flashed) gets it, and no other.
    ///
    /// ```
    /// # use edge_session::tower::Session;
    /// fn log_in(session: &Session, user: &str) -> edge_session::Result<()> {
    ///     session.cycle_key()?;
    ///     session.set("user", user)?;
    ///     session.flash("message", "Welcome") // for the page to which the response redirects
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`set`](Self::set).
    pub fn flash<T: Serialize>(&self, key: &str, value: T) -> Result<()> {
        self.with(|session| session.flash(key, value))
    }

    /// Returns the value that an earlier request [flashed](Self::flash), as often as this request asks, and removes it from the session.
    ///
    /// ```
    /// # use edge_session::tower::Session;
    /// fn message(session: &Session) -> edge_session::Result<String> {
    ///     Ok(session.flashed("message")?.unwrap_or_default())
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// `Value` if the value is not a `T`; `StoreUnavailable` if the store did not answer.
    pub fn flashed<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>> {
        self.with(|session| session.flashed(key))
    }

    /// Removes all data, including the session's own expiry: Django's `clear`. The key stays.
    ///
    /// ```
    /// # use edge_session::tower::Session;
    /// fn start_over(session: &Session) -> edge_session::Result<()> {
    ///     session.clear()
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// Those of every call, see [`Session`].
    pub fn clear(&self) -> Result<()> {
        self.with(|session| {
            session.clear();
            Ok(())
        })
    }

    /// Moves the data to a new key, for a login: Django's `cycle_key`.
    ///
    /// ```
    /// # use edge_session::tower::Session;
    /// fn log_in(session: &Session, user: &str) -> edge_session::Result<()> {
    ///     session.cycle_key()?; // a new key, which no one can know from before the login
    ///     session.set("user", user)
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// `StoreUnavailable` if the store did not answer.
    #[doc(alias = "cycle_id")]
    pub fn cycle_key(&self) -> Result<()> {
        self.with(CoreSession::cycle_key)
    }

    /// Sets the session's own expiry: Django's `set_expiry`.
    ///
    /// ```
    /// # use edge_session::tower::Session;
    /// use edge_session::Expiry;
    ///
    /// fn remember(session: &Session) -> edge_session::Result<()> {
    ///     session.set_expiry(Expiry::Seconds(30 * 24 * 3600))
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// `Value` if the date is outside the years 1 to 9999; `StoreUnavailable` if the store did not answer.
    pub fn set_expiry(&self, expiry: Expiry) -> Result<()> {
        self.with(|session| session.set_expiry(expiry))
    }

    /// Returns the session key: Django's `session_key`. A new session has none until it is saved.
    ///
    /// ```
    /// # use edge_session::tower::Session;
    /// fn has_key(session: &Session) -> edge_session::Result<bool> {
    ///     Ok(session.session_key()?.is_some())
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// Those of every call, see [`Session`].
    #[doc(alias = "id")]
    pub fn session_key(&self) -> Result<Option<SessionKey>> {
        self.read(|session| Ok(session.session_key().cloned()))
    }

    /// Calls `work` with the [`edge_session::Session`](crate::Session), for all of its calls. They see no change of another clone
    /// in between.
    ///
    /// ```
    /// # use edge_session::tower::Session;
    /// fn log_in(session: &Session, user: &str) -> edge_session::Result<()> {
    ///     session.with(|session| {
    ///         session.cycle_key()?;
    ///         session.bind_user(user, Some("Firefox on Linux"))?;
    ///         session.update([("user", user), ("theme", "dark")])
    ///     })
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// Those of `work`. `Usage` if `work` itself uses a clone of the session.
    #[doc(alias = "is_modified")]
    #[doc(alias = "expiry_age")]
    #[doc(alias = "expiry_date")]
    pub fn with<T>(&self, work: impl FnOnce(&mut CoreSession) -> Result<T>) -> Result<T> {
        let shared = self.0.get().ok_or_else(elsewhere)?;
        match &mut *shared.phase.try_borrow_mut().map_err(|_| held())? {
            Phase::Open(session) => work(session),
            phase => Err(phase.refusal()),
        }
    }

    /// Calls `work` as [`with`](Self::with) does, and also after the response if the session was used before it.
    fn read<T>(&self, work: impl FnOnce(&mut CoreSession) -> Result<T>) -> Result<T> {
        let shared = self.0.get().ok_or_else(elsewhere)?;
        match &mut *shared.phase.try_borrow_mut().map_err(|_| held())? {
            Phase::Open(session) => work(session),
            Phase::Committed(session) if session.accessed() => work(session),
            phase => Err(phase.refusal()),
        }
    }

    /// Revokes the key and deletes the data now, for a logout: Django's `flush`. The response then deletes the cookie.
    ///
    /// ```
    /// # use edge_session::tower::Session;
    /// async fn log_out(session: Session) -> edge_session::Result<&'static str> {
    ///     session.flush().await?;
    ///     Ok("Goodbye")
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`Sessions::flush`](crate::Sessions::flush).
    #[doc(alias = "delete")]
    pub fn flush(&self) -> SessionFuture<Result<()>> {
        self.run(|sessions, session| sessions.flush(session))
    }

    /// Writes the session now: Django's `save`. A handler needs it only if another request has to see the session before the
    /// response; the layer saves what was changed.
    ///
    /// ```
    /// # use edge_session::tower::Session;
    /// async fn reserve(session: Session) -> edge_session::Result<String> {
    ///     session.set("order", 7)?;
    ///     session.save().await?;
    ///     Ok(session.session_key()?.map(|key| key.as_str().to_owned()).unwrap_or_default())
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`Sessions::save`](crate::Sessions::save).
    pub fn save(&self) -> SessionFuture<Result<SaveOutcome>> {
        self.run(|sessions, session| sessions.save(session))
    }

    /// Runs an operation on the session, which is open again afterwards.
    fn run<T: 'static>(&self, operation: Operation<T>) -> SessionFuture<Result<T>> {
        let shared = self.0.get().cloned();
        let work = async move {
            let shared = shared.ok_or_else(elsewhere)?;
            let mut held = Held::take(Rc::clone(&shared), Phase::Open)?;
            let Some(session) = &mut held.session else { return Err(self::held()) };
            operation(&*shared.sessions, session).await
        };
        SessionFuture::new(work, || Err(elsewhere()))
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").finish_non_exhaustive()
    }
}

fn held() -> Error {
    let message = "the session is in use: await its flush or save before you use it again, and do not use a clone inside of `with`";
    Error::new(ErrorKind::Usage, message)
}

fn committed() -> Error {
    let message = "the response has been committed: use the session before the handler returns; what was used then can still be \
                   read afterwards, but not changed";
    Error::new(ErrorKind::Usage, message)
}

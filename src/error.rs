//! The error of this crate: one opaque type, its kind, and the stable code that every API reports.

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::sync::Arc;
use core::error::Error as StdError;
use core::fmt;

/// The result of every call that can fail.
pub type Result<T, E = Error> = core::result::Result<T, E>;

/// The kind of an error, for programs to match on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The session has no such key (Django's `KeyError`).
    MissingKey,
    /// A value that JSON cannot represent exactly, or a stored value of another type than the requested one.
    Value,
    /// The session's record would exceed `SESSION_MAX_RECORD_BYTES`.
    TooLarge,
    /// A setting is missing, malformed, or contradicts another setting.
    Config,
    /// The store could not be reached or refused the operation. The state of the session is unknown.
    StoreUnavailable,
    /// The record was deleted while the request ran (Django's `SessionInterrupted`).
    SessionInterrupted,
    /// The store shows an older record than the one that this browser knows of, and the cookie cannot repair it. Nothing was
    /// written. A retry after a minute succeeds.
    Stale,
    /// A concurrent request rotated the session key a moment ago, as a login does. Nothing was saved under the old key. The
    /// next request carries the new key.
    Superseded,
    /// The call is not allowed on this session, such as a commit of a session that was opened by its key.
    Usage,
    /// The driver of an operation gave a reply that does not match the last step: a bug in the driver.
    Internal,
    /// The new session key already has a record (Django's `CreateError`).
    KeyTaken,
    /// The platform provided no random bytes.
    Entropy,
}

impl ErrorKind {
    /// Returns the stable code for logs, JSON responses and the JavaScript error classes.
    ///
    /// ```
    /// assert_eq!(edge_session::ErrorKind::MissingKey.code(), "ES_KEY_ERROR");
    /// ```
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::MissingKey => "ES_KEY_ERROR",
            Self::Value => "ES_VALUE",
            Self::TooLarge => "ES_TOO_LARGE",
            Self::Config => "ES_CONFIG",
            Self::StoreUnavailable => "ES_STORE_UNAVAILABLE",
            Self::SessionInterrupted => "ES_SESSION_INTERRUPTED",
            Self::Stale => "ES_STALE",
            Self::Superseded => "ES_SUPERSEDED",
            Self::Usage => "ES_USAGE",
            Self::Internal => "ES_INTERNAL",
            Self::KeyTaken => "ES_KEY_TAKEN",
            Self::Entropy => "ES_ENTROPY",
        }
    }

    /// Returns the HTTP status of the response to a request that fails with this kind of error.
    ///
    /// ```
    /// assert_eq!(edge_session::ErrorKind::Stale.status(), 409);
    /// ```
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::MissingKey => 404,
            Self::Value | Self::SessionInterrupted => 400,
            Self::Stale | Self::Superseded => 409,
            Self::TooLarge => 413,
            Self::StoreUnavailable => 503,
            Self::Config | Self::KeyTaken | Self::Entropy | Self::Usage | Self::Internal => 500,
        }
    }

    /// Returns whether a correct application can meet the error. Such an error has a response of its own.
    #[cfg(any(feature = "cloudflare", feature = "tower"))]
    pub(crate) const fn is_expected(self) -> bool {
        matches!(
            self,
            Self::StoreUnavailable | Self::SessionInterrupted | Self::Stale | Self::Superseded | Self::TooLarge
        )
    }
}

/// An error of this crate.
///
/// The message names the problem and its place. It never contains a session key, a token, a secret or a stored value.
///
/// ```
/// use edge_session::{ErrorKind, Settings};
///
/// let error = Settings::builder(["too short"]).build().unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::Config);
/// assert!(error.to_string().contains("SESSION_SECRET"));
/// ```
#[derive(Clone, Debug)]
pub struct Error {
    kind: ErrorKind,
    message: Cow<'static, str>,
    source: Option<Arc<dyn StdError + Send + Sync>>,
    is_overloaded: bool,
}

impl Error {
    /// Creates an error of this kind.
    ///
    /// ```
    /// use edge_session::{Error, ErrorKind};
    ///
    /// assert_eq!(Error::new(ErrorKind::Value, "session.n is not a number").kind(), ErrorKind::Value);
    /// ```
    #[must_use]
    pub fn new(kind: ErrorKind, message: impl Into<Cow<'static, str>>) -> Self {
        Self { kind, message: message.into(), source: None, is_overloaded: false }
    }

    /// Creates the error of a [`Store`](crate::Store) that could not be reached or refused an operation.
    ///
    /// ```
    /// use edge_session::{Error, ErrorKind};
    ///
    /// let error = Error::unavailable("the database is restarting");
    /// assert_eq!(error.kind(), ErrorKind::StoreUnavailable);
    /// ```
    pub fn unavailable(source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self { source: Some(source.into().into()), ..Self::out_of_reach() }
    }

    /// Creates the error of [`unavailable`](Self::unavailable) without a source, for drivers that keep the cause themselves.
    #[must_use]
    pub const fn out_of_reach() -> Self {
        let message = Cow::Borrowed("the session store could not be reached; try again");
        Self { kind: ErrorKind::StoreUnavailable, message, source: None, is_overloaded: false }
    }

    /// Marks the error of a store that refuses operations because of its load: sessions do not try them again.
    ///
    /// ```
    /// use edge_session::{Error, ErrorKind};
    ///
    /// let error = Error::unavailable("too many requests queued").overloaded();
    /// assert_eq!(error.kind(), ErrorKind::StoreUnavailable);
    /// ```
    #[must_use]
    pub const fn overloaded(mut self) -> Self {
        self.is_overloaded = true;
        self
    }

    pub(crate) const fn is_overloaded(&self) -> bool {
        self.is_overloaded
    }

    pub(crate) fn missing_key(key: &str) -> Self {
        Self::new(ErrorKind::MissingKey, ["the session has no key \"", key, "\""].concat())
    }

    pub(crate) fn value(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::Value, message)
    }

    pub(crate) fn config(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::Config, message)
    }

    pub(crate) fn interrupted() -> Self {
        Self::new(
            ErrorKind::SessionInterrupted,
            "The request's session was deleted before the request completed. \
             The user may have logged out in a concurrent request, for example.",
        )
    }

    pub(crate) fn stale() -> Self {
        Self::new(
            ErrorKind::Stale,
            "The store does not show yet what this browser saved a moment ago, so nothing was written over it. \
             Try again in a minute.",
        )
    }

    pub(crate) fn superseded() -> Self {
        Self::new(
            ErrorKind::Superseded,
            "A concurrent request changed the session's key a moment ago, as a login does, so nothing was saved under the old \
             one. Repeat the request with the cookie of that response.",
        )
    }

    /// Returns the error of what sessions in the cookie cannot do.
    pub(crate) fn only_in_cookie() -> Self {
        let message = "the cookie contains the session, so that it cannot be opened or ended by its key";
        Self::new(ErrorKind::Usage, message)
    }

    /// Returns the error of a list of sessions that are in their cookies.
    pub(crate) fn no_list() -> Self {
        Self::new(ErrorKind::Usage, "sessions in their cookies have no list: use a store")
    }

    /// Creates the error for a reply that does not match the last step: a bug in the driver, reported instead of a panic.
    pub(crate) fn unexpected_reply() -> Self {
        Self::new(ErrorKind::Internal, "unexpected reply from the store driver: this is a bug in the driver")
    }

    /// Returns the message, without the code.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Returns the kind of the error, for programs to match on.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// Returns the stable code of the [`kind`](Self::kind).
    #[must_use]
    pub const fn code(&self) -> &'static str {
        self.kind.code()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|source| source as &(dyn StdError + 'static))
    }
}

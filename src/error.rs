//! What can go wrong: one opaque error, its kind, and the stable code that every door shows.

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::sync::Arc;
use core::error::Error as StdError;
use core::fmt;

/// The result of every call that can fail.
pub type Result<T, E = Error> = core::result::Result<T, E>;

/// What went wrong, for a program to decide on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The session has no such key (Django's `KeyError`).
    MissingKey,
    /// A value that JSON does not hold exactly, or a stored value of another type than the one asked for.
    Value,
    /// The session's record would be larger than the settings allow.
    TooLarge,
    /// A setting is missing, malformed, or contradicts another one.
    Config,
    /// The store could not be reached, or refused; nothing is known about the session.
    StoreUnavailable,
    /// The record was deleted while the request ran (Django's `SessionInterrupted`).
    SessionInterrupted,
    /// The store shows an older record than the one that this browser knows of, and what is missing cannot be put back: nothing
    /// was written over it. It will be there in a minute.
    Stale,
    /// A concurrent request rotated the session's key a moment ago, as a login does: nothing was saved under the old one. The
    /// next request carries the new key.
    Superseded,
    /// The call is not allowed on this session, such as the commit of one that was opened by its key.
    Usage,
    /// The driver of an operation gave a reply that does not answer its last step: a bug in the driver.
    Internal,
    /// A record stands under the key that was to be created (Django's `CreateError`).
    KeyTaken,
    /// The platform gave no random bytes.
    Entropy,
}

impl ErrorKind {
    /// The stable code that logs, JSON answers and the JavaScript classes carry.
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

    /// The HTTP status that answers a request which fails with this kind of error.
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
}

/// An error of this crate.
///
/// Its message says what was wrong and where; it never holds a session key, a token, a secret or a stored value.
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
}

impl Error {
    /// An error of this kind.
    ///
    /// ```
    /// use edge_session::{Error, ErrorKind};
    ///
    /// assert_eq!(Error::new(ErrorKind::Value, "session.n is no number").kind(), ErrorKind::Value);
    /// ```
    #[must_use]
    pub fn new(kind: ErrorKind, message: impl Into<Cow<'static, str>>) -> Self {
        Self { kind, message: message.into(), source: None }
    }

    /// An error for a store that could not be reached or refused; for those who write a [`Store`](crate::Store).
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

    /// As [`unavailable`](Self::unavailable), where somebody else keeps what the store said.
    /// The error of a store that did not answer, for a driver whose store keeps the cause itself.
    #[must_use]
    pub const fn out_of_reach() -> Self {
        let message = Cow::Borrowed("the session store could not be reached; try again");
        Self { kind: ErrorKind::StoreUnavailable, message, source: None }
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
             one. Repeat the request with the cookie of that answer.",
        )
    }

    /// A reply that does not answer the step before it: a bug in the driver, reported instead of a panic.
    pub(crate) fn unexpected_reply() -> Self {
        Self::new(ErrorKind::Internal, "unexpected reply from the store driver: this is a bug in the driver")
    }

    /// The message, without the code.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What went wrong, for a program to decide on.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The stable code of [`kind`](Self::kind).
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

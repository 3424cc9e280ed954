//! The values of Django's `set_expiry`.

use chrono::{DateTime, FixedOffset, TimeDelta, Utc};

use crate::iso;

/// A session's own expiry: the argument of Django's `set_expiry`.
///
/// ```
/// use chrono::{DateTime, TimeDelta};
/// use edge_session::Expiry;
///
/// let _an_hour_after_each_save = Expiry::Seconds(3600);
/// let _when_the_browser_closes = Expiry::BROWSER_CLOSE;
/// let _ten_minutes_from_now = Expiry::In(TimeDelta::minutes(10));
/// let _at_new_year = Expiry::At(DateTime::parse_from_rfc3339("2030-01-01T00:00:00+01:00")?);
/// let _by_the_settings = Expiry::Policy;
/// # Ok::<(), chrono::ParseError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expiry {
    /// Django's `None`: the policy of the settings.
    Policy,
    /// This many seconds after each save. 0 means a cookie that expires when the browser closes. A negative value has expired.
    Seconds(i64),
    /// Django's `timedelta`: this long after the call. Later saves do not extend it.
    In(TimeDelta),
    /// A fixed date. Its offset is preserved.
    At(DateTime<FixedOffset>),
}

impl Expiry {
    /// A cookie without an expiry, which browsers delete when they close. The record lives for `SESSION_COOKIE_AGE`.
    pub const BROWSER_CLOSE: Self = Self::Seconds(0);

    /// Parses a date as Python's `datetime.fromisoformat` does. A date without an offset is rejected, because it is ambiguous.
    ///
    /// ```
    /// use edge_session::Expiry;
    ///
    /// assert!(matches!(Expiry::parse_iso("2030-01-01T00:00:00.000250+02:00"), Some(Expiry::At(_))));
    /// assert_eq!(Expiry::parse_iso("2030-01-01T00:00:00"), None);
    /// ```
    #[must_use]
    pub fn parse_iso(text: &str) -> Option<Self> {
        iso::parse(text).map(Self::At)
    }
}

/// The arguments of `get_expiry_age` and `get_expiry_date`. Default: the session's own expiry, from now.
///
/// ```
/// use edge_session::{Expiry, ExpiryOptions};
///
/// let options = ExpiryOptions { expiry: Some(Expiry::Seconds(10)), ..ExpiryOptions::default() };
/// assert_eq!(options.modification, None);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExpiryOptions {
    /// The time from which seconds count. Default: now.
    pub modification: Option<DateTime<Utc>>,
    /// The expiry to evaluate instead of the session's own. If it is set, the session is not accessed.
    pub expiry: Option<Expiry>,
}

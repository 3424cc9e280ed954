//! The stored form of an expiry, and its arithmetic.

use alloc::borrow::ToOwned;
use alloc::string::String;
use chrono::{DateTime, Datelike, FixedOffset, TimeDelta, Utc};

use super::deadline::{Deadline, micros};
use super::expiry::Expiry;
use crate::error::{Error, Result};
use crate::iso;
use crate::json;

/// The data key of a session's own expiry, as in Django.
pub(crate) const EXPIRY_KEY: &str = "_session_expiry";

/// An expiry as it is stored in the data: `In` has become a date.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lifetime {
    Policy,
    Seconds(i64),
    At(DateTime<FixedOffset>),
}

impl Lifetime {
    /// Converts an `expiry` that is set at `now`.
    pub(crate) fn from_expiry(expiry: Expiry, now: DateTime<Utc>) -> Result<Self> {
        Ok(match expiry {
            Expiry::Policy => Self::Policy,
            Expiry::Seconds(seconds) => Self::Seconds(seconds),
            // mutation: given-duration
            Expiry::In(delta) => {
                Self::At(in_range(now.checked_add_signed(delta).ok_or_else(out_of_range)?.fixed_offset())?)
            }
            Expiry::At(date) => Self::At(in_range(date)?), // mutation: given-date
        })
    }

    /// Parses the JSON text of [`EXPIRY_KEY`].
    pub(crate) fn from_json(text: Option<&[u8]>) -> Result<Self> {
        let Some(text) = text.filter(|text| *text != b"null") else { return Ok(Self::Policy) };
        let text = str::from_utf8(text).unwrap_or_default();
        if text.starts_with('"') {
            let date = iso::parse(&json::unquote(text));
            return date
                .map(Self::At)
                .ok_or_else(|| Error::value("session._session_expiry is not a date with an offset"));
        }
        let whole = text.split_once('.').filter(|(_, fraction)| fraction.bytes().all(|b| b == b'0'));
        json::integer(whole.map_or(text, |(whole, _)| whole).as_bytes())
            .map(Self::Seconds)
            .ok_or_else(|| Error::value("session._session_expiry is not a whole number of seconds"))
    }

    /// Returns the JSON text to store; `None` for the policy.
    pub(crate) fn to_json(self) -> Option<String> {
        match self {
            Self::Policy => None,
            Self::Seconds(seconds) => Some(itoa::Buffer::new().format(seconds).to_owned()),
            Self::At(date) => Some(["\"", &iso::format(date), "\""].concat()),
        }
    }

    /// Returns the whole seconds from `modification` to the end, rounded down. The policy, and 0, mean `cookie_age`.
    pub(crate) fn age(self, modification: DateTime<Utc>, cookie_age: i64) -> i64 {
        match self {
            Self::Policy | Self::Seconds(0) => cookie_age, // mutation: age-of-policy
            Self::Seconds(seconds) => seconds,             // mutation: age-of-seconds
            // mutation: age-of-date
            Self::At(date) => micros(date).saturating_sub(micros(modification)).div_euclid(1_000_000),
        }
    }

    /// Returns the date of the end, with seconds counted from `modification`.
    pub(crate) fn date(self, modification: DateTime<Utc>, cookie_age: i64) -> Result<DateTime<FixedOffset>> {
        if let Self::At(date) = self {
            return Ok(date);
        }
        let age = TimeDelta::try_seconds(self.age(modification, cookie_age)).ok_or_else(out_of_range)?;
        in_range(modification.checked_add_signed(age).ok_or_else(out_of_range)?.fixed_offset())
    }

    /// Returns the end, which may be beyond every date.
    pub(crate) fn deadline(self, modification: DateTime<Utc>, cookie_age: i64) -> Deadline {
        match self {
            Self::At(date) => Deadline(micros(date)),
            _ => Deadline::after(modification, self.age(modification, cookie_age)),
        }
    }
}

/// Checks that the year is from 1 to 9999, as in Python and in ISO dates.
fn in_range(date: DateTime<FixedOffset>) -> Result<DateTime<FixedOffset>> {
    if (1..=9999).contains(&date.year()) { Ok(date) } else { Err(out_of_range()) }
}

fn out_of_range() -> Error {
    Error::value("the expiry must be in the years 1 to 9999")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn date(text: &str) -> DateTime<FixedOffset> {
        crate::iso::parse(text).unwrap_or_else(|| panic!("{text}"))
    }

    #[test]
    fn ages_are_whole_seconds_rounded_down() {
        let now = date("2030-01-01T00:00:00.500000Z").to_utc();
        let age = |text| Lifetime::At(date(text)).age(now, 60);
        assert_eq!(age("2030-01-01T00:00:02Z"), 1);
        assert_eq!(age("2030-01-01T00:00:00Z"), -1);
        assert_eq!(age("2030-01-01T00:00:00.500000Z"), 0);
        assert_eq!(Lifetime::Seconds(-5).age(now, 60), -5);
        assert_eq!(Lifetime::Seconds(0).age(now, 60), 60);
        assert_eq!(Lifetime::Policy.age(now, 60), 60);
    }

    #[test]
    fn a_duration_of_zero_is_a_date_not_a_browser_session() {
        let now = date("2030-01-01T00:00:00Z").to_utc();
        let lifetime = Lifetime::from_expiry(Expiry::In(TimeDelta::zero()), now).unwrap();
        assert_eq!(lifetime.to_json().unwrap(), "\"2030-01-01T00:00:00+00:00\"");
    }

    #[test]
    fn an_expiry_beyond_every_date_is_an_error_but_has_a_deadline() {
        let now = date("2030-01-01T00:00:00Z").to_utc();
        for seconds in [i64::MAX, i64::MIN, 1 << 60] {
            assert!(Lifetime::Seconds(seconds).date(now, 60).is_err());
            assert_eq!(Lifetime::Seconds(seconds).age(now, 60), seconds);
        }
        assert_eq!(Lifetime::Seconds(i64::MAX).deadline(now, 60), Deadline::NEVER);
        assert_eq!(Lifetime::Seconds(i64::MIN).deadline(now, 60), Deadline(i64::MIN + micros(now)));
        assert!(Lifetime::from_expiry(Expiry::In(TimeDelta::MAX), now).is_err());
    }

    #[test]
    fn an_invalid_stored_expiry_is_an_error() {
        for text in ["1.5", "true", "\"soon\"", "\"2030-01-01T00:00:00\"", "[]", "99999999999999999999"] {
            assert!(Lifetime::from_json(Some(text.as_bytes())).is_err(), "{text}");
        }
        assert_eq!(Lifetime::from_json(Some(b"null")).unwrap(), Lifetime::Policy);
        assert_eq!(Lifetime::from_json(Some(b"60.0")).unwrap(), Lifetime::Seconds(60));
    }

    proptest! {
        #[test]
        fn no_number_panics_the_arithmetic(seconds in any::<i64>(), micros in any::<i64>()) {
            let now = DateTime::from_timestamp_micros(micros % 8_000_000_000_000_000_000).unwrap_or_default();
            let _ = Lifetime::Seconds(seconds).deadline(now, 1);
            let _ = Lifetime::Seconds(seconds).date(now, 1);
        }
    }
}

//! When a session ends: Django's `set_expiry` with every kind of value, and the arithmetic on it.

use alloc::borrow::ToOwned;
use alloc::string::String;
use chrono::{DateTime, Datelike, FixedOffset, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, Timelike, Utc};

use super::json;
use crate::error::{Error, Result};

/// The data key under which Django keeps a session's own expiry.
pub(crate) const EXPIRY_KEY: &str = "_session_expiry";

/// A session's own end, as Django's `set_expiry` takes it.
///
/// ```
/// use chrono::{DateTime, TimeDelta};
/// use edge_session::Expiry;
///
/// let _an_hour_after_each_save = Expiry::Seconds(3600);
/// let _when_the_browser_closes = Expiry::BROWSER_CLOSE;
/// let _ten_minutes_from_now = Expiry::In(TimeDelta::minutes(10));
/// let _at_new_year = Expiry::At(DateTime::parse_from_rfc3339("2030-01-01T00:00:00+01:00")?);
/// let _as_the_settings_say = Expiry::Policy;
/// # Ok::<(), chrono::ParseError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expiry {
    /// Django's `None`: the policy of the settings.
    Policy,
    /// This many seconds after each save. 0 means a cookie that ends with the browser; below 0 it has ended already.
    Seconds(i64),
    /// Django's `timedelta`: this long after the call. The end is fixed then and moves with no save.
    In(TimeDelta),
    /// A fixed end. Its offset is kept.
    At(DateTime<FixedOffset>),
}

impl Expiry {
    /// A cookie without an end, which browsers drop when they close. The record lives for `SESSION_COOKIE_AGE`.
    pub const BROWSER_CLOSE: Self = Self::Seconds(0);

    /// Reads what Python's `datetime.fromisoformat` reads, as far as it names a moment: a text without an offset does not.
    ///
    /// ```
    /// use edge_session::Expiry;
    ///
    /// assert!(matches!(Expiry::parse_iso("2030-01-01T00:00:00.000250+02:00"), Some(Expiry::At(_))));
    /// assert_eq!(Expiry::parse_iso("2030-01-01T00:00:00"), None);
    /// ```
    #[must_use]
    pub fn parse_iso(text: &str) -> Option<Self> {
        parse_iso(text).map(Self::At)
    }
}

/// What to reckon with in `get_expiry_age` and `get_expiry_date`; without it: from now, the session's own expiry.
///
/// ```
/// use edge_session::{Expiry, ExpiryOptions};
///
/// let options = ExpiryOptions { expiry: Some(Expiry::Seconds(10)), ..ExpiryOptions::default() };
/// assert_eq!(options.modification, None);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExpiryOptions {
    /// The moment from which seconds count. Default: now.
    pub modification: Option<DateTime<Utc>>,
    /// The expiry to judge instead of the session's own; given, the session is not looked at.
    pub expiry: Option<Expiry>,
}

/// An expiry as it stands in the data: `In` has become a date.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lifetime {
    Policy,
    Seconds(i64),
    At(DateTime<FixedOffset>),
}

impl Lifetime {
    /// What `expiry` means when it is given at `now`.
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

    /// Reads the JSON text that stands under [`EXPIRY_KEY`].
    pub(crate) fn from_json(text: Option<&[u8]>) -> Result<Self> {
        let Some(text) = text.filter(|text| *text != b"null") else { return Ok(Self::Policy) };
        let text = str::from_utf8(text).unwrap_or_default();
        if text.starts_with('"') {
            let date = parse_iso(&json::unquote(text));
            return date.map(Self::At).ok_or_else(|| Error::value("session._session_expiry is no date with an offset"));
        }
        let whole = text.split_once('.').filter(|(_, fraction)| fraction.bytes().all(|b| b == b'0'));
        json::integer(whole.map_or(text, |(whole, _)| whole).as_bytes())
            .map(Self::Seconds)
            .ok_or_else(|| Error::value("session._session_expiry is no number of whole seconds"))
    }

    /// The JSON text to keep; none for the policy.
    pub(crate) fn to_json(self) -> Option<String> {
        match self {
            Self::Policy => None,
            Self::Seconds(seconds) => Some(itoa::Buffer::new().format(seconds).to_owned()),
            Self::At(date) => Some(["\"", &format_iso(date), "\""].concat()),
        }
    }

    /// Whole seconds from `modification` to the end, rounded down; seconds as they are, the policy's where there are none.
    pub(crate) fn age(self, modification: DateTime<Utc>, cookie_age: i64) -> i64 {
        match self {
            Self::Policy | Self::Seconds(0) => cookie_age, // mutation: age-of-policy
            Self::Seconds(seconds) => seconds,             // mutation: age-of-seconds
            // mutation: age-of-date
            Self::At(date) => micros(date).saturating_sub(micros(modification)).div_euclid(1_000_000),
        }
    }

    /// The end itself, when the seconds count from `modification`.
    pub(crate) fn date(self, modification: DateTime<Utc>, cookie_age: i64) -> Result<DateTime<FixedOffset>> {
        if let Self::At(date) = self {
            return Ok(date);
        }
        let age = TimeDelta::try_seconds(self.age(modification, cookie_age)).ok_or_else(out_of_range)?;
        in_range(modification.checked_add_signed(age).ok_or_else(out_of_range)?.fixed_offset())
    }

    /// The end, wherever it lies.
    pub(crate) fn deadline(self, modification: DateTime<Utc>, cookie_age: i64) -> Deadline {
        match self {
            Self::At(date) => Deadline(micros(date)),
            _ => Deadline::after(modification, self.age(modification, cookie_age)),
        }
    }
}

/// A moment from which on a session is over: microseconds of Unix time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Deadline(pub(crate) i64);

impl Deadline {
    pub(crate) const NEVER: Self = Self(i64::MAX);

    /// `seconds` after `moment`, or as near to it as a number of microseconds comes.
    pub(crate) fn after(moment: DateTime<Utc>, seconds: i64) -> Self {
        Self(micros(moment).saturating_add(seconds.saturating_mul(1_000_000)))
    }

    /// Django: a record is live while its deadline lies after now.
    pub(crate) fn has_passed(self, now: DateTime<Utc>) -> bool {
        // mutation: deadline-passed
        self.0 <= micros(now)
    }

    /// The deadline as a date; none where it lies beyond every date.
    pub(crate) const fn date(self) -> Option<DateTime<Utc>> {
        DateTime::from_timestamp_micros(self.0)
    }

    /// Seconds from `now` to the deadline, rounded up.
    pub(crate) fn seconds_from(self, now: DateTime<Utc>) -> i64 {
        let left = self.0.saturating_sub(micros(now));
        left.div_euclid(1_000_000).saturating_add(i64::from(left.rem_euclid(1_000_000) > 0))
    }
}

/// Microseconds of Unix time.
fn micros<Tz: chrono::TimeZone>(date: DateTime<Tz>) -> i64 {
    // mutation: microseconds
    date.timestamp_micros()
}

/// Python's years, 1 to 9999: what an ISO date holds.
fn in_range(date: DateTime<FixedOffset>) -> Result<DateTime<FixedOffset>> {
    if (1..=9999).contains(&date.year()) { Ok(date) } else { Err(out_of_range()) }
}

fn out_of_range() -> Error {
    Error::value("the expiry lies beyond the years that a date can hold")
}

/// Python's `datetime.isoformat()`: microseconds only where there are some, the offset always.
pub(crate) fn format_iso(date: DateTime<FixedOffset>) -> String {
    let local = date.naive_local();
    let mut text = String::with_capacity(32);
    pad(local.year().unsigned_abs(), 4, &mut text);
    for (before, part) in
        [('-', local.month()), ('-', local.day()), ('T', local.hour()), (':', local.minute()), (':', local.second())]
    {
        text.push(before);
        pad(part, 2, &mut text);
    }
    let micros = local.nanosecond() / 1_000 % 1_000_000;
    if micros > 0 {
        text.push('.');
        pad(micros, 6, &mut text);
    }
    let offset = date.offset().local_minus_utc();
    text.push(if offset < 0 { '-' } else { '+' });
    let offset = offset.unsigned_abs();
    pad(offset / 3_600, 2, &mut text);
    text.push(':');
    pad(offset / 60 % 60, 2, &mut text);
    if !offset.is_multiple_of(60) {
        text.push(':');
        pad(offset % 60, 2, &mut text);
    }
    text
}

/// Adds `number` to `out`, with zeros before it up to `width` digits.
pub(crate) fn pad(number: u32, width: usize, out: &mut String) {
    let mut buffer = itoa::Buffer::new();
    let digits = buffer.format(number);
    (digits.len()..width).for_each(|_| out.push('0'));
    out.push_str(digits);
}

/// A moment in ISO 8601, as Python's `fromisoformat` reads it (weeks and missing times aside): extended or basic form, a
/// fraction of any length cut at microseconds, an offset or `Z`.
pub(crate) fn parse_iso(text: &str) -> Option<DateTime<FixedOffset>> {
    let mut rest = Digits(text);
    let year = rest.number(4)?;
    let extended = rest.take("-");
    let month = rest.number(2)?;
    if extended && !rest.take("-") {
        return None;
    }
    let day = rest.number(2)?;
    if !(rest.take("T") || rest.take(" ") || rest.take("t")) {
        return None;
    }
    let (seconds, micros) = rest.clock()?;
    let offset = if rest.take("Z") || rest.take("z") {
        0
    } else {
        let east = rest.take("+");
        if !east && !rest.take("-") {
            return None;
        }
        let (offset, _) = rest.clock()?;
        let offset = i32::try_from(offset).ok()?;
        if east { offset } else { offset.checked_neg()? }
    };
    if !rest.0.is_empty() {
        return None;
    }
    let date = NaiveDate::from_ymd_opt(i32::try_from(year).ok()?, month, day).filter(|_| year > 0)?;
    let time = NaiveTime::from_num_seconds_from_midnight_opt(seconds, micros.checked_mul(1_000)?)?;
    NaiveDateTime::new(date, time).and_local_timezone(FixedOffset::east_opt(offset)?).single()
}

/// What is left of a text of digits and separators.
struct Digits<'a>(&'a str);

impl Digits<'_> {
    fn take(&mut self, prefix: &str) -> bool {
        match self.0.strip_prefix(prefix) {
            Some(rest) => {
                self.0 = rest;
                true
            }
            None => false,
        }
    }

    fn number(&mut self, digits: usize) -> Option<u32> {
        let (number, rest) = self.0.split_at_checked(digits)?;
        self.0 = rest;
        json::integer(number.as_bytes()).filter(|_| !number.starts_with('-'))?.try_into().ok()
    }

    /// `HH`, `HH:MM`, `HH:MM:SS` or `HH:MM:SS.fraction`, colons left out or not: seconds of the day and microseconds.
    fn clock(&mut self) -> Option<(u32, u32)> {
        let hours = self.number(2).filter(|hours| *hours < 24)?;
        let (mut minutes, mut seconds, mut micros) = (0, 0, 0);
        let colon = self.take(":");
        let more = |rest: &Self| rest.0.starts_with(|c: char| c.is_ascii_digit());
        if colon || more(self) {
            minutes = self.number(2).filter(|minutes| *minutes < 60)?;
            if if colon { self.take(":") } else { more(self) } {
                seconds = self.number(2).filter(|seconds| *seconds < 60)?;
                if self.take(".") || self.take(",") {
                    let end = self.0.find(|c: char| !c.is_ascii_digit()).unwrap_or(self.0.len());
                    let (fraction, rest) = self.0.split_at_checked(end)?;
                    self.0 = rest;
                    let digits = fraction.bytes().chain(*b"000000").take(6);
                    micros = digits.fold(0_u32, |micros, digit| {
                        micros.wrapping_mul(10).wrapping_add(u32::from(digit.wrapping_sub(b'0')))
                    });
                    (!fraction.is_empty()).then_some(())?;
                }
            }
        }
        Some((hours.checked_mul(3_600)?.checked_add(minutes.checked_mul(60)?)?.checked_add(seconds)?, micros))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn date(text: &str) -> DateTime<FixedOffset> {
        parse_iso(text).unwrap_or_else(|| panic!("{text}"))
    }

    #[test]
    fn iso_dates_are_read_as_python_reads_them() {
        let moment = date("2030-01-02T03:04:05.000250+00:00");
        assert_eq!(micros(moment), 1_893_553_445_000_250);
        for same in [
            "2030-01-02T03:04:05.00025Z",
            "2030-01-02 03:04:05.000250+00:00",
            "20300102T030405.000250Z",
            "2030-01-02T05:04:05.0002509+02:00",
            "2030-01-01T22:34:05,000250-04:30",
        ] {
            assert_eq!(date(same), moment, "{same}");
        }
        assert_eq!(micros(date("2030-01-02T03Z")), 1_893_553_200_000_000);
        for bad in [
            "",
            "2030",
            "2030-01-02",
            "2030-01-02T",
            "2030-01-02T03:04:05",
            "2030-13-02T03:04:05Z",
            "2030-02-30T03:04:05Z",
            "2030-01-02T24:00:00Z",
            "2030-01-02T03:60:00Z",
            "2030-01-02T03:04:60Z",
            "2030-01-02T03:04:05.Z",
            "2030-0102T03:04:05Z",
            "2030-01-02T03:04:05+24:00",
            "2030-01-02T03:04:05Zx",
            "0000-01-01T00:00:00Z",
            "٢٠٣٠-01-02T03:04:05Z",
            "+030-01-02T03:04:05Z",
        ] {
            assert_eq!(parse_iso(bad), None, "{bad}");
        }
    }

    #[test]
    fn iso_dates_are_written_as_python_writes_them() {
        for text in [
            "2030-01-01T00:00:00+00:00",
            "2030-01-01T00:00:00.000001+02:00",
            "1999-12-31T23:59:59.999999-04:30",
            "2030-01-01T00:00:00+01:02:03",
            "0001-01-01T00:00:00+00:00",
        ] {
            assert_eq!(format_iso(date(text)), text);
        }
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
    fn what_no_date_holds_is_an_error_and_a_deadline_all_the_same() {
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
    fn a_stored_expiry_that_means_nothing_is_an_error() {
        for text in ["1.5", "true", "\"soon\"", "\"2030-01-01T00:00:00\"", "[]", "99999999999999999999"] {
            assert!(Lifetime::from_json(Some(text.as_bytes())).is_err(), "{text}");
        }
        assert_eq!(Lifetime::from_json(Some(b"null")).unwrap(), Lifetime::Policy);
        assert_eq!(Lifetime::from_json(Some(b"60.0")).unwrap(), Lifetime::Seconds(60));
    }

    proptest! {
        #[test]
        fn written_dates_are_read_back(micros in -62_135_596_800_000_000_i64..253_402_300_800_000_000, offset in -86_399..86_400_i32) {
            let moment = DateTime::from_timestamp_micros(micros).unwrap().with_timezone(&FixedOffset::east_opt(offset).unwrap());
            prop_assume!((1..=9999).contains(&moment.year()));
            let read = date(&format_iso(moment));
            prop_assert_eq!(read, moment);
            prop_assert_eq!(read.offset(), moment.offset());
        }

        #[test]
        fn no_text_breaks_the_reader(text in "[0-9TZ:+.\\- é]{0,36}") {
            let _ = parse_iso(&text);
        }

        #[test]
        fn no_number_breaks_the_arithmetic(seconds in any::<i64>(), micros in any::<i64>()) {
            let now = DateTime::from_timestamp_micros(micros % 8_000_000_000_000_000_000).unwrap_or_default();
            let _ = Lifetime::Seconds(seconds).deadline(now, 1);
            let _ = Lifetime::Seconds(seconds).date(now, 1);
        }
    }
}

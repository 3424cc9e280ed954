//! ISO 8601 dates in Python's format.

use alloc::string::String;

use chrono::{DateTime, Datelike, FixedOffset, NaiveDate, NaiveDateTime, NaiveTime, Timelike};

use crate::json;

/// Formats a date as Python's `datetime.isoformat()` does: microseconds only if they are not 0, and always an offset.
///
/// ```
/// use edge_session::iso;
///
/// let date = iso::parse("20300102T030405Z").unwrap();
/// assert_eq!(iso::format(date), "2030-01-02T03:04:05+00:00");
/// ```
#[must_use]
pub fn format(date: DateTime<FixedOffset>) -> String {
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

/// Appends `number` to `out`, padded with zeros to `width` digits.
pub(crate) fn pad(number: u32, width: usize, out: &mut String) {
    let mut buffer = itoa::Buffer::new();
    let digits = buffer.format(number);
    (digits.len()..width).for_each(|_| out.push('0'));
    out.push_str(digits);
}

/// Parses a date with an offset as Python's `datetime.fromisoformat` does, except week dates and dates without a time. Accepts
/// the extended and the basic form, fractions of any length (truncated to microseconds), and an offset or `Z`.
#[must_use]
pub fn parse(text: &str) -> Option<DateTime<FixedOffset>> {
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

/// The unparsed rest of a text of digits and separators.
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

    /// Parses `HH`, `HH:MM`, `HH:MM:SS` or `HH:MM:SS.fraction`, with or without colons, into seconds of the day and microseconds.
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
        parse(text).unwrap_or_else(|| panic!("{text}"))
    }

    #[test]
    fn iso_dates_are_parsed_as_python_parses_them() {
        let moment = date("2030-01-02T03:04:05.000250+00:00");
        assert_eq!(moment.timestamp_micros(), 1_893_553_445_000_250);
        for same in [
            "2030-01-02T03:04:05.00025Z",
            "2030-01-02 03:04:05.000250+00:00",
            "20300102T030405.000250Z",
            "2030-01-02T05:04:05.0002509+02:00",
            "2030-01-01T22:34:05,000250-04:30",
        ] {
            assert_eq!(date(same), moment, "{same}");
        }
        assert_eq!(date("2030-01-02T03Z").timestamp_micros(), 1_893_553_200_000_000);
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
            assert_eq!(parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn iso_dates_are_formatted_as_python_formats_them() {
        for text in [
            "2030-01-01T00:00:00+00:00",
            "2030-01-01T00:00:00.000001+02:00",
            "1999-12-31T23:59:59.999999-04:30",
            "2030-01-01T00:00:00+01:02:03",
            "0001-01-01T00:00:00+00:00",
        ] {
            assert_eq!(format(date(text)), text);
        }
    }

    proptest! {
        #[test]
        fn parsing_reverses_formatting(micros in -62_135_596_800_000_000_i64..253_402_300_800_000_000, offset in -86_399..86_400_i32) {
            let moment = DateTime::from_timestamp_micros(micros).unwrap().with_timezone(&FixedOffset::east_opt(offset).unwrap());
            prop_assume!((1..=9999).contains(&moment.year()));
            let read = date(&format(moment));
            prop_assert_eq!(read, moment);
            prop_assert_eq!(read.offset(), moment.offset());
        }

        #[test]
        fn no_text_panics_the_parser(text in "[0-9TZ:+.\\- é]{0,36}") {
            let _ = parse(&text);
        }
    }
}

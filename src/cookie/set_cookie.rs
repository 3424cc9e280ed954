//! The `Set-Cookie` header (RFC 6265bis, section 4.1). The settings validated its parts.

use alloc::string::String;
use chrono::{DateTime, Datelike, Timelike, Utc};

use crate::iso::pad;
use crate::session::deadline::Deadline;
use crate::settings::{CookieSlot, MAX_COOKIE_AGE, Settings};

/// How long the browser keeps the cookie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CookieLifetime {
    /// Until the browser closes.
    UntilBrowserCloses,
    /// For this many seconds from now; 0 or less deletes the cookie.
    Seconds(i64),
}

/// Room for the name and the attributes of a usual cookie, in bytes.
const ATTRIBUTES: usize = 192;

/// Returns the header that sets the cookie.
pub(crate) fn set_cookie(
    settings: &Settings,
    slot: CookieSlot,
    token: &str,
    lifetime: CookieLifetime,
    now: DateTime<Utc>,
) -> String {
    let mut header = String::with_capacity(token.len().saturating_add(ATTRIBUTES));
    header.push_str(settings.name_of(slot));
    header.push('=');
    header.push_str(token);
    if let CookieLifetime::Seconds(seconds) = lifetime {
        let seconds = seconds.clamp(-MAX_COOKIE_AGE, MAX_COOKIE_AGE);
        // The year of an HTTP date has four digits.
        let end = Deadline(Deadline::after(now, seconds).0.clamp(0, LAST_SECOND)); // mutation: expires
        header.push_str("; Expires=");
        http_date(end.date().unwrap_or_default(), &mut header);
        header.push_str("; Max-Age=");
        header.push_str(itoa::Buffer::new().format(seconds));
    }
    attributes(settings, &mut header);
    header
}

/// Returns the header that deletes the cookie: the same attributes, no value, an expiry in the past.
pub(crate) fn clear_cookie(settings: &Settings, slot: CookieSlot) -> String {
    let mut header = [settings.name_of(slot), "=; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=0"].concat();
    attributes(settings, &mut header);
    header
}

fn attributes(settings: &Settings, header: &mut String) {
    if let Some(domain) = &settings.cookie_domain {
        header.push_str("; Domain=");
        header.push_str(domain);
    }
    header.push_str("; Path=");
    header.push_str(&settings.cookie_path); // mutation: cookie-path
    if settings.cookie_secure {
        header.push_str("; Secure");
    }
    if settings.cookie_httponly {
        header.push_str("; HttpOnly");
    }
    header.push_str("; SameSite=");
    header.push_str(settings.cookie_samesite.as_str());
    if settings.cookie_partitioned {
        header.push_str("; Partitioned");
    }
}

/// The last second of the year 9999, in microseconds of Unix time.
const LAST_SECOND: i64 = 253_402_300_799_000_000;

const DAYS: [&str; 7] = ["Mon, ", "Tue, ", "Wed, ", "Thu, ", "Fri, ", "Sat, ", "Sun, "];

const MONTHS: [&str; 12] =
    [" Jan ", " Feb ", " Mar ", " Apr ", " May ", " Jun ", " Jul ", " Aug ", " Sep ", " Oct ", " Nov ", " Dec "];

/// Appends an IMF-fixdate (RFC 9110, section 5.6.7).
fn http_date(date: DateTime<Utc>, out: &mut String) {
    let date = date.naive_utc();
    out.push_str(DAYS.get(date.weekday().num_days_from_monday() as usize).copied().unwrap_or_default());
    pad(date.day(), 2, out);
    out.push_str(MONTHS.get(date.month0() as usize).copied().unwrap_or_default());
    pad(date.year().unsigned_abs(), 4, out);
    for (before, part) in [(' ', date.hour()), (':', date.minute()), (':', date.second())] {
        out.push(before);
        pad(part, 2, out);
    }
    out.push_str(" GMT");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::{SameSite, SettingsBuilder};

    fn builder() -> SettingsBuilder {
        Settings::builder(["a secret of at least thirty-two bytes"])
    }

    fn now() -> DateTime<Utc> {
        DateTime::from_timestamp(1_893_456_000, 999_999_000).unwrap()
    }

    #[test]
    fn the_default_cookie_is_the_strict_one() {
        let header =
            set_cookie(&builder().build().unwrap(), CookieSlot::Rotated, "v", CookieLifetime::Seconds(60), now());
        assert_eq!(
            header,
            "__Host-sessionid=v; Expires=Tue, 01 Jan 2030 00:01:00 GMT; Max-Age=60; Path=/; Secure; HttpOnly; SameSite=Lax"
        );
    }

    #[test]
    fn a_browser_session_has_neither_max_age_nor_expires() {
        let header = set_cookie(
            &builder().build().unwrap(),
            CookieSlot::Rotated,
            "v",
            CookieLifetime::UntilBrowserCloses,
            now(),
        );
        assert_eq!(header, "__Host-sessionid=v; Path=/; Secure; HttpOnly; SameSite=Lax");
    }

    #[test]
    fn deletion_repeats_every_attribute() {
        let settings = builder().cookie_domain("example.com").cookie_path("/app").cookie_samesite(SameSite::None);
        assert_eq!(
            clear_cookie(&settings.build().unwrap(), CookieSlot::Rotated),
            "__Secure-sessionid=; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=0; Domain=example.com; Path=/app; Secure; \
             HttpOnly; SameSite=None"
        );
        let embedded = builder().cookie_samesite(SameSite::None).cookie_partitioned(true).build().unwrap();
        assert_eq!(
            clear_cookie(&embedded, CookieSlot::Rotated),
            "__Host-sessionid=; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=0; Path=/; Secure; HttpOnly; SameSite=None; Partitioned"
        );
        let plain = builder().cookie_secure(false).cookie_httponly(false).cookie_samesite(SameSite::Strict);
        assert_eq!(
            clear_cookie(&plain.build().unwrap(), CookieSlot::Anonymous),
            "sessionid-anonymous=; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=0; Path=/; SameSite=Strict"
        );
    }

    // RUSTSEC-2017-0005: an extreme Max-Age panicked.
    #[test]
    fn rustsec_2017_0005_no_age_is_too_large() {
        let settings = builder().build().unwrap();
        for (seconds, shown) in [
            (i64::MAX, 34_560_000),
            (34_560_001, 34_560_000),
            (34_560_000, 34_560_000),
            (0, 0),
            (-1, -1),
            (i64::MIN, -34_560_000),
        ] {
            let header = set_cookie(&settings, CookieSlot::Rotated, "v", CookieLifetime::Seconds(seconds), now());
            assert!(header.contains(&format!("; Max-Age={shown};")), "{header}");
        }
        let far = DateTime::from_timestamp(253_402_300_799, 0).unwrap();
        assert!(set_cookie(&settings, CookieSlot::Rotated, "v", CookieLifetime::Seconds(1), far).contains("GMT"));
    }
}

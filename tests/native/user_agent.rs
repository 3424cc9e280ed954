//! Tests of the tests' own user agent with public data.

use serde_json::Value;

use crate::support::user_agent::{Outcome, SetCookie, Url, UserAgent, parse_date};

/// 1 January 2010: between the past and the future dates of the data.
const NOW: i64 = 1_262_304_000;

struct Case {
    name: String,
    received: Vec<String>,
    sent_to: String,
    sent: String,
}

fn cases(table: &str) -> Vec<Case> {
    let all: Value = serde_json::from_str(include_str!("../data/cookies.json")).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let case = |case: &Value| Case {
        name: text(&case[0]),
        received: case[1].as_array().unwrap().iter().map(text).collect(),
        sent_to: text(&case[2]),
        sent: text(&case[3]),
    };
    all[table].as_array().unwrap().iter().map(case).collect()
}

/// A browser that received these headers in a response from `from`.
fn after(case: &Case, from: &str) -> UserAgent {
    let mut agent = UserAgent::at(NOW);
    for header in &case.received {
        agent.receive(&Url::parse(from), header.as_bytes());
    }
    agent
}

#[test]
fn it_does_what_http_state_expects() {
    let cases = cases("http-state");
    assert_eq!(cases.len(), 216);
    for case in &cases {
        let to = match case.sent_to.as_str() {
            "" => "http://home.example.org:8888/cookie-parser-result".to_owned(),
            path if path.starts_with('/') => format!("http://home.example.org:8888{path}"),
            url => url.to_owned(),
        };
        let mut agent = after(case, "http://home.example.org:8888/cookie-parser");
        // RFC 6265 dropped cookies without a name, RFC 6265bis keeps them.
        agent.cookies.retain(|cookie| !cookie.name.is_empty());
        assert_eq!(agent.send(&Url::parse(&to)), case.sent.as_bytes(), "{}", case.name);
    }
}

#[test]
fn it_does_what_web_platform_tests_expect() {
    let cases = cases("wpt");
    assert_eq!(cases.len(), 78);
    for case in &cases {
        let here = "http://home.example.org:8888/cookies/ordering/resources/ordering-child.html";
        let (from, to) = match case.sent_to.as_str() {
            "" => (here, here.to_owned()),
            url if url.starts_with("https") => ("https://home.example.org/", url.to_owned()),
            path if path.starts_with('/') => (here, format!("http://home.example.org:8888{path}")),
            url => (here, url.to_owned()),
        };
        assert_eq!(after(case, from).send(&Url::parse(&to)), case.sent.as_bytes(), "{}", case.name);
    }
}

// The table of web-platform-tests' cookies/size/name-and-value: lengths of name and value, and whether they are kept.
#[test]
fn it_keeps_4096_bytes_of_name_and_value() {
    for (name, value, kept) in [
        (2048, 2048, true),
        (4097, 1, false),
        (4096, 0, true),
        (4097, 0, false),
        (1, 4095, true),
        (1, 4096, false),
        (4096, 1, false),
        (0, 4096, true),
        (0, 4097, false),
    ] {
        let header = format!("{}={}", "t".repeat(name), "1".repeat(value));
        assert_eq!(SetCookie::parse(header.as_bytes()).is_some(), kept, "{name} + {value}");
    }
    assert!(SetCookie::parse("1".repeat(4097).as_bytes()).is_none());
}

// The table of web-platform-tests' cookies/size/attributes.
#[test]
fn it_ignores_an_attribute_of_more_than_1024_bytes() {
    let (long, host) = ("e".repeat(1024), "home.example.org");
    for header in [
        format!("test=1; path=/cookies/size; path=/cookies/siz{long}"),
        format!("test=2; path=/cookies/siz{long}; path=/cookies/size"),
        format!("test=3; domain={host}; domain={long}.com"),
        format!("test=4; domain={long}.com; domain={host}"),
    ] {
        let url = Url::parse("http://www.home.example.org/cookies/size/attributes.html");
        let mut agent = UserAgent::at(NOW);
        assert_eq!(agent.receive(&url, header.as_bytes()), Outcome::Stored);
        assert!(agent.send(&url).starts_with(b"test="));
    }
}

#[test]
fn a_cookie_with_a_prefix_meets_the_requirements_of_the_prefix() {
    let all = "Secure; Path=/; HttpOnly";
    for (set_cookie, stored) in [
        (format!("__Secure-a=1; {all}"), true),
        ("__Secure-a=1; Path=/".to_owned(), false),
        ("__SECURE-a=1; Path=/".to_owned(), false),
        (format!("__Host-a=1; {all}"), true),
        (format!("__host-a=1; {all}; Domain=home.example.org"), false),
        ("__HOST-a=1; Path=/".to_owned(), false),
        (format!("__Http-a=1; {all}"), true),
        ("__Http-a=1; Secure; Path=/".to_owned(), false),
        (format!("__Host-Http-a=1; {all}"), true),
        ("__Host-Http-a=1; Secure; Path=/".to_owned(), false),
        (format!("__Host-Http-a=1; {all}; Path=/app"), false),
        (format!("=__Host-a=1; {all}"), false),
        (format!("__Secure-a; {all}"), false),
        ("a=1; SameSite=None".to_owned(), false),
        ("a=1; SameSite=None; Secure".to_owned(), true),
        ("a=1\u{7f}".to_owned(), false),
        ("a=1; x=\r".to_owned(), false),
    ] {
        let outcome = UserAgent::at(NOW).receive(&Url::parse("https://home.example.org/"), set_cookie.as_bytes());
        assert_eq!(outcome == Outcome::Stored, stored, "{set_cookie}: {outcome:?}");
    }
}

#[test]
fn a_secure_cookie_is_neither_sent_nor_overlaid_in_the_clear() {
    let (https, http) = (Url::parse("https://example.org/"), Url::parse("http://example.org/"));
    let mut agent = UserAgent::at(NOW);
    assert_eq!(agent.receive(&https, b"a=1; Secure"), Outcome::Stored);
    assert_eq!(agent.send(&http), b"");
    assert_eq!(agent.receive(&http, b"a=2"), Outcome::Ignored("it would overlay a Secure cookie"));
    assert_eq!(agent.send(&https), b"a=1");
}

#[test]
fn dates_are_read_in_every_form_that_was_ever_sent() {
    let moment = 1_893_553_445;
    for date in [
        "Wed, 02 Jan 2030 03:04:05 GMT",
        "Wednesday, 02-Jan-30 03:04:05 GMT",
        "Wed Jan  2 03:04:05 2030",
        "Wed, 2-JANUARY-2030 3:4:5",
        "2030 jan 02 03:04:05+0500 (EST)",
    ] {
        assert_eq!(parse_date(date), Some(moment), "{date}");
    }
    for (date, seconds) in [
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
        ("Tue, 29 Feb 2000 23:59:59 GMT", 951_868_799),
        ("Wed, 31-Dec-69 23:59:59", 3_155_759_999),
        ("Thu, 31-Dec-70 23:59:59", 31_535_999),
        ("Mon, 01 Jan 1601 00:00:00 GMT", -11_644_473_600),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 253_402_300_799),
    ] {
        assert_eq!(parse_date(date), Some(seconds), "{date}");
    }
    for bad in [
        "",
        "soon",
        "29 Feb 2001 00:00:00",
        "1 Jan 1600 00:00:00",
        "1 Jan 2030",
        "1 Jan 2030 24:00:00",
        "32 Jan 2030 00:00:00",
        "1 Jan 2030 00: 00:00",
    ] {
        assert_eq!(parse_date(bad), None, "{bad}");
    }
}

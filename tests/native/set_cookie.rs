//! Every possible `Set-Cookie` header, checked by a user agent that is independent of the crate.

use chrono::{DateTime, Utc};
use edge_session::{ErrorKind, Expiry, MemoryStore, SameSite, Session, Sessions};
use proptest::prelude::*;

use crate::corpus;
use crate::support::user_agent::{Outcome, Url, UserAgent, parse_date};
use crate::support::visit::{self, Choice, attributes, visit};
use crate::support::{Browser, defaults, run, site, site_with, start};

const MAX_AGE: i64 = 34_560_000;

fn choices() -> Vec<Choice> {
    let names = [
        None,
        Some("sessionid"),
        Some("__Secure-sid"),
        Some("__Host-sid"),
        Some("__hOsT-sid"),
        Some("__Http-sid"),
        Some("__Host-Http-sid"),
        Some("__HOST-HTTP-sid"),
    ];
    let mut all = Vec::new();
    for name in names {
        for domain in [None, Some("example.org"), Some(".Example.org")] {
            for path in ["/", "/app", "/a b/%2F\"=,"] {
                for flags in 0..8 {
                    for samesite in [SameSite::Strict, SameSite::Lax, SameSite::None] {
                        all.push(Choice {
                            name: name.map(str::to_owned),
                            domain: domain.map(str::to_owned),
                            path: path.to_owned(),
                            secure: flags & 1 == 0,
                            httponly: flags & 2 == 0,
                            samesite,
                            closes: flags & 4 != 0,
                        });
                    }
                }
            }
        }
    }
    all
}

// C1, C2, C4, C5, C10, C12: the whole matrix. The settings refuse exactly the cookies that a browser would refuse.
#[test]
fn a_browser_keeps_every_cookie_that_the_settings_allow_and_would_refuse_the_others() {
    let (mut kept, mut refused) = (0, 0);
    for choice in choices() {
        match choice.builder().build() {
            Ok(settings) => {
                visit(&choice, settings);
                kept += 1;
            }
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Config);
                // The same cookie, written by hand.
                let mut header = format!("{}=v; Path={}", choice.name.as_deref().unwrap_or("sessionid"), choice.path);
                if let Some(domain) = &choice.domain {
                    header += &format!("; Domain={domain}");
                }
                if choice.secure {
                    header += "; Secure";
                }
                if choice.httponly {
                    header += "; HttpOnly";
                }
                header += &format!("; SameSite={:?}", choice.samesite);
                let outcome = UserAgent::at(start().timestamp()).receive(&choice.url(), header.as_bytes());
                assert!(matches!(outcome, Outcome::Ignored(_)), "{choice:?}: {outcome:?}");
                refused += 1;
            }
        }
    }
    assert_eq!((kept, refused), (558, 1_170));
}

// C1, C3, C4, C5: the defaults are the strict ones.
#[test]
fn without_settings_the_cookie_is_bound_to_the_host_and_hidden_from_scripts() {
    let choice = Choice {
        name: None,
        domain: None,
        path: "/".to_owned(),
        secure: true,
        httponly: true,
        samesite: SameSite::Lax,
        closes: false,
    };
    let settings = defaults().build().unwrap();
    assert_eq!(settings.cookie_name(), "__Host-sessionid");
    assert_eq!(settings.anonymous_cookie_name(), "__Host-sessionid-anonymous");
    visit(&choice, settings);
}

// C7: one cookie for each response, after any number of changes; the application's cookies stay.
#[test]
fn a_response_carries_one_session_cookie_beside_those_of_the_application() {
    let site = site();
    let mut browser = Browser::default();
    let acts: [fn(&mut Session); 4] = [
        |session| session.set("user", "alice").unwrap(),
        |session| session.cycle_key().unwrap(),
        |session| session.set_expiry(Expiry::Seconds(60)).unwrap(),
        |session| session.create(),
    ];
    for last in [false, true] {
        let mut session = site.load(&browser);
        for act in acts {
            act(&mut session);
            run(site.sessions.save(&mut session)).unwrap();
        }
        if last {
            run(site.sessions.flush(&mut session)).unwrap();
        }
        let headers = site.commit(&mut browser, session, 200);
        let own =
            ["theme=dark; Path=/", "__Host-sessionid2=x"].map(|cookie| ("Set-Cookie".to_owned(), cookie.to_owned()));
        let mut response = own.to_vec();
        headers.apply(&mut response).unwrap();
        let cookies: Vec<_> = response.iter().filter(|(name, _)| name == "Set-Cookie").collect();
        assert_eq!(cookies.len(), 3);
        assert_eq!(&response[..2], &own);
        let header = &cookies[2].1;
        assert_eq!(header.starts_with("__Host-sessionid=;"), last);
        let names: Vec<_> = attributes(header).into_iter().map(|(name, _)| name).collect();
        let mut once = names.clone();
        once.dedup();
        assert!(names == once && names.len() >= 5, "{header}");
    }
}

// B12: after any series of writes, the cookie is small enough for a browser.
#[test]
fn no_number_of_writes_makes_a_cookie_too_large() {
    for name in ["__Host-sessionid", &"s".repeat(128)] {
        let site = site_with(defaults().cookie_name(name));
        let url = Url::parse("https://example.org/");
        let mut agent = UserAgent::at(start().timestamp());
        let mut header = String::new();
        for request in 0..60 {
            let mut session = run(site.sessions.load(&header)).unwrap();
            assert_eq!(session.keys().unwrap().len(), request);
            session.set(&format!("key {request} {}", "k".repeat(request * 3)), "v".repeat(request * 8)).unwrap();
            let headers = run(site.sessions.commit_headers(&mut session, 200)).unwrap();
            assert_eq!(agent.receive(&url, headers.set_cookie().unwrap().as_bytes()), Outcome::Stored, "{request}");
            site.advance(1);
            agent.now += 1;
            header = String::from_utf8(agent.send(&url)).unwrap();
            assert!(header.len() <= 4096 + 1, "name and value; the equals sign is neither");
        }
    }
}

// H10: the kept corpus of the fuzz target, on every run.
#[test]
fn the_kept_corpus_of_settings_holds() {
    let inputs = corpus::inputs("set_cookie");
    assert!(inputs.len() >= 10);
    inputs.iter().for_each(|input| visit::any(input));
}

/// The header of a session with this expiry at this time, and the expiry of the cookie in a browser at that time.
fn at(now: DateTime<Utc>, expiry: Expiry) -> (String, UserAgent) {
    let settings = defaults().absolute_age(3_155_760_000).build().unwrap();
    let sessions = Sessions::new(MemoryStore::default(), settings).with_clock(move || now);
    let mut session = run(sessions.load("")).unwrap();
    session.set("user", "alice").unwrap();
    session.set_expiry(expiry).unwrap();
    let headers = run(sessions.commit_headers(&mut session, 200)).unwrap();
    let header = headers.set_cookie().unwrap().to_owned();
    let mut agent = UserAgent::at(now.timestamp());
    agent.receive(&Url::parse("https://example.org/"), header.as_bytes());
    (header, agent)
}

fn number(header: &str, attribute: &str) -> i64 {
    let found = attributes(header).into_iter().find(|(name, _)| name == attribute).unwrap();
    found.1.parse().unwrap()
}

fn date(header: &str) -> i64 {
    let text = attributes(header).into_iter().find(|(name, _)| name == "expires").unwrap().1;
    // IMF-fixdate, of 29 characters: a number of four digits is the year.
    assert_eq!((text.len(), &text[25..]), (29, " GMT"), "{text}");
    parse_date(&text).unwrap_or_else(|| panic!("{text}"))
}

// C8, C9: Max-Age and Expires agree for any number of seconds.
#[test]
fn an_age_is_capped_at_400_days_and_its_date_agrees() {
    for (seconds, shown) in [
        (i64::MAX, MAX_AGE),
        (MAX_AGE + 1, MAX_AGE),
        (MAX_AGE, MAX_AGE),
        (MAX_AGE - 1, MAX_AGE - 1),
        (1, 1),
        (-1, -1),
        (i64::MIN, -MAX_AGE),
    ] {
        let (header, agent) = at(start(), Expiry::Seconds(seconds));
        assert_eq!(number(&header, "max-age"), shown);
        assert_eq!(date(&header), start().timestamp() + shown);
        assert_eq!(agent.cookies.len(), usize::from(shown > 0), "{header}");
    }
    let (header, agent) = at(start(), Expiry::BROWSER_CLOSE);
    assert!(!header.contains("Expires") && !header.contains("Max-Age"));
    assert_eq!(agent.cookies[0].expires, None);
}

/// Any time that the clock type can represent.
fn any_time() -> impl Strategy<Value = DateTime<Utc>> {
    let (first, last) = (DateTime::<Utc>::MIN_UTC.timestamp(), DateTime::<Utc>::MAX_UTC.timestamp());
    let edges = [first, last, 0, -1, 253_402_300_799, 253_402_300_800, -62_135_596_800, i64::from(u32::MAX), 1 << 31];
    let seconds = prop_oneof![first..=last, 0..=253_402_300_799_i64, prop::sample::select(edges.to_vec())];
    (seconds, 0..1_000_000_000_u32)
        .prop_map(|(seconds, nanos)| DateTime::from_timestamp(seconds, nanos).unwrap_or_default())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1_000) })]

    // C6: any name, domain and path give an error, or a cookie with exactly these attributes.
    // CVE-2026-29086, CVE-2026-47675, CVE-2026-56762 (Hono), CVE-2026-0672 (CPython), CVE-2024-47764 (npm cookie).
    #[test]
    fn cve_2026_0672_no_setting_can_smuggle_an_attribute_in(
        name in prop::option::of(prop_oneof![any::<String>(), "[!-~]{1,20}", "(__Host-|__Secure-|__Http-)?[a-z;=, ]{1,12}"]),
        domain in prop::option::of(prop_oneof![any::<String>(), "[a-z0-9.-]{1,20}", "example.org[;, \r\n=a-zA-Z]{1,20}"]),
        path in prop_oneof![any::<String>(), "/[ -~]{0,20}", "/[;, \r\n\u{7f}é=a-zA-Z]{0,20}"],
        secure: bool,
        httponly: bool,
        closes: bool,
    ) {
        let choice = Choice { name, domain, path, secure, httponly, samesite: SameSite::Lax, closes };
        match choice.builder().build() {
            Ok(settings) => visit(&choice, settings),
            Err(error) => prop_assert_eq!(error.kind(), ErrorKind::Config),
        }
    }

    // C8, E6: any clock, any expiry.
    #[test]
    fn no_clock_and_no_expiry_break_the_cookie(now in any_time(), seconds in prop_oneof![any::<i64>(), -100_000_000..100_000_000_i64]) {
        prop_assume!(seconds != 0);
        let (header, agent) = at(now, Expiry::Seconds(seconds));
        let age = number(&header, "max-age");
        prop_assert_eq!(age, seconds.clamp(-MAX_AGE, MAX_AGE));
        prop_assert_eq!(date(&header), (now.timestamp() + age).clamp(0, 253_402_300_799));
        let kept = agent.cookies.first().and_then(|cookie| cookie.expires);
        prop_assert_eq!(kept, (age > 0).then(|| now.timestamp() + age), "{}", header);
    }
}

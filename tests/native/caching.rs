//! Shared caches: no response that depends on a session may be stored.

use edge_session::{Expiry, ResponseHeaders, Session, SessionHeaders};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use crate::support::{self, Browser, Failing, defaults, site, site_with};

fn owned(headers: &[(&str, &str)]) -> Vec<(String, String)> {
    headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// The application's headers, with those of the session applied.
fn applied(headers: &SessionHeaders, present: &[(&str, &str)]) -> Vec<(String, String)> {
    let mut all = owned(present);
    headers.apply(&mut all).unwrap();
    all
}

fn header(headers: &Vec<(String, String)>, name: &str) -> Option<String> {
    headers.get(name).unwrap()
}

/// Returns whether a shared cache that ignores cookies may store a response with these headers.
fn may_be_shared(headers: &Vec<(String, String)>) -> bool {
    let cache_control = header(headers, "Cache-Control").unwrap_or_default().to_ascii_lowercase();
    let forbids = |directive: &str| matches!(directive.trim(), "private" | "no-store");
    let shared = ["CDN-Cache-Control", "Cloudflare-CDN-Cache-Control", "Surrogate-Control"];
    !cache_control.split(',').any(forbids) || shared.iter().any(|name| header(headers, name).is_some())
}

fn varies(headers: &Vec<(String, String)>) -> bool {
    let vary = header(headers, "Vary").unwrap_or_default().to_ascii_lowercase();
    vary.split(',').any(|name| matches!(name.trim(), "cookie" | "*"))
}

/// The action of a handler on its session.
type Handler = fn(&mut Session);

/// Headers of an application that allow every cache to store its page for a long time.
const GREEDY: [&[(&str, &str)]; 6] = [
    &[],
    &[("Cache-Control", "public, max-age=3600, s-maxage=86400")],
    &[("cache-control", "PUBLIC"), ("Cache-Control", "S-MaxAge=60")],
    &[("Cache-Control", "private=\"set-cookie\", max-age=60")],
    &[("Cache-Control", "no-cache=\"set-cookie\", immutable")],
    &[
        ("CDN-Cache-Control", "max-age=60"),
        ("cloudflare-cdn-cache-control", "max-age=60"),
        ("Surrogate-Control", "max-age=60"),
    ],
];

// K1, K3, CVE-2014-0473 and CVE-2014-1418 (Django): a page with the CSRF token of one visitor was cached for all visitors.
#[test]
fn cve_2014_0473_a_page_that_read_its_session_is_not_shared() {
    let site = site();
    let alice = site.visitor();
    for browser in [&alice, &Browser::default()] {
        for present in GREEDY {
            let headers = site.request(&mut browser.clone(), |session| _ = session.get::<String>("csrf").unwrap());
            let all = applied(&headers, present);
            assert!(varies(&all) && !may_be_shared(&all), "{all:?}");
            // K5: no header makes a cache store the page without its cookie.
            assert!(!header(&all, "Cache-Control").unwrap().contains("private="), "{all:?}");
        }
    }
}

// K2, CVE-2026-35192 (Django), CVE-2025-48947 (nextjs-auth0), CVE-2025-64762 (authkit-nextjs): a response with the session's
// cookie was cached, because no code had accessed the session or because the page was `public`.
#[test]
fn cve_2026_35192_no_response_that_sets_or_deletes_the_cookie_is_stored() {
    let site = site_with(defaults().save_every_request(true));
    let alice = site.visitor();
    site.advance(500_000);
    let forged = Browser(Some("__Host-sessionid=forged".to_owned()));
    let cases: [(&Browser, Handler); 6] = [
        (&alice, |_| ()), // a renewal
        (&alice, |session| session.set("page", 1).unwrap()),
        (&alice, |session| session.cycle_key().unwrap()),
        (&alice, |session| session.set_expiry(Expiry::BROWSER_CLOSE).unwrap()),
        (&Browser::default(), |session| session.set("page", 1).unwrap()),
        (&forged, |_| ()), // is deleted
    ];
    for (at, (browser, handler)) in cases.into_iter().enumerate() {
        for present in GREEDY {
            // Each on its own, since a login revokes the key that the next ones would use.
            let site = support::site_on(site.elsewhere(defaults()).store, defaults().save_every_request(true));
            let headers = site.request(&mut browser.clone(), handler);
            assert!(headers.set_cookie().is_some(), "{at}");
            let all = applied(&headers, present);
            assert_eq!(header(&all, "Cache-Control").as_deref(), Some("private, no-store"), "{at}");
            assert!(varies(&all) && !may_be_shared(&all), "{at}: {all:?}");
        }
    }
}

#[test]
fn the_response_to_a_logout_clears_the_browsers_data_of_the_site_if_the_setting_says_so() {
    for (setting, expected) in [(true, Some("\"cache\", \"storage\"")), (false, None)] {
        let site = site_with(defaults().clear_site_data(setting));
        let mut alice = site.visitor();
        let change = applied(&site.request(&mut alice, |session| session.set("page", 1).unwrap()), &[]);
        assert_eq!(header(&change, "Clear-Site-Data"), None);
        let logout = applied(&site.logout(&mut alice, 200), &[]);
        assert_eq!(header(&logout, "Clear-Site-Data").as_deref(), expected);
    }
}

// K2, CVE-2026-48588 (Django): a request with an unrelated cookie was treated as one without a session.
#[test]
fn cve_2026_48588_other_cookies_make_no_difference() {
    let site = site();
    let alice = site.visitor();
    for others in ["", "theme=dark", "csrftoken=x; theme=dark", "sessionid=x; __Host-sessionid2=y"] {
        let mut browser = Browser(Some(format!("{others}; {}", alice.header())));
        let read = applied(&site.request(&mut browser, |session| _ = session.keys().unwrap()), GREEDY[1]);
        assert_eq!(header(&read, "Cache-Control").as_deref(), Some("private, max-age=3600"), "{others}");
        let mut visitor = Browser(Some(others.to_owned()));
        let own = [GREEDY[1], &[("Set-Cookie", "theme=light")]].concat();
        let written = applied(&site.request(&mut visitor, |session| session.set("page", 1).unwrap()), &own);
        assert_eq!(header(&written, "Cache-Control").as_deref(), Some("private, no-store"), "{others}");
        assert!(varies(&read) && varies(&written));
        assert!(header(&written, "Set-Cookie").unwrap().contains("theme=light"), "the application's own stays");
    }
}

// K4, CVE-2026-35193 (Django): other values of `Vary` were dropped.
#[test]
fn cve_2026_35193_other_vary_values_are_kept() {
    let site = site();
    for (present, merged) in [
        (&[("Vary", "Authorization")][..], "Authorization, Cookie"),
        (&[("vary", "Accept-Language"), ("VARY", "Authorization")], "Accept-Language, Authorization, Cookie"),
        (&[("Vary", "Authorization, cookie")], "Authorization, cookie"),
        (&[("Vary", "Authorization"), ("Vary", "*")], "*"),
    ] {
        let headers = site.request(&mut Browser::default(), |session| _ = session.is_new().unwrap());
        let all = applied(&headers, present);
        assert_eq!(header(&all, "Vary").as_deref(), Some(merged));
        assert_eq!(all.iter().filter(|(name, _)| name.eq_ignore_ascii_case("vary")).count(), 1);
    }
}

// K1: also if the access fails, since that response depends on the cookie as well.
#[test]
fn a_response_after_a_failed_read_is_not_shared() {
    let site = site();
    let mut alice = site.visitor();
    site.fail(Failing::Reads);
    let headers = site.request_answered(503, &mut alice, |session| assert!(session.get::<String>("user").is_err()));
    let all = applied(&headers, GREEDY[1]);
    assert!(varies(&all) && !may_be_shared(&all));
    let all = applied(&SessionHeaders::for_failure(), GREEDY[5]);
    assert!(varies(&all) && !may_be_shared(&all));
}

// K6: without an access to the session, the headers of the page do not change.
#[test]
fn an_untouched_page_stays_as_it_was() {
    let site = site();
    let alice = site.visitor();
    for browser in [&alice, &Browser::default(), &Browser(Some("theme=dark".to_owned()))] {
        for present in GREEDY {
            let headers = site.request(&mut browser.clone(), |_| ());
            assert_eq!(applied(&headers, present), owned(present));
        }
    }
}

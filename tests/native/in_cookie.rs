//! Sessions that their cookies contain: no store, and no call by key.

use chrono::{DateTime, TimeDelta, Utc};
use edge_session::settings::SettingsBuilder;
use edge_session::store::CookieStore;
use edge_session::{ErrorKind, Expiry, LoadReason, MemoryStore, Session, Sessions};
use std::cell::Cell;
use std::rc::Rc;

use crate::support::{ANONYMOUS, Browser, ROTATED, cookies, defaults, run, start};

struct Site {
    sessions: Sessions<CookieStore>,
    now: Rc<Cell<DateTime<Utc>>>,
}

fn site_with(settings: SettingsBuilder) -> Site {
    let now = Rc::new(Cell::new(start()));
    let clock = Rc::clone(&now);
    Site { sessions: Sessions::new(CookieStore, settings.build().unwrap()).with_clock(move || clock.get()), now }
}

impl Site {
    fn load(&self, browser: &Browser) -> Session {
        run(self.sessions.load(browser.header())).unwrap()
    }

    fn request(&self, browser: &mut Browser, handler: impl FnOnce(&mut Session)) -> Vec<String> {
        let mut session = self.load(browser);
        handler(&mut session);
        let headers = run(self.sessions.commit_headers(&mut session, 200)).unwrap();
        browser.take(&headers);
        cookies(&headers)
    }

    fn user(&self, browser: &Browser) -> Option<String> {
        self.load(browser).get("user").unwrap()
    }
}

#[test]
fn a_session_is_in_its_cookie_from_request_to_request() {
    let site = site_with(defaults());
    let mut browser = Browser::default();
    let given = site.request(&mut browser, |session| session.set("user", "alice").unwrap());
    assert_eq!(given, [format!("+{ANONYMOUS}")]);
    let mut session = site.load(&browser);
    assert_eq!(
        (session.load_reason(), session.get::<String>("user").unwrap().as_deref()),
        (LoadReason::Live, Some("alice"))
    );
    assert!(
        site.request(&mut browser, |session| assert!(session.contains_key("user").unwrap())).is_empty(),
        "reading sends nothing"
    );
    site.request(&mut browser, |session| session.set("cart", ["apple"]).unwrap());
    let login = site.request(&mut browser, |session| session.cycle_key().unwrap());
    assert_eq!(login, [format!("+{ROTATED}"), format!("-{ANONYMOUS}")]);
    assert_eq!(site.user(&browser).as_deref(), Some("alice"));
    let mut session = site.load(&browser);
    run(site.sessions.flush(&mut session)).unwrap();
    let headers = run(site.sessions.commit_headers(&mut session, 200)).unwrap();
    assert_eq!(cookies(&headers), [format!("-{ROTATED}")]);
}

#[test]
fn the_sessions_own_expiry_and_the_absolute_one_hold() {
    let site = site_with(defaults().cookie_age(1_000).absolute_age(2_000));
    let mut browser = Browser::default();
    site.request(&mut browser, |session| {
        session.set("user", "alice").unwrap();
        session.set_expiry(Expiry::Seconds(100)).unwrap();
    });
    site.now.set(start() + TimeDelta::seconds(99));
    assert_eq!(site.user(&browser).as_deref(), Some("alice"));
    site.now.set(start() + TimeDelta::seconds(100));
    assert_eq!((site.user(&browser), site.load(&browser).load_reason()), (None, LoadReason::Expired));
    site.now.set(start());
    site.request(&mut browser, |session| session.set_expiry(Expiry::Seconds(50_000)).unwrap());
    site.now.set(start() + TimeDelta::seconds(2_000));
    assert_eq!(site.user(&browser), None);
}

#[test]
fn a_cookie_that_no_browser_keeps_is_refused_with_its_length_and_nothing_changes() {
    let site = site_with(defaults());
    let mut browser = Browser::default();
    site.request(&mut browser, |session| session.set("user", "alice").unwrap());
    let before = browser.clone();
    let mut most = 0;
    for length in (2_000..3_200).step_by(10) {
        let mut session = site.load(&before);
        session.set("text", "x".repeat(length)).unwrap();
        match run(site.sessions.commit_headers(&mut session, 200)) {
            Ok(headers) => {
                let cookie = headers.set_cookie().unwrap().split(';').next().unwrap();
                assert!(cookie.len() <= 4_097, "name, value and the equals sign");
                most = length;
            }
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::TooLarge);
                let text = error.to_string();
                let bytes: usize = text.split(' ').find_map(|word| word.parse().ok()).unwrap();
                assert!((4_097..5_000).contains(&bytes), "{text}");
            }
        }
    }
    assert!((2_500..3_000).contains(&most), "{most}");
    assert_eq!(site.user(&before).as_deref(), Some("alice"));
}

#[test]
fn calls_by_session_key_are_refused() {
    let site = site_with(defaults());
    let mut browser = Browser::default();
    site.request(&mut browser, |session| session.set("user", "alice").unwrap());
    let key = site.load(&browser).session_key().unwrap().as_str().to_owned();
    let kind = |error: edge_session::Error| error.kind();
    assert_eq!(run(site.sessions.exists(&key)).map_err(kind), Err(ErrorKind::Usage));
    assert_eq!(run(site.sessions.delete(&key)).map_err(kind), Err(ErrorKind::Usage));
    let mut opened = run(site.sessions.open(&key)).unwrap();
    assert_eq!(opened.get::<String>("user").map_err(kind), Err(ErrorKind::Usage));
    assert!(run(site.sessions.clear_expired()).unwrap().complete);
}

// The authenticated data differ: neither engine takes a token of the other one.
#[test]
fn a_token_of_another_engine_opens_nothing() {
    let site = site_with(defaults());
    let stored = Sessions::new(MemoryStore::default(), defaults().build().unwrap());
    let mut of_store = Browser::default();
    let mut session = run(stored.load("")).unwrap();
    session.set("user", "alice").unwrap();
    of_store.take(&run(stored.commit_headers(&mut session, 200)).unwrap());
    assert_eq!(site.load(&of_store).load_reason(), LoadReason::Malformed);
    let mut of_cookie = Browser::default();
    site.request(&mut of_cookie, |session| session.set("user", "alice").unwrap());
    assert_eq!(run(stored.load(of_cookie.header())).unwrap().load_reason(), LoadReason::Malformed);
}

#[test]
fn an_older_cookie_of_the_same_session_brings_its_data_back_as_documented() {
    let site = site_with(defaults());
    let mut browser = Browser::default();
    site.request(&mut browser, |session| session.set("user", "alice").unwrap());
    let copy = browser.clone();
    let mut session = site.load(&browser);
    run(site.sessions.flush(&mut session)).unwrap();
    assert_eq!(site.user(&copy).as_deref(), Some("alice"), "a logout does not reach a copy");
}

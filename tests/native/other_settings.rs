//! Deployments with other settings beside this one: their sessions and cookies are left unchanged.

use edge_session::settings::SettingsBuilder;
use edge_session::{LoadReason, Session};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use crate::support::{self, Browser, Site, cookies, defaults, site_on, site_with};

/// The other deployment's settings: another key prefix, or a smaller limit.
fn others() -> [fn() -> SettingsBuilder; 2] {
    [|| defaults().key_prefix("shop"), || defaults().max_record_bytes(1_024)]
}

/// A visitor, logged in or not, whose session is larger than the other deployment's limit.
fn visitor(site: &Site, is_login: bool) -> Browser {
    let mut browser = site.visitor();
    site.request(&mut browser, |session| session.set("cart", "x".repeat(3_000)).unwrap());
    if is_login {
        site.login(&mut browser);
    }
    browser
}

/// Runs a test with a visitor of one deployment, and the other deployment.
fn each(test: impl Fn(&Site, &Site, Browser)) {
    for other in others() {
        for is_login in [false, true] {
            for save_every_request in [false, true] {
                let site = site_with(defaults());
                let browser = visitor(&site, is_login);
                let other = site_on(site.store.clone(), other().save_every_request(save_every_request));
                site.operations();
                test(&site, &other, browser);
            }
        }
    }
}

#[test]
fn a_visit_at_a_deployment_with_other_settings_costs_no_session() {
    each(|site, other, browser| {
        let before = site.store.memory.entries();
        let handlers: [fn(&mut Session); 3] = [
            |_| (),
            |session| assert!(session.keys().unwrap().is_empty()),
            |session| assert!(session.is_new().unwrap()),
        ];
        for handler in handlers {
            for seconds in [0, 10] {
                let mut session = other.load(&browser);
                assert_eq!(session.load_reason(), LoadReason::OtherSettings);
                assert_eq!(other.event_kinds(), ["other-settings"]);
                handler(&mut session);
                other.advance(seconds);
                let mut after = browser.clone();
                let headers = other.commit(&mut after, session, 200);
                assert!(headers.set_cookies().is_empty() && after == browser);
            }
        }
        assert_eq!(site.store.memory.entries(), before);
        assert_eq!(site.user(&browser).as_deref(), Some("alice"), "the first deployment still reads it unchanged");
    });
}

#[test]
fn a_token_of_another_key_prefix_costs_no_read() {
    let site = site_with(defaults());
    let other = site_on(site.store.clone(), defaults().key_prefix("shop"));
    for is_login in [false, true] {
        let browser = visitor(&site, is_login);
        site.operations();
        assert_eq!(other.load(&browser).load_reason(), LoadReason::OtherSettings);
        assert!(site.operations().is_empty());
    }
}

#[test]
fn a_save_there_starts_a_session_of_its_own() {
    each(|site, other, browser| {
        let mut there = browser.clone();
        let headers = other.request(&mut there, |session| {
            assert!(session.keys().unwrap().is_empty());
            session.set("user", "bob").unwrap();
        });
        assert_eq!(cookies(&headers)[0], "+__Host-sessionid-anonymous");
        let bob = Browser(there.cookie(support::ANONYMOUS).map(|token| format!("{}={token}", support::ANONYMOUS)));
        assert_eq!(other.user(&bob).as_deref(), Some("bob"));
        assert_eq!(site.user(&browser).as_deref(), Some("alice"), "the record of the first one is not written");
    });
}

#[test]
fn a_logout_there_deletes_the_cookie() {
    each(|_, other, browser| {
        let headers = other.logout(&mut browser.clone(), 200);
        let name = browser.header().split('=').next().unwrap().to_owned();
        assert_eq!(cookies(&headers), [format!("-{name}")]);
    });
}

#[test]
fn a_logout_under_a_lower_limit_ends_the_session_everywhere() {
    for is_login in [false, true] {
        let site = site_with(defaults());
        let browser = visitor(&site, is_login);
        let other = site_on(site.store.clone(), defaults().max_record_bytes(1_024));
        other.logout(&mut browser.clone(), 200);
        assert_eq!((site.user(&browser), site.load(&browser).load_reason()), (None, LoadReason::Revoked));
    }
}

#[test]
fn two_prefixes_share_no_session_although_they_share_secret_store_and_cookie_name() {
    let site = site_with(defaults());
    let other = site_on(site.store.clone(), defaults().key_prefix("shop"));
    let browser = visitor(&site, true);
    let key = site.session_key(&browser);
    let mut session = support::run(other.sessions.open(&key)).unwrap();
    assert!(session.keys().unwrap().is_empty());
    support::run(other.sessions.delete(&key)).unwrap();
    assert_eq!(site.user(&browser).as_deref(), Some("alice"), "a key names a session of one prefix");
}

#[test]
fn other_lifetimes_leave_a_session_as_it_is() {
    let site = site_with(defaults());
    let browser = visitor(&site, true);
    for settings in
        [defaults().absolute_age(60).cookie_age(60), defaults().cookie_age(60), defaults().check_ended(false)]
    {
        let other = site_on(site.store.clone(), settings);
        other.advance(300);
        assert_eq!(other.load(&browser).load_reason(), LoadReason::Live);
        assert_eq!((other.user(&browser).as_deref(), site.user(&browser).as_deref()), (Some("alice"), Some("alice")));
    }
}

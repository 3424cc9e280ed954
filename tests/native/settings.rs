//! Settings are validated on construction, so that no request fails because of a contradiction.

use edge_session::settings::SettingsBuilder;
use edge_session::{ErrorKind, SameSite, Settings};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

fn builder() -> SettingsBuilder {
    Settings::builder(["a secret of at least thirty-two bytes"])
}

#[track_caller]
fn refused(settings: SettingsBuilder, names: &str) {
    let error = settings.build().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().contains(names), "{error}");
}

#[test]
fn the_cookie_name_follows_from_the_other_settings() {
    let name = |settings: SettingsBuilder| settings.build().unwrap().cookie_name().to_owned();
    assert_eq!(name(builder()), "__Host-sessionid");
    assert_eq!(name(builder().cookie_domain("example.com")), "__Secure-sessionid");
    assert_eq!(name(builder().cookie_path("/app")), "__Secure-sessionid");
    assert_eq!(name(builder().cookie_secure(false)), "sessionid");
    assert_eq!(name(builder().cookie_name("sid")), "sid");
}

// C1, C2, C4, C5
#[test]
fn contradictions_are_refused() {
    refused(builder().cookie_name("__Host-sid").cookie_domain("example.com"), "__Host-sid");
    refused(builder().cookie_name("__HOST-sid").cookie_path("/app"), "__HOST-sid");
    refused(builder().cookie_name("__Host-sid").cookie_secure(false), "SESSION_COOKIE_SECURE");
    refused(builder().cookie_name("__secure-sid").cookie_secure(false), "SESSION_COOKIE_SECURE");
    refused(builder().cookie_name("__Http-sid").cookie_httponly(false), "SESSION_COOKIE_HTTPONLY");
    refused(builder().cookie_name("__Host-Http-sid").cookie_path("/app"), "__Host-Http-sid");
    // With the suffix `-anonymous` the name begins with a prefix, and browsers refuse the cookie.
    refused(builder().cookie_name("__Secure").cookie_secure(false), "SESSION_COOKIE_SECURE");
    refused(builder().cookie_name("__host").cookie_path("/app"), "__host");
    refused(builder().cookie_samesite(SameSite::None).cookie_secure(false), "SESSION_COOKIE_SAMESITE");
    refused(builder().cookie_partitioned(true).cookie_secure(false), "SESSION_COOKIE_PARTITIONED");
}

// C6, CVE-2026-29086, -47675 and -56762 (Hono): attributes were injected through the domain, then others, then the name.
#[test]
fn cve_2026_29086_nothing_can_be_injected_into_the_header() {
    for text in ["a;b", "a b", "a,b", "a=b", "a\r\nSet-Cookie: x=y", "a\0", "é", "", "a\u{7f}"] {
        refused(builder().cookie_name(text), "SESSION_COOKIE_NAME");
        refused(builder().cookie_domain(text), "SESSION_COOKIE_DOMAIN");
    }
    for path in ["", "app", "/a;b", "/a\r\nb", "/\0", "/é", "/; HttpOnly=no\n", "/a "] {
        refused(builder().cookie_path(path), "SESSION_COOKIE_PATH");
    }
    for domain in ["https://example.com", "example.com:8787", "exa mple.com", "-a.com", "a..com", "..", &"a".repeat(64)]
    {
        refused(builder().cookie_domain(domain), "SESSION_COOKIE_DOMAIN");
    }
    assert!(builder().cookie_domain(".example.com").build().is_ok());
}

// C8, H1
#[test]
fn ages_and_sizes_have_bounds() {
    for seconds in [0, -1, i64::MIN, i64::MAX] {
        refused(builder().cookie_age(seconds), "SESSION_COOKIE_AGE");
        refused(builder().absolute_age(seconds), "SESSION_ABSOLUTE_AGE");
    }
    refused(builder().max_record_bytes(0), "SESSION_MAX_RECORD_BYTES");
    refused(builder().max_record_bytes(usize::MAX), "SESSION_MAX_RECORD_BYTES");
    refused(builder().key_prefix(""), "SESSION_KEY_PREFIX");
    refused(builder().key_prefix("a:b"), "SESSION_KEY_PREFIX");
}

#[test]
fn a_short_or_missing_secret_is_refused_and_never_shown() {
    refused(Settings::builder(["x".repeat(31)]), "SESSION_SECRET");
    refused(Settings::builder([""; 0]), "SESSION_SECRET");
    let shown = format!("{:?}", builder());
    assert!(!shown.contains("thirty-two"), "{shown}");
}

//! `Vary` and `Cache-Control` of responses that depend on the cookie.

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;

/// Headers that let a shared cache store the response regardless of `Cache-Control`.
pub const SHARED_CACHE_HEADERS: [&str; 3] = ["CDN-Cache-Control", "Cloudflare-CDN-Cache-Control", "Surrogate-Control"];

/// Adds `Cookie` to the value of a `Vary` header. Other names and their order stay, case is ignored, and `*` stays alone.
#[must_use]
pub fn vary(present: &str) -> String {
    let mut names: Vec<_> = present.split(',').map(str::trim).filter(|name| !name.is_empty()).collect();
    if names.contains(&"*") {
        return "*".to_owned();
    }
    if !names.iter().any(|name| name.eq_ignore_ascii_case("cookie")) {
        names.push("Cookie"); // mutation: vary-names
    }
    names.join(", ")
}

/// Makes a `Cache-Control` header private, or forbids storing if the response sets a cookie. Removes the directives of shared
/// caches.
#[must_use]
pub fn cache_control(present: &str, sets_cookie: bool) -> String {
    if sets_cookie {
        return "private, no-store".to_owned();
    }
    let mut directives = vec!["private"];
    for directive in split_directives(present) {
        let name = directive.split('=').next().unwrap_or_default().trim();
        let shared = ["private", "public", "s-maxage", "proxy-revalidate"];
        if !shared.iter().any(|other| name.eq_ignore_ascii_case(other)) {
            directives.push(directive);
        }
    }
    directives.join(", ")
}

/// Splits directives at commas outside of quotes.
fn split_directives(text: &str) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    let directives = text.split(move |c: char| {
        quoted ^= c == '"';
        c == ',' && !quoted
    });
    directives.map(str::trim).filter(|directive| !directive.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    // CVE-2026-6907 and CVE-2026-8404 (Django): a Vary of `*` and letters' case were mishandled.
    #[test]
    fn cve_2026_6907_vary_is_merged() {
        for (present, merged) in [
            (None, "Cookie"),
            (Some(""), "Cookie"),
            (Some("Accept"), "Accept, Cookie"),
            (Some("accept, COOKIE"), "accept, COOKIE"),
            (Some("Accept-Encoding ,Accept"), "Accept-Encoding, Accept, Cookie"),
            (Some("*"), "*"),
            (Some("Accept, *"), "*"),
        ] {
            assert_eq!(vary(present.unwrap_or_default()), merged);
        }
    }

    // CVE-2025-48947, CVE-2025-64762, CVE-2026-8404: a shared cache kept a response that set a session cookie.
    #[test]
    fn cve_2025_48947_no_shared_cache_keeps_it() {
        for (present, merged) in [
            (None, "private"),
            (Some("public, max-age=60"), "private, max-age=60"),
            (Some("PUBLIC, S-MaxAge=60 , Max-Age=5"), "private, Max-Age=5"),
            (Some("Private"), "private"),
            (Some("no-cache=\"a, public\", s-maxage=9"), "private, no-cache=\"a, public\""),
            (Some("private=\"set-cookie\""), "private"),
            (Some("no-store"), "private, no-store"),
        ] {
            let present = present.unwrap_or_default();
            assert_eq!(cache_control(present, false), merged);
            assert_eq!(cache_control(present, true), "private, no-store");
        }
    }
}

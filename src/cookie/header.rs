//! The parser of the `Cookie` header (RFC 6265bis, section 5.8.3).

use alloc::vec::Vec;

/// The length of the longest header that is parsed, in bytes.
const MAX_HEADER: usize = 128 * 1024;

/// The maximum number of distinct values of one name.
const MAX_VALUES: usize = 4;

/// The cookies of one name in a `Cookie` header.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct FoundCookie<'a> {
    /// Whether the header contains the name.
    pub(crate) presented: bool,
    /// The distinct values, neither decoded nor unquoted. Empty if there were too many.
    pub(crate) values: Vec<&'a [u8]>,
}

/// Finds the cookies of each name in one pass. Only `;` separates cookies, only space and tab are trimmed, names match exactly,
/// and values are neither decoded nor unquoted.
pub(crate) fn find_cookies<'a, const N: usize>(header: &'a [u8], names: [&str; N]) -> [FoundCookie<'a>; N] {
    let mut all = [const { FoundCookie { presented: false, values: Vec::new() } }; N];
    if header.len() > MAX_HEADER {
        return all;
    }
    for pair in header.split(|byte| *byte == b';') {
        let Some(at) = pair.iter().position(|byte| *byte == b'=') else { continue };
        let Some((key, value)) = pair.split_at_checked(at) else { continue };
        let key = trim(key);
        for (found, name) in all.iter_mut().zip(names) {
            if key == name.as_bytes() {
                found.presented = true;
                let value = trim(value.get(1..).unwrap_or_default());
                if found.values.len() <= MAX_VALUES && !found.values.contains(&value) {
                    found.values.push(value);
                }
            }
        }
    }
    for found in &mut all {
        if found.values.len() > MAX_VALUES {
            found.values.clear();
        }
    }
    all
}

fn trim(bytes: &[u8]) -> &[u8] {
    let is_text = |byte: &u8| !matches!(byte, b' ' | b'\t');
    let start = bytes.iter().position(is_text).unwrap_or(bytes.len());
    let end = bytes.iter().rposition(is_text).map_or(start, |last| last.saturating_add(1));
    bytes.get(start..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NAME: &str = "__Host-sessionid";

    fn values(header: impl AsRef<[u8]>) -> Vec<String> {
        let [found] = find_cookies(header.as_ref(), [NAME]);
        found.values.iter().map(|value| String::from_utf8_lossy(value).into_owned()).collect()
    }

    // B10: values are neither unquoted nor decoded.
    #[test]
    fn the_value_stays_as_it_is() {
        for (header, value) in [
            ("__Host-sessionid=v", "v"),
            ("a=1; __Host-sessionid=v; b=2", "v"),
            ("a=1;__Host-sessionid=v", "v"),
            ("a=1;\t __Host-sessionid \t=\t v \t;", "v"),
            ("__Host-sessionid=", ""),
            ("__Host-sessionid=\"v\"", "\"v\""),
            ("__Host-sessionid=%41=b", "%41=b"),
            ("; ;=;x;__Host-sessionid=v", "v"),
        ] {
            assert_eq!(values(header), [value], "{header}");
        }
    }

    // B1, CVE-2026-39410 (Hono): a Unicode space before the name made a second cookie of the same name.
    #[test]
    fn cve_2026_39410_only_space_and_tab_are_trimmed() {
        let spaces = "\u{a}\u{b}\u{c}\u{d}\u{1c}\u{1d}\u{1e}\u{1f}\u{85}\u{a0}\u{1680}\u{2000}\u{200a}\u{2028}\u{2029}\u{202f}\u{205f}\u{3000}\u{feff}";
        for space in spaces.chars() {
            assert_eq!(values(format!("__Host-sessionid=good; {space}__Host-sessionid=evil")), ["good"], "{space:?}");
            assert_eq!(values(format!("__Host-sessionid=good; __Host-sessionid{space}=evil")), ["good"], "{space:?}");
        }
        assert_eq!(values(b"__Host-sessionid=good; \xa0__Host-sessionid=evil"), ["good"]);
    }

    // B2, CVE-2020-8184 (Rack): percent-decoded names forged prefixes. Names match byte for byte.
    #[test]
    fn cve_2020_8184_names_match_exactly() {
        for name in
            ["__%48ost-sessionid", "__host-sessionid", "__HOST-SESSIONID", "\"__Host-sessionid\"", "x__Host-sessionid"]
        {
            assert_eq!(values(format!("{name}=evil")), [""; 0], "{name}");
        }
    }

    // B3, CVE-2023-23934 (Werkzeug): a cookie without a name was read as the name and value of another one.
    #[test]
    fn cve_2023_23934_a_nameless_cookie_names_nothing() {
        for header in
            ["=__Host-sessionid=evil", "==__Host-sessionid=evil", "__Host-sessionid", "= __Host-sessionid=evil"]
        {
            assert!(!find_cookies(header.as_bytes(), [NAME])[0].presented, "{header}");
        }
    }

    // B4, B5, CVE-2016-7401 (Django): with other separators, one cookie contained another one.
    #[test]
    fn cve_2016_7401_only_a_semicolon_separates() {
        assert_eq!(values("a=1, __Host-sessionid=evil"), [""; 0]);
        assert_eq!(values("a=1\\073 __Host-sessionid=evil"), [""; 0]);
        assert_eq!(values("a=\"x; __Host-sessionid=v; y\""), ["v"]);
        // A Worker receives two Cookie headers as one, joined by a comma: the value is not a token and opens no session.
        assert_eq!(values("__Host-sessionid=a, b=c"), ["a, b=c"]);
    }

    // B6, B8: a name with too many values, and a header that is too long, are ignored.
    #[test]
    fn distinct_values_are_all_returned_and_too_many_are_ignored() {
        assert_eq!(values("__Host-sessionid=a; __Host-sessionid=b; __Host-sessionid=a"), ["a", "b"]);
        let many: String = (0..5).map(|n| format!("__Host-sessionid={n};")).collect();
        assert_eq!(find_cookies(many.as_bytes(), [NAME]), [FoundCookie { presented: true, values: Vec::new() }]);
        // CVE-2025-58186 (Go): the cost of a header with many cookies is linear in its length.
        assert!(!find_cookies("a=;".repeat(100_000).as_bytes(), [NAME])[0].presented);
        let long = format!("__Host-sessionid=v; a={}", "x".repeat(128 * 1024));
        assert!(!find_cookies(long.as_bytes(), [NAME])[0].presented, "a header beyond the limit is not parsed");
    }

    // B9: what a conforming user agent sends (tests/data/README.md) is read as it was sent: each name with its values, in order.
    #[test]
    fn what_public_cookie_data_send_is_read_as_it_was_sent() {
        let all: serde_json::Value = serde_json::from_str(include_str!("../../tests/data/cookies.json")).unwrap();
        let mut read = 0;
        for case in all["http-state"].as_array().unwrap().iter().chain(all["wpt"].as_array().unwrap()) {
            let sent = case[3].as_str().unwrap();
            let pairs: Vec<_> = sent.split("; ").filter_map(|pair| pair.split_once('=')).collect();
            for (name, _) in &pairs {
                let values: Vec<_> =
                    pairs.iter().filter(|(other, _)| other == name).map(|(_, value)| value.as_bytes()).collect();
                assert_eq!(
                    find_cookies(sent.as_bytes(), [*name]),
                    [FoundCookie { presented: true, values }],
                    "{}",
                    case[0]
                );
                read += 1;
            }
        }
        assert_eq!(read, 222);
    }

    // B8: the cost of any header is linear in its length. CVE-2024-7592 (CPython): that of quotes and backslashes was quadratic.
    #[test]
    fn cve_2025_58186_the_longest_header_costs_eight_times_what_an_eighth_of_it_costs() {
        let cost = |header: &str| {
            let once = || {
                let begun = std::time::Instant::now();
                std::hint::black_box(find_cookies(header.as_bytes(), [NAME]));
                begun.elapsed()
            };
            (0..9).map(|_| once()).min().unwrap()
        };
        for piece in ["a=;", "\"\\\"\\;", "=", ";", " ", "__Host-sessionid=x;", "__Host-sessionid", "\t=\t;"] {
            let of = |bytes: usize| piece.repeat(bytes / piece.len());
            let (eighth, whole) = (cost(&of(MAX_HEADER / 8)), cost(&of(MAX_HEADER)));
            assert!(whole < eighth * 40 + std::time::Duration::from_micros(200), "{piece:?}: {eighth:?}, {whole:?}");
        }
    }

    proptest! {
        // B7
        #[test]
        fn no_header_panics_the_parser(header in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = find_cookies(&header, [NAME]);
        }

        #[test]
        fn a_valid_cookie_is_found_among_any_others(before in "[a-z=;, \"]{0,20}", value in "[A-Za-z0-9_-]{1,20}", after in "[a-z=;, \"]{0,20}") {
            let header = format!("{before};{NAME}={value};{after}");
            prop_assert_eq!(values(header), [value]);
        }
    }
}

//! JSON as text: values are validated and copied as text, and parsed only by the caller who reads them.
//!
//! Writing and reading have the same limits, so that every value that was written can be read again.

mod flaw;
mod scanner;
mod string;

use alloc::string::String;
use alloc::vec::Vec;

pub use flaw::Flaw;
use flaw::{Scan, Wrong};
use scanner::Scanner;
pub(crate) use string::{escape, hex_digit, is_plain, quoted};
pub use string::{quote, unquote};

/// The maximum nesting depth of arrays and objects.
pub(crate) const MAX_DEPTH: usize = 64;

/// Checks that `text` is exactly one JSON value.
pub(crate) fn check(text: &str) -> Scan {
    let mut scanner = Scanner::new(text);
    scanner.value(MAX_DEPTH)?;
    scanner.end()
}

/// Returns the members of the JSON object `text` in order: each key with the text of its value. Keys may repeat.
pub fn members(text: &str) -> Scan<Vec<(String, &str)>> {
    members_within(text, MAX_DEPTH)
}

/// Returns the [`members`] of an object whose values may nest to `depth`.
pub(crate) fn members_within(text: &str, depth: usize) -> Scan<Vec<(String, &str)>> {
    let mut scanner = Scanner::new(text);
    let mut members = Vec::new();
    scanner.space();
    scanner.expect(b'{', Wrong::NoObject)?;
    scanner.space();
    if !scanner.take(b'}') {
        loop {
            scanner.space();
            let key = scanner.string()?;
            scanner.space();
            scanner.expect(b':', Wrong::NoColon)?;
            scanner.space();
            let start = scanner.at;
            scanner.value(depth)?;
            members.push((unquote(key).into_owned(), scanner.since(start)));
            scanner.space();
            if scanner.take(b'}') {
                break;
            }
            scanner.expect(b',', Wrong::NoCommaOrBrace)?;
        }
    }
    scanner.space();
    scanner.end()?;
    Ok(members)
}

/// Appends a member to the unfinished object `out`.
pub(crate) fn member(key: &str, value: &str, out: &mut String) {
    if out.len() > 1 {
        out.push(',');
    }
    quote(key, out);
    out.push(':');
    out.push_str(value);
}

/// Returns the object `{"error":{"code","message"}}`, the body of an error response.
#[cfg(any(feature = "cloudflare", feature = "tower"))]
pub(crate) fn error(code: &str, message: &str) -> String {
    let mut body = String::from("{\"error\":{\"code\":");
    quote(code, &mut body);
    body.push_str(",\"message\":");
    quote(message, &mut body);
    body.push_str("}}");
    body
}

/// The number of digits that no `i64` overflows with. A check for each of them would be slow.
const MAX_SAFE_DIGITS: usize = 18;

/// Parses an integer that consists of digits and an optional minus sign.
pub fn integer(text: &[u8]) -> Option<i64> {
    let (digits, sign) = text.strip_prefix(b"-").map_or((text, 1), |digits| (digits, -1));
    let value = |byte: &u8| byte.is_ascii_digit().then(|| i64::from(byte & 15));
    if digits.len() <= MAX_SAFE_DIGITS {
        let add = |number: i64, byte| Some(number.wrapping_mul(10).wrapping_add(value(byte)?));
        return digits.iter().try_fold(0, add).filter(|_| !digits.is_empty()).map(|number| number.wrapping_mul(sign));
    }
    let add = |number: i64, byte| number.checked_mul(10)?.checked_add(value(byte)?.wrapping_mul(sign));
    digits.iter().try_fold(0, add)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn valid_json_is_accepted() {
        for good in [
            "null",
            "true",
            "false",
            "0",
            "-0",
            "12",
            "-3.5e+10",
            "1E-7",
            "\"\"",
            "\"é☃😀\"",
            r#""\ud83d\ude00\u0000\/""#,
            "[]",
            "{}",
            "[1, [2, {\"a\" : null}]\t]",
            "9007199254740993",
            "123456789012345678901234567890",
            "1e308",
            "1.7976931348623157e308",
            "0e999999999999999999999",
            "1e-99999999999999999999",
        ] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
    }

    #[test]
    fn invalid_json_is_rejected() {
        for bad in [
            "",
            " 1",
            "1 ",
            "01",
            "1.",
            ".5",
            "+1",
            "-",
            "1e",
            "1e+",
            "NaN",
            "Infinity",
            "nul",
            "tru e",
            "'a'",
            "\"a",
            "\"\n\"",
            r#""\x""#,
            r#""\u12""#,
            r#""\ud800""#,
            r#""\udc00""#,
            r#""\ud800A""#,
            r#""\ud800\n""#,
            "[1,]",
            "[,1]",
            "[1 2]",
            "{\"a\"}",
            "{\"a\":}",
            "{a:1}",
            "{\"a\":1,}",
            "[",
            "]",
            "1e309",
            "1e400",
            "-1e999999999999999999999",
            "1.7976931348623159e308",
            "undefined",
        ] {
            assert!(check(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn values_nest_at_most_64_levels_deep() {
        let nest = |depth| "[".repeat(depth) + &"]".repeat(depth);
        assert_eq!(check(&nest(64)), Ok(()));
        for depth in [65, 127, 128, 200_000] {
            assert!(check(&nest(depth)).unwrap_err().text().starts_with("it nests deeper than 64 levels"));
        }
    }

    #[test]
    fn members_keep_their_order_and_their_texts() {
        let found = members(r#" { "b" : [1, 2] , "a\u00e9" : "x", "b": 0 } "#).unwrap();
        assert_eq!(found, [("b".to_owned(), "[1, 2]"), ("aé".to_owned(), "\"x\""), ("b".to_owned(), "0")]);
        assert!(members("[]").is_err());
        assert!(members("{}x").is_err());
        assert_eq!(members("{}").unwrap(), []);
    }

    proptest! {
        #[test]
        fn unquoting_reverses_quoting(text in any::<String>()) {
            let mut raw = String::new();
            quote(&text, &mut raw);
            prop_assert_eq!(check(&raw), Ok(()));
            prop_assert_eq!(unquote(&raw), text.as_str());
            prop_assert_eq!(serde_json::from_str::<String>(&raw).unwrap(), text);
        }

        #[test]
        fn no_text_panics_the_scanner(text in "[\\[\\]{}\",:0-9eE+\\-.tfnu\\\\ a-d\\u{e9}]{0,40}") {
            let ours = check(&text).is_ok();
            // serde_json accepts surrounding whitespace and handles huge numbers differently; otherwise the grammars are equal.
            if ours {
                prop_assert!(serde_json::from_str::<serde_json::Value>(&text).is_ok());
            } else if serde_json::from_str::<serde_json::Value>(&text).is_ok() {
                prop_assert!(text.trim() != text, "{}", text);
            }
            let _ = members(&text);
        }

        #[test]
        fn every_finite_double_is_accepted(number in any::<f64>().prop_filter("finite", |n| n.is_finite())) {
            prop_assert_eq!(check(&serde_json::to_string(&number).unwrap()), Ok(()));
            prop_assert_eq!(check(&format!("{number}")), Ok(()));
        }
    }
}

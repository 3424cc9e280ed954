//! JSON as text: what is stored is checked and copied, and parsed by whoever asks for it.
//!
//! The limits hold for writing and for reading alike, so that nothing can be written that cannot be read again.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;

/// How deep arrays and objects may nest.
pub(crate) const MAX_DEPTH: usize = 64;

/// What is wrong with a text, and at which byte.
#[derive(Debug, PartialEq, Eq)]
pub struct Flaw {
    wrong: Wrong,
    at: usize,
}

impl Flaw {
    pub(crate) fn text(&self) -> String {
        [self.wrong.text(), ", at byte ", itoa::Buffer::new().format(self.at)].concat()
    }
}

/// The texts are apart, so that a program which shows none carries none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wrong {
    NoObject,
    NoColon,
    NoCommaOrBrace,
    NotTheEnd,
    NoValue,
    TooDeep,
    NoCommaOrEnd,
    NoString,
    OpenString,
    ControlCharacter,
    LoneSurrogate,
    UnknownEscape,
    NoHexDigits,
    NoDigit,
    LeadingZero,
    TooLarge,
}

impl Wrong {
    const fn text(self) -> &'static str {
        match self {
            Self::NoObject => "an object was expected",
            Self::NoColon => "a colon was expected",
            Self::NoCommaOrBrace => "a comma or a brace was expected",
            Self::NotTheEnd => "something follows the value",
            Self::NoValue => "a value was expected",
            Self::TooDeep => "it nests deeper than 64 levels",
            Self::NoCommaOrEnd => "a comma or the end of the list was expected",
            Self::NoString => "a string was expected",
            Self::OpenString => "the text ends inside a string",
            Self::ControlCharacter => "a control character stands in a string",
            Self::LoneSurrogate => "a surrogate stands alone",
            Self::UnknownEscape => "an unknown escape stands in a string",
            Self::NoHexDigits => "four hexadecimal digits were expected",
            Self::NoDigit => "a digit was expected",
            Self::LeadingZero => "a number begins with a needless zero",
            Self::TooLarge => "a number is too large for a double",
        }
    }
}

type Scan<T = ()> = Result<T, Flaw>;

/// Checks that `text` is one JSON value, without anything around it.
pub(crate) fn check(text: &str) -> Scan {
    let mut scanner = Scanner::new(text);
    scanner.value(MAX_DEPTH)?;
    scanner.end()
}

/// The members of the JSON object `text`, in order: key and the value's text. Keys may repeat.
pub fn members(text: &str) -> Scan<Vec<(String, &str)>> {
    members_within(text, MAX_DEPTH)
}

/// [`members`] whose values may nest to `depth`.
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

/// Whether a character cannot stand in a JSON string as it is.
const fn is_escaped(byte: u8) -> bool {
    byte < 0x20 || byte == b'"' || byte == b'\\'
}

/// Whether `text` is its JSON string but for the quotes.
pub(crate) fn is_plain(text: &str) -> bool {
    !text.bytes().any(is_escaped)
}

/// Adds `text` to `out` as a JSON string.
pub fn quote(text: &str, out: &mut String) {
    out.push('"');
    let mut rest = text;
    while let Some(at) = rest.bytes().position(is_escaped) {
        // `at` is the place of an ASCII character.
        let (plain, escaped) = rest.split_at_checked(at).unwrap_or_default();
        out.push_str(plain);
        let mut chars = escaped.chars();
        match chars.next() {
            Some('"') => out.push_str("\\\""),
            Some('\\') => out.push_str("\\\\"),
            Some('\n') => out.push_str("\\n"),
            Some('\r') => out.push_str("\\r"),
            Some('\t') => out.push_str("\\t"),
            Some(control) => escape(control as u16, out),
            None => {}
        }
        rest = chars.as_str();
    }
    out.push_str(rest);
    out.push('"');
}

/// Adds a member to the object that `out` is becoming.
pub(crate) fn member(key: &str, value: &str, out: &mut String) {
    if out.len() > 1 {
        out.push(',');
    }
    quote(key, out);
    out.push(':');
    out.push_str(value);
}

/// `text` as a JSON string, in UTF-8.
pub(crate) fn quoted(text: &str) -> Vec<u8> {
    let mut out = String::with_capacity(text.len().saturating_add(2));
    quote(text, &mut out);
    out.into_bytes()
}

/// Adds one UTF-16 unit to `out` as `\u` and four digits.
pub(crate) fn escape(unit: u16, out: &mut String) {
    out.push_str("\\u");
    out.extend([unit >> 12, unit >> 8, unit >> 4, unit].map(|part| char::from(hex_digit((part & 15) as u8))));
}

/// A number below 16 as a digit.
pub(crate) const fn hex_digit(number: u8) -> u8 {
    if number < 10 { b'0'.wrapping_add(number) } else { b'a'.wrapping_sub(10).wrapping_add(number) }
}

/// The integer that `text` is, in nothing but digits and a minus.
pub fn integer(text: &[u8]) -> Option<i64> {
    let (digits, sign) = text.strip_prefix(b"-").map_or((text, 1), |digits| (digits, -1));
    let digit = |number: i64, byte: &u8| match byte {
        b'0'..=b'9' => number.checked_mul(10)?.checked_add(i64::from(byte.wrapping_sub(b'0')).wrapping_mul(sign)),
        _ => None,
    };
    if digits.is_empty() { None } else { digits.iter().try_fold(0, digit) }
}

/// The text that the checked JSON string `raw` (with its quotes) stands for.
pub fn unquote(raw: &str) -> Cow<'_, str> {
    let inner = raw.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(raw);
    if !inner.contains('\\') {
        return Cow::Borrowed(inner);
    }
    let mut text = String::with_capacity(inner.len());
    let mut rest = inner;
    while let Some((plain, escaped)) = rest.split_once('\\') {
        text.push_str(plain);
        let mut chars = escaped.chars();
        match chars.next() {
            Some('b') => text.push('\u{8}'),
            Some('f') => text.push('\u{c}'),
            Some('n') => text.push('\n'),
            Some('r') => text.push('\r'),
            Some('t') => text.push('\t'),
            Some('u') => {
                let high = hex4(chars.as_str());
                let mut after = chars.as_str().get(4..).unwrap_or_default();
                let mut units = vec![high];
                if (0xd800..0xdc00).contains(&high) {
                    units.push(after.strip_prefix("\\u").map_or(0, hex4));
                    after = after.get(6..).unwrap_or_default();
                }
                text.extend(char::decode_utf16(units).map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER)));
                rest = after;
                continue;
            }
            Some(other) => text.push(other),
            None => {}
        }
        rest = chars.as_str();
    }
    text.push_str(rest);
    Cow::Owned(text)
}

fn hex4(text: &str) -> u16 {
    text.get(..4).and_then(|digits| u16::from_str_radix(digits, 16).ok()).unwrap_or(0)
}

/// Walks over JSON text (RFC 8259) without building anything.
pub(crate) struct Scanner<'a> {
    text: &'a str,
    pub(crate) at: usize,
}

impl<'a> Scanner<'a> {
    pub(crate) const fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn advance(&mut self) {
        self.at = self.at.saturating_add(1);
    }

    pub(crate) fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        if found {
            self.advance();
        }
        found
    }

    fn flaw<T>(&self, wrong: Wrong) -> Scan<T> {
        Err(Flaw { wrong, at: self.at })
    }

    pub(crate) fn expect(&mut self, byte: u8, wrong: Wrong) -> Scan {
        if self.take(byte) { Ok(()) } else { self.flaw(wrong) }
    }

    /// The text from `start` to here.
    pub(crate) fn since(&self, start: usize) -> &'a str {
        self.text.get(start..self.at).unwrap_or_default()
    }

    pub(crate) fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.advance();
        }
    }

    pub(crate) fn end(&self) -> Scan {
        if self.at == self.text.len() { Ok(()) } else { self.flaw(Wrong::NotTheEnd) }
    }

    /// One value of any kind, nested no deeper than `depth` more levels.
    pub(crate) fn value(&mut self, depth: usize) -> Scan {
        match self.peek() {
            Some(b'"') => self.string().map(|_| ()),
            Some(b'{') => self.nested(depth, b'}', |scanner, depth| {
                scanner.string()?;
                scanner.space();
                scanner.expect(b':', Wrong::NoColon)?;
                scanner.space();
                scanner.value(depth)
            }),
            Some(b'[') => self.nested(depth, b']', Self::value),
            Some(b't') => self.word("true"),
            Some(b'f') => self.word("false"),
            Some(b'n') => self.word("null"),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ => self.flaw(Wrong::NoValue),
        }
    }

    fn nested(&mut self, depth: usize, close: u8, item: impl Fn(&mut Self, usize) -> Scan) -> Scan {
        let Some(depth) = depth.checked_sub(1) else {
            return self.flaw(Wrong::TooDeep);
        };
        self.advance();
        self.space();
        if self.take(close) {
            return Ok(());
        }
        loop {
            self.space();
            item(self, depth)?;
            self.space();
            if self.take(close) {
                return Ok(());
            }
            self.expect(b',', Wrong::NoCommaOrEnd)?;
        }
    }

    fn word(&mut self, word: &'static str) -> Scan {
        if !self.text.get(self.at..).is_some_and(|rest| rest.starts_with(word)) {
            return self.flaw(Wrong::NoValue);
        }
        self.at = self.at.saturating_add(word.len());
        Ok(())
    }

    /// A string with its quotes. Surrogates come in pairs.
    pub(crate) fn string(&mut self) -> Scan<&'a str> {
        let start = self.at;
        self.expect(b'"', Wrong::NoString)?;
        loop {
            match self.peek() {
                None => return self.flaw(Wrong::OpenString),
                Some(b'"') => break,
                Some(b'\\') => self.escape()?,
                Some(0..0x20) => return self.flaw(Wrong::ControlCharacter),
                Some(_) => self.advance(),
            }
        }
        self.advance();
        Ok(self.since(start))
    }

    fn escape(&mut self) -> Scan {
        self.advance();
        match self.peek() {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.advance(),
            Some(b'u') => match self.unit()? {
                0xdc00..0xe000 => return self.flaw(Wrong::LoneSurrogate),
                0xd800..0xdc00 => {
                    let paired = self.take(b'\\') && self.peek() == Some(b'u');
                    if !paired || !(0xdc00..0xe000).contains(&self.unit()?) {
                        return self.flaw(Wrong::LoneSurrogate);
                    }
                }
                _ => {}
            },
            _ => return self.flaw(Wrong::UnknownEscape),
        }
        Ok(())
    }

    /// The `u` of an escape and its four digits.
    fn unit(&mut self) -> Scan<u16> {
        self.advance();
        let end = self.at.saturating_add(4);
        let digits = self.text.get(self.at..end).filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()));
        match digits {
            Some(digits) => {
                self.at = end;
                Ok(hex4(digits))
            }
            None => self.flaw(Wrong::NoHexDigits),
        }
    }

    fn digits(&mut self) -> Scan<&'a str> {
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.advance();
        }
        if self.at == start { self.flaw(Wrong::NoDigit) } else { Ok(self.since(start)) }
    }

    fn number(&mut self) -> Scan {
        let start = self.at;
        self.take(b'-');
        let whole = self.digits()?;
        if whole.len() > 1 && whole.starts_with('0') {
            return self.flaw(Wrong::LeadingZero);
        }
        let fraction = if self.take(b'.') { self.digits()? } else { "" };
        let mut exponent = 0_i64;
        if self.take(b'e') || self.take(b'E') {
            let negative = self.take(b'-');
            if !negative {
                self.take(b'+');
            }
            let size = self.digits()?.parse().unwrap_or(i64::MAX / 4);
            exponent = if negative { 0_i64.saturating_sub(size) } else { size };
        }
        if !fits_a_double(whole, fraction, exponent) {
            self.at = start;
            return self.flaw(Wrong::TooLarge);
        }
        Ok(())
    }
}

/// Whether a number rounds to a finite double: below 1.797…e308. JavaScript would read infinity, and write null.
fn fits_a_double(whole: &str, fraction: &str, exponent: i64) -> bool {
    // The digits of the largest double, and as many more as decide which way its neighbour rounds.
    const LIMIT: &[u8] = b"17976931348623158";
    let length = |text: &str| i64::try_from(text.len()).unwrap_or(i64::MAX / 4);
    let digits = || whole.bytes().chain(fraction.bytes()).skip_while(|b| *b == b'0');
    let all = length(whole).saturating_add(length(fraction));
    let zeros = all.saturating_sub(i64::try_from(digits().count()).unwrap_or(0));
    // The power of ten of the first digit that is not zero.
    let magnitude = length(whole).saturating_sub(1).saturating_sub(zeros).saturating_add(exponent);
    digits().next().is_none()
        || magnitude < 308
        || (magnitude == 308 && digits().take(LIMIT.len()).lt(LIMIT.iter().copied()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn json_is_json() {
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
    fn what_is_not_json_is_refused() {
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
    fn depth_has_one_limit() {
        let nest = |depth| "[".repeat(depth) + &"]".repeat(depth);
        assert_eq!(check(&nest(64)), Ok(()));
        for depth in [65, 127, 128, 200_000] {
            assert_eq!(check(&nest(depth)).unwrap_err().wrong.text(), "it nests deeper than 64 levels");
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
        fn quoting_and_unquoting_give_the_text_back(text in any::<String>()) {
            let mut raw = String::new();
            quote(&text, &mut raw);
            prop_assert_eq!(check(&raw), Ok(()));
            prop_assert_eq!(unquote(&raw), text.as_str());
            prop_assert_eq!(serde_json::from_str::<String>(&raw).unwrap(), text);
        }

        #[test]
        fn no_text_breaks_the_scanner(text in "[\\[\\]{}\",:0-9eE+\\-.tfnu\\\\ a-d\\u{e9}]{0,40}") {
            let ours = check(&text).is_ok();
            // serde_json allows space around the value and reads huge numbers in its own way; the rest is the same grammar.
            if ours {
                prop_assert!(serde_json::from_str::<serde_json::Value>(&text).is_ok());
            } else if serde_json::from_str::<serde_json::Value>(&text).is_ok() {
                prop_assert!(text.trim() != text, "{}", text);
            }
            let _ = members(&text);
        }

        #[test]
        fn every_finite_double_fits(number in any::<f64>().prop_filter("finite", |n| n.is_finite())) {
            prop_assert_eq!(check(&serde_json::to_string(&number).unwrap()), Ok(()));
            prop_assert_eq!(check(&format!("{number}")), Ok(()));
        }
    }
}

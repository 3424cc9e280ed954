//! JSON strings: quoting and unquoting.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;

/// Returns whether a byte must be escaped in a JSON string.
const fn is_escaped(byte: u8) -> bool {
    byte < 0x20 || byte == b'"' || byte == b'\\'
}

/// Returns whether no character of `text` must be escaped in a JSON string.
pub(crate) fn is_plain(text: &str) -> bool {
    !text.bytes().any(is_escaped)
}

/// Appends `text` to `out` as a JSON string.
pub fn quote(text: &str, out: &mut String) {
    out.push('"');
    let mut rest = text;
    while let Some(at) = rest.bytes().position(is_escaped) {
        // `at` is the position of an ASCII character.
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

/// Returns `text` as a JSON string in UTF-8.
pub(crate) fn quoted(text: &str) -> Vec<u8> {
    let mut out = String::with_capacity(text.len().saturating_add(2));
    quote(text, &mut out);
    out.into_bytes()
}

/// Appends one UTF-16 code unit to `out` as `\u` and four digits.
pub(crate) fn escape(unit: u16, out: &mut String) {
    out.push_str("\\u");
    out.extend([unit >> 12, unit >> 8, unit >> 4, unit].map(|part| char::from(hex_digit((part & 15) as u8))));
}

/// Returns the hexadecimal digit of a number below 16.
pub(crate) const fn hex_digit(number: u8) -> u8 {
    if number < 10 { b'0'.wrapping_add(number) } else { b'a'.wrapping_sub(10).wrapping_add(number) }
}

/// Returns the text of the validated JSON string `raw`, which includes its quotes.
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

/// Parses the first four characters as hexadecimal digits; 0 if they are not.
pub(super) fn hex4(text: &str) -> u16 {
    text.get(..4).and_then(|digits| u16::from_str_radix(digits, 16).ok()).unwrap_or(0)
}

//! The JSON scanner.

use super::flaw::{Flaw, Scan, Wrong};
use super::string::hex4;

/// A JSON scanner (RFC 8259) that validates without allocating.
pub(super) struct Scanner<'a> {
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

    /// Returns the text from `start` to the current position.
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

    /// Scans one value that nests at most `depth` levels deep.
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

    /// Scans a string and returns it with its quotes. Surrogates must be paired.
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

    /// Scans the `u` of an escape and its four digits.
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

/// Returns whether a number rounds to a finite double, below 1.797…e308. JavaScript reads larger numbers as infinity and writes
/// them as `null`.
fn fits_a_double(whole: &str, fraction: &str, exponent: i64) -> bool {
    // The digits of the largest double, and one more that decides the rounding.
    const LIMIT: &[u8] = b"17976931348623158";
    let length = |text: &str| i64::try_from(text.len()).unwrap_or(i64::MAX / 4);
    let digits = || whole.bytes().chain(fraction.bytes()).skip_while(|b| *b == b'0');
    let all = length(whole).saturating_add(length(fraction));
    let zeros = all.saturating_sub(i64::try_from(digits().count()).unwrap_or(0));
    // The power of ten of the first nonzero digit.
    let magnitude = length(whole).saturating_sub(1).saturating_sub(zeros).saturating_add(exponent);
    digits().next().is_none()
        || magnitude < 308
        || (magnitude == 308 && digits().take(LIMIT.len()).lt(LIMIT.iter().copied()))
}

//! Errors in JSON text.

use alloc::string::String;

/// An error in a JSON text, with its byte position.
#[derive(Debug, PartialEq, Eq)]
pub struct Flaw {
    pub(super) wrong: Wrong,
    pub(super) at: usize,
}

impl Flaw {
    pub(crate) fn text(&self) -> String {
        [self.wrong.text(), ", at byte ", itoa::Buffer::new().format(self.at)].concat()
    }
}

/// The kind of error. A program that does not display errors does not contain the texts.
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
            Self::NotTheEnd => "unexpected text after the value",
            Self::NoValue => "a value was expected",
            Self::TooDeep => "it nests deeper than 64 levels",
            Self::NoCommaOrEnd => "a comma or the end of the list was expected",
            Self::NoString => "a string was expected",
            Self::OpenString => "the text ends inside a string",
            Self::ControlCharacter => "a control character in a string",
            Self::LoneSurrogate => "an unpaired surrogate",
            Self::UnknownEscape => "an unknown escape in a string",
            Self::NoHexDigits => "four hexadecimal digits were expected",
            Self::NoDigit => "a digit was expected",
            Self::LeadingZero => "a number with a leading zero",
            Self::TooLarge => "a number is too large for a double",
        }
    }
}

/// The result of reading JSON text.
pub(super) type Scan<T = ()> = Result<T, Flaw>;

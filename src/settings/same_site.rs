//! The cookie's `SameSite` attribute.

/// The cookie's `SameSite` attribute (RFC 6265bis, section 5.6.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SameSite {
    /// The cookie is sent with requests from the same site only.
    Strict,
    /// The cookie is also sent when a link from another site is followed. The default.
    Lax,
    /// The cookie is sent with all requests. Browsers require `Secure`.
    None,
}

impl SameSite {
    /// Parses the value of a setting, ignoring case.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let all = [Self::Strict, Self::Lax, Self::None];
        all.into_iter().find(|samesite| samesite.as_str().eq_ignore_ascii_case(text))
    }

    /// Returns the value of the attribute.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Strict => "Strict",
            Self::Lax => "Lax",
            Self::None => "None",
        }
    }
}

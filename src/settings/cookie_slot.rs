//! The two session cookies.

/// A cookie that carries a session token. Each one has its own name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CookieSlot {
    /// The cookie of a session whose key was rotated at least once, as by a login: `SESSION_COOKIE_NAME`.
    Rotated,
    /// The cookie of a session before its first rotation: the same name with the suffix `-anonymous`.
    Anonymous,
}

impl CookieSlot {
    pub(crate) const ALL: [Self; 2] = [Self::Rotated, Self::Anonymous];
}

//! The validated settings.

use alloc::string::String;

use super::consistency::Consistency;
use super::cookie_slot::CookieSlot;
use super::same_site::SameSite;
use crate::secret::Secrets;

/// The maximum lifetime of a cookie in browsers: 400 days (RFC 6265bis, section 5.5), in seconds.
pub(crate) const MAX_COOKIE_AGE: i64 = 400 * 86_400;

/// The settings of sessions and their cookie. They are valid and do not contradict each other.
///
/// ```
/// use edge_session::Settings;
///
/// let settings = Settings::builder(["a secret of at least thirty-two bytes"])
///     .cookie_age(3600)
///     .save_every_request(true)
///     .build()?;
/// assert_eq!(settings.cookie_name(), "__Host-sessionid");
/// # Ok::<(), edge_session::Error>(())
/// ```
#[derive(Debug)]
pub struct Settings {
    pub(crate) cookie_name: String,
    /// The name of the cookie of sessions before their first `cycle_key`.
    pub(crate) anonymous_cookie_name: String,
    /// A hash of the key prefix, which tokens contain.
    pub(crate) prefix_mark: [u8; 2],
    pub(crate) cookie_age: i64,
    pub(crate) cookie_domain: Option<String>,
    pub(crate) cookie_path: String,
    pub(crate) cookie_secure: bool,
    pub(crate) cookie_httponly: bool,
    pub(crate) cookie_samesite: SameSite,
    pub(crate) cookie_partitioned: bool,
    pub(crate) expire_at_browser_close: bool,
    pub(crate) save_every_request: bool,
    pub(crate) absolute_age: i64,
    pub(crate) max_record_bytes: usize,
    pub(crate) key_prefix: String,
    pub(crate) check_ended: bool,
    pub(crate) merge_stale: bool,
    pub(crate) journal_bytes: usize,
    pub(crate) seal: bool,
    pub(crate) clear_site_data: bool,
    pub(crate) consistency: Consistency,
    pub(crate) secrets: Secrets,
}

impl Settings {
    /// Returns these settings for a store with this consistency, for a driver of the [protocol](crate::protocol).
    /// [`Sessions`](crate::Sessions) does this by itself.
    ///
    /// ```
    /// use edge_session::{Settings, store::Consistency};
    ///
    /// let settings = Settings::builder(["a secret of at least thirty-two bytes"]).build()?;
    /// let settings = settings.with_consistency(Consistency::Linearizable);
    /// # Ok::<(), edge_session::Error>(())
    /// ```
    #[must_use]
    pub fn with_consistency(mut self, consistency: Consistency) -> Self {
        self.consistency = consistency;
        self
    }

    /// Returns whether the store is linearizable.
    pub(crate) fn is_linearizable(&self) -> bool {
        matches!(self.consistency, Consistency::Linearizable | Consistency::Migrating)
    }

    /// Returns whether sessions are also read from the store that was used before.
    pub(crate) fn is_migrating(&self) -> bool {
        self.consistency == Consistency::Migrating
    }

    /// Returns whether the cookie contains the session.
    pub(crate) fn is_in_cookie(&self) -> bool {
        self.consistency == Consistency::Cookie
    }

    /// Returns whether loads and saves read tombstones. A linearizable store needs none.
    pub(crate) fn reads_tombstones(&self) -> bool {
        self.check_ended && self.consistency == Consistency::Eventual
    }

    /// Returns the name of the session cookie, by default `__Host-sessionid`.
    #[must_use]
    pub fn cookie_name(&self) -> &str {
        &self.cookie_name
    }

    /// Returns the name of the cookie of a session before its first `cycle_key`: [`cookie_name`](Self::cookie_name) with the
    /// suffix `-anonymous`. The response to an anonymous request cannot replace the cookie of a login, because the names differ.
    #[must_use]
    pub fn anonymous_cookie_name(&self) -> &str {
        &self.anonymous_cookie_name
    }

    pub(crate) fn name_of(&self, slot: CookieSlot) -> &str {
        match slot {
            CookieSlot::Rotated => &self.cookie_name,
            CookieSlot::Anonymous => &self.anonymous_cookie_name,
        }
    }

    /// Returns Django's `SESSION_COOKIE_AGE`, the default lifetime of a session in seconds.
    ///
    /// ```
    /// # use edge_session::Settings;
    /// # let builder = Settings::builder(["a secret of at least thirty-two bytes"]);
    /// assert_eq!(builder.cookie_age(60).build()?.cookie_age(), 60);
    /// # Ok::<(), edge_session::Error>(())
    /// ```
    #[must_use]
    pub const fn cookie_age(&self) -> i64 {
        self.cookie_age
    }

    /// Returns the cookie's `Domain`; `None` for a host-only cookie.
    #[must_use]
    pub fn cookie_domain(&self) -> Option<&str> {
        self.cookie_domain.as_deref()
    }

    /// Returns the cookie's `Path`.
    #[must_use]
    pub fn cookie_path(&self) -> &str {
        &self.cookie_path
    }

    /// Returns whether the cookie is `Secure`.
    #[must_use]
    pub const fn cookie_secure(&self) -> bool {
        self.cookie_secure
    }

    /// Returns whether the cookie is `HttpOnly`.
    #[must_use]
    pub const fn cookie_httponly(&self) -> bool {
        self.cookie_httponly
    }

    /// Returns the cookie's `SameSite`.
    #[must_use]
    pub const fn cookie_samesite(&self) -> SameSite {
        self.cookie_samesite
    }

    /// Returns Django's `SESSION_SAVE_EVERY_REQUEST`: whether each request renews its session.
    #[must_use]
    pub const fn saves_every_request(&self) -> bool {
        self.save_every_request
    }
}

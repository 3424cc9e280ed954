//! The response headers of a session.

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;

use super::caching;
use super::save::SaveOutcome;

/// The response headers of a session: `Set-Cookie`, `Vary` and `Cache-Control`, and with a setting `Clear-Site-Data` after a logout.
///
/// ```
/// use edge_session::{MemoryStore, Sessions, Settings};
///
/// # pollster::block_on(async {
/// # let settings = Settings::builder(["a secret of at least thirty-two bytes"]).build()?;
/// # let sessions = Sessions::new(MemoryStore::default(), settings);
/// let mut session = sessions.load("").await?;
/// session.set("user", "alice")?;
/// let headers = sessions.commit_headers(&mut session, 200).await?;
///
/// let mut response = vec![("Cache-Control".to_owned(), "public, max-age=60".to_owned())];
/// headers.apply(&mut response).unwrap();
/// assert!(response.contains(&("Cache-Control".to_owned(), "private, no-store".to_owned())));
/// assert!(response.contains(&("Vary".to_owned(), "Cookie".to_owned())));
/// # Ok::<(), edge_session::Error>(()) }).unwrap();
/// ```
#[derive(Clone, PartialEq, Eq)]
#[must_use]
pub struct SessionHeaders {
    set_cookies: Vec<String>,
    depends_on_cookie: bool,
    clears_site_data: bool,
    saved: SaveOutcome,
}

impl SessionHeaders {
    pub(super) const fn new(set_cookies: Vec<String>, depends_on_cookie: bool, saved: SaveOutcome) -> Self {
        Self { set_cookies, depends_on_cookie, clears_site_data: false, saved }
    }

    /// Also removes what the browser has kept of the site.
    pub(super) const fn clearing_site_data(mut self, yes: bool) -> Self {
        self.clears_site_data = yes;
        self
    }

    /// Returns the values of all `Set-Cookie` headers, each for a header of its own. A login sets the session's cookie and
    /// deletes the one of the anonymous session.
    #[must_use]
    pub fn set_cookies(&self) -> &[String] {
        &self.set_cookies
    }

    /// Returns the first of [`set_cookies`](Self::set_cookies), for responses with only one: it sets the session's cookie, or
    /// deletes it.
    #[must_use]
    pub fn set_cookie(&self) -> Option<&str> {
        self.set_cookies.first().map(String::as_str)
    }

    /// Returns whether the response depends on the cookie. It then needs `Vary: Cookie` and at least `Cache-Control: private`.
    #[must_use]
    pub const fn depends_on_cookie(&self) -> bool {
        self.depends_on_cookie
    }

    /// Returns whether the response ends a session and `SESSION_CLEAR_SITE_DATA` is set. It then needs the header `Clear-Site-Data` with the
    /// value [`CLEAR_SITE_DATA`](Self::CLEAR_SITE_DATA).
    #[must_use]
    pub const fn clears_site_data(&self) -> bool {
        self.clears_site_data
    }

    /// The value of `Clear-Site-Data`: not the cookies, which can belong to other parts of the site.
    pub const CLEAR_SITE_DATA: &'static str = "\"cache\", \"storage\"";

    /// Returns the outcome of the save; the default if there was none.
    pub const fn saved(&self) -> SaveOutcome {
        self.saved
    }

    /// Returns the headers of an error response after a session failed: no shared cache may store it, and no cookie changes.
    pub const fn for_failure() -> Self {
        Self::new(Vec::new(), true, SaveOutcome { old_record_remains: false })
    }

    /// Adds them to the headers of a response. The application's headers stay, except those that let a shared cache store a
    /// response that depends on the cookie.
    ///
    /// # Errors
    ///
    /// Returns the errors of the headers' own calls.
    pub fn apply<H: ResponseHeaders>(&self, headers: &mut H) -> Result<(), H::Error> {
        if !self.depends_on_cookie {
            return Ok(());
        }
        let present = headers.get("Vary")?;
        headers.set("Vary", &caching::vary(present.as_deref().unwrap_or_default()))?;
        let present = headers.get("Cache-Control")?;
        let sets_cookie = !self.set_cookies.is_empty();
        let cache_control = caching::cache_control(present.as_deref().unwrap_or_default(), sets_cookie);
        headers.set("Cache-Control", &cache_control)?;
        for shared in caching::SHARED_CACHE_HEADERS {
            if headers.get(shared)?.is_some() {
                headers.remove(shared)?;
            }
        }
        if self.clears_site_data {
            headers.set("Clear-Site-Data", Self::CLEAR_SITE_DATA)?;
        }
        self.set_cookies.iter().try_for_each(|cookie| headers.append("Set-Cookie", cookie))
    }
}

impl core::fmt::Debug for SessionHeaders {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("SessionHeaders")
            .field("set_cookies", &self.set_cookies.len())
            .field("depends_on_cookie", &self.depends_on_cookie)
            .finish_non_exhaustive()
    }
}

/// The headers of a response. Implementations compare names without regard to case.
pub trait ResponseHeaders {
    /// The error of the calls.
    type Error;

    /// Returns the values of a header, joined by `, `; `None` if it is absent.
    ///
    /// # Errors
    ///
    /// As the headers' own call.
    fn get(&self, name: &str) -> Result<Option<String>, Self::Error>;

    /// Replaces a header.
    ///
    /// # Errors
    ///
    /// As the headers' own call.
    fn set(&mut self, name: &str, value: &str) -> Result<(), Self::Error>;

    /// Adds a header, and keeps others of the same name.
    ///
    /// # Errors
    ///
    /// As the headers' own call.
    fn append(&mut self, name: &str, value: &str) -> Result<(), Self::Error>;

    /// Removes a header.
    ///
    /// # Errors
    ///
    /// As the headers' own call.
    fn remove(&mut self, name: &str) -> Result<(), Self::Error>;
}

impl ResponseHeaders for Vec<(String, String)> {
    type Error = core::convert::Infallible;

    fn get(&self, name: &str) -> Result<Option<String>, Self::Error> {
        let values = self.iter().filter(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str());
        let values: Vec<_> = values.collect();
        Ok((!values.is_empty()).then(|| values.join(", ")))
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), Self::Error> {
        ResponseHeaders::remove(self, name)?;
        ResponseHeaders::append(self, name, value)
    }

    fn append(&mut self, name: &str, value: &str) -> Result<(), Self::Error> {
        self.push((name.to_owned(), value.to_owned()));
        Ok(())
    }

    fn remove(&mut self, name: &str) -> Result<(), Self::Error> {
        self.retain(|(key, _)| !key.eq_ignore_ascii_case(name));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_untouched_response_stays_as_it_is() {
        let plain = || {
            let headers = [("Vary", "accept"), ("CDN-Cache-Control", "max-age=9"), ("surrogate-control", "max-age=9")];
            headers.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec()
        };
        let mut headers = plain();
        let untouched = SessionHeaders::new(Vec::new(), false, SaveOutcome::default());
        untouched.apply(&mut headers).unwrap();
        assert_eq!(headers, plain());
        SessionHeaders::for_failure().apply(&mut headers).unwrap();
        let expected = [("Vary", "accept, Cookie"), ("Cache-Control", "private")];
        assert_eq!(headers, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }
}

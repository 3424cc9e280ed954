//! Django's response algorithm: what a response has to say about the session, and the save before it.

use super::save::{Save, Saved};
use super::{Reply, Step};
use crate::cookie::set::{self, Keep};
use crate::cookie::token;
use crate::error::{Error, ErrorKind, Result};
use crate::session::event::EventKind;
use crate::session::expiry::ExpiryOptions;
use crate::session::session::Session;
use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

/// What a response must say about the session.
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
    set_cookie: Option<String>,
    vary: bool,
    saved: Saved,
}

impl SessionHeaders {
    /// The value of the `Set-Cookie` header, if there has to be one.
    #[must_use]
    pub fn set_cookie(&self) -> Option<&str> {
        self.set_cookie.as_deref()
    }

    /// Whether the response depends on the cookie, so that `Vary: Cookie` and at least `Cache-Control: private` are due.
    #[must_use]
    pub const fn depends_on_cookie(&self) -> bool {
        self.vary
    }

    /// What the save came to, if there was one.
    pub const fn saved(&self) -> Saved {
        self.saved
    }

    /// For the answer to a request that failed because of its session: nobody may keep it, and no cookie changes.
    pub const fn for_failure() -> Self {
        Self { set_cookie: None, vary: true, saved: Saved { old_record_remains: false } }
    }

    /// Puts it all into a response's headers. What the application set stays, except that a page which depends on the
    /// cookie is kept by no shared cache.
    ///
    /// # Errors
    ///
    /// What the headers' own calls fail with.
    pub fn apply<H: ResponseHeaders>(&self, headers: &mut H) -> Result<(), H::Error> {
        if !self.vary {
            return Ok(());
        }
        let present = headers.get("Vary")?;
        headers.set("Vary", &vary(present.as_deref().unwrap_or_default()))?;
        let present = headers.get("Cache-Control")?;
        let cache_control = cache_control(present.as_deref().unwrap_or_default(), self.set_cookie.is_some());
        headers.set("Cache-Control", &cache_control)?;
        for shared in SHARED_CACHE_HEADERS {
            if headers.get(shared)?.is_some() {
                headers.remove(shared)?;
            }
        }
        self.set_cookie.as_ref().map_or(Ok(()), |cookie| headers.append("Set-Cookie", cookie))
    }
}

impl core::fmt::Debug for SessionHeaders {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let set_cookie = self.set_cookie.as_ref().map(|_| "hidden");
        f.debug_struct("SessionHeaders")
            .field("set_cookie", &set_cookie)
            .field("vary", &self.vary)
            .finish_non_exhaustive()
    }
}

/// Headers that would have a shared cache keep the response, whatever `Cache-Control` says.
pub(crate) const SHARED_CACHE_HEADERS: [&str; 3] =
    ["CDN-Cache-Control", "Cloudflare-CDN-Cache-Control", "Surrogate-Control"];

/// The headers of a response, of whatever kind. Names are compared without regard to case.
pub trait ResponseHeaders {
    /// What the calls can fail with.
    type Error;

    /// The values of a header, joined by `, `; `None` where there is none.
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

    /// Adds a header beside those of the same name.
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

/// Saves where Django's middleware saves, and finds the headers.
#[derive(Debug)]
pub(crate) struct Commit {
    status: u16,
    saving: Option<(Save, Keep)>,
}

impl Commit {
    pub(crate) const fn new(status: u16) -> Self {
        Self { status, saving: None }
    }

    pub(crate) fn step(&mut self, session: &mut Session, reply: Reply) -> Step<Result<SessionHeaders>> {
        if self.saving.is_none() {
            match self.decide(session) {
                Ok(Decision::Answer(headers)) => return Step::Done(Ok(headers)),
                Ok(Decision::Save(keep)) => {
                    let save = if session.is_changed() { Save::default() } else { Save::renewal() };
                    self.saving = Some((save, keep));
                }
                Err(error) => return Step::Done(Err(error)),
            }
        }
        let Some((save, keep)) = &mut self.saving else { return Step::Done(Err(super::out_of_turn())) };
        match save.step(session, reply) {
            Step::Done(Ok(saved)) if session.is_unsent() => Step::Done(give(session, *keep, saved)),
            // Another request renewed it, and its answer brings the cookie.
            Step::Done(Ok(saved)) => {
                Step::Done(Ok(SessionHeaders { set_cookie: None, vary: session.accessed(), saved }))
            }
            // A renewal that nobody asked for does not fail a page.
            Step::Done(Err(error)) if !session.is_changed() && is_passing(&error) => {
                session.tell(EventKind::RenewalFailed);
                let headers = SessionHeaders { set_cookie: None, vary: session.accessed(), saved: Saved::default() };
                Step::Done(Ok(headers))
            }
            Step::Done(Err(error)) => Step::Done(Err(error)),
            Step::Read(keys) => Step::Read(keys),
            Step::Write(ops) => Step::Write(ops),
            Step::Wait(milliseconds) => Step::Wait(milliseconds),
            Step::List { prefix, cursor } => Step::List { prefix, cursor },
        }
    }

    fn decide(&self, session: &mut Session) -> Result<Decision> {
        let nothing = |session: &Session, vary| {
            let goes = session.presented() && session.is_empty() && (session.is_flushed() || !session.is_late());
            let set_cookie = goes.then(|| set::take_away(session.settings()));
            let vary = vary || set_cookie.is_some();
            Ok(Decision::Answer(SessionHeaders { set_cookie, vary, saved: Saved::default() }))
        };
        let vary = session.accessed();
        let wanted = session.modified() || session.settings().save_every_request;
        // A renewal that nobody asked for does not fail a page; a change that was made does.
        let lost = session.is_out_of_reach() && !session.modified();
        if session.is_empty() || !wanted || lost {
            return nothing(session, vary);
        }
        // This may be the first use of the session, and drop its key.
        let keep = if session.get_expire_at_browser_close()? {
            Keep::UntilBrowserCloses
        } else {
            Keep::Seconds(session.get_expiry_age(ExpiryOptions::default())?)
        };
        let failed = self.status >= 500;
        if !failed && session.needs_write()? {
            return Ok(Decision::Save(keep));
        }
        if !failed && session.is_unsent() {
            return give(session, keep, Saved::default()).map(Decision::Answer);
        }
        Ok(Decision::Answer(SessionHeaders { set_cookie: None, vary, saved: Saved::default() }))
    }
}

enum Decision {
    /// Save; the cookie that follows is kept so long.
    Save(Keep),
    /// Nothing is to be saved.
    Answer(SessionHeaders),
}

/// The headers that give the browser the session's cookie.
fn give(session: &mut Session, keep: Keep, saved: Saved) -> Result<SessionHeaders> {
    // A login may have replaced the cookie meanwhile, and is not to be undone.
    if session.is_late() && session.is_as_named() {
        return Ok(SessionHeaders { set_cookie: None, vary: true, saved });
    }
    let (settings, now, nonce) = (Arc::clone(session.settings()), session.now(), session.nonce());
    let (identity, position, journal) = session.token_parts().ok_or_else(super::out_of_turn)?;
    let keep = match keep {
        Keep::Seconds(seconds) => Keep::Seconds(seconds.min(identity.absolute.seconds_from(now))),
        other => other,
    };
    let carried = journal.as_ref().map_or(0, |journal| journal.states.len());
    let (token, left) = {
        let mut journal = journal;
        let pair = journal.as_deref_mut().map(|journal| (journal, nonce));
        let token = token::sign(&settings.secrets, &settings.cookie_name, identity, position, pair);
        (token, journal.map_or(0, |journal| journal.states.len()))
    };
    let token = token.ok_or_else(|| Error::config("SESSION_SECRET is missing"))?;
    if left < carried {
        session.tell(EventKind::JournalCut);
    }
    let set_cookie = Some(set::give(&settings, &token, keep, now));
    Ok(SessionHeaders { set_cookie, vary: true, saved })
}

/// Whether an error is of the store and passes, and none of the session's own.
fn is_passing(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::StoreUnavailable | ErrorKind::Stale)
}

/// Adds `Cookie` to a `Vary` header: names and order stay, case does not matter, and `*` says everything.
pub(crate) fn vary(present: &str) -> String {
    let mut names: Vec<_> = present.split(',').map(str::trim).filter(|name| !name.is_empty()).collect();
    if names.contains(&"*") {
        return "*".to_owned();
    }
    if !names.iter().any(|name| name.eq_ignore_ascii_case("cookie")) {
        names.push("Cookie");
    }
    names.join(", ")
}

/// Makes a `Cache-Control` header private, or forbids storing. The directives that only shared caches read go.
pub(crate) fn cache_control(present: &str, sets_cookie: bool) -> String {
    if sets_cookie {
        return "private, no-store".to_owned();
    }
    let mut directives = vec!["private"];
    for directive in split_directives(present) {
        let name = directive.split('=').next().unwrap_or_default().trim();
        let shared = ["private", "public", "s-maxage", "proxy-revalidate"];
        if !shared.iter().any(|other| name.eq_ignore_ascii_case(other)) {
            directives.push(directive);
        }
    }
    directives.join(", ")
}

/// The directives between commas; a comma inside quotes separates nothing.
fn split_directives(text: &str) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    let directives = text.split(move |c: char| {
        quoted ^= c == '"';
        c == ',' && !quoted
    });
    directives.map(str::trim).filter(|directive| !directive.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    // CVE-2026-6907 and CVE-2026-8404 (Django): a Vary of `*` and letters' case were mishandled.
    #[test]
    fn cve_2026_6907_vary_is_merged() {
        for (present, merged) in [
            (None, "Cookie"),
            (Some(""), "Cookie"),
            (Some("Accept"), "Accept, Cookie"),
            (Some("accept, COOKIE"), "accept, COOKIE"),
            (Some("Accept-Encoding ,Accept"), "Accept-Encoding, Accept, Cookie"),
            (Some("*"), "*"),
            (Some("Accept, *"), "*"),
        ] {
            assert_eq!(vary(present.unwrap_or_default()), merged);
        }
    }

    // CVE-2025-48947, CVE-2025-64762, CVE-2026-8404: a shared cache kept a response that set a session cookie.
    #[test]
    fn cve_2025_48947_no_shared_cache_keeps_it() {
        for (present, merged) in [
            (None, "private"),
            (Some("public, max-age=60"), "private, max-age=60"),
            (Some("PUBLIC, S-MaxAge=60 , Max-Age=5"), "private, Max-Age=5"),
            (Some("Private"), "private"),
            (Some("no-cache=\"a, public\", s-maxage=9"), "private, no-cache=\"a, public\""),
            (Some("private=\"set-cookie\""), "private"),
            (Some("no-store"), "private, no-store"),
        ] {
            let present = present.unwrap_or_default();
            assert_eq!(cache_control(present, false), merged);
            assert_eq!(cache_control(present, true), "private, no-store");
        }
    }

    #[test]
    fn an_untouched_response_stays_as_it_is() {
        let plain = || {
            let headers = [("Vary", "accept"), ("CDN-Cache-Control", "max-age=9"), ("surrogate-control", "max-age=9")];
            headers.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec()
        };
        let mut headers = plain();
        let untouched = SessionHeaders { set_cookie: None, vary: false, saved: Saved::default() };
        untouched.apply(&mut headers).unwrap();
        assert_eq!(headers, plain());
        SessionHeaders::for_failure().apply(&mut headers).unwrap();
        let expected = [("Vary", "accept, Cookie"), ("Cache-Control", "private")];
        assert_eq!(headers, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }
}

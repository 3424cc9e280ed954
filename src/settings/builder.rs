//! The builder that validates settings.

use alloc::borrow::ToOwned;
use alloc::string::String;
use edge_session_crypto::sha256;

use super::consistency::Consistency;
use super::same_site::SameSite;
use super::settings::{MAX_COOKIE_AGE, Settings};
use crate::error::{Error, Result};
use crate::secret::Secrets;

/// Seconds in a day.
const DAY: i64 = 86_400;

impl Settings {
    /// Returns a builder with the defaults. The first secret signs and all of them verify, so put a new secret before the old
    /// ones.
    ///
    /// A secret has at least 32 bytes, from a cryptographic source (`openssl rand -base64 32`).
    pub fn builder<I>(secrets: I) -> SettingsBuilder
    where
        I: IntoIterator,
        I::Item: AsRef<[u8]>,
    {
        SettingsBuilder {
            secrets: Secrets::new(secrets),
            cookie_name: None,
            draft: Settings {
                cookie_name: String::new(),
                anonymous_cookie_name: String::new(),
                prefix_mark: [0; 2],
                cookie_age: 14 * DAY,
                cookie_domain: None,
                cookie_path: "/".to_owned(),
                cookie_secure: true,
                cookie_httponly: true,
                cookie_samesite: SameSite::Lax,
                cookie_partitioned: false,
                expire_at_browser_close: false,
                save_every_request: false,
                absolute_age: MAX_COOKIE_AGE,
                max_record_bytes: 64 * 1024,
                key_prefix: "edge-session".to_owned(),
                check_ended: true,
                merge_stale: false,
                journal_bytes: 1024,
                seal: false,
                clear_site_data: false,
                consistency: Consistency::Eventual,
                secrets: Secrets::none(),
            },
        }
    }
}

/// A builder of [`Settings`], which [`build`](Self::build) validates.
#[derive(Debug)]
pub struct SettingsBuilder {
    secrets: Result<Secrets>,
    pub(crate) cookie_name: Option<String>,
    pub(crate) draft: Settings,
}

impl SettingsBuilder {
    /// Sets `SESSION_COOKIE_NAME`. Default: `__Host-sessionid`, `__Secure-sessionid` with a domain or a path, or `sessionid` for
    /// a cookie that is not `Secure`.
    ///
    /// ```
    /// # use edge_session::Settings;
    /// # let builder = Settings::builder(["a secret of at least thirty-two bytes"]);
    /// assert_eq!(builder.cookie_name("sid").build()?.cookie_name(), "sid");
    /// # Ok::<(), edge_session::Error>(())
    /// ```
    #[must_use]
    pub fn cookie_name(mut self, name: impl Into<String>) -> Self {
        self.cookie_name = Some(name.into());
        self
    }

    /// Sets `SESSION_COOKIE_AGE`, the default lifetime of a session in seconds. Default 1 209 600 (14 days).
    ///
    /// ```
    /// # use edge_session::Settings;
    /// # let builder = Settings::builder(["a secret of at least thirty-two bytes"]);
    /// assert!(builder.cookie_age(0).build().is_err());
    /// ```
    #[must_use]
    pub const fn cookie_age(mut self, seconds: i64) -> Self {
        self.draft.cookie_age = seconds;
        self
    }

    /// Sets `SESSION_COOKIE_DOMAIN`: browsers also send the cookie to the subdomains of this domain. Default: this host only.
    ///
    /// ```
    /// # use edge_session::Settings;
    /// # let builder = Settings::builder(["a secret of at least thirty-two bytes"]);
    /// let settings = builder.cookie_domain("example.com").build()?;
    /// assert_eq!(settings.cookie_name(), "__Secure-sessionid");
    /// # Ok::<(), edge_session::Error>(())
    /// ```
    #[must_use]
    pub fn cookie_domain(mut self, domain: impl Into<String>) -> Self {
        self.draft.cookie_domain = Some(domain.into());
        self
    }

    /// Sets `SESSION_COOKIE_PATH`. Default `/`.
    ///
    /// ```
    /// # use edge_session::Settings;
    /// # let builder = Settings::builder(["a secret of at least thirty-two bytes"]);
    /// let settings = builder.cookie_path("/shop").build()?;
    /// assert_eq!(settings.cookie_name(), "__Secure-sessionid");
    /// # Ok::<(), edge_session::Error>(())
    /// ```
    #[must_use]
    pub fn cookie_path(mut self, path: impl Into<String>) -> Self {
        self.draft.cookie_path = path.into();
        self
    }

    /// Sets `SESSION_COOKIE_SECURE`. Default true; browsers also accept such a cookie on `http://localhost`.
    ///
    /// ```
    /// # use edge_session::Settings;
    /// # let builder = Settings::builder(["a secret of at least thirty-two bytes"]);
    /// let settings = builder.cookie_secure(false).build()?;
    /// assert_eq!(settings.cookie_name(), "sessionid");
    /// # Ok::<(), edge_session::Error>(())
    /// ```
    #[must_use]
    pub const fn cookie_secure(mut self, secure: bool) -> Self {
        self.draft.cookie_secure = secure;
        self
    }

    /// Sets `SESSION_COOKIE_HTTPONLY`. Default true: scripts in the page cannot read the cookie.
    ///
    /// ```
    /// # use edge_session::Settings;
    /// # let builder = Settings::builder(["a secret of at least thirty-two bytes"]);
    /// assert!(builder.cookie_httponly(false).build().is_ok());
    /// # Ok::<(), edge_session::Error>(())
    /// ```
    #[must_use]
    pub const fn cookie_httponly(mut self, httponly: bool) -> Self {
        self.draft.cookie_httponly = httponly;
        self
    }

    /// Sets `SESSION_COOKIE_SAMESITE`. Default [`SameSite::Lax`].
    ///
    /// ```
    /// # use edge_session::Settings;
    /// # let builder = Settings::builder(["a secret of at least thirty-two bytes"]);
    /// assert!(builder.cookie_samesite(edge_session::SameSite::Strict).build().is_ok());
    /// # Ok::<(), edge_session::Error>(())
    /// ```
    #[must_use]
    pub const fn cookie_samesite(mut self, samesite: SameSite) -> Self {
        self.draft.cookie_samesite = samesite;
        self
    }

    /// Sets `SESSION_EXPIRE_AT_BROWSER_CLOSE`: cookies without an expiry for sessions that did not set their own. Default false.
    ///
    /// ```
    /// # use edge_session::Settings;
    /// # let builder = Settings::builder(["a secret of at least thirty-two bytes"]);
    /// assert!(builder.expire_at_browser_close(true).build().is_ok());
    /// # Ok::<(), edge_session::Error>(())
    /// ```
    #[must_use]
    pub const fn expire_at_browser_close(mut self, yes: bool) -> Self {
        self.draft.expire_at_browser_close = yes;
        self
    }

    /// Sets `SESSION_SAVE_EVERY_REQUEST`: each request renews the session, not only those that change it. Default false.
    ///
    /// A renewal is written only if it moves the deadline by a tenth of the session's lifetime.
    ///
    /// ```
    /// # use edge_session::Settings;
    /// # let builder = Settings::builder(["a secret of at least thirty-two bytes"]);
    /// assert!(builder.save_every_request(true).build().is_ok());
    /// # Ok::<(), edge_session::Error>(())
    /// ```
    #[must_use]
    pub const fn save_every_request(mut self, yes: bool) -> Self {
        self.draft.save_every_request = yes;
        self
    }

    /// Sets `SESSION_ABSOLUTE_AGE`: seconds after the creation, or after the first `cycle_key`, at which a session ends
    /// regardless of saves. Default 34 560 000 (400 days).
    ///
    /// ```
    /// # use edge_session::Settings;
    /// # let builder = Settings::builder(["a secret of at least thirty-two bytes"]);
    /// assert!(builder.absolute_age(30 * 86_400).build().is_ok());
    /// # Ok::<(), edge_session::Error>(())
    /// ```
    #[must_use]
    pub const fn absolute_age(mut self, seconds: i64) -> Self {
        self.draft.absolute_age = seconds;
        self
    }

    /// Sets `SESSION_MAX_RECORD_BYTES`: the size of the largest record that is written or read. Default 65 536.
    ///
    /// ```
    /// # use edge_session::Settings;
    /// # let builder = Settings::builder(["a secret of at least thirty-two bytes"]);
    /// assert!(builder.max_record_bytes(256 * 1024).build().is_ok());
    /// # Ok::<(), edge_session::Error>(())
    /// ```
    #[must_use]
    pub const fn max_record_bytes(mut self, bytes: usize) -> Self {
        self.draft.max_record_bytes = bytes;
        self
    }

    /// Sets `SESSION_CHECK_ENDED`: whether a load also reads the session's tombstone. Default true. False saves one read per
    /// request, but a logout then only deletes the record: a slow request can restore it, and caches keep serving it.
    ///
    /// ```
    /// # use edge_session::Settings;
    /// # let builder = Settings::builder(["a secret of at least thirty-two bytes"]);
    /// assert!(builder.check_ended(false).build().is_ok());
    /// # Ok::<(), edge_session::Error>(())
    /// ```
    #[must_use]
    pub const fn check_ended(mut self, yes: bool) -> Self {
        self.draft.check_ended = yes;
        self
    }

    /// Sets `SESSION_SEAL`: whether records are encrypted in the store, with a key from the secret and the session key. Who reads the
    /// store then reads no session, and who writes it cannot change one or put it under another key. Default false. Records that are not
    /// sealed are not read any more: switching it on ends all sessions.
    ///
    /// ```
    /// use edge_session::Settings;
    ///
    /// let builder = Settings::builder(["a secret of at least thirty-two bytes"]);
    /// assert!(builder.seal(true).build().is_ok());
    /// ```
    #[must_use]
    pub const fn seal(mut self, yes: bool) -> Self {
        self.draft.seal = yes;
        self
    }

    /// Sets `SESSION_COOKIE_PARTITIONED`: whether the browser keeps a cookie of its own for each site that embeds this one (CHIPS). Default
    /// false. It needs a Secure cookie, and for a page in a frame of another site also [`SameSite::None`].
    ///
    /// ```
    /// use edge_session::{SameSite, Settings};
    ///
    /// let builder = Settings::builder(["a secret of at least thirty-two bytes"]);
    /// assert!(builder.cookie_samesite(SameSite::None).cookie_partitioned(true).build().is_ok());
    /// ```
    #[must_use]
    pub const fn cookie_partitioned(mut self, yes: bool) -> Self {
        self.draft.cookie_partitioned = yes;
        self
    }

    /// Sets `SESSION_CLEAR_SITE_DATA`: whether the response to a logout has `Clear-Site-Data: "cache", "storage"`, so that the browser also
    /// removes what scripts and its cache have kept of this site. Default false.
    ///
    /// ```
    /// use edge_session::Settings;
    ///
    /// let builder = Settings::builder(["a secret of at least thirty-two bytes"]);
    /// assert!(builder.clear_site_data(true).build().is_ok());
    /// ```
    #[must_use]
    pub const fn clear_site_data(mut self, yes: bool) -> Self {
        self.draft.clear_site_data = yes;
        self
    }

    /// Sets `SESSION_MERGE_STALE`: whether a save may be based on a record that lacks a recent save of this browser at another
    /// location, and may overwrite it. Default false: such a save fails with [`ErrorKind::Stale`](crate::ErrorKind::Stale).
    ///
    /// ```
    /// # use edge_session::Settings;
    /// # let builder = Settings::builder(["a secret of at least thirty-two bytes"]);
    /// assert!(builder.merge_stale(true).build().is_ok());
    /// # Ok::<(), edge_session::Error>(())
    /// ```
    #[must_use]
    pub const fn merge_stale(mut self, yes: bool) -> Self {
        self.draft.merge_stale = yes;
        self
    }

    /// Sets `SESSION_JOURNAL_BYTES`: the maximum size in bytes of the recent writes that the cookie carries, to repair a stale record.
    /// From 0 to 4096; default 1024. Writes of a save that exceed it are not carried.
    ///
    /// ```
    /// # use edge_session::Settings;
    /// # let builder = Settings::builder(["a secret of at least thirty-two bytes"]);
    /// assert!(builder.journal_bytes(5000).build().is_err());
    /// # Ok::<(), edge_session::Error>(())
    /// ```
    #[must_use]
    pub const fn journal_bytes(mut self, bytes: usize) -> Self {
        self.draft.journal_bytes = bytes;
        self
    }

    /// Sets `SESSION_KEY_PREFIX`, the prefix of every storage key. Default `edge-session`.
    ///
    /// ```
    /// # use edge_session::Settings;
    /// # let builder = Settings::builder(["a secret of at least thirty-two bytes"]);
    /// assert!(builder.key_prefix("shop").build().is_ok());
    /// # Ok::<(), edge_session::Error>(())
    /// ```
    #[must_use]
    pub fn key_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.draft.key_prefix = prefix.into();
        self
    }

    /// Validates each setting, and their combination.
    ///
    /// ```
    /// # use edge_session::Settings;
    /// # let builder = Settings::builder(["a secret of at least thirty-two bytes"]);
    /// assert!(builder.cookie_name("__Host-sid").cookie_domain("example.com").build().is_err());
    /// # Ok::<(), edge_session::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`](crate::ErrorKind::Config), with the name of the setting and the accepted values.
    pub fn build(self) -> Result<Settings> {
        let mut settings = self.draft;
        let secrets = self.secrets?;
        let host_only = settings.cookie_domain.is_none() && settings.cookie_path == "/";
        settings.cookie_name = self.cookie_name.unwrap_or_else(|| {
            let prefix = match (settings.cookie_secure, host_only) {
                (true, true) => "__Host-",
                (true, false) => "__Secure-",
                (false, _) => "",
            };
            [prefix, "sessionid"].concat()
        });
        check_name(&settings.cookie_name)?;
        check_path(&settings.cookie_path)?;
        if let Some(domain) = &settings.cookie_domain {
            check_domain(domain)?;
        }
        check_prefix_rules(&settings.cookie_name, settings.cookie_secure, settings.cookie_httponly, host_only)?;
        if settings.cookie_samesite == SameSite::None && !settings.cookie_secure {
            return Err(Error::config(
                "SESSION_COOKIE_SAMESITE = \"None\" needs SESSION_COOKIE_SECURE = true: browsers drop the cookie otherwise",
            ));
        }
        if settings.cookie_partitioned && !settings.cookie_secure {
            return Err(Error::config("SESSION_COOKIE_PARTITIONED = true needs SESSION_COOKIE_SECURE = true"));
        }
        check_age("SESSION_COOKIE_AGE", settings.cookie_age)?;
        check_age("SESSION_ABSOLUTE_AGE", settings.absolute_age)?;
        if settings.journal_bytes > 4_096 {
            return Err(Error::config("SESSION_JOURNAL_BYTES must be from 0 to 4096"));
        }
        if !(1_024..=25 * 1024 * 1024).contains(&settings.max_record_bytes) {
            return Err(Error::config("SESSION_MAX_RECORD_BYTES must be from 1024 to 26214400 (KV's 25 MiB)"));
        }
        check_key_prefix(&settings.key_prefix)?;
        settings.anonymous_cookie_name = [&settings.cookie_name, "-anonymous"].concat();
        settings.prefix_mark = prefix_mark(&settings.key_prefix);
        settings.secrets = secrets.for_cookie(&settings.cookie_name);
        Ok(settings)
    }
}

/// Checks that the cookie name is an HTTP token (RFC 9110, section 5.6.2).
fn check_name(name: &str) -> Result<()> {
    let is_token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    if name.is_empty() || name.len() > 128 || !name.bytes().all(is_token) {
        return Err(Error::config(
            "SESSION_COOKIE_NAME must be 1 to 128 letters, digits or characters of !#$%&'*+-.^_`|~",
        ));
    }
    Ok(())
}

/// Checks that a path begins with `/` and contains no separator or control character (RFC 6265bis, section 4.1.1).
fn check_path(path: &str) -> Result<()> {
    let fits =
        path.starts_with('/') && path.len() <= 1024 && path.bytes().all(|b| (0x20..0x7f).contains(&b) && b != b';');
    if !fits || path.trim() != path {
        return Err(Error::config("SESSION_COOKIE_PATH must begin with / and be printable ASCII without a semicolon"));
    }
    Ok(())
}

fn check_domain(domain: &str) -> Result<()> {
    let bare = domain.strip_prefix('.').unwrap_or(domain);
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    if bare.len() > 253 || !bare.split('.').all(is_label) {
        return Err(Error::config(
            "SESSION_COOKIE_DOMAIN must be a host name such as example.com, without scheme or port",
        ));
    }
    Ok(())
}

/// Checks the rules for prefixed cookie names, which are case-insensitive (RFC 6265bis, section 4.1.3).
fn check_prefix_rules(name: &str, secure: bool, httponly: bool, host_only: bool) -> Result<()> {
    let refuse = |why: &str| Error::config(["SESSION_COOKIE_NAME = \"", name, "\"", why].concat());
    // The anonymous cookie's name continues with a hyphen, so `__Secure` has a prefix there.
    let lower = [name, "-"].concat().to_ascii_lowercase();
    let host = lower.starts_with("__host-");
    let http = lower.starts_with("__http-") || lower.starts_with("__host-http-");
    if (host || http || lower.starts_with("__secure-")) && !secure {
        return Err(refuse(
            " needs SESSION_COOKIE_SECURE = true; choose a name without the prefix, such as \"sessionid\"",
        ));
    }
    if http && !httponly {
        return Err(refuse(" needs SESSION_COOKIE_HTTPONLY = true"));
    }
    if host && !host_only {
        return Err(refuse(
            " allows no SESSION_COOKIE_DOMAIN and only SESSION_COOKIE_PATH = \"/\"; leave the name out, or choose one that \
             begins with __Secure-",
        ));
    }
    Ok(())
}

fn check_age(setting: &str, seconds: i64) -> Result<()> {
    // The maximum is a hundred years.
    if !(1..=36_525 * DAY).contains(&seconds) {
        return Err(Error::config([setting, " must be a number of seconds from 1 to 3155760000"].concat()));
    }
    Ok(())
}

/// Returns the first 16 bits of a hash of the prefix.
fn prefix_mark(prefix: &str) -> [u8; 2] {
    let [first, second, ..] = sha256(&[prefix.as_bytes()]);
    [first, second]
}

fn check_key_prefix(prefix: &str) -> Result<()> {
    let fits =
        (1..=64).contains(&prefix.len()) && prefix.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
    if !fits {
        return Err(Error::config("SESSION_KEY_PREFIX must be 1 to 64 letters, digits, hyphens, underscores or dots"));
    }
    Ok(())
}

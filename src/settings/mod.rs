//! Django's `SESSION_*` settings, with the defaults of a stricter time, checked when they are built.

mod table;

use crate::error::{Error, Result};
use crate::secret::Secrets;
use crate::session::incoming::CookieSlot;
use alloc::borrow::ToOwned;
use alloc::string::String;
use edge_session_crypto::sha256;

pub use table::{SETTINGS, Setting, SettingKind};

/// Seconds in a day.
const DAY: i64 = 86_400;

/// The longest life a browser gives a cookie: 400 days (RFC 6265bis, section 5.5), in seconds.
pub(crate) const MAX_COOKIE_AGE: i64 = 400 * DAY;

/// The cookie's `SameSite` attribute (RFC 6265bis, section 5.6.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SameSite {
    /// Sent with requests from the same site only.
    Strict,
    /// Also sent when a link from another site leads here. The default.
    Lax,
    /// Sent from everywhere; browsers want `Secure` with it.
    None,
}

impl SameSite {
    /// The value of a setting, whatever its letters' case.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let all = [Self::Strict, Self::Lax, Self::None];
        all.into_iter().find(|samesite| samesite.as_str().eq_ignore_ascii_case(text))
    }

    /// The value of the attribute.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Strict => "Strict",
            Self::Lax => "Lax",
            Self::None => "None",
        }
    }
}

/// How sessions behave and how their cookie travels; checked, so that no request meets a contradiction.
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
    /// The name under which sessions travel before their first `cycle_key`.
    pub(crate) anonymous_cookie_name: String,
    /// What a token remembers of the key prefix under which it was issued.
    pub(crate) prefix_mark: [u8; 2],
    pub(crate) cookie_age: i64,
    pub(crate) cookie_domain: Option<String>,
    pub(crate) cookie_path: String,
    pub(crate) cookie_secure: bool,
    pub(crate) cookie_httponly: bool,
    pub(crate) cookie_samesite: SameSite,
    pub(crate) expire_at_browser_close: bool,
    pub(crate) save_every_request: bool,
    pub(crate) absolute_age: i64,
    pub(crate) max_record_bytes: usize,
    pub(crate) key_prefix: String,
    pub(crate) check_ended: bool,
    pub(crate) merge_stale: bool,
    pub(crate) secrets: Secrets,
}

impl Settings {
    /// Starts from the defaults. The first secret signs; all of them verify, so a new one goes in front of the old ones.
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
                expire_at_browser_close: false,
                save_every_request: false,
                absolute_age: MAX_COOKIE_AGE,
                max_record_bytes: 64 * 1024,
                key_prefix: "edge-session".to_owned(),
                check_ended: true,
                merge_stale: false,
                secrets: Secrets::none(),
            },
        }
    }

    /// The name of the session cookie: `__Host-sessionid` unless a setting says otherwise.
    #[must_use]
    pub fn cookie_name(&self) -> &str {
        &self.cookie_name
    }

    /// The name of the cookie of a session before its first `cycle_key`: [`cookie_name`](Self::cookie_name) with `-anonymous`
    /// behind it. No answer to an anonymous request can replace the cookie of a login, since they have different names.
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

    /// Django's `SESSION_COOKIE_AGE`: the default life of a session, in seconds.
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

    /// The cookie's `Domain`; `None` for the host itself.
    #[must_use]
    pub fn cookie_domain(&self) -> Option<&str> {
        self.cookie_domain.as_deref()
    }

    /// The cookie's `Path`.
    #[must_use]
    pub fn cookie_path(&self) -> &str {
        &self.cookie_path
    }

    /// Whether the cookie is `Secure`.
    #[must_use]
    pub const fn cookie_secure(&self) -> bool {
        self.cookie_secure
    }

    /// Whether the cookie is `HttpOnly`.
    #[must_use]
    pub const fn cookie_httponly(&self) -> bool {
        self.cookie_httponly
    }

    /// The cookie's `SameSite`.
    #[must_use]
    pub const fn cookie_samesite(&self) -> SameSite {
        self.cookie_samesite
    }

    /// Whether each request renews its session: Django's `SESSION_SAVE_EVERY_REQUEST`.
    #[must_use]
    pub const fn saves_every_request(&self) -> bool {
        self.save_every_request
    }
}

/// Collects settings; [`build`](Self::build) checks them.
#[derive(Debug)]
pub struct SettingsBuilder {
    secrets: Result<Secrets>,
    pub(crate) cookie_name: Option<String>,
    pub(crate) draft: Settings,
}

impl SettingsBuilder {
    /// `SESSION_COOKIE_NAME`. Without it the name follows from the rest: `__Host-sessionid`, or `__Secure-sessionid`
    /// with a domain or a path, or `sessionid` where the cookie is not `Secure`.
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

    /// `SESSION_COOKIE_AGE`: the default life of a session, in seconds. Default 1 209 600 (14 days).
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

    /// `SESSION_COOKIE_DOMAIN`: also send the cookie to the subdomains of this domain. Default: this host only.
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

    /// `SESSION_COOKIE_PATH`. Default `/`.
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

    /// `SESSION_COOKIE_SECURE`. Default true; browsers take such a cookie on `http://localhost` as well.
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

    /// `SESSION_COOKIE_HTTPONLY`. Default true: scripts in the page do not see the cookie.
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

    /// `SESSION_COOKIE_SAMESITE`. Default [`SameSite::Lax`].
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

    /// `SESSION_EXPIRE_AT_BROWSER_CLOSE`: cookies without an end, for sessions without an expiry of their own. Default false.
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

    /// `SESSION_SAVE_EVERY_REQUEST`: renew the session with each request, not only when it changed. Default false.
    ///
    /// A renewal is written when it moves the deadline by a tenth of the session's life, not each time.
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

    /// `SESSION_ABSOLUTE_AGE`: seconds from creation, or from the first `cycle_key`, after which a session ends
    /// whatever is saved. Default 34 560 000 (400 days).
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

    /// `SESSION_MAX_RECORD_BYTES`: the largest record that is written or read. Default 65 536.
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

    /// `SESSION_CHECK_ENDED`: whether a load also reads if the session was ended. Default true. False saves a read a request; a
    /// logout then only deletes the record, which a slow request can bring back, and a cached one goes on being served.
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

    /// `SESSION_MERGE_STALE`: whether a save is made on top of a record that lacks what this browser saved a moment ago,
    /// elsewhere, and may overwrite it. Default false: it is refused with [`ErrorKind::Stale`](crate::ErrorKind::Stale).
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

    /// `SESSION_KEY_PREFIX`: what every key in the store begins with. Default `edge-session`.
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

    /// Checks the settings, each alone and all together.
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
    /// [`ErrorKind::Config`](crate::ErrorKind::Config), with the setting's name and what to write instead.
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
        check_age("SESSION_COOKIE_AGE", settings.cookie_age)?;
        check_age("SESSION_ABSOLUTE_AGE", settings.absolute_age)?;
        if !(1_024..=25 * 1024 * 1024).contains(&settings.max_record_bytes) {
            return Err(Error::config("SESSION_MAX_RECORD_BYTES must lie between 1024 and 26214400 (KV's 25 MiB)"));
        }
        check_key_prefix(&settings.key_prefix)?;
        settings.anonymous_cookie_name = [&settings.cookie_name, "-anonymous"].concat();
        settings.prefix_mark = prefix_mark(&settings.key_prefix);
        settings.secrets = secrets.for_cookie(&settings.cookie_name);
        Ok(settings)
    }
}

/// A cookie's name is an HTTP token (RFC 9110, section 5.6.2).
fn check_name(name: &str) -> Result<()> {
    let is_token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    if name.is_empty() || name.len() > 128 || !name.bytes().all(is_token) {
        return Err(Error::config(
            "SESSION_COOKIE_NAME must be 1 to 128 letters, digits or characters of !#$%&'*+-.^_`|~",
        ));
    }
    Ok(())
}

/// A path begins with `/` and holds neither a separator nor a control character (RFC 6265bis, section 4.1.1).
fn check_path(path: &str) -> Result<()> {
    let fits =
        path.starts_with('/') && path.len() <= 1024 && path.bytes().all(|b| (0x20..0x7f).contains(&b) && b != b';');
    if !fits || path.trim() != path {
        return Err(Error::config(
            "SESSION_COOKIE_PATH must begin with / and hold printable ASCII without a semicolon",
        ));
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

/// What browsers demand of a prefixed name, whatever its letters' case (RFC 6265bis, section 4.1.3).
fn check_prefix_rules(name: &str, secure: bool, httponly: bool, host_only: bool) -> Result<()> {
    let refuse = |why: &str| Error::config(["SESSION_COOKIE_NAME = \"", name, "\"", why].concat());
    // The name of the anonymous cookie goes on with a hyphen: `__Secure` begins with a prefix there.
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
    // A hundred years: far beyond any session, far within every clock.
    if !(1..=36_525 * DAY).contains(&seconds) {
        return Err(Error::config([setting, " must be a number of seconds from 1 to 3155760000"].concat()));
    }
    Ok(())
}

/// The first bits of a hash of the prefix.
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

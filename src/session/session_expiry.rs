//! The expiry methods of a session, as in Django.

use chrono::{DateTime, FixedOffset, Utc};

use super::deadline::Deadline;
use super::expiry::{Expiry, ExpiryOptions};
use super::lifetime::{EXPIRY_KEY, Lifetime};
use super::session::Session;
use crate::error::Result;

impl Session {
    /// Sets the session's own expiry: Django's `set_expiry`.
    ///
    /// ```
    /// # let settings = edge_session::Settings::builder(["a secret of at least thirty-two bytes"]).build()?;
    /// # let mut session = edge_session::Sessions::new(edge_session::MemoryStore::default(), settings).new_session()?;
    /// use edge_session::Expiry;
    ///
    /// session.set_expiry(Expiry::Seconds(300))?;
    /// assert_eq!(session.get_expiry_age(Default::default())?, 300);
    /// session.set_expiry(Expiry::Policy)?;
    /// assert_eq!(session.get_expiry_age(Default::default())?, 1_209_600);
    /// # Ok::<(), edge_session::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// `Value` if the date is outside the years 1 to 9999, `StoreUnavailable` if the store did not answer.
    pub fn set_expiry(&mut self, expiry: Expiry) -> Result<()> {
        match Lifetime::from_expiry(expiry, self.now())?.to_json() {
            Some(text) => self.set_text(EXPIRY_KEY, text.into_bytes()),
            None => self.discard(EXPIRY_KEY).map(|_| ()), // mutation: expiry-removed
        }
    }

    /// Returns the seconds from the modification to the end, rounded down: Django's `get_expiry_age`. Negative after the end.
    ///
    /// This is the lifetime after a save, not the remaining time.
    ///
    /// ```
    /// # let settings = edge_session::Settings::builder(["a secret of at least thirty-two bytes"]).build()?;
    /// # let mut session = edge_session::Sessions::new(edge_session::MemoryStore::default(), settings).new_session()?;
    /// use edge_session::{Expiry, ExpiryOptions};
    ///
    /// let options = ExpiryOptions { expiry: Some(Expiry::Seconds(60)), ..ExpiryOptions::default() };
    /// assert_eq!(session.get_expiry_age(options)?, 60);
    /// # Ok::<(), edge_session::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// `Value` if the session's own expiry is invalid, `StoreUnavailable` if the store did not answer.
    pub fn get_expiry_age(&mut self, options: ExpiryOptions) -> Result<i64> {
        let (lifetime, modification) = self.lifetime(options)?;
        Ok(lifetime.age(modification, self.settings.cookie_age))
    }

    /// Returns the date of the end: Django's `get_expiry_date`.
    ///
    /// ```
    /// # let settings = edge_session::Settings::builder(["a secret of at least thirty-two bytes"]).build()?;
    /// # let mut session = edge_session::Sessions::new(edge_session::MemoryStore::default(), settings).new_session()?;
    /// use edge_session::{Expiry, ExpiryOptions};
    ///
    /// let modification = Some(chrono::DateTime::from_timestamp(1_893_456_000, 0).unwrap());
    /// let options = ExpiryOptions { modification, expiry: Some(Expiry::Seconds(60)) };
    /// assert_eq!(session.get_expiry_date(options)?.to_rfc3339(), "2030-01-01T00:01:00+00:00");
    /// # Ok::<(), edge_session::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`get_expiry_age`](Self::get_expiry_age), and `Value` if the end is outside the years 1 to 9999.
    pub fn get_expiry_date(&mut self, options: ExpiryOptions) -> Result<DateTime<FixedOffset>> {
        let (lifetime, modification) = self.lifetime(options)?;
        lifetime.date(modification, self.settings.cookie_age)
    }

    /// Returns whether the cookie expires when the browser closes: Django's `get_expire_at_browser_close`.
    ///
    /// ```
    /// # let settings = edge_session::Settings::builder(["a secret of at least thirty-two bytes"]).build()?;
    /// # let mut session = edge_session::Sessions::new(edge_session::MemoryStore::default(), settings).new_session()?;
    /// session.set_expiry(edge_session::Expiry::BROWSER_CLOSE)?;
    /// assert!(session.get_expire_at_browser_close()?);
    /// # Ok::<(), edge_session::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`get_expiry_age`](Self::get_expiry_age).
    pub fn get_expire_at_browser_close(&mut self) -> Result<bool> {
        Ok(match Lifetime::from_json(self.read()?.get(EXPIRY_KEY))? {
            Lifetime::Policy => self.settings.expire_at_browser_close,
            own => own == Lifetime::Seconds(0), // mutation: browser-close
        })
    }

    /// Returns the end of the stored record: the earlier of its deadline and the absolute deadline. Only saves move it. `None` if
    /// nothing is stored.
    ///
    /// ```
    /// # let settings = edge_session::Settings::builder(["a secret of at least thirty-two bytes"]).build()?;
    /// # let sessions = edge_session::Sessions::new(edge_session::MemoryStore::default(), settings);
    /// # pollster::block_on(async {
    /// let mut session = sessions.new_session()?;
    /// session.set("user", "alice")?;
    /// assert_eq!(session.stored_deadline()?, None);
    /// let _ = sessions.save(&mut session).await?;
    /// assert!(session.stored_deadline()?.is_some_and(|deadline| deadline > session.now()));
    /// # Ok::<(), edge_session::Error>(()) })?;
    /// # Ok::<(), edge_session::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// `StoreUnavailable` if the store did not answer.
    pub fn stored_deadline(&mut self) -> Result<Option<DateTime<Utc>>> {
        self.read()?;
        let stored = self.stored.as_ref().filter(|_| !self.key.is_new());
        let end = stored.map(|stored| stored.head.end()).filter(|end| !end.has_passed(self.now()));
        Ok(end.and_then(Deadline::date))
    }

    /// Returns the lifetime to evaluate, and the time from which its seconds count.
    pub(super) fn lifetime(&mut self, options: ExpiryOptions) -> Result<(Lifetime, DateTime<Utc>)> {
        let lifetime = match options.expiry {
            Some(expiry) => Lifetime::from_expiry(expiry, self.now())?, // mutation: given-expiry
            None => Lifetime::from_json(self.read()?.get(EXPIRY_KEY))?,
        };
        Ok((lifetime, options.modification.unwrap_or(self.now())))
    }
}

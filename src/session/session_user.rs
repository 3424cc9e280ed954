//! The user of a session.

use alloc::borrow::ToOwned;
use alloc::string::String;

use super::listing::Entry;
use super::load_state::{FetchOutcome, LoadState};
use super::session::Session;
use super::user_link::{USER_KEY, UserLink};
use crate::error::{Error, ErrorKind, Result};

/// The maximum length of a user's id and of a label, in bytes.
const MAX_BYTES: usize = 256;

impl Session {
    /// Binds the session to a user, at a login: [`list`](crate::Sessions::list) then returns it, and
    /// [`revoke`](crate::Sessions::revoke) ends it. The next save or commit puts the entry in the user's list.
    ///
    /// `user` is your own id of the user, of 1 to 256 bytes. The store contains only a keyed hash of it. `label` is shown to the user,
    /// such as the name of the browser: at most 256 bytes. The session also gets a new key, as by [`cycle_key`](Self::cycle_key),
    /// unless it got one in this request or is bound to this user. If it is bound to another user, it leaves that user's list.
    ///
    /// ```
    /// # use edge_session::{MemoryStore, Sessions, Settings};
    /// # let settings = Settings::builder(["a secret of at least thirty-two bytes"]).build()?;
    /// # let sessions = Sessions::new(MemoryStore::default(), settings);
    /// # pollster::block_on(async {
    /// let mut session = sessions.load("").await?;
    /// session.bind_user("alice", Some("Firefox on Linux"))?;
    /// let _ = sessions.commit_headers(&mut session, 200).await?;
    /// assert_eq!(sessions.list("alice", Some(&session)).await?.len(), 1);
    /// # Ok::<(), edge_session::Error>(()) })?;
    /// # Ok::<(), edge_session::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// `Value` if the id or the label is too long or the id is empty, `Usage` if the session is stored in its cookie, `StoreUnavailable` if
    /// the store did not answer.
    pub fn bind_user(&mut self, user: &str, label: Option<&str>) -> Result<()> {
        let label = label.unwrap_or_default();
        if self.settings.is_in_cookie() {
            return Err(Error::no_list());
        }
        if user.is_empty() || user.len() > MAX_BYTES || label.len() > MAX_BYTES {
            return Err(Error::value("a user's id needs 1 to 256 bytes, and a label at most 256"));
        }
        self.data()?;
        let known = self.user_link().filter(|link| link.user == user);
        // A key from before the login may be known to others.
        let has_new_key = self.key.is_new() && self.key.identity().is_some_and(|identity| !identity.is_anonymous());
        if known.is_none() && !has_new_key {
            self.cycle_key()?; // mutation: key-of-bound
        }
        let now = self.clock.now().timestamp_millis();
        let link = match known {
            Some(link) => {
                let created = if has_new_key { now } else { link.created };
                UserLink { label: label.to_owned(), created, ..link }
            }
            None => UserLink::new(&mut self.random, user.to_owned(), label.to_owned(), now),
        };
        self.link(link)
    }

    /// Sets the link to a user.
    fn link(&mut self, link: UserLink) -> Result<()> {
        let before = self.user_link();
        let put = if before.as_ref().is_some_and(|before| before.id == link.id) { Entry::Changed } else { Entry::New };
        let text =
            link.to_json(&self.settings, &mut self.random).ok_or_else(|| Error::config("SESSION_SECRET is missing"))?;
        self.set_text(USER_KEY, text)?;
        // It is sealed with the first secret now.
        let (old, new) = (before.and_then(|before| before.entry_key(&self.settings)), UserLink { secret: 0, ..link });
        if let Some(old) = old.filter(|old| Some(old) != new.entry_key(&self.settings).as_ref())
            && self.listing.put != Some(Entry::New)
        {
            self.listing.delete = Some(old);
        }
        if self.listing.put != Some(Entry::New) {
            self.listing.put = Some(put);
        }
        Ok(())
    }

    /// Seals the link anew if an old secret sealed it: that secret may be removed.
    ///
    /// # Errors
    ///
    /// As [`check_available`](Session::check_available).
    pub(crate) fn renew_link(&mut self) -> Result<()> {
        match self.user_link() {
            Some(link) if link.secret > 0 => {
                let modified = self.flags.modified;
                self.link(link)?; // mutation: link-of-old-secret
                self.flags.modified = modified;
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Gives the copy of a session an entry of its own.
    pub(super) fn copy_link(&mut self) {
        if let Some(link) = self.user_link() {
            let now = self.clock.now().timestamp_millis();
            let link = UserLink::new(&mut self.random, link.user, link.label, now);
            let other = self.listing.delete.take();
            _ = self.link(link);
            self.listing.delete = other; // the entry of the original stays
        }
    }

    /// Removes the session from its user's list with the next save or flush, since its data are removed.
    pub(crate) fn unlink(&mut self) {
        let Some(link) = self.user_link() else { return };
        if self.listing.put != Some(Entry::New) {
            self.listing.delete = link.entry_key(&self.settings); // mutation: entry-of-cleared
        }
        self.listing.put = None;
    }

    /// Returns the link to the user as it is stored in the data, without evaluating the load.
    pub(crate) fn link_text(&self) -> Option<&[u8]> {
        match &self.state {
            LoadState::Evaluated(_, data) | LoadState::Pending(FetchOutcome::Record(_, data, _)) => data.get(USER_KEY),
            LoadState::Pending(_) => None,
        }
    }

    /// Returns the link to the user.
    pub(crate) fn user_link(&self) -> Option<UserLink> {
        UserLink::from_json(&self.settings, self.link_text()?)
    }

    /// Returns the public id of the session in the list of this user; `None` if it is not bound to this user.
    ///
    /// ```
    /// # let settings = edge_session::Settings::builder(["a secret of at least thirty-two bytes"]).build()?;
    /// # let mut session = edge_session::Sessions::new(edge_session::MemoryStore::default(), settings).new_session()?;
    /// session.bind_user("alice", None)?;
    /// assert!(session.id_of("alice").is_some() && session.id_of("bob").is_none());
    /// # Ok::<(), edge_session::Error>(())
    /// ```
    #[must_use]
    pub fn id_of(&self, user: &str) -> Option<String> {
        self.user_link().filter(|link| link.user == user).map(|link| link.id)
    }

    /// Returns the user to whom the session is bound, and its public id in the list.
    ///
    /// ```
    /// # let settings = edge_session::Settings::builder(["a secret of at least thirty-two bytes"]).build()?;
    /// # let mut session = edge_session::Sessions::new(edge_session::MemoryStore::default(), settings).new_session()?;
    /// session.bind_user("alice", None)?;
    /// assert_eq!(session.bound_user()?.0, "alice");
    /// # Ok::<(), edge_session::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// `Usage` if the session is not bound to a user, `StoreUnavailable` if the store did not answer.
    pub fn bound_user(&mut self) -> Result<(String, String)> {
        if self.settings.is_in_cookie() {
            return Err(Error::no_list());
        }
        self.read()?;
        let link = self
            .user_link()
            .ok_or_else(|| Error::new(ErrorKind::Usage, "the session has no user: bind it to one at the login"))?;
        Ok((link.user, link.id))
    }
}

//! The sessions of a user.

use alloc::borrow::ToOwned;
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::Sessions;
use crate::driver::drive;
#[cfg(doc)]
use crate::error::ErrorKind;
use crate::error::Result;
use crate::protocol::user_sessions::UserSession;
use crate::protocol::{UserCall, UserOutcome, UserSessions};
use crate::session::session::Session;
use crate::store::Store;

impl<S: Store> Sessions<S> {
    /// Lists the sessions that are bound to a user by [`bind_user`](Session::bind_user), the last visit first. `current` is the session of
    /// this request, which is marked.
    ///
    /// A session leaves the list when it ends, by a logout or by its expiry; `cycle_key` keeps it there. On Workers KV, a session that began or
    /// ended at another location appears or disappears after the same delay as a [logout](Self::flush) takes effect; on a linearizable store
    /// at once.
    ///
    /// ```
    /// # let settings = edge_session::Settings::builder(["a secret of at least thirty-two bytes"]).build()?;
    /// # let sessions = edge_session::Sessions::new(edge_session::MemoryStore::default(), settings);
    /// # pollster::block_on(async {
    /// let mut session = sessions.load("").await?;
    /// session.bind_user("alice", Some("Firefox on Linux"))?;
    /// let _ = sessions.commit_headers(&mut session, 200).await?;
    /// for device in sessions.list("alice", Some(&session)).await? {
    ///     println!("{} since {}: {:?}", device.id, device.created_at, device.label);
    ///     assert!(device.current);
    /// }
    /// # Ok::<(), edge_session::Error>(()) })?;
    /// # Ok::<(), edge_session::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`ErrorKind::StoreUnavailable`] if the store failed, [`ErrorKind::Usage`] if the sessions are in their cookies.
    pub async fn list(&self, user: &str, current: Option<&Session>) -> Result<Vec<UserSession>> {
        let current = current.and_then(|session| session.id_of(user));
        let mut sessions = self.call(user, UserCall::List { current }).await?.sessions;
        sessions.sort_by_key(|session| core::cmp::Reverse(session.last_seen_at));
        Ok(sessions)
    }

    /// Ends a session of a user by its public id: signs out one device. Returns whether the user has such a session. The id of another user's
    /// session is treated as an unknown one.
    ///
    /// ```
    /// # let settings = edge_session::Settings::builder(["a secret of at least thirty-two bytes"]).build()?;
    /// # let sessions = edge_session::Sessions::new(edge_session::MemoryStore::default(), settings);
    /// # pollster::block_on(async {
    /// assert!(!sessions.revoke("alice", "unknown-id").await?);
    /// # Ok::<(), edge_session::Error>(()) })?;
    /// # Ok::<(), edge_session::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`list`](Self::list). The session may have ended then.
    pub async fn revoke(&self, user: &str, id: &str) -> Result<bool> {
        Ok(self.call(user, UserCall::Revoke(id.to_owned())).await?.revoked > 0)
    }

    /// Ends all other sessions of the session's user: signs out all other devices. Returns their number.
    ///
    /// ```
    /// # let settings = edge_session::Settings::builder(["a secret of at least thirty-two bytes"]).build()?;
    /// # let sessions = edge_session::Sessions::new(edge_session::MemoryStore::default(), settings);
    /// # pollster::block_on(async {
    /// let mut session = sessions.load("").await?;
    /// session.bind_user("alice", None)?;
    /// let _ = sessions.commit_headers(&mut session, 200).await?;
    /// assert_eq!(sessions.revoke_others(&mut session).await?, 0);
    /// # Ok::<(), edge_session::Error>(()) })?;
    /// # Ok::<(), edge_session::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`list`](Self::list), and [`ErrorKind::Usage`] if the session is not bound to a user. Some sessions may have ended then: a second
    /// call ends the others.
    pub async fn revoke_others(&self, session: &mut Session) -> Result<usize> {
        let (user, id) = session.bound_user()?;
        Ok(self.call(&user, UserCall::RevokeAll { except: Some(id) }).await?.revoked)
    }

    /// Ends all sessions of a user: after a change of the password, or when the account is closed. Returns their number.
    ///
    /// ```
    /// # let settings = edge_session::Settings::builder(["a secret of at least thirty-two bytes"]).build()?;
    /// # let sessions = edge_session::Sessions::new(edge_session::MemoryStore::default(), settings);
    /// # pollster::block_on(async {
    /// assert_eq!(sessions.revoke_all("alice").await?, 0);
    /// # Ok::<(), edge_session::Error>(()) })?;
    /// # Ok::<(), edge_session::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`list`](Self::list). Some sessions may have ended then: a second call ends the others.
    pub async fn revoke_all(&self, user: &str) -> Result<usize> {
        Ok(self.call(user, UserCall::RevokeAll { except: None }).await?.revoked)
    }

    /// Runs a call on the sessions of a user.
    async fn call(&self, user: &str, call: UserCall) -> Result<UserOutcome> {
        let mut sessions = UserSessions::new(Arc::clone(&self.settings), (self.clock)(), user, call);
        drive(&self.store, |reply| sessions.step(&self.memory, reply)).await
    }
}

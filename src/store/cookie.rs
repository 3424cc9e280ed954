//! Sessions in their cookies.

use alloc::vec::Vec;

use super::{Consistency, Op, Page, Store, WriteOutcome};
use crate::error::{Error, ErrorKind, Result};
use crate::session::storage_key::StorageKey;

/// No store: the cookie contains the session, as with Django's `signed_cookies`, but sealed, so that a browser cannot read it.
///
/// It costs no I/O. A session can have about 2.8 KB of data: larger ones are refused with
/// [`ErrorKind::TooLarge`]. A logout deletes the cookie in the browser. **It does not reach a copy**, which opens the session until
/// that expires, and an older cookie brings older data back. The calls by session key fail with [`ErrorKind::Usage`].
///
/// ```
/// use edge_session::store::CookieStore;
/// use edge_session::{Sessions, Settings};
///
/// # pollster::block_on(async {
/// let settings = Settings::builder(["a secret of at least thirty-two bytes"]).build()?;
/// let sessions = Sessions::new(CookieStore, settings);
/// let mut session = sessions.load("").await?;
/// session.set("user", "alice")?;
/// let headers = sessions.commit_headers(&mut session, 200).await?;
/// let cookie = headers.set_cookie().unwrap().split(';').next().unwrap();
/// let mut session = sessions.load(cookie).await?;
/// assert_eq!(session.get::<String>("user")?.as_deref(), Some("alice"));
/// # Ok::<(), edge_session::Error>(()) }).unwrap();
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct CookieStore;

impl Store for CookieStore {
    fn consistency(&self) -> Consistency {
        Consistency::Cookie
    }

    fn expires_records(&self) -> bool {
        true
    }

    async fn read(&self, _keys: &[StorageKey]) -> Result<Vec<Option<Vec<u8>>>> {
        Err(no_store())
    }

    async fn write(&self, _ops: Vec<Op>) -> Result<WriteOutcome> {
        Err(no_store())
    }

    async fn list(&self, _prefix: &str, _cursor: Option<&str>) -> Result<Page> {
        Ok(Page::default())
    }
}

fn no_store() -> Error {
    Error::new(ErrorKind::Usage, "sessions that are in their cookies have no store")
}

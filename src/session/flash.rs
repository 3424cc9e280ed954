//! Values for a later request.

use alloc::boxed::Box;
use alloc::string::String;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::session::Session;
use super::value;
use crate::error::Result;

/// The beginning of the key under which a value for a later request is stored, as in the npm package.
const PREFIX: &str = "_flash_";

/// A value that an earlier request flashed and this one has read. Its text is `None` if there was none, or if this request has flashed
/// a value itself.
#[derive(Debug)]
pub(super) struct Flashed {
    key: Box<str>,
    json: Option<Box<[u8]>>,
}

impl Session {
    /// Stores a value for a later request: the next one that calls [`flashed`](Self::flashed) gets it, and no other. For a message on
    /// the page after a redirect.
    ///
    /// ```
    /// # let settings = edge_session::Settings::builder(["a secret of at least thirty-two bytes"]).build()?;
    /// # let sessions = edge_session::Sessions::new(edge_session::MemoryStore::default(), settings);
    /// # pollster::block_on(async {
    /// let mut session = sessions.new_session()?;
    /// session.flash("message", "Saved")?;
    /// assert_eq!(session.flashed::<String>("message")?, None); // not in the same request
    /// sessions.save(&mut session).await?;
    ///
    /// let mut next = sessions.open(session.session_key().unwrap().as_str()).await?;
    /// assert_eq!(next.flashed::<String>("message")?.as_deref(), Some("Saved"));
    /// # Ok::<(), edge_session::Error>(())
    /// # })?;
    /// # Ok::<(), edge_session::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`set`](Self::set).
    pub fn flash<T: Serialize>(&mut self, key: &str, value: T) -> Result<()> {
        let text = value::to_json(key, &value)?;
        self.set_text(&stored_key(key), text.into_bytes())?;
        if !self.flashed.iter().any(|flashed| *flashed.key == *key) {
            self.flashed.push(Flashed { key: key.into(), json: None });
        }
        Ok(())
    }

    /// Returns the value that an earlier request [flashed](Self::flash), as often as this request asks, and removes it from the session.
    ///
    /// # Errors
    ///
    /// `Value` if the value is not a `T`, `StoreUnavailable` if the store did not answer.
    pub fn flashed<T: DeserializeOwned>(&mut self, key: &str) -> Result<Option<T>> {
        if !self.flashed.iter().any(|flashed| *flashed.key == *key) {
            let stored = stored_key(key);
            let json = self.get_stored(&stored)?.map(Box::from);
            if json.is_some() {
                self.discard(&stored)?;
            }
            self.flashed.push(Flashed { key: key.into(), json });
        }
        let found = self.flashed.iter().find(|flashed| *flashed.key == *key);
        found.and_then(|flashed| flashed.json.as_deref()).map(|json| value::from_json(key, json)).transpose()
    }
}

fn stored_key(key: &str) -> String {
    [PREFIX, key].concat()
}

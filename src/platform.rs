//! The platform's clock and random source.

use chrono::{DateTime, Utc};

use crate::error::{Error, ErrorKind, Result};

/// Returns the present time.
#[cfg(not(all(target_arch = "wasm32", target_os = "unknown")))]
pub(crate) fn now() -> DateTime<Utc> {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    DateTime::from_timestamp(i64::try_from(since.as_secs()).unwrap_or_default(), since.subsec_nanos())
        .unwrap_or_default()
}

/// Returns the present time.
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
pub(crate) fn now() -> DateTime<Utc> {
    DateTime::from_timestamp_millis(js_sys::Date::now() as i64).unwrap_or_default()
}

/// Returns random bytes.
pub(crate) fn entropy() -> Result<[u8; 32]> {
    let mut seed = [0; 32];
    match getrandom::fill(&mut seed) {
        Ok(()) => Ok(seed),
        Err(_) => Err(Error::new(ErrorKind::Entropy, "the platform gave no random bytes; no session can be made")),
    }
}

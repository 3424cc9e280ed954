//! Sessions around the requests of a tower service, feature `tower`: a [`SessionLayer`] for any store, and the [`Session`] of each
//! request. The feature `axum` makes the session an extractor.
//!
//! ```
//! # #[cfg(feature = "axum")]
//! # fn main() -> edge_session::Result<()> {
//! use axum::Router;
//! use axum::routing::{get, post};
//! use edge_session::tower::{Session, SessionLayer};
//! use edge_session::{MemoryStore, Result, Sessions, Settings};
//!
//! async fn count(session: Session) -> Result<String> {
//!     let visits = session.get::<u32>("visits")?.unwrap_or(0) + 1;
//!     session.set("visits", visits)?;
//!     Ok(format!("Visit number {visits}"))
//! }
//!
//! async fn log_out(session: Session) -> Result<&'static str> {
//!     session.flush().await?;
//!     Ok("Goodbye")
//! }
//!
//! let settings = Settings::builder(["a secret of at least thirty-two bytes"]).build()?;
//! let sessions = Sessions::new(MemoryStore::default(), settings);
//! let app: Router = Router::new()
//!     .route("/", get(count))
//!     .route("/logout", post(log_out))
//!     .layer(SessionLayer::new(sessions));
//! # Ok(()) }
//! # #[cfg(not(feature = "axum"))]
//! # fn main() {}
//! ```
//!
//! # Threads
//!
//! Sessions stay on one thread, as a Worker does: their types are not `Send`. axum requires types that are, so the layer, the
//! session and their futures are wrapped. They work on the thread that created the layer. In a Worker that is always so. A native
//! server needs a current-thread runtime, such as `#[tokio::main(flavor = "current_thread")]`. On another thread every call fails
//! with [`ErrorKind::Usage`](crate::ErrorKind::Usage), every response has the status 500, and what is dropped there is leaked;
//! nothing panics.
//!
//! # For users of tower-sessions
//!
//! | tower-sessions | here |
//! | --- | --- |
//! | `SessionManagerLayer::new(store)` | [`SessionLayer::new(Sessions::new(store, settings))`](SessionLayer::new) |
//! | `with_secure`, `with_same_site`, `with_expiry`, … | [`Settings::builder`](crate::Settings::builder) |
//! | `session.insert(k, v).await` | [`session.set(k, v)`](Session::set) |
//! | `session.get::<T>(k).await` | [`session.get::<T>(k)`](Session::get) |
//! | `session.remove::<T>(k).await` | [`session.pop_or::<Option<T>>(k, None)`](Session::pop_or) |
//! | `insert_value`, `get_value`, `remove_value` | the same three, with [`serde_json::Value`] |
//! | `session.cycle_id().await` | [`session.cycle_key()`](Session::cycle_key) |
//! | `session.flush().await`, `session.delete().await` | [`session.flush().await`](Session::flush) |
//! | `session.clear().await` | [`session.clear()`](Session::clear) |
//! | `session.id()` | [`session.session_key()`](Session::session_key) |
//! | `session.is_empty().await` | [`session.keys()?.is_empty()`](Session::keys) |
//! | `session.set_expiry(Some(Expiry::OnInactivity(d)))` | [`session.set_expiry(Expiry::Seconds(n))`](Session::set_expiry) |
//! | `Expiry::AtDateTime(t)`, `Expiry::OnSessionEnd` | [`Expiry::At(t)`](crate::Expiry::At), [`Expiry::BROWSER_CLOSE`](crate::Expiry::BROWSER_CLOSE) |
//! | `is_modified`, `expiry_age`, `expiry_date` | [`session.with(…)`](Session::with) and `modified`, `get_expiry_age`, `get_expiry_date` |
//! | `session.save().await` | [`session.save().await`](Session::save); the layer saves what was changed |
//! | `session.load().await` | none: the layer loads |
//! | `continuously_delete_expired` | [`Sessions::clear_expired`](crate::Sessions::clear_expired) from a timer |

#[cfg(feature = "axum")]
mod extract;
mod layer;
mod one_thread;
mod response;
mod session;

pub use layer::{SessionLayer, SessionService};
pub use one_thread::SessionFuture;
pub use session::Session;

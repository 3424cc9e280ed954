use axum::Router;
use axum::routing::{get, post};
use edge_session::tower::{Session, SessionLayer};
use edge_session::{MemoryStore, Result, Sessions, Settings};

async fn count(session: Session) -> Result<String> {
    let visits = session.get::<u32>("visits")?.unwrap_or(0) + 1;
    session.set("visits", visits)?;
    let flash = session.flashed::<String>("flash")?.unwrap_or_default();
    Ok(format!("{flash} Visit number {visits}"))
}

async fn log_in(session: Session) -> Result<()> {
    session.cycle_key()?;
    session.set("user", "alice")?;
    session.flash("flash", "Welcome!")
}

async fn log_out(session: Session) -> Result<()> {
    session.flush().await
}

pub fn app(store: MemoryStore, secret: &str) -> Result<Router> {
    let settings = Settings::builder([secret]).cookie_age(14 * 24 * 3600).build()?;
    let layer = SessionLayer::new(Sessions::new(store, settings));
    Ok(Router::new().route("/", get(count)).route("/login", post(log_in)).route("/logout", post(log_out)).layer(layer))
}

use axum::Router;
use axum::routing::{get, post};
use tower_sessions::{Expiry, MemoryStore, Session, SessionManagerLayer, cookie::time::Duration};

async fn count(session: Session) -> String {
    let visits = session.get::<u32>("visits").await.unwrap().unwrap_or(0) + 1;
    session.insert("visits", visits).await.unwrap();
    let flash = session.remove::<String>("flash").await.unwrap().unwrap_or_default();
    format!("{flash} Visit number {visits}")
}

async fn log_in(session: Session) {
    session.cycle_id().await.unwrap();
    session.insert("user", "alice").await.unwrap();
    session.insert("flash", "Welcome!").await.unwrap();
}

async fn log_out(session: Session) {
    session.flush().await.unwrap();
}

pub fn app(store: MemoryStore) -> Router {
    let layer = SessionManagerLayer::new(store).with_expiry(Expiry::OnInactivity(Duration::days(14)));
    Router::new().route("/", get(count)).route("/login", post(log_in)).route("/logout", post(log_out)).layer(layer)
}

use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use edge_session::tower::{Session, SessionLayer};
use tower_sessions::session::Error as OldError;
use tower_sessions::{MemoryStore, Session as OldSession, SessionManagerLayer};

async fn take_over(old: OldSession, session: Session, request: Request, next: Next) -> Result<Response, Response> {
    let old_failed = |_: OldError| StatusCode::INTERNAL_SERVER_ERROR.into_response();
    let failed = |error: edge_session::Error| error.into_response();
    if let Some(user) = old.get::<String>("user").await.map_err(old_failed)? {
        session.cycle_key().map_err(failed)?;
        session.set("user", user).map_err(failed)?;
        session.save().await.map_err(failed)?; // before the old session ends
        old.flush().await.map_err(old_failed)?;
    }
    Ok(next.run(request).await)
}

pub fn migrating(app: Router, layer: SessionLayer, old: SessionManagerLayer<MemoryStore>) -> Router {
    app.layer(from_fn(take_over)).layer(layer).layer(old)
}

use axum::Router;
use axum::response::{Redirect, Response};
use axum::routing::{get, post};
use edge_session::tower::{Session, SessionLayer};
use edge_session::{Kv, Result, Sessions, Settings};
use tower_service::Service;
use worker::{Context, Env, HttpRequest, event};

async fn count(session: Session) -> Result<String> {
    let visits = session.get::<u32>("visits")?.unwrap_or(0) + 1;
    session.set("visits", visits)?;
    let user = session.get::<String>("user")?.unwrap_or_else(|| "stranger".to_owned());
    let flash = session.pop_or::<Option<String>>("flash", None)?.unwrap_or_default();
    Ok(format!("{flash} Hello, {user}. Visit number {visits}").trim_start().to_owned())
}

async fn log_in(session: Session) -> Result<Redirect> {
    session.cycle_key()?; // a new key, which no one can know from before the login
    session.set("user", "alice")?;
    session.set("flash", "Welcome!")?; // shown once, on the next page
    Ok(Redirect::to("/"))
}

async fn log_out(session: Session) -> Result<&'static str> {
    session.flush().await?;
    Ok("Goodbye")
}

fn router(sessions: SessionLayer) -> Router {
    Router::new().route("/", get(count)).route("/login", post(log_in)).route("/logout", post(log_out)).layer(sessions)
}

#[event(fetch)]
async fn fetch(request: HttpRequest, env: Env, _: Context) -> worker::Result<Response> {
    let sessions = Sessions::new(Kv::from_env(&env, "SESSIONS")?, Settings::from_env(&env)?);
    Ok(router(SessionLayer::new(sessions)).call(request).await?)
}

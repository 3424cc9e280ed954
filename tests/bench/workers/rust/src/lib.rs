//! Reads the session, counts a visit, answers with JSON.

use edge_session::cloudflare::json_response;
use edge_session::{Kv, Sessions, Settings};
use worker::{Context, Env, Request, Response, Result, event};

#[event(fetch)]
async fn fetch(request: Request, env: Env, _: Context) -> Result<Response> {
    let sessions = Sessions::new(Kv::from_env(&env, "SESSIONS")?, Settings::from_env(&env)?);
    sessions
        .serve(request, async |_, session| {
            let visits = session.get::<u32>("visits")?.unwrap_or(0) + 1;
            session.set("visits", visits)?;
            json_response(format!(r#"{{"visits":{visits}}}"#))
        })
        .await
}

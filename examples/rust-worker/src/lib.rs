use edge_session::{Kv, Sessions, Settings};
use worker::{Context, Env, Method, Request, Response, Result, ScheduleContext, ScheduledEvent, event};

fn sessions(env: &Env) -> edge_session::Result<Sessions<Kv>> {
    Ok(Sessions::new(Kv::from_env(env, "SESSIONS")?, Settings::from_env(env)?))
}

#[event(fetch)]
async fn fetch(request: Request, env: Env, _: Context) -> Result<Response> {
    let sessions = sessions(&env)?;
    sessions
        .serve(request, async |request, session| match (request.method(), request.path().as_str()) {
            (Method::Post, "/login") => {
                session.cycle_key()?; // a new key, which no one can know from before the login
                session.set("user", "alice")?;
                Response::ok("Welcome")
            }
            (Method::Post, "/logout") => {
                sessions.flush(session).await?;
                Response::ok("Goodbye")
            }
            _ => {
                let visits = session.get::<u32>("visits")?.unwrap_or(0) + 1;
                session.set("visits", visits)?;
                Response::ok(format!("Visit number {visits}"))
            }
        })
        .await
}

#[event(scheduled)]
async fn scheduled(_: ScheduledEvent, env: Env, _: ScheduleContext) {
    let swept = match sessions(&env) {
        Ok(sessions) => sessions.clear_expired().await,
        Err(error) => Err(error),
    };
    worker::console_log!("{swept:?}");
}

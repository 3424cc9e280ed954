use edge_session::{Kv, Session, Sessions, Settings};
use worker::{Context, Env, Request, Response, Result, ScheduleContext, ScheduledEvent, event};

mod pages;

fn sessions(env: &Env) -> edge_session::Result<Sessions<Kv>> {
    Ok(Sessions::new(Kv::from_env(env, "SESSIONS")?, Settings::from_env(env)?))
}

#[event(fetch)]
async fn fetch(request: Request, env: Env, _: Context) -> Result<Response> {
    let sessions = sessions(&env)?;
    sessions
        .serve(request, async |request, session| match request.path().as_str() {
            "/" => visits(session),
            "/login" => {
                session.cycle_key()?;
                session.set("user", "alice")?;
                Response::ok("Welcome")
            }
            "/logout" => {
                sessions.flush(session).await?;
                Response::ok("Goodbye")
            }
            path => pages::answer(path, session),
        })
        .await
}

fn visits(session: &mut Session) -> Result<Response> {
    let visits = session.get::<u32>("visits")?.unwrap_or(0) + 1;
    session.set("visits", visits)?;
    Response::ok(format!("Visit number {visits}"))
}

#[event(scheduled)]
async fn scheduled(_: ScheduledEvent, env: Env, _: ScheduleContext) {
    if let Ok(sessions) = sessions(&env) {
        let _ = sessions.clear_expired().await;
    }
}

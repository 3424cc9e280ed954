//! The event handlers of the Worker: `fetch` and `scheduled`.

use worker::{Context, Env, Response, ScheduleContext, ScheduledEvent, console_log, event, web_sys};

use edge_session::cloudflare::log_error;
use edge_session::{Result, Sessions, Settings, SweepOutcome};

use crate::engine::Engine;
use crate::rate_limit::RateLimit;
use crate::request::Incoming;
use crate::routes;

/// The maximum number of runs of `clear_expired` for one event. On D1 a run is one statement, which deletes 1000 records.
const MAX_RUNS: usize = 20;

#[event(fetch)]
async fn fetch(request: web_sys::Request, env: Env, _: Context) -> worker::Result<Response> {
    routes::answer(Incoming::new(request), RateLimit::from_env(&env), || parts(&env)).await
}

#[event(scheduled)]
async fn scheduled(_: ScheduledEvent, env: Env, _: ScheduleContext) {
    match sweep(&env).await {
        Ok(swept) if swept.complete => console_log!("clear_expired: {} records removed", swept.removed),
        Ok(swept) => console_log!("clear_expired: {} records removed, the next run continues", swept.removed),
        Err(error) => log_error("clear_expired failed", &error),
    }
}

/// Deletes the expired records of the engine.
async fn sweep(env: &Env) -> Result<SweepOutcome> {
    let (engine, settings) = parts(env)?;
    let sessions = Sessions::new(engine, settings);
    let mut removed = 0_usize;
    for _ in 0..MAX_RUNS {
        let swept = sessions.clear_expired().await?;
        removed = removed.saturating_add(swept.removed);
        if swept.complete {
            return Ok(SweepOutcome { removed, complete: true });
        }
    }
    Ok(SweepOutcome { removed, complete: false })
}

/// Returns the store and the settings.
fn parts(env: &Env) -> Result<(Engine, Settings)> {
    Ok((Engine::from_env(env)?, Settings::from_env(env)?))
}

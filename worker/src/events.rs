//! The event handlers of the Worker: `fetch` and `scheduled`.

use worker::{Context, Env, Response, ScheduleContext, ScheduledEvent, console_log, event, web_sys};

use edge_session::cloudflare::log_error;
use edge_session::{Kv, Result, Sessions, Settings};

use crate::request::Incoming;
use crate::routes;

/// The name of the KV binding.
const BINDING: &str = "SESSIONS";

#[event(fetch)]
async fn fetch(request: web_sys::Request, env: Env, _: Context) -> worker::Result<Response> {
    routes::answer(Incoming::new(request), || parts(&env)).await
}

#[event(scheduled)]
async fn scheduled(_: ScheduledEvent, env: Env, _: ScheduleContext) {
    let swept = match parts(&env) {
        Ok((kv, settings)) => Sessions::new(kv, settings).clear_expired().await,
        Err(error) => Err(error),
    };
    match swept {
        Ok(swept) if swept.complete => console_log!("clear_expired: {} records removed", swept.removed),
        Ok(swept) => console_log!("clear_expired: {} records removed, the next run continues", swept.removed),
        Err(error) => log_error("clear_expired failed", &error),
    }
}

/// Returns the store and the settings.
fn parts(env: &Env) -> Result<(Kv, Settings)> {
    Ok((Kv::from_env(env, BINDING)?, Settings::from_env(env)?))
}

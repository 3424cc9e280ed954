//! What Cloudflare calls: a request came in, or the clock struck.

use worker::{Context, Env, Request, Response, ScheduleContext, ScheduledEvent, console_error, console_log, event};

use super::routes;
use crate::cloudflare::Kv;
use crate::error::{Error, Result};
use crate::sessions::Sessions;
use crate::settings::Settings;

/// The KV namespace's binding.
const BINDING: &str = "SESSIONS";

#[event(fetch)]
async fn fetch(request: Request, env: Env, _: Context) -> worker::Result<Response> {
    routes::answer(request, || sessions(&env)).await
}

#[event(scheduled)]
async fn scheduled(_: ScheduledEvent, env: Env, _: ScheduleContext) {
    let swept = match sessions(&env) {
        Ok(sessions) => sessions.clear_expired().await,
        Err(error) => Err(error),
    };
    match swept {
        Ok(swept) if swept.complete => console_log!("clear_expired: {} records removed", swept.removed),
        Ok(swept) => console_log!("clear_expired: {} records removed, the next run goes on", swept.removed),
        Err(error) => console_error!("clear_expired failed: {}: {error}", error.code()),
    }
}

fn sessions(env: &Env) -> Result<Sessions<Kv>> {
    let namespace = env.kv(BINDING).map_err(|_| {
        Error::config(format!("the KV binding {BINDING} is missing: add it under [[kv_namespaces]] in wrangler.toml"))
    })?;
    Ok(Sessions::new(Kv::new(namespace), Settings::from_env(env)?))
}

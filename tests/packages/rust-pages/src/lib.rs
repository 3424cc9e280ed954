mod answer;
mod stores;
mod traps;

use edge_session::{ClearExpired, Kv, Session, Sessions, Settings};
use worker::{Context, Env, Error, Request, Response, Result, event};

#[event(fetch)]
async fn fetch(request: Request, env: Env, _: Context) -> Result<Response> {
    if let Some(path) = request.path().strip_prefix("/stores/") {
        return stores::answer(path, request, &env).await;
    }
    let sessions = Sessions::new(Kv::from_env(&env, "SESSIONS")?, Settings::from_env(&env)?);
    if request.path() == "/clear-expired" {
        let swept = sessions.clear_expired_with(ClearExpired { full_pass: true }).await;
        return Response::from_json(&swept.map(|swept| (swept.removed, swept.complete)).map_err(|error| error.code()));
    }
    sessions
        .serve(request, async |request, session| match request.path().strip_prefix("/answer/") {
            Some(kind) => answer::answer(kind, &request, session).await,
            None => page(&request.path(), session),
        })
        .await
}

fn page(path: &str, session: &mut Session) -> Result<Response> {
    let response = match path {
        "/login" => {
            session.cycle_key()?;
            session.set("user", "alice")?;
            Response::ok("Welcome")
        }
        "/untouched" => Response::ok("the same for everyone"),
        "/read" => Response::ok(format!("{:?}", session.get::<String>("user")?)),
        "/redirect" => {
            session.set("from", "redirect")?;
            Ok(Response::empty()?.with_status(302))
        }
        "/not-modified" => {
            session.contains_key("user")?;
            Ok(Response::empty()?.with_status(304))
        }
        "/missing" => {
            session.set("from", "missing")?;
            Response::error("no such page", 404)
        }
        "/broken" => {
            session.set("from", "broken")?;
            Response::error("broken", 500)
        }
        "/throws" => {
            session.set("from", "throws")?;
            Err(Error::RustError("the handler failed".into()))
        }
        "/large" => {
            session.set("essay", "x".repeat(100_000))?;
            Response::ok("written")
        }
        "/panic" => panic!("as the test wants it"),
        "/abort" => std::process::abort(),
        "/overflow" => Response::ok(traps::deep(&[1; 64], u64::MAX).to_string()),
        "/recursion" => Response::ok(traps::fold(u64::MAX).to_string()),
        "/memory" => traps::hoard(),
        "/catches" => {
            let user = session.get::<String>("user");
            Response::ok(user.map_or_else(|error| error.code().to_owned(), |user| format!("{user:?}")))
        }
        _ => Response::error("not found", 404),
    }?;
    let headers = response.headers();
    headers.set("Location", "/")?;
    headers.set("Cache-Control", "public, max-age=60, s-maxage=600")?;
    headers.set("Cloudflare-CDN-Cache-Control", "max-age=600")?;
    headers.set("Vary", "accept-encoding")?;
    headers.append("Set-Cookie", "theme=dark")?;
    Ok(response)
}

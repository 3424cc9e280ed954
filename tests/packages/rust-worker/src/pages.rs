//! Pages that the tests ask for: every way in which a response meets its session.

use edge_session::Session;
use worker::{Error, Response, Result};

pub fn answer(path: &str, session: &mut Session) -> Result<Response> {
    let response = match path {
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

//! Answers of every kind, with the headers that the request asks for.

use edge_session::Session;
use worker::web_sys::ReadableStreamDefaultReader;
use worker::{Cache, Request, Response, ResponseBody, Result, Url, WebSocketPair};

/// `{what is done with the session}/{kind of answer}`; the headers in the request's `Answer`, as `name=value` between bars.
pub async fn answer(path: &str, request: &Request, session: &mut Session) -> Result<Response> {
    let (touch, kind) = path.split_once('/').unwrap_or((path, "text"));
    match touch {
        "read" => _ = session.contains_key("user")?,
        "write" => {
            let visits = session.get::<u32>("visits")?.unwrap_or(0) + 1;
            session.set("visits", visits)?;
        }
        "login" => {
            session.cycle_key()?;
            session.set("user", "alice")?;
        }
        _ => {}
    }
    let body = || request.inner().body().map_or(ResponseBody::Empty, ResponseBody::Stream);
    let response = match kind {
        "stream" => Response::from_body(body()),
        "body-read" => {
            let mut response = Response::from_body(body())?;
            response.text().await?;
            Ok(response)
        }
        "body-locked" => {
            let response = Response::from_body(body())?;
            if let ResponseBody::Stream(stream) = response.body() {
                ReadableStreamDefaultReader::new(stream)?;
            }
            Ok(response)
        }
        "body-cached" => {
            let cached = Response::from_body(body())?;
            let response = Response::from_body(cached.body().clone())?;
            cached.headers().set("Cache-Control", "max-age=60")?;
            Cache::default().put("https://example.com/cached", cached).await?;
            Ok(response)
        }
        "body-with-204" => Ok(Response::ok("answer")?.with_status(204)),
        "redirect" => return Response::redirect(Url::parse("https://example.com/next")?), // with headers that are immutable
        "socket" => {
            let pair = WebSocketPair::new()?;
            pair.server.accept()?;
            Response::from_websocket(pair.client)
        }
        "text" => Response::ok("answer"),
        status => Ok(Response::empty()?.with_status(status.parse().unwrap_or(400))),
    }?;
    let wanted = request.headers().get("Answer")?.unwrap_or_default();
    for (name, value) in wanted.split('|').filter_map(|header| header.split_once('=')) {
        response.headers().append(name, value)?;
    }
    Ok(response)
}

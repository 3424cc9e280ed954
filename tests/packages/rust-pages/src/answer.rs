//! Answers of every kind, with the headers that the request asks for.

use edge_session::Session;
use worker::{Request, Response, ResponseBody, Result, Url, WebSocketPair};

/// `{what is done with the session}/{kind of answer}`; the headers in the request's `Answer`, as `name=value` between bars.
pub fn answer(path: &str, request: &Request, session: &mut Session) -> Result<Response> {
    let (touch, kind) = path.split_once('/').unwrap_or((path, "text"));
    match touch {
        "read" => _ = session.contains_key("user")?,
        "write" => {
            let visits = session.get::<u32>("visits")?.unwrap_or(0) + 1;
            session.set("visits", visits)?;
        }
        _ => {}
    }
    let response = match kind {
        "stream" => {
            let body = request.inner().body().map_or(ResponseBody::Empty, ResponseBody::Stream);
            Response::from_body(body)
        }
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

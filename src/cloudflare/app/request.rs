//! Which requests are let in: from the site's own pages, and of a bearable size.

use futures_util::StreamExt as _;
use worker::Request;

use super::routes::Refusal;

/// The largest body, in bytes.
const MAX_BODY: usize = 64 * 1024;

/// Refuses what another site's page sent. Browsers say so in `Sec-Fetch-Site`, older ones in `Origin`; a client that
/// sends neither is no browser, and carries nobody's cookies but its own.
pub(super) fn check_origin(request: &Request) -> Result<(), Refusal> {
    let header = |name| request.headers().get(name).ok().flatten();
    let foreign_site = header("Sec-Fetch-Site").is_some_and(|site| site != "same-origin" && site != "none");
    let own_origin = request.url().ok().map(|url| url.origin().ascii_serialization());
    let foreign_origin = header("Origin").is_some_and(|origin| Some(origin) != own_origin);
    if foreign_site || foreign_origin {
        return Err(Refusal::new(403, "cross_site", "only pages of this site may use its sessions"));
    }
    Ok(())
}

/// The request's body as text, empty if there is none; no more of it is read than may be.
pub(super) async fn body(request: &mut Request) -> Result<String, Refusal> {
    let too_large = || Refusal::new(413, "too_large", "the body may have 65536 bytes at most");
    let unreadable = |_| Refusal::new(400, "bad_body", "the body could not be read");
    let length = request.headers().get("Content-Length").ok().flatten();
    if length.and_then(|length| length.parse::<usize>().ok()).is_some_and(|length| length > MAX_BODY) {
        return Err(too_large());
    }
    let mut bytes = Vec::new();
    if request.inner().body().is_some() {
        let mut stream = request.stream().map_err(unreadable)?;
        while let Some(chunk) = stream.next().await {
            bytes.extend(chunk.map_err(unreadable)?);
            if bytes.len() > MAX_BODY {
                return Err(too_large());
            }
        }
    }
    String::from_utf8(bytes).map_err(|_| Refusal::new(400, "bad_json", "the body is not UTF-8"))
}

//! A request to the routes, with the checks of its origin and its size.

use futures_util::StreamExt as _;
use worker::{ByteStream, Headers, web_sys};

use crate::refusal::Refusal;

/// The largest body, in bytes.
const MAX_BODY: usize = 64 * 1024;

/// A request. (The `Request` of the crate `worker` parses URLs in Rust, which would double the size of the Worker.)
pub(super) struct Incoming {
    request: web_sys::Request,
    headers: Headers,
    url: String,
}

impl Incoming {
    pub(super) fn new(request: web_sys::Request) -> Self {
        Self { headers: Headers(request.headers()), url: request.url(), request }
    }

    pub(super) fn method(&self) -> String {
        self.request.method()
    }

    /// Returns the values of a header; `None` if it is absent or cannot be read.
    pub(super) fn header(&self, name: &str) -> Option<String> {
        self.headers.get(name).ok().flatten()
    }

    /// Splits the URL into its origin and the rest. The runtime has normalized it.
    fn split_url(&self) -> (&str, &str) {
        let authority = self.url.find("://").map_or(0, |at| at.saturating_add(3));
        let path = self.url.get(authority..).and_then(|rest| rest.find('/')).unwrap_or(self.url.len());
        self.url.split_at_checked(authority.saturating_add(path)).unwrap_or((&self.url, "/"))
    }

    pub(super) fn path(&self) -> &str {
        self.split_url().1.split(['?', '#']).next().unwrap_or_default()
    }

    /// Refuses requests from pages of other sites. Browsers send `Sec-Fetch-Site`, which is right behind a proxy as well, and older
    /// ones `Origin`. A client that sends neither is not a browser, and has only cookies of its own.
    pub(super) fn check_origin(&self) -> Result<(), Refusal> {
        let is_foreign = match self.header("Sec-Fetch-Site") {
            Some(site) => site != "same-origin" && site != "none",
            None => self.header("Origin").is_some_and(|origin| origin != self.split_url().0),
        };
        if is_foreign {
            return Err(Refusal::new(403, "cross_site", "only pages of this site may use its sessions"));
        }
        Ok(())
    }

    /// Reads the body as text, up to the size limit. Returns an empty text if there is none.
    pub(super) async fn body(&self) -> Result<String, Refusal> {
        let too_large = || Refusal::new(413, "too_large", "the body may have 65536 bytes at most");
        let unreadable = |_| Refusal::new(400, "bad_body", "the body could not be read");
        let length = self.header("Content-Length").and_then(|length| length.parse::<usize>().ok());
        if length.is_some_and(|length| length > MAX_BODY) {
            return Err(too_large());
        }
        let mut bytes = Vec::new();
        if let Some(body) = self.request.body() {
            let mut stream = ByteStream::from(body);
            while let Some(chunk) = stream.next().await {
                bytes.extend(chunk.map_err(unreadable)?);
                if bytes.len() > MAX_BODY {
                    return Err(too_large());
                }
            }
        }
        String::from_utf8(bytes).map_err(|_| Refusal::new(400, "bad_json", "the body is not UTF-8"))
    }
}

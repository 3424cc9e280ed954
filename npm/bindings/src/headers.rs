//! Response headers that keep shared caches from storing a visitor's response.

use alloc::string::String;

use edge_session::protocol::caching;
use wasm_bindgen::prelude::wasm_bindgen;

/// Returns the `Vary` header of a response that depends on its cookie. `present` is the header so far.
#[wasm_bindgen]
pub fn vary(present: &str) -> String {
    caching::vary(present)
}

/// Returns the `Cache-Control` header of a response that depends on its cookie. `present` is the header so far.
#[wasm_bindgen(js_name = cacheControl)]
pub fn cache_control(present: &str, sets_cookie: bool) -> String {
    caching::cache_control(present, sets_cookie)
}

/// Returns the names of the headers to remove from such a response, separated by spaces.
#[wasm_bindgen(js_name = sharedCacheHeaders)]
pub fn shared_cache_headers() -> String {
    caching::SHARED_CACHE_HEADERS.join(" ")
}

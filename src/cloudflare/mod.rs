//! Cloudflare Workers, feature `cloudflare`: Workers KV as a store, settings from a Worker's variables, sessions around its
//! requests.
//!
//! [`Sessions::serve`](crate::Sessions::serve) handles a request. For Workers with responses of their own, the functions here
//! create the same JSON errors and log lines.

mod env;
mod handler;
mod kv;
mod response;

pub use kv::Kv;
pub use response::{error_response, json_response, log_error};

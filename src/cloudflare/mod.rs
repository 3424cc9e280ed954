//! Cloudflare Workers, feature `cloudflare`: Workers KV, Durable Objects and D1 as stores, settings from a Worker's variables,
//! sessions around its requests.
//!
//! [`Sessions::serve`](crate::Sessions::serve) handles a request. For Workers with responses of their own, the functions here
//! create the same JSON errors and log lines.

mod binding;
mod d1;
mod durable_objects;
mod env;
mod handler;
mod kv;
mod response;

pub use d1::D1;
pub use durable_objects::DurableObjects;
pub use kv::Kv;
pub use response::{error_response, json_response, log_error};

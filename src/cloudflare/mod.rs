//! The doors to Cloudflare, feature `cloudflare`: Workers KV as a store, settings from a Worker's variables, and sessions
//! around a Worker's requests.

mod env;
mod handler;
mod kv;

pub use kv::Kv;

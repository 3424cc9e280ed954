//! The doors to Cloudflare, feature `cloudflare`: Workers KV as a store, settings from a Worker's variables, and sessions
//! around a Worker's requests. Feature `app` adds this repository's own Worker.

#[cfg(feature = "app")]
mod app;
mod env;
mod handler;
mod kv;

pub use kv::Kv;

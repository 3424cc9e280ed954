//! This repository's Worker: sessions for the pages of a static site, over JSON routes.

#![allow(missing_docs, reason = "it has no Rust interface")]

mod cost;
mod description;
mod engine;
mod events;
mod rate_limit;
mod refusal;
mod request;
mod routes;

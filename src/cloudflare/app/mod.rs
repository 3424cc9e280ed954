//! This repository's Worker: sessions for the pages of a static site, over JSON routes.

mod cost;
mod description;
mod events;
mod refusal;
mod request;
mod routes;

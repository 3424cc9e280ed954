//! The JavaScript door: the core behind wasm-bindgen here, everything that JavaScript's users see in the `*.ts` beside it.

mod bindings;
mod calls;
mod operations;
mod options;

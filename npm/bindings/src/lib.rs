//! The core of edge-session for JavaScript, behind wasm-bindgen. What JavaScript's users see is in `npm/src`.

#![no_std]
#![allow(missing_docs, reason = "it has no Rust interface")]

extern crate alloc;

use talc::wasm::{WasmDynamicTalc, new_wasm_dynamic_allocator};

mod calls;
mod options;
mod pending_io;
mod session;

#[global_allocator]
static ALLOCATOR: WasmDynamicTalc = new_wasm_dynamic_allocator();

#[panic_handler]
fn panicked(_: &core::panic::PanicInfo<'_>) -> ! {
    core::arch::wasm32::unreachable()
}

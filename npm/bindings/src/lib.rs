//! WebAssembly bindings of the npm package. Its public API is TypeScript, in `npm/src`.

#![no_std]
#![allow(missing_docs, reason = "the crate has no Rust API")]

#[macro_use]
extern crate alloc;

use talc::wasm::{WasmDynamicTalc, new_wasm_dynamic_allocator};
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

mod area;
mod error;
mod headers;
mod operation;
mod options;
mod pending_io;
mod session;
mod settings;

#[global_allocator]
static ALLOCATOR: WasmDynamicTalc = new_wasm_dynamic_allocator();

#[panic_handler]
fn panicked(_: &core::panic::PanicInfo<'_>) -> ! {
    core::arch::wasm32::unreachable()
}

/// Returns the memory of the wasm, a `WebAssembly.Memory`.
#[wasm_bindgen(js_name = wasmMemory)]
pub fn wasm_memory() -> JsValue {
    wasm_bindgen::memory()
}

/// Makes the next call start with a new instance of the wasm: after a trap, the state of the memory is undefined.
#[wasm_bindgen]
pub fn reinitialise() {
    wasm_bindgen::handler::schedule_reinit();
}

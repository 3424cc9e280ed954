//! The JavaScript door: the core behind wasm-bindgen here, everything that JavaScript's users see in the `*.ts` beside it.

use talc::wasm::{WasmDynamicTalc, new_wasm_dynamic_allocator};

mod bindings;
mod calls;
mod operations;
mod options;

#[global_allocator]
static ALLOCATOR: WasmDynamicTalc = new_wasm_dynamic_allocator();

#[panic_handler]
fn panicked(_: &core::panic::PanicInfo<'_>) -> ! {
    core::arch::wasm32::unreachable()
}

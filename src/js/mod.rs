//! The JavaScript door: the core behind wasm-bindgen here, everything that JavaScript's users see in the `*.ts` beside it.

use talc::wasm::{WasmDynamicTalc, new_wasm_dynamic_allocator};

#[cfg(feature = "js")]
mod bindings;
#[cfg(feature = "js")]
mod calls;
#[cfg(feature = "js")]
mod operations;
#[cfg(feature = "js")]
mod options;
#[cfg(feature = "testing")]
mod testing;

#[global_allocator]
static ALLOCATOR: WasmDynamicTalc = new_wasm_dynamic_allocator();

#[panic_handler]
fn panicked(_: &core::panic::PanicInfo<'_>) -> ! {
    core::arch::wasm32::unreachable()
}

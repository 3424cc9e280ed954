//! The JavaScript door: the core behind wasm-bindgen here, everything that JavaScript's users see in the `*.ts` beside it.

use dlmalloc::GlobalDlmalloc;

mod bindings;
mod calls;
mod operations;
mod options;

#[global_allocator]
static ALLOCATOR: GlobalDlmalloc = GlobalDlmalloc;

#[panic_handler]
fn panicked(_: &core::panic::PanicInfo<'_>) -> ! {
    core::arch::wasm32::unreachable()
}

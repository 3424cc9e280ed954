//! Ways in which wasm ends, other than a panic.

use std::hint::black_box;

/// Recursion whose frames lie in the wasm's own memory, where its stack ends first.
pub fn deep(bytes: &[u8; 64], levels: u64) -> u64 {
    if levels == 0 {
        return 0;
    }
    let next = bytes.map(|byte| byte.wrapping_mul(31).wrapping_add(black_box(7)));
    deep(black_box(&next), levels - 1) + u64::from(next[0])
}

/// Recursion that keeps nothing in memory, so that it is the platform's stack that ends. No optimization makes a loop of it.
pub fn fold(levels: u64) -> u64 {
    if levels == 0 { 1 } else { fold(levels - 1).wrapping_mul(31) ^ levels }
}

/// Asks for memory until there is none.
pub fn hoard() -> ! {
    let mut kept = Vec::new();
    loop {
        kept.push(Vec::<u8>::with_capacity(64 << 20));
        black_box(&kept);
    }
}

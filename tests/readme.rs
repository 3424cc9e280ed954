//! What the README says about code is true.
#![cfg(not(target_arch = "wasm32"))]

/// The quick start is the Worker that `tests/workerd` runs, word for word.
#[test]
fn the_quick_start_is_the_worker_that_is_tested() {
    let readme = include_str!("../README.md");
    let worker = include_str!("packages/rust-quick-start/src/lib.rs");
    assert!(
        readme.contains(&format!("```rust,ignore\n{worker}```")),
        "copy tests/packages/rust-quick-start into the README"
    );
}

/// So are the ones for JavaScript.
#[test]
fn the_javascript_ones_are_the_workers_that_are_tested() {
    let readme = include_str!("../README.md");
    let worker = include_str!("packages/js-quick-start/worker.ts");
    let ten_lines = include_str!("packages/js-quick-start/ten-lines.ts");
    let test = include_str!("packages/js-quick-start/worker.test.ts");
    for code in [worker, ten_lines, test] {
        assert!(readme.contains(&format!("```ts\n{code}```")), "copy tests/packages/js-quick-start into the README");
    }
}

/// The README names every setting that a Worker reads.
#[test]
fn the_settings_table_is_complete() {
    let readme = include_str!("../README.md");
    let code = include_str!("../src/cloudflare/env.rs");
    let names = code.split('"').filter(|text| {
        text.len() > 8 && text.starts_with("SESSION_") && text.bytes().all(|b| b.is_ascii_uppercase() || b == b'_')
    });
    let mut count = 0;
    for name in names {
        assert!(readme.contains(&format!("| `{name}` |")), "{name}");
        count += 1;
    }
    assert!(count >= 14);
}

//! What the README and SECURITY.md say about code and tests is true.
#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, missing_docs)]

use std::collections::BTreeSet;

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

/// The README documents the settings that a Worker reads, those and no others; wrangler.toml lists them, too.
#[test]
fn the_settings_table_is_complete() {
    let readme = include_str!("../README.md");
    let code = include_str!("../src/cloudflare/env.rs");
    let is_name = |text: &&str| {
        text.len() > 8 && text.starts_with("SESSION_") && text.bytes().all(|b| b.is_ascii_uppercase() || b == b'_')
    };
    let read: BTreeSet<_> = code.split('"').filter(is_name).collect();
    let rows = readme.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    assert_eq!(read, rows.filter(is_name).collect());
    let file = include_str!("../wrangler.toml");
    for name in read.iter().filter(|name| !name.starts_with("SESSION_SECRET")) {
        assert!(file.contains(&format!("\n{name} = ")) || file.contains(&format!("\n# {name} = ")), "{name}");
    }
    assert!(read.len() >= 16);
}

/// Whether a Rust file of this project has a test of this name.
fn has_rust_test(path: &str, name: &str) -> bool {
    let file = if path.starts_with("src/") { format!("{path}.rs") } else { format!("tests/{path}.rs") };
    let text = read(&file);
    let Some(at) = text.find(&format!("fn {name}(")) else { return false };
    // A property's line of arguments can be long; its attribute stands on the line before.
    text[..at].trim_end().ends_with("#[test]")
}

/// Whether a JavaScript file of the tests has one whose title holds these words. `each` runs a test under each cookie name.
fn has_javascript_test(path: &str, words: &str) -> bool {
    let text = read(&format!("tests/{path}.test.mjs"));
    let titles =
        |call: &str| text.lines().any(|line| line.split_once(call).is_some_and(|(_, title)| title.contains(words)));
    titles("test(") || titles("each(")
}

fn read(file: &str) -> String {
    std::fs::read_to_string(format!("{}/{file}", env!("CARGO_MANIFEST_DIR"))).unwrap_or_default()
}

/// Each test that SECURITY.md names is there, and each requirement and flaw names one or says why not.
#[test]
fn the_tests_that_security_names_are_there() {
    let security = include_str!("../SECURITY.md");
    let (_, tables) = security.split_once("\n## Requirements and their tests\n").unwrap();
    let mut requirements = Vec::new();
    let (mut flaws, mut named) = (0, 0);
    for row in
        tables.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| ---") && !line.starts_with("| | |"))
    {
        let cells: Vec<_> = row.trim_matches('|').split(" | ").map(str::trim).collect();
        if cells[0] == "flaw" {
            continue;
        }
        let before = named;
        for text in cells.last().unwrap().split('`').skip(1).step_by(2) {
            let there = match (text.split_once("::"), text.split_once(": ")) {
                (Some((path, name)), None) => has_rust_test(path, name),
                (_, Some((path, words))) => has_javascript_test(path, words),
                _ => continue,
            };
            assert!(there, "{}: there is no test {text}", cells[0]);
            named += 1;
        }
        assert!(named > before || cells.last().unwrap().starts_with("none"), "{row}");
        match cells.len() {
            4 => requirements.push(cells[0].to_owned()),
            3 => flaws += 1,
            _ => panic!("{row}"),
        }
    }
    let counts = [12, 12, 15, 14, 10, 12, 17, 10, 11, 9, 9, 7];
    let all =
        ('A'..='L').zip(counts).flat_map(|(letter, count)| (1..=count).map(move |number| format!("{letter}{number}")));
    assert_eq!(requirements, all.collect::<Vec<_>>());
    assert!(flaws >= 50 && named >= 200, "{flaws} {named}");
}

/// E10: the defaults of the README's table, and those that SECURITY.md reckons with.
#[test]
fn the_defaults_that_the_documents_name_are_those_of_the_code() {
    let settings = edge_session::Settings::builder(["a secret of at least thirty-two bytes"]).build().unwrap();
    let shown = format!("{settings:?}");
    let mut compared = 0;
    let (_, table) = include_str!("../README.md").split_once("\n| setting | default | |\n").unwrap();
    let (table, _) = table.split_once("\n\n").unwrap();
    for row in table.lines().filter(|line| line.starts_with("| `SESSION_")) {
        let cells: Vec<_> = row.split('|').map(|cell| cell.trim().trim_matches('`')).collect();
        let name = cells[1].trim_start_matches("SESSION_").to_ascii_lowercase();
        let field = |value: &str| shown.contains(&format!("{name}: {value}"));
        if name.starts_with("secret") {
            continue;
        }
        let wanted = if cells[2] == "–" { "None" } else { cells[2] };
        assert!(field(&format!("{wanted},")) || field(&format!("\"{wanted}\",")), "{row}");
        compared += 1;
    }
    assert_eq!(compared, 14);
    let security = include_str!("../SECURITY.md");
    assert!(security.contains("| 14 days | `SESSION_COOKIE_AGE`") && shown.contains("cookie_age: 1209600,"));
    assert!(security.contains("| 400 days | `SESSION_ABSOLUTE_AGE`") && shown.contains("absolute_age: 34560000,"));
}

/// J2: each crate that this one is built with, and each package that its tests are, has its reason in the README.
#[test]
fn each_crate_that_is_depended_on_has_its_reason() {
    let (_, table) = include_str!("../README.md").split_once("\n| dependency | why |\n").unwrap();
    let (table, _) = table.split_once("\n\n").unwrap();
    let manifest = include_str!("../Cargo.toml");
    let mut crates = 0;
    for section in manifest.split("\n[").filter(|section| section.split(']').next().unwrap().ends_with("dependencies"))
    {
        for line in section.lines().skip(1).filter(|line| line.contains(" = ")) {
            let name = line.split(' ').next().unwrap();
            assert!(table.contains(&format!("`{name}`")), "{name}");
            crates += 1;
        }
    }
    assert!(crates >= 18, "{crates}");
    let (_, packages) = include_str!("../package.json").split_once("\"devDependencies\": {").unwrap();
    for line in packages.lines().take_while(|line| !line.contains('}')).filter(|line| line.contains("\": \"")) {
        let name = line.trim().trim_start_matches('"').split('"').next().unwrap();
        assert!(table.contains(&format!("`{name}`")) || name == "@cloudflare/vitest-plugin", "{name}");
    }
    assert!(!include_str!("../package.json").contains("\"dependencies\""));
}

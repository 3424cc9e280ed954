//! What the README, SECURITY.md and the documents say about code and tests is true.
#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, clippy::arithmetic_side_effects)]
#![allow(missing_docs, unused_must_use)]

mod support;

use std::collections::BTreeSet;

use edge_session::Session;
use support::{Browser, Site, run, site};

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
    let file = if path.contains("src/") { format!("{path}.rs") } else { format!("tests/{path}.rs") };
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
    let manifest = concat!(include_str!("../Cargo.toml"), "\n", include_str!("../crates/crypto/Cargo.toml"));
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

const CONSISTENCY: &str = include_str!("../docs/concepts/consistency.md");

/// The rows of the first table after a heading of the document on consistency, in cells.
fn rows_after(heading: &str) -> Vec<Vec<&'static str>> {
    let (_, section) = CONSISTENCY.split_once(&format!("\n{heading}\n")).unwrap();
    let (_, table) = section.split_once("\n| --- |").unwrap();
    let (table, _) = table.split_once("\n\n").unwrap();
    let cells = |row: &'static str| row.trim_matches('|').split(" | ").map(str::trim).collect();
    table.lines().skip(1).map(cells).collect()
}

/// The words in code marks in the first cell of each row.
fn words_of(rows: &[Vec<&'static str>]) -> BTreeSet<&'static str> {
    rows.iter().flat_map(|cells| cells[0].split('`').skip(1).step_by(2)).collect()
}

/// The texts that a function of this file gives for its cases.
fn texts(code: &'static str) -> BTreeSet<&'static str> {
    code.lines().filter_map(|line| line.trim().split_once(" => \"")?.1.strip_suffix("\",")).collect()
}

#[test]
fn the_document_on_consistency_lists_every_load_outcome_and_every_event() {
    let outcomes = texts(include_str!("../src/session/load_reason.rs"));
    assert!(outcomes.len() >= 15 && outcomes == words_of(&rows_after("### Load outcomes")));
    let mut events = texts(include_str!("../src/session/event.rs"));
    // The row of the outcomes names the two that are no events.
    events.extend(["new", "live"]);
    assert!(events.len() >= 17 && events == words_of(&rows_after("## Events to log")));
}

#[test]
fn the_document_on_consistency_has_the_statuses_that_the_package_answers_with() {
    let code = include_str!("../src/js/with-sessions.ts");
    let answered = code.lines().filter_map(|line| line.trim().strip_prefix("[\"ES_")?.strip_suffix("],"));
    let answered: BTreeSet<_> = answered.filter_map(|line| line.split_once("\", ")).collect();
    let rows = rows_after("### Errors and HTTP statuses");
    let documented = rows.iter().map(|cells| (cells[0].trim_matches('`').trim_start_matches("ES_"), cells[1]));
    let documented: BTreeSet<_> = documented.filter(|(_, status)| status.len() == 3).collect();
    assert!(answered.len() >= 5);
    assert_eq!(answered, documented);
}

/// The reads, puts and deletes of what is done here.
fn cost(site: &Site, what: impl FnOnce()) -> [usize; 3] {
    site.operations();
    site.store.reads.take();
    what();
    let operations = site.operations();
    let count = |name: &str| operations.iter().filter(|operation| operation.starts_with(name)).count();
    [site.store.reads.take().iter().map(Vec::len).sum(), count("put"), count("delete")]
}

/// A visitor whose key was rotated so many times.
fn rotated(site: &Site, rotations: usize) -> Browser {
    let mut browser = site.visitor();
    for _ in 0..rotations {
        site.login(&mut browser);
    }
    browser
}

#[test]
fn each_request_costs_what_the_document_on_consistency_says() {
    let write = |session: &mut Session| session.set("page", 1).unwrap();
    let rotate = |session: &mut Session| session.cycle_key().unwrap();
    let request = |site: &Site, browser: &Browser, handler: fn(&mut Session)| {
        cost(site, || _ = site.request(&mut browser.clone(), handler))
    };
    let logout = |rotations| {
        let site = site();
        let mut browser = rotated(&site, rotations);
        cost(&site, || _ = site.logout(&mut browser, 200))
    };
    let deletion = |rotations| {
        let site = site();
        let key = site.session_key(&rotated(&site, rotations));
        cost(&site, || run(site.sessions.delete(&key)).unwrap())
    };
    let site = site();
    let (nobody, anonymous, user) = (Browser::default(), rotated(&site, 0), rotated(&site, 1));
    let key = site.session_key(&user);
    let superseded = rotated(&site, 0);
    site.login(&mut superseded.clone());
    let over = rotated(&site, 1);
    run(site.sessions.delete(&site.session_key(&over))).unwrap();
    let forged = Browser(Some("__Host-sessionid=forged".to_owned()));
    let both = Browser(Some(format!("{}; {}", over.header(), anonymous.header())));
    let costs = [
        ("without a session cookie", request(&site, &nobody, |_| ())),
        ("with a cookie that does not verify", request(&site, &forged, |_| ())),
        ("changes nothing", request(&site, &user, |session| _ = session.keys().unwrap())),
        ("creates a session", request(&site, &nobody, write)),
        ("changes a session", request(&site, &user, write)),
        ("logs in from an anonymous session", request(&site, &rotated(&site, 0), rotate)),
        ("logs in without a session", request(&site, &nobody, rotate)),
        ("rotates the key of a logged-in session", request(&site, &rotated(&site, 1), rotate)),
        ("logs out an anonymous session", logout(0)),
        ("logs out after one login", logout(1)),
        ("logs out after eight rotations or more", logout(8)),
        ("brings a superseded key", request(&site, &superseded, |_| ())),
        ("brings a logged-in cookie that is over and an anonymous one", request(&site, &both, |_| ())),
        ("opens a session by its key", cost(&site, || assert!(run(site.sessions.exists(&key)).unwrap()))),
        (
            "opens a session by a key without a record",
            cost(&site, || assert!(!run(site.sessions.exists("0123456789abcdefghijklmnopqrstuv")).unwrap())),
        ),
        ("deletes a session by its key, after one login", deletion(1)),
        ("deletes a session by its key, after eight rotations or more", deletion(8)),
    ];
    let counted = costs.map(|(what, [reads, puts, deletes])| format!("{what} | {reads} | {puts} | {deletes}"));
    let documented: Vec<_> = rows_after("## Cost per request").iter().map(|cells| cells.join(" | ")).collect();
    assert_eq!(documented, counted);
    assert_eq!([logout(9), logout(30), deletion(9), deletion(30)], [logout(8), logout(8), deletion(8), deletion(8)]);
}

/// GitHub's name for the place of a heading.
fn anchor(heading: &str) -> String {
    let kept = heading.to_lowercase().replace(|c: char| !(c.is_alphanumeric() || " -_".contains(c)), "");
    kept.replace(' ', "-")
}

#[test]
fn each_link_in_the_documents_leads_to_a_file_and_a_heading() {
    let mut links = 0;
    for document in ["README.md", "SECURITY.md", "CHANGELOG.md", "docs/concepts/consistency.md"] {
        let (folder, _) = document.rsplit_once('/').unwrap_or_default();
        let text = read(document);
        let targets = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        for target in targets.filter(|target| !target.starts_with("http")) {
            let (path, heading) = target.split_once('#').unwrap_or((target, ""));
            let path = if path.is_empty() { document.to_owned() } else { format!("{folder}/{path}") };
            let file = format!("{}/{path}", env!("CARGO_MANIFEST_DIR"));
            assert!(std::fs::exists(&file).unwrap(), "{document}: {target}");
            let linked = if heading.is_empty() { String::new() } else { read(&path) };
            let mut headings = linked.lines().filter(|line| line.starts_with('#'));
            let is_there = headings.any(|line| anchor(line.trim_start_matches('#').trim()) == heading);
            assert!(heading.is_empty() || is_there, "{document}: {target}");
            links += 1;
        }
    }
    assert!(links > 50, "{links}");
}

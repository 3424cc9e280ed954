//! Compares the documents with the code and the tests: README.md, SECURITY.md, CONTRIBUTING.md, CHANGELOG.md, docs and examples.

use std::collections::BTreeSet;
use std::path::Path;

use edge_session::Session;

use crate::support::{Browser, Site, run, site};

/// Returns a file of the project, empty if there is none.
fn read(file: &str) -> String {
    std::fs::read_to_string(format!("{}/{file}", env!("CARGO_MANIFEST_DIR"))).unwrap_or_default()
}

/// Lists the files below a folder of the project whose names end so.
fn files_below(folder: &str, end: &str) -> Vec<String> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)).unwrap() {
        let entry = entry.unwrap();
        let name = format!("{folder}/{}", entry.file_name().to_str().unwrap());
        if entry.file_type().unwrap().is_dir() && !name.ends_with("node_modules") {
            files.extend(files_below(&name, end));
        } else if name.ends_with(end) {
            files.push(name);
        }
    }
    files.sort();
    files
}

/// The README of the npm package. Its relative links start at the package.
const NPM_README: &str = "docs/npm-readme.md";

/// The path of each document, and its text.
fn documents() -> Vec<(String, String)> {
    let mut paths = ["README.md", "SECURITY.md", "CONTRIBUTING.md", "CHANGELOG.md"].map(str::to_owned).to_vec();
    paths.extend(["docs", "examples"].into_iter().flat_map(|folder| files_below(folder, ".md")));
    assert!(paths.len() >= 22 && paths.iter().any(|path| path == NPM_README));
    paths.into_iter().map(|path| (path.clone(), read(&path))).collect()
}

/// A fenced block: its language, the spaces before its fence, and its text.
struct Block {
    language: String,
    indent: usize,
    text: String,
}

/// Separates the fenced blocks of a document from its prose.
fn split(text: &str) -> (String, Vec<Block>) {
    let (mut prose, mut blocks) = (String::new(), Vec::new());
    let mut open: Option<Block> = None;
    for line in text.lines() {
        match (&mut open, line.trim_start().strip_prefix("```")) {
            (Some(block), Some(rest)) => {
                assert_eq!(rest, "", "a fence ends with nothing behind it: {}", block.text);
                blocks.extend(open.take());
            }
            (Some(block), None) => {
                block.text.push_str(line.get(block.indent..).unwrap_or_default());
                block.text.push('\n');
            }
            (None, Some(language)) => {
                let indent = line.len() - line.trim_start().len();
                open = Some(Block { language: language.to_owned(), indent, text: String::new() });
            }
            (None, None) => {
                prose.push_str(line);
                prose.push('\n');
            }
        }
    }
    assert!(open.is_none(), "a fence is not closed");
    (prose, blocks)
}

/// Rust runs as a doc test, or is a Worker of `examples` or an application of the tests, word for word, as is Vue. TypeScript and JavaScript are
/// checked by `tests/packages/consumers.test.mjs`, which reads the same documents. A block that is no program is `sh` or `text`.
#[test]
fn each_fenced_block_is_compiled_or_run() {
    let library = read("src/lib.rs");
    let applications = [
        "examples/rust-worker/src/lib.rs",
        "examples/axum-worker/src/lib.rs",
        "tests/native/tower_sessions/before.rs",
        "tests/native/tower_sessions/after.rs",
        "tests/native/tower_sessions/take_over.rs",
        "tests/packages/frameworks/nuxt/app/pages/guide.vue",
    ];
    let applications = applications.map(read);
    let configurations = [
        read("examples/typescript-worker/wrangler.toml"),
        read("examples/service-bindings/site.toml"),
        dependencies_of("examples/rust-worker/Cargo.toml"),
        dependencies_of("examples/axum-worker/Cargo.toml"),
    ];
    let mut seen = BTreeSet::new();
    for (document, text) in documents() {
        for Block { language, indent, text } in split(&text).1 {
            let is_covered = match language.as_str() {
                "rust" | "rust,no_run" => library.contains(&format!("#[doc = include_str!(\"../{document}\")]")),
                "rust,ignore" | "vue" => applications.contains(&text),
                // tests/workerd/outside/engines.test.mjs serves a Worker with the configuration in this guide.
                "toml" if document == "docs/guides/durable-objects-and-d1.md" => true,
                "toml" => configurations.contains(&text),
                "json" => serde_json::from_str::<serde_json::Value>(&text).is_ok(),
                "ts" | "tsx" | "js" => indent == 0,
                "sh" | "text" => true,
                _ => false,
            };
            assert!(is_covered, "{document}: no test covers this {language:?} block:\n{text}");
            seen.insert(language.replace(",no_run", ""));
        }
    }
    assert_eq!(seen.len(), 10, "{seen:?}");
}

/// The dependencies of an example, each with the major and minor part of its version, as a user writes them.
fn dependencies_of(example: &str) -> String {
    let own = read("Cargo.toml");
    let (_, own) = own.split_once("\nversion = \"").unwrap();
    let (own, _) = own.split_once('"').unwrap();
    let manifest = read(example).replace("path = \"../..\"", &format!("version = \"{own}\""));
    let (_, dependencies) = manifest.split_once("[dependencies]\n").unwrap();
    let mut text = "[dependencies]\n".to_owned();
    for line in dependencies.lines() {
        // Texts are at the odd places. The first one is the version.
        let mut parts: Vec<_> = line.split('"').collect();
        parts[1] = parts[1].rsplit_once('.').unwrap().0;
        text.push_str(&parts.join("\""));
        text.push('\n');
    }
    text
}

/// The quick starts are the programs that the consumers' tests run, word for word.
#[test]
fn the_quick_starts_are_programs_that_tests_run() {
    let shows = |document: &str, program: &str| {
        let blocks = split(&read(document)).1;
        let program_text = read(program);
        assert!(blocks.iter().any(|block| block.text == program_text), "copy {program} into {document}");
    };
    shows("README.md", "examples/typescript-worker/minimal.ts");
    shows("docs/guides/typescript-worker.md", "examples/typescript-worker/worker.ts");
    shows("docs/guides/typescript-worker.md", "examples/typescript-worker/wrangler.toml");
    shows("docs/guides/typescript-worker.md", "examples/hono-worker/worker.ts");
    for name in ["site.ts", "site.toml", "account.ts", "blog.ts"] {
        shows("docs/guides/service-bindings.md", &format!("examples/service-bindings/{name}"));
    }
    shows("docs/guides/testing.md", "examples/typescript-worker/worker.test.ts");
    shows("docs/guides/rust-worker.md", "examples/rust-worker/src/lib.rs");
    shows("docs/guides/frameworks/axum.md", "examples/axum-worker/src/lib.rs");
    for application in ["before", "after", "take_over"] {
        let application = format!("tests/native/tower_sessions/{application}.rs");
        shows("docs/guides/migrating/from-tower-sessions.md", &application);
    }
    shows(NPM_README, "examples/typescript-worker/worker.ts");
    shows(NPM_README, "examples/typescript-worker/wrangler.toml");
}

#[test]
fn the_readme_has_at_most_900_words() {
    let words = read("README.md").split_whitespace().count();
    assert!(words <= 900, "{words}");
}

/// The cells of the first table after a heading of a document.
fn rows_after(document: &str, heading: &str) -> Vec<Vec<String>> {
    let text = read(document);
    let (_, section) = text.split_once(&format!("\n{heading}\n")).unwrap();
    let (_, table) = section.split_once("\n| --- |").unwrap();
    let (table, _) = table.split_once("\n\n").unwrap_or((table, ""));
    let cells = |row: &str| row.trim().trim_matches('|').split(" | ").map(|cell| cell.trim().to_owned()).collect();
    table.lines().skip(1).filter(|line| line.starts_with('|')).map(cells).collect()
}

/// The texts in code marks.
fn code_in(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// The texts in code marks in the first cell of each row.
fn words_of(rows: &[Vec<String>]) -> BTreeSet<&str> {
    rows.iter().flat_map(|cells| code_in(&cells[0])).collect()
}

/// Returns the text of a cell that is one code span; a dash is empty.
fn bare(cell: &str) -> &str {
    cell.trim_matches('`')
}

/// The documentation and wrangler.toml list exactly the settings that a Worker reads.
#[test]
fn the_settings_table_is_complete() {
    let code = include_str!("../../src/cloudflare/env.rs");
    let is_name = |text: &&str| {
        text.len() > 8 && text.starts_with("SESSION_") && text.bytes().all(|b| b.is_ascii_uppercase() || b == b'_')
    };
    let names: BTreeSet<_> = code.split('"').filter(is_name).collect();
    assert_eq!(names, words_of(&rows_after("docs/reference/settings.md", "## List of settings")));
    let file = include_str!("../../wrangler.toml");
    for name in names.iter().filter(|name| !name.starts_with("SESSION_SECRET")) {
        assert!(file.contains(&format!("\n{name} = ")) || file.contains(&format!("\n# {name} = ")), "{name}");
    }
    assert!(names.len() >= 16);
}

/// E10: the defaults of the settings, and the defaults that the table of lifetimes compares.
#[test]
fn the_defaults_that_the_documents_name_are_those_of_the_code() {
    let settings = edge_session::Settings::builder(["a secret of at least thirty-two bytes"]).build().unwrap();
    let shown = format!("{settings:?}");
    let mut compared = 0;
    for cells in rows_after("docs/reference/settings.md", "## List of settings") {
        let name = bare(&cells[0]).trim_start_matches("SESSION_").to_ascii_lowercase();
        let field = |value: &str| shown.contains(&format!("{name}: {value}"));
        // The engine is no setting of the crate.
        if name.starts_with("secret") || name == "engine" {
            continue;
        }
        let wanted = if cells[1] == "–" { "None" } else { bare(&cells[1]) };
        assert!(field(&format!("{wanted},")) || field(&format!("\"{wanted}\",")), "{cells:?}");
        compared += 1;
    }
    assert_eq!(compared, 18);
    let security = read("docs/concepts/security.md");
    assert!(security.contains("| 14 days | `SESSION_COOKIE_AGE`") && shown.contains("cookie_age: 1209600,"));
    assert!(security.contains("| 400 days | `SESSION_ABSOLUTE_AGE`") && shown.contains("absolute_age: 34560000,"));
}

/// The members of a TypeScript interface: their names and declarations.
fn members<'code>(code: &'code str, interface: &str) -> Vec<(&'code str, &'code str)> {
    let (_, body) = code.split_once(&format!("\nexport interface {interface}")).unwrap();
    let (body, _) = body.split_once("\n}\n").unwrap();
    let lines = body.lines().filter_map(|line| line.strip_prefix("  "));
    let lines = lines.map(|line| line.strip_prefix("readonly ").unwrap_or(line));
    lines
        .filter_map(|line| Some(line.split_at(line.find(|c: char| !c.is_ascii_alphanumeric())?)))
        .filter(|(name, rest)| !name.is_empty() && rest.starts_with([':', '?', '(', '<']))
        .collect()
}

#[test]
fn the_javascript_options_are_documented_with_their_types_and_settings() {
    let code = include_str!("../../npm/src/options.ts");
    let rows = rows_after("docs/reference/javascript-api.md", "## Options");
    let options = members(code, "SessionOptions {");
    assert_eq!(options.len(), rows.len());
    let settings = rows_after("docs/reference/settings.md", "## List of settings");
    let mut settings = words_of(&settings);
    assert!(settings.remove("SESSION_ENGINE"), "it is the option `store`");
    for ((name, rest), cells) in options.iter().zip(&rows) {
        assert_eq!(*name, bare(&cells[0]));
        let of_code = rest.trim_start_matches(['?', ':', ' ']).trim_end_matches(';').trim_end_matches(" | undefined");
        let documented = cells[1].replace("\\|", "|");
        let documented = bare(&documented);
        assert!(
            of_code.contains("=>") || of_code.trim_start_matches("readonly ") == documented,
            "{of_code} {documented}"
        );
        let plain = |setting: &str| setting.trim_start_matches("SESSION_").replace('_', "").to_ascii_lowercase();
        for setting in code_in(&cells[2]).filter(|word| word.starts_with("SESSION_")) {
            assert!(settings.remove(setting), "{setting}");
            assert!(*name == "secrets" || plain(setting) == name.to_ascii_lowercase(), "{name} {setting}");
        }
    }
    assert!(settings.is_empty(), "{settings:?}");
}

#[test]
fn the_javascript_calls_are_documented() {
    let document = "docs/reference/javascript-api.md";
    let types = include_str!("../../npm/src/types.ts");
    for (heading, code, interfaces) in [
        ("## `Session`", types, ["ReadonlySession<", "Session<"].as_slice()),
        ("## `Sessions`", include_str!("../../npm/src/sessions.ts"), &["Sessions<"]),
    ] {
        let rows = rows_after(document, heading);
        let documented: BTreeSet<_> = words_of(&rows).into_iter().map(|call| call.split('(').next().unwrap()).collect();
        let of_code: BTreeSet<_> =
            interfaces.iter().flat_map(|interface| members(code, interface)).map(|(name, _)| name).collect();
        assert!(of_code.len() >= 7);
        assert_eq!(documented, of_code);
    }
}

/// The texts that a function of this file returns for its cases.
fn texts(code: &'static str) -> BTreeSet<&'static str> {
    code.lines().filter_map(|line| line.trim().split_once(" => \"")?.1.strip_suffix("\",")).collect()
}

#[test]
fn every_load_outcome_and_every_event_is_documented() {
    let outcomes = texts(include_str!("../../src/session/load_reason.rs"));
    let rows = rows_after("docs/concepts/consistency.md", "### Load outcomes");
    assert!(outcomes.len() >= 15);
    assert_eq!(outcomes, words_of(&rows));
    let mut events = texts(include_str!("../../src/session/event.rs"));
    // The row of the outcomes names the two that are no events.
    events.extend(["new", "live"]);
    let rows = rows_after("docs/reference/events.md", "## List of events");
    assert!(events.len() >= 17);
    assert_eq!(events, words_of(&rows));
}

/// The codes of the errors, with the statuses of the package's responses.
fn statuses() -> BTreeSet<(String, String)> {
    let (_, code) = include_str!("../../npm/src/errors.ts").split_once("\nconst STATUS").unwrap();
    let (code, _) = code.split_once("};").unwrap();
    let answered = code.lines().filter_map(|line| line.trim().strip_suffix(',')?.split_once(": "));
    let answered: BTreeSet<_> = answered.map(|(code, status)| (code.to_owned(), status.to_owned())).collect();
    assert!(answered.len() >= 5);
    answered
}

#[test]
fn every_error_is_documented_with_its_class_its_kind_and_its_status() {
    let javascript = include_str!("../../npm/src/errors.ts");
    let classes: BTreeSet<_> = javascript
        .split("\nexport class ")
        .skip(1)
        .map(|class| {
            let name = class.split(' ').next().unwrap();
            let (_, code) = class.split_once("readonly code = \"").unwrap();
            (code.split('"').next().unwrap().to_owned(), name.to_owned())
        })
        .collect();
    let kinds: BTreeSet<_> = include_str!("../../src/error.rs")
        .lines()
        .filter_map(|line| line.trim().strip_prefix("Self::")?.strip_suffix("\",")?.split_once(" => \""))
        .map(|(kind, code)| (code.to_owned(), kind.to_owned()))
        .collect();
    let rows = rows_after("docs/reference/javascript-api.md", "## Errors");
    let documented = |cell: usize| -> BTreeSet<_> {
        let pairs = rows.iter().map(|cells| (bare(&cells[0]).to_owned(), bare(&cells[cell]).to_owned()));
        pairs.filter(|(_, value)| value != "–").collect()
    };
    assert!(classes.len() >= 15 && kinds.len() >= 12);
    assert_eq!([documented(1), documented(2), documented(3)], [statuses(), classes, kinds]);
    let rows = rows_after(NPM_README, "## Errors");
    let documented: BTreeSet<_> = rows.iter().map(|cells| (bare(&cells[0]).to_owned(), cells[1].clone())).collect();
    assert_eq!(documented, statuses());
}

#[test]
fn every_refusal_of_the_routes_is_documented() {
    let mut refusals = BTreeSet::new();
    for file in files_below("worker/src", ".rs") {
        let code = read(&file).split_whitespace().collect::<String>();
        for call in code.split("::new(").skip(1).filter(|call| call.starts_with(|c: char| c.is_ascii_digit())) {
            let mut parts = call.splitn(3, ',');
            let (status, name) = (parts.next().unwrap().to_owned(), parts.next().unwrap());
            if let Some(name) = name.strip_prefix('"') {
                refusals.insert((name.trim_end_matches('"').to_owned(), status));
            }
        }
    }
    let rows = rows_after("docs/reference/http-routes.md", "## Errors");
    let documented = rows.iter().map(|cells| (bare(&cells[0]).to_owned(), cells[1].clone())).collect();
    assert!(refusals.len() >= 9);
    assert_eq!(refusals, documented);
}

/// Returns whether a Rust file of this project has a test of this name.
fn has_rust_test(path: &str, name: &str) -> bool {
    let file = if path.contains("src/") { format!("{path}.rs") } else { format!("tests/native/{path}.rs") };
    let text = read(&file);
    let Some(at) = text.find(&format!("fn {name}(")) else { return false };
    // A property's line of arguments can be long; its attribute is on the line before.
    text[..at].trim_end().ends_with("#[test]")
}

/// Returns whether a JavaScript file of the tests has a test whose title contains these words. `each` runs a test under each
/// cookie name.
fn has_javascript_test(path: &str, words: &str) -> bool {
    let text = read(&format!("tests/{path}.test.mjs"));
    let titles =
        |call: &str| text.lines().any(|line| line.split_once(call).is_some_and(|(_, title)| title.contains(words)));
    titles("test(") || titles("each(")
}

/// Each test that the requirements name exists, and each requirement and each CVE names one or states why it has none.
#[test]
fn the_tests_that_the_requirements_name_exist() {
    let text = read("docs/concepts/requirements.md");
    let mut requirements = Vec::new();
    let (mut faults, mut named) = (0, 0);
    for row in text.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| ---")) {
        let cells: Vec<_> = row.trim_matches('|').split(" | ").map(str::trim).collect();
        let last = *cells.last().unwrap();
        if last == "test" {
            continue;
        }
        let before = named;
        for text in code_in(last) {
            let exists = match (text.split_once("::"), text.split_once(": ")) {
                (Some((path, name)), None) => has_rust_test(path, name),
                (_, Some((path, words))) => has_javascript_test(path, words),
                _ => continue,
            };
            assert!(exists, "{}: there is no test {text}", cells[0]);
            named += 1;
        }
        assert!(named > before || last.starts_with("none") || last.starts_with("not met"), "{row}");
        match cells.len() {
            4 => requirements.push(cells[0].to_owned()),
            3 => faults += 1,
            _ => panic!("{row}"),
        }
    }
    let counts = [12, 12, 15, 14, 10, 12, 17, 10, 11, 9, 9, 7];
    let all =
        ('A'..='L').zip(counts).flat_map(|(letter, count)| (1..=count).map(move |number| format!("{letter}{number}")));
    assert_eq!(requirements, all.collect::<Vec<_>>());
    assert!(faults >= 50 && named >= 200, "{faults} {named}");
}

/// J2: CONTRIBUTING.md has a reason for each crate and each npm package that builds or tests this project.
#[test]
fn each_dependency_has_its_reason() {
    let rows = rows_after("CONTRIBUTING.md", "## Dependencies");
    let reasons = words_of(&rows);
    let manifest = concat!(
        include_str!("../../Cargo.toml"),
        "\n",
        include_str!("../../crates/crypto/Cargo.toml"),
        "\n",
        include_str!("../../npm/bindings/Cargo.toml"),
        "\n",
        include_str!("../../npm/testing-bindings/Cargo.toml"),
        "\n",
        include_str!("../../worker/Cargo.toml"),
        "\n",
        include_str!("../../scripts/wasm-bindgen/Cargo.toml"),
    );
    let mut dependencies = BTreeSet::new();
    for section in manifest.split("\n[").filter(|section| section.split(']').next().unwrap().ends_with("dependencies"))
    {
        let lines = section.lines().skip(1).filter(|line| line.contains(" = "));
        dependencies.extend(lines.map(|line| line.split(' ').next().unwrap()));
    }
    let (_, packages) = include_str!("../../package.json").split_once("\"devDependencies\": {").unwrap();
    let packages = packages.lines().take_while(|line| !line.contains('}')).filter(|line| line.contains("\": \""));
    dependencies.extend(packages.map(|line| line.trim().trim_start_matches('"').split('"').next().unwrap()));
    // The tools that cargo installs. The first one is built from this repository.
    let tools = include_str!("../../scripts/tools.mjs").split("crate: \"").skip(2);
    dependencies.extend(tools.map(|line| line.split('"').next().unwrap()));
    dependencies.remove("edge-session");
    assert!(dependencies.len() >= 30, "{dependencies:?}");
    assert_eq!(dependencies, reasons);
    assert!(!include_str!("../../package.json").contains("\"dependencies\""));
}

/// The numbers of reads, puts and deletes of an action.
fn cost(site: &Site, what: impl FnOnce()) -> [usize; 3] {
    site.operations();
    site.store.reads.take();
    what();
    let operations = site.operations();
    let count = |name: &str| operations.iter().filter(|operation| operation.starts_with(name)).count();
    [site.store.reads.take().iter().map(Vec::len).sum(), count("put"), count("delete")]
}

/// A visitor whose key was rotated a number of times.
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
    let documented: Vec<_> = rows_after("docs/concepts/consistency.md", "## Cost per request")
        .iter()
        .map(|cells| cells.join(" | "))
        .collect();
    assert_eq!(documented, counted);
    assert_eq!([logout(9), logout(30), deletion(9), deletion(30)], [logout(8), logout(8), deletion(8), deletion(8)]);
}

/// GitHub's anchor of a heading.
fn anchor(heading: &str) -> String {
    let kept = heading.to_lowercase().replace(|c: char| !(c.is_alphanumeric() || " -_".contains(c)), "");
    kept.replace(' ', "-")
}

/// The path of a link, relative to the root of the project.
fn resolved(folder: &str, path: &str) -> String {
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in path.split('/') {
        match part {
            ".." => _ = parts.pop().unwrap(),
            "." => (),
            _ => parts.push(part),
        }
    }
    parts.join("/")
}

#[test]
fn each_link_leads_to_a_file_and_a_heading_and_each_document_is_linked() {
    let mut linked = BTreeSet::new();
    let mut links = 0;
    for (document, text) in documents() {
        let is_packed = document == NPM_README;
        let (folder, _) = document.rsplit_once('/').unwrap_or_default();
        let folder = if is_packed { "" } else { folder };
        let prose = split(&text).0;
        for target in prose.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if target.starts_with("https://") {
                continue;
            }
            let (path, heading) = target.split_once('#').unwrap_or((target, ""));
            let file = if path.is_empty() { document.clone() } else { resolved(folder, path) };
            assert!(std::fs::exists(format!("{}/{file}", env!("CARGO_MANIFEST_DIR"))).unwrap(), "{document}: {target}");
            assert!(
                !is_packed
                    || path.is_empty()
                    || path.starts_with("docs/")
                    || ["CHANGELOG.md", "LICENSE"].contains(&path),
                "{target} is not packed"
            );
            let there = read(&file);
            let (there, _) = if file.ends_with(".md") { split(&there) } else { (there, Vec::new()) };
            let mut headings = there.lines().filter(|line| line.starts_with('#'));
            let exists = headings.any(|line| anchor(line.trim_start_matches('#').trim()) == heading);
            assert!(heading.is_empty() || exists, "{document}: {target}");
            if file != document {
                linked.insert(file);
            }
            links += 1;
        }
    }
    assert!(links > 100, "{links}");
    for (document, _) in documents() {
        assert!(["README.md", NPM_README].contains(&document.as_str()) || linked.contains(&document), "{document}");
    }
}

#[test]
fn each_path_and_each_command_that_a_document_names_exists() {
    let package = read("package.json");
    let folders = ["src/", "crates/", "docs/", "fuzz/", "tests/", "scripts/"];
    let (mut paths, mut commands) = (0, 0);
    for (document, text) in documents() {
        let (prose, blocks) = split(&text);
        for path in code_in(&prose).filter(|code| folders.iter().any(|folder| code.starts_with(folder))) {
            // Requirements name a test by a path and a title; the test of the requirements checks those.
            if !path.contains("::") && !path.contains(": ") {
                assert!(
                    std::fs::exists(format!("{}/{path}", env!("CARGO_MANIFEST_DIR"))).unwrap(),
                    "{document}: {path}"
                );
                paths += 1;
            }
        }
        let shell = blocks.into_iter().filter(|block| block.language == "sh").map(|block| block.text);
        for command in code_in(&prose).map(str::to_owned).chain(shell) {
            for rest in command.split("npm run ").skip(1) {
                let name = rest.split([' ', '\n']).next().unwrap();
                assert!(package.contains(&format!("\n    \"{name}\": \"")), "{document}: npm run {name}");
                commands += 1;
            }
        }
    }
    assert!(paths >= 10 && commands >= 20, "{paths} {commands}");
}

/// Words that carried a meaning of their own in earlier texts, and for which the field has others.
const AVOIDED: [&str; 10] =
    ["told", "stands", "comes to", "came to", "nobody", "nobody's", "somebody", "somebody's", "whoever", "takes note"];

#[test]
fn the_documents_use_standard_words_and_name_no_machine() {
    for (document, text) in documents() {
        let prose = split(&text).0.to_lowercase();
        // The names of tests are not prose.
        let prose: String = prose.split('`').step_by(2).collect::<Vec<_>>().join("code");
        let words = prose.split(|c: char| !c.is_alphanumeric() && c != '\'').filter(|word| !word.is_empty());
        let words = format!(" {} ", words.collect::<Vec<_>>().join(" "));
        for word in AVOIDED {
            assert!(!words.contains(&format!(" {word} ")), "{document}: \"{word}\"");
        }
        for folder in ["work", "home", "root", "tmp"] {
            let path = format!("/{folder}/");
            assert!(!text.contains(&path), "{document}: {path}");
        }
    }
}

// Fuzzes what reads strangers' bytes: each target of tests/fuzz for some seconds, from the kept corpus on, and then the values
// and options that JavaScript gives. `npm run test:fuzz -- --seconds 60 --target json`; with `--keep` what was found to go new
// ways joins the kept corpus.

import { mkdirSync, readdirSync } from "node:fs";
import { delimiter, join } from "node:path";
import { parseArgs } from "node:util";
import { buildPackage } from "./package.mjs";
import { Stop, say, script } from "./print.mjs";
import { root } from "./project.mjs";
import { run } from "./run.mjs";
import { needs, setUp } from "./setup.mjs";
import { folder, nightly } from "./tools.mjs";

const folderOf = (...path) => join(root, "tests", "fuzz", ...path);
const built = join(root, "target", "fuzz");

/** A target's inputs that were found here, beside those that are kept. */
const found = (target) => join(built, "corpus", target);

/** The targets that Rust has, and the one of JavaScript. */
const targets = readdirSync(folderOf("fuzz_targets")).map((file) => file.replace(".rs", ""));
const javascript = "javascript";

/** Memory safety is the compiler's: without the sanitizer for it, twice as many inputs are tried. */
async function build() {
  const env = { ...nightly, CARGO_TARGET_DIR: built, PATH: `${folder("cargo-fuzz")}${delimiter}${process.env.PATH}` };
  const { code } = await run("cargo", ["fuzz", "build", "--fuzz-dir", folderOf(), "--sanitizer", "none"], { cwd: folderOf(), env });
  if (code) throw new Stop("The fuzz targets could not be built. Read the compiler's message above, then start again.");
  const { output } = await run("rustc", ["-vV"], { env: nightly, quiet: true });
  return join(built, output.match(/^host: (.+)$/m)[1], "release");
}

/** Runs one target. libFuzzer keeps new inputs in the first folder and reads the second. */
async function fuzz(program, target, seconds) {
  mkdirSync(found(target), { recursive: true });
  const limits = [`-max_total_time=${seconds}`, "-timeout=10", "-rss_limit_mb=2048", "-max_len=4096"];
  const reports = [`-artifact_prefix=${built}/failed-${target}-`, "-print_final_stats=1", "-verbosity=0"];
  const { code, output } = await run(program, [...limits, ...reports, found(target), folderOf("corpus", target)], { quiet: true });
  const tried = output.match(/stat::number_of_executed_units: *(\d+)/)?.[1] ?? 0;
  if (code) say(output);
  say(`${code ? "FAILED" : "passed"} ${target}: ${tried} inputs in ${seconds} seconds`);
  return code === 0;
}

/** Takes into the kept corpus what goes ways that nothing in it goes, in as few inputs as that takes. */
async function keep(program, target) {
  const args = ["-set_cover_merge=1", "-use_counters=0", "-max_len=4096", folderOf("corpus", target), found(target)];
  const { code } = await run(program, args, { quiet: true });
  if (code) throw new Stop(`What was found for ${target} could not be merged.`);
}

async function fuzzJavaScript(seconds, seed) {
  await buildPackage();
  const { code } = await run("node", [folderOf("javascript", "run.mjs"), "--seconds", String(seconds), "--seed", String(seed)]);
  return code === 0;
}

/** Fuzzes all targets, or those that are named, and counts those that held and those that did not. */
export async function fuzzAll({ seconds, seed = Date.now() % 2 ** 32, names = [...targets, javascript], keeps = false }) {
  const unknown = names.find((name) => ![...targets, javascript].includes(name));
  if (unknown) throw new Stop(`There is no fuzz target called ${unknown}. Choose from ${[...targets, javascript].join(", ")}.`);
  const counts = { passed: 0, failed: 0 };
  const rust = names.filter((name) => name !== javascript);
  const programs = rust.length ? await build() : "";
  for (const target of rust) {
    counts[(await fuzz(join(programs, target), target, seconds)) ? "passed" : "failed"]++;
    if (keeps) await keep(join(programs, target), target);
  }
  if (names.includes(javascript)) counts[(await fuzzJavaScript(seconds, seed)) ? "passed" : "failed"]++;
  return counts;
}

await script(import.meta.url, async (args) => {
  const options = { seconds: { type: "string", default: "20" }, seed: { type: "string" }, target: { type: "string", multiple: true }, keep: { type: "boolean" } };
  const { values } = parseArgs({ args, options });
  await setUp(needs.fuzz);
  const seed = values.seed && { seed: Number(values.seed) };
  const { passed, failed } = await fuzzAll({ seconds: Number(values.seconds), ...seed, names: values.target, keeps: values.keep });
  say(`\n${passed} passed, ${failed} failed`);
  if (failed) process.exitCode = 1;
});

// Fuzzes the parsers: each target of fuzz_targets for some seconds, from the kept inputs on, and then the values and options that
// JavaScript passes. `npm run test:fuzz -- --seconds 60 --target json`; with `--keep`, inputs that reach new code join
// corpus.tar.gz. Failing inputs are in artifacts; one that was a fault becomes a file of regressions.

import { cpSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { delimiter, join } from "node:path";
import { parseArgs } from "node:util";
import { buildPackage } from "../scripts/package.mjs";
import { Stop, say, script } from "../scripts/print.mjs";
import { root } from "../scripts/project.mjs";
import { run } from "../scripts/run.mjs";
import { needs, setUp } from "../scripts/setup.mjs";
import { folder, nightly } from "../scripts/tools.mjs";

const folderOf = (...path) => join(root, "fuzz", ...path);
const built = join(root, "target", "fuzz");
const archive = folderOf("corpus.tar.gz");

/** The targets that Rust has, and the one of JavaScript. */
const targets = readdirSync(folderOf("fuzz_targets")).map((file) => file.replace(".rs", "")).sort();
const javascript = "javascript";

/**
 * Runs a command of cargo-fuzz. The sources have no `unsafe`: without the sanitizer for memory, twice as many inputs are tried.
 */
function cargoFuzz([command, ...args], options) {
  const env = { ...nightly, CARGO_TARGET_DIR: built, PATH: `${folder("cargo-fuzz")}${delimiter}${process.env.PATH}` };
  return run("cargo", ["fuzz", command, "--sanitizer", "none", ...args], { env, ...options });
}

/** Unpacks the kept inputs into a folder, which may have others. */
async function unpack(place) {
  mkdirSync(place, { recursive: true });
  const { code } = await run("tar", ["--extract", "--gzip", "--file", archive, "--directory", place]);
  if (code) throw new Stop(`${archive} could not be unpacked. Read tar's message above, then start again.`);
}

/** Packs a folder of kept inputs. The same inputs yield the same archive. */
async function pack(place) {
  const same = ["--sort=name", "--format=ustar", "--mtime=@0", "--owner=0", "--group=0", "--numeric-owner", "--mode=u=rwX,go=rX"];
  const args = ["--create", ...same, "--use-compress-program=gzip -9n", "--file", archive, "--directory", place, ...targets];
  const { code } = await run("tar", args);
  if (code) throw new Stop(`${archive} could not be packed, which takes GNU tar. Read tar's message above, then start again.`);
}

/** Runs one target. libFuzzer adds new inputs to the first folder. */
async function fuzz(target, seconds) {
  const limits = [`-max_total_time=${seconds}`, "-timeout=10", "-rss_limit_mb=2048", "-max_len=4096"];
  const folders = [folderOf("corpus", target), folderOf("regressions", target)];
  const args = ["run", target, ...folders, "--", ...limits, "-print_final_stats=1", "-verbosity=0"];
  const { code, output } = await cargoFuzz(args, { quiet: true });
  const tried = output.match(/stat::number_of_executed_units: *(\d+)/)?.[1] ?? 0;
  if (code) say(output);
  say(`${code ? "FAILED" : "passed"} ${target}: ${tried} inputs in ${seconds} seconds`);
  return code === 0;
}

/** Adds to the archive, of the inputs that were found, as few as reach all the code that the kept ones do not. */
async function keep(names) {
  const kept = join(built, "kept");
  rmSync(kept, { recursive: true, force: true });
  await unpack(kept);
  for (const target of names) {
    const [place, regressions] = [join(kept, target), folderOf("regressions", target)];
    cpSync(regressions, place, { recursive: true });
    const args = ["run", target, place, folderOf("corpus", target), "--", "-set_cover_merge=1", "-use_counters=0", "-max_len=4096"];
    const { code } = await cargoFuzz(args, { quiet: true });
    if (code) throw new Stop(`What was found for ${target} could not be merged.`);
    for (const name of readdirSync(regressions)) rmSync(join(place, name));
  }
  await pack(kept);
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
  if (rust.length) {
    await unpack(folderOf("corpus"));
    const { code } = await cargoFuzz(["build"]);
    if (code) throw new Stop("The fuzz targets could not be built. Read the compiler's message above, then start again.");
  }
  for (const target of rust) counts[(await fuzz(target, seconds)) ? "passed" : "failed"]++;
  if (keeps) await keep(rust);
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

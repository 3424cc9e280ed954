// Runs the suites in turn, each with its set-up: all of them, or those named as arguments. The end of the output names the tests that
// failed, and the last line has the numbers of passed and failed tests.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { parseArgs } from "node:util";
import { fuzzAll } from "../fuzz/run.mjs";
import { djangoDrivers } from "../tests/django/build.mjs";
import { checkMutations, runMutations } from "../tests/mutations/run.mjs";
import { reproduce } from "../tests/packages/reproduce.mjs";
import { simulate } from "../tests/simulation/run.mjs";
import { build, consumers } from "./build.mjs";
import { buildPackage } from "./package.mjs";
import { Stop, say, script, seconds } from "./print.mjs";
import { read, root } from "./project.mjs";
import { run } from "./run.mjs";
import { needs, setUp } from "./setup.mjs";
import { browser, folder, node20, program } from "./tools.mjs";

const limit = 20 * 60; // seconds that one program of a suite may take
const scratch = mkdtempSync(join(tmpdir(), "edge-session-test-"));
process.on("exit", () => rmSync(scratch, { recursive: true, force: true, maxRetries: 5 }));

/** The values of the options, as environment variables of the suites. */
const chosen = {};

/** The share of the mutations to run. */
const share = {};

/** Each suite runs its programs and returns its counts. */
const suites = { lint, native, simulation, node: inNode, django, browser: inBrowser, workerd, e2e, packages, frameworks, engines, faults, ablation, fuzz, reproduced };

/** The suites of the long run only. */
const long = ["frameworks", "engines", "faults", "ablation", "fuzz", "reproduced"];

/** The crates with native tests, for cargo. */
const crates = ["edge-session", "edge-session-crypto", "edge-session-kv-model", "edge-session-worker"].flatMap((name) => ["--package", name]);

/** The features of the crate, for its native tests and for both clippys. */
const features = ["--features", "edge-session/cloudflare,edge-session/axum"];

/** The example that is a native program. */
const example = ["--package", "example-rust-program"];

/** The crates that are WebAssembly only. Checked one by one: the second enables `std` in dependencies, which the first must not use. */
const bindings = ["edge-session-bindings", "edge-session-testing-bindings"];

async function lint() {
  const deny = ["--", "-D", "warnings"];
  const native = ["cargo", "clippy", ...crates, ...example, "--all-targets", ...features, ...deny];
  const wasm = ["cargo", "clippy", "--target", "wasm32-unknown-unknown", ...crates, ...features, "--lib", "--test", "web", ...deny];
  const npm = bindings.map((name) => ["cargo", "clippy", "--target", "wasm32-unknown-unknown", "--package", name, ...deny]);
  const page = ["tsc", "--project", "jsconfig.json"];
  const counts = [];
  for (const [program, ...args] of [["cargo", "fmt", "--all", "--check"], native, wasm, ...npm, page]) {
    say(`$ ${program} ${args.join(" ")}`);
    const { code } = await run(program, args, { limit });
    counts.push({ passed: code ? 0 : 1, failed: code ? 1 : 0 });
  }
  say("The places of the mutations");
  counts.push(checkMutations());
  return counts;
}

async function native() {
  return [cargoCount(await run("cargo", ["test", ...crates, ...example, "--no-fail-fast", ...features], { keep: true, limit }))];
}

/** Random histories on the model of KV; the options set their number. */
async function simulation() {
  const seeds = Number(chosen.SIMULATION_SEEDS ?? 5_000);
  return [await simulate({ seeds: String(seeds) }), await simulate({ seeds: String(seeds / 5), generator: "linearizable" })];
}

/** The npm package is built once, for all the suites that test it. */
let built;
const packageBuilt = () => (built ??= buildPackage());

async function inNode() {
  await buildPackage({ panics: true, dist: join(root, "target", "panics") });
  await packageBuilt();
  return [await nodeTests("tests/node/*.test.mjs")];
}

/** Compares both implementations with Django by random calls; the options set their number. */
async function django() {
  await packageBuilt();
  return [await nodeTests("tests/django/*.test.mjs", { ...(await djangoDrivers()), ...chosen })];
}

/** Mutations of the sources, each of which the comparison with Django has to detect: the share that the options choose. */
async function faults() {
  await packageBuilt();
  return [await runMutations("django", share)];
}

/** Random input for each fuzz target; the options set the seconds. */
async function fuzz() {
  return [await fuzzAll({ seconds: Number(chosen.FUZZ_SECONDS ?? 20) })];
}

/** A second build of the package in another folder. */
async function reproduced() {
  await packageBuilt();
  return [await reproduce()];
}

/** Mutations of the protocol, each of which the simulation has to detect: the share that the options choose. */
async function ablation() {
  return [await runMutations("simulation", share)];
}

async function inBrowser() {
  const { chrome, driver } = browser();
  const settings = JSON.parse(read("tests/browser/webdriver.json"));
  settings["goog:chromeOptions"].binary = chrome;
  const file = join(scratch, "webdriver.json");
  writeFileSync(file, JSON.stringify(settings));
  const env = {
    PATH: `${folder("wasm-bindgen-cli")}${delimiter}${process.env.PATH}`,
    WASM_BINDGEN_TEST_TIMEOUT: "300",
    WASM_BINDGEN_TEST_WEBDRIVER_JSON: file,
  };
  const args = ["test", "--headless", "--chrome", "--chromedriver", driver, "--mode", "no-install", "--test", "web"];
  return [cargoCount(await run(program("wasm-pack"), args, { env, keep: true, limit }))];
}

async function workerd() {
  await build();
  await packageBuilt();
  for (const consumer of consumers) await build(consumer);
  const counts = [];
  for (const folder of ["", "stores/", "engines/"]) counts.push(await inVitest(`tests/workerd/${folder}vitest.config.mjs`));
  return [...counts, await nodeTests("tests/workerd/outside/*.test.mjs")];
}

/** Runs the tests of a configuration of vitest, and counts them. */
async function inVitest(config) {
  const file = join(scratch, `${config.replaceAll("/", "-")}.json`);
  const { code } = await run("vitest", ["run", "--config", config, "--reporter=default", "--reporter=json", `--outputFile.json=${file}`], { limit });
  const { numPassedTests: passed = 0, numFailedTests: failed = 0, testResults = [] } = JSON.parse(contents(file) || "{}");
  const tests = testResults.flatMap(({ assertionResults }) => assertionResults);
  return judged(code, passed, failed, tests.filter(({ status }) => status === "failed").map(({ fullName }) => fullName));
}

async function e2e() {
  await build();
  await packageBuilt();
  return [await nodeTests("tests/e2e/**/*.test.mjs", { CHROME: browser().chrome, TMPDIR: scratch })];
}

/** Tabs of one browser on the engines that are no KV. */
async function engines() {
  await build();
  const env = { CHROME: browser().chrome, TMPDIR: scratch };
  const counts = [];
  for (const engine of ["durable_object", "d1"]) counts.push(await nodeTests("tests/e2e/parallel.test.mjs", { ...env, TEST_ENGINE: engine }));
  return counts;
}

/** The installed npm package on each platform that it supports. */
async function packages() {
  await packageBuilt();
  return [await nodeTests("tests/packages/*.test.mjs", { CHROME: browser().chrome, NODE_20: node20(), TMPDIR: scratch })];
}

/** Sites in the frameworks, with the installed npm package; and bundles of it. One file at a time: each installs the package. */
async function frameworks() {
  await packageBuilt();
  return [await nodeTests("tests/packages/frameworks/*.test.mjs", { CHROME: browser().chrome, TMPDIR: scratch }, ["--test-concurrency=1"])];
}

/** Runs tests of Node's own runner, and counts them. */
async function nodeTests(files, env, flags = []) {
  const file = join(scratch, "node.tap");
  const reporters = ["spec", "stdout", "tap", file].map((value, index) => `--test-reporter${index % 2 ? "-destination" : ""}=${value}`);
  const { code } = await run("node", ["--test", ...flags, ...reporters, files], { env, limit });
  const count = (name) => Number(contents(file).match(new RegExp(`^# ${name} (\\d+)$`, "m"))?.[1] ?? 0);
  const names = [...contents(file).matchAll(/^ *not ok \d+ - (.*)$/gm)].map(([, name]) => name);
  return judged(code, count("pass"), count("fail") + count("cancelled"), names);
}

/** Adds up the result lines of cargo's tests, doc tests and browser tests. */
function cargoCount({ code, output }) {
  const results = [...output.matchAll(/test result: .*?(\d+) passed; (\d+) failed/g)];
  const sum = (index) => results.reduce((total, result) => total + Number(result[index]), 0);
  return judged(code, sum(1), sum(2), [...output.matchAll(/^test (.+?) \.\.\. FAIL(?:ED)?$/gm)].map(([, name]) => name));
}

/** A suite that ended with an error or ran no test has at least one failure. `names` are those of the tests that failed. */
function judged(code, passed, failed, names = []) {
  return { passed, failed: Math.max(failed, code || passed + failed === 0 ? 1 : 0), names };
}

function contents(file) {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return ""; // its program ended before it wrote one
  }
}

async function test(names) {
  const unknown = names.find((name) => !suites[name]);
  if (unknown) throw new Stop(`There is no suite called ${unknown}. Choose from ${Object.keys(suites).join(", ")}.`);
  const rows = [];
  for (const name of names) {
    say(`\n── ${name} ${"─".repeat(60 - name.length)}\n`);
    const began = Date.now();
    const counts = await attempt(name);
    const sum = (key) => counts.reduce((total, count) => total + count[key], 0);
    const names = counts.flatMap(({ names = [] }) => names);
    rows.push({ name, passed: sum("passed"), failed: sum("failed"), names, time: Date.now() - began });
  }
  say("\nsuite        passed  failed      time");
  for (const { name, passed, failed, time } of rows) {
    say(`${name.padEnd(10)}${String(passed).padStart(9)}${String(failed).padStart(8)}${seconds(time).padStart(10)}`);
  }
  for (const { name, failed, names } of rows.filter(({ failed }) => failed)) {
    for (const test of names.length ? names : [`${failed}, which the output above names`]) say(`failed: ${name}: ${test}`);
  }
  const total = (key) => rows.reduce((sum, row) => sum + row[key], 0);
  process.exitCode = total("failed") ? 1 : 0;
  say(`\n${total("passed")} passed, ${total("failed")} failed`);
}

/** Runs a suite. An error in its set-up or build counts as a failure and does not end the other suites. */
async function attempt(name) {
  try {
    await setUp(needs[name]);
    return await suites[name]();
  } catch (error) {
    say(`\n${error instanceof Stop ? error.message : error.stack}`);
    return [judged(1, 0, 0)];
  }
}

/**
 * `--calls 50000 --seed 7` are for the comparison with Django, which `--long` makes longer, as it does the simulation; it also
 * runs the mutations, all, or those of a `--share 2/5` or of a `--commit`, fuzzes, each target for `--seconds 20`, builds the
 * package a second time, and runs the tests of overlapping requests in a browser on the other engines and those in frameworks.
 */
function optioned(args) {
  const string = { type: "string" };
  const options = { calls: string, seed: string, seconds: string, share: string, commit: string, long: { type: "boolean" } };
  const { values, positionals } = parseArgs({ args, allowPositionals: true, options });
  const calls = values.calls ?? (values.long ? "50000" : undefined);
  if (calls) chosen.DJANGO_CALLS = calls;
  if (values.seed) chosen.DJANGO_SEED = values.seed;
  if (values.seconds) chosen.FUZZ_SECONDS = values.seconds;
  Object.assign(share, { share: values.share, commit: values.commit });
  if (values.long) chosen.SIMULATION_SEEDS = "100000";
  const usual = Object.keys(suites).filter((name) => values.long || !long.includes(name));
  return test(positionals.length ? positionals : usual);
}

await script(import.meta.url, optioned);

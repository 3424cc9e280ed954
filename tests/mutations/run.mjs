// Runs the mutations of the comparison with Django or those of the simulation, one at a time, on a copy of the sources: each has
// to be detected. `npm run test:faults` and `npm run test:ablation`, with a part of a mutation's description to choose some,
// `--share 2/5` for the second of five shares, or `--commit HASH` for the share that belongs to a commit.

import { copyFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { buildPackage } from "../../scripts/package.mjs";
import { Stop, say, script, seconds } from "../../scripts/print.mjs";
import { bin, find } from "../../scripts/project.mjs";
import { run } from "../../scripts/run.mjs";
import { needs, setUp } from "../../scripts/setup.mjs";
import { python } from "../../scripts/tools.mjs";
import { djangoDrivers } from "../django/build.mjs";
import { django, javascriptDriver, rustDriver } from "../django/drivers.mjs";
import { mutations as ofDjango } from "../django/mutations.mjs";
import { compare } from "../django/run.mjs";
import { mutations as ofProtocol } from "../simulation/mutations.mjs";
import { buildSimulation } from "../simulation/run.mjs";
import { Misplaced, copySources, misplaced, planted, shareOf, shareOfCommit } from "./mutation.mjs";

/** The maximum number of calls in which the comparison has to detect a mutation. */
const CALLS = 30_000;

/**
 * The numbers of histories in which the simulation has to detect a mutation. The second one is tried if the first one does not
 * suffice.
 */
const HISTORIES = [1_500, 4_500];

/** Further histories in which a mutation may break an invariant by chance. */
const CHANCE = 2;

/** The time limit of one program, in seconds. */
const LIMIT = 10 * 60;

/** Each suite: its mutations, the number of shares, the files of its copy, and its way of detection. */
export const suites = {
  django: { mutations: ofDjango, shares: 6, needs: needs.faults, parts: ["target/npm/core.js", "dist"], start: startDjango },
  simulation: { mutations: ofProtocol, shares: 6, needs: needs.ablation, parts: [], start: startSimulation },
};

/** A program that does not compile, or that could not be started. */
class Broken extends Error {}

/** Changes the sources by each chosen mutation in turn. Counts the mutations that were detected, and those that were not. */
export async function runMutations(suite, { name = "", share, commit } = {}) {
  const { mutations, shares, parts, start } = suites[suite];
  const part = share ?? (commit && shareOfCommit(commit, shares));
  const named = mutations.filter(({ what }) => what.includes(name));
  const chosen = part ? shareOf(named, part) : named;
  if (chosen.length === 0) throw new Stop(`No mutation has "${name}" in its description. ${join("tests", suite, "mutations.mjs")} lists them.`);
  if (part) say(`Share ${part}: ${chosen.length} of ${named.length} mutations.`);
  const tree = copySources(suite, parts);
  const notice = await start(tree);
  const counts = { passed: 0, failed: 0 };
  for (const mutation of chosen) {
    const began = Date.now();
    const [verdict, how] = await judge(tree, mutation, notice);
    say(`${verdict.padEnd(11)} ${mutation.what} (${[how, seconds(Date.now() - began)].filter(Boolean).join(", ")})`);
    counts[verdict === "noticed" ? "passed" : "failed"]++;
  }
  say(`\n${counts.passed} mutations noticed, ${counts.failed} failed`);
  return counts;
}

async function judge(tree, mutation, notice) {
  try {
    const how = await planted(tree.copy, mutation, (files) => notice(mutation, files));
    return how ? ["noticed", how] : ["NOT NOTICED"];
  } catch (error) {
    if (error instanceof Misplaced) return ["MISPLACED", error.message];
    if (error instanceof Broken) return ["BROKEN", error.message];
    throw error;
  }
}

/** Checks without a build that each mutation has its place, and each marker a mutation. */
export function checkMutations() {
  const errors = misplaced(Object.values(suites).map(({ mutations }) => mutations));
  errors.forEach((error) => say(error));
  return { passed: errors.length ? 0 : 1, failed: errors.length ? 1 : 0 };
}

/** Runs a build quietly. One that fails is the mutation's failure, with the first of the compiler's errors. */
async function built(build) {
  try {
    return await build();
  } catch (error) {
    if (error instanceof Stop) throw new Broken("it does not compile; the compiler's message is above");
    throw error;
  }
}

/** Builds and starts each implementation from the copy. */
const implementations = {
  async Rust({ copy, target }) {
    const { DJANGO_DRIVER } = await djangoDrivers({ cwd: copy, target, quiet: true });
    return rustDriver(DJANGO_DRIVER);
  },
  async JavaScript({ copy }) {
    await buildShared(copy);
    return javascriptDriver(join(copy, "dist", "node.js"));
  },
};

/** Builds what the package's entries share, from the copy's TypeScript. */
async function buildShared(copy) {
  const args = ["npm/src/entry/shared.ts", "--bundle", "--format=esm", "--target=es2022", `--outfile=${join(copy, "dist", "shared.js")}`, "--log-level=warning"];
  const { code } = await run(find("esbuild", [bin]), args, { cwd: copy });
  if (code) throw new Stop("The implementation could not be built. Read esbuild's message above, then start again.");
}

/** Compares the copy as it is with Django. Returns how it differs: a mismatch, or an implementation that crashed. */
async function differs(tree, implementation, calls) {
  const one = await built(() => implementations[implementation](tree));
  const reference = django(python());
  try {
    const { mismatch } = await compare(reference, { [implementation]: one }, calls, 1);
    return mismatch && `a mismatch after ${mismatch.sequence.steps.length} steps`;
  } catch (error) {
    if (error instanceof Stop) throw error;
    return "the implementation crashed";
  } finally {
    reference.stop();
    one.stop();
  }
}

async function startDjango(tree) {
  for (const implementation of Object.keys(implementations)) {
    if (await differs(tree, implementation, 3000)) throw new Stop(`${implementation} differs from Django even without a mutation: run \`npm run test:django\` first.`);
  }
  return ({ test }, files) => {
    if (test) return failing(tree, test);
    return differs(tree, files.every((file) => file.endsWith(".ts")) ? "JavaScript" : "Rust", CALLS);
  };
}

/** Runs histories. Returns in how many each invariant was broken, and each rate over all profiles and topologies. */
async function simulated(program, [first, histories]) {
  const args = ["--first", String(first), "--seeds", String(histories), "--brief"];
  const { output } = await run(program, args, { quiet: true, limit: LIMIT });
  if (!/ broken\s*$/.test(output)) return undefined;
  const broken = new Map([...output.matchAll(/^BROKEN in (\d+) of them +(.*) \(tested/gm)].map(([, times, what]) => [what, Number(times)]));
  const rates = {};
  for (const [, name, cells] of output.matchAll(/^\| ([^|]+) \| (.*) \|$/gm)) {
    for (const cell of cells.split(" | ")) rates[name] = (rates[name] ?? 0) + Number(cell);
  }
  return { broken, rates };
}

/** Returns the effect of a mutation on histories, in comparison with the same histories without it. */
function shown({ rate, factor }, before, now) {
  if (!now) return "the simulation broke down";
  const worse = [...now.broken].filter(([what, times]) => times > (before.broken.get(what) ?? 0) * 2 + CHANCE);
  if (worse.length) return worse.map(([what, times]) => `${what}: ${times}`).join("; ");
  const times = now.rates[rate] / before.rates[rate];
  return (times >= factor || times <= 1 / factor) && `${rate}: ${times.toFixed(2)} times what it was`;
}

async function startSimulation(tree) {
  const options = { cwd: tree.copy, target: tree.target, quiet: true };
  const unchanged = join(tree.target, "simulation-without-mutation");
  copyFileSync(await buildSimulation(options), unchanged);
  const before = HISTORIES.map(() => undefined);
  return async (mutation) => {
    if (mutation.test) return failing(tree, mutation.test);
    const program = await built(() => buildSimulation(options));
    for (const [at, histories] of HISTORIES.entries()) {
      const batch = [1 + HISTORIES.slice(0, at).reduce((sum, count) => sum + count, 0), histories];
      before[at] ??= await simulated(unchanged, batch);
      if (!before[at]) throw new Stop("The simulation breaks down even without a mutation: run `npm run test:simulation` first.");
      const how = shown(mutation, before[at], await simulated(program, batch));
      if (how) return how;
    }
  };
}

/**
 * Runs one test: a native one, `["revocation", "a_logout_ends_it"]` of tests/native/revocation.rs or `["lib", …]` of the sources,
 * or one of Node, `["tests/node/dictionary.test.mjs", "its title"]`. Returns its failure.
 */
async function failing({ copy, target }, [module, name]) {
  if (module.endsWith(".mjs")) {
    await built(() => buildShared(copy));
    const args = ["--test", "--test-reporter=tap", `--test-name-pattern=^${name}$`, module];
    const { output } = await run("node", args, { cwd: copy, quiet: true, limit: LIMIT });
    const verdicts = output.split("\n").filter((line) => line.includes(` - ${name}`) && !line.includes("# SKIP")).map((line) => line.trim());
    if (!verdicts.some((line) => /^(not )?ok /.test(line))) throw new Broken(`the test ${module}: ${name} did not run`);
    return verdicts.some((line) => line.startsWith("not ok")) && `${module}: ${name}`;
  }
  const [program, path] = module === "lib" ? [["--lib"], name] : [["--test", "native"], `${module}::${name}`];
  const env = { CARGO_TARGET_DIR: target };
  const { output } = await run("cargo", ["test", ...program, "--features", "cloudflare", path, "--", "--exact"], { cwd: copy, env, quiet: true, limit: LIMIT });
  const [, verdict] = output.match(new RegExp(`^test ${path}.* (ok|FAILED)$`, "m")) ?? [];
  if (!verdict) {
    process.stderr.write(output);
    throw new Broken(`the test ${path} did not run; cargo's message is above`);
  }
  return verdict === "FAILED" && path;
}

await script(import.meta.url, async ([suite, ...args]) => {
  if (!suites[suite]) throw new Stop(`Name one of the suites ${Object.keys(suites).join(" and ")}.`);
  const string = { type: "string" };
  const { values, positionals } = parseArgs({ args, allowPositionals: true, options: { share: string, commit: string } });
  await setUp(suites[suite].needs);
  if (suite === "django") await buildPackage();
  const { failed } = await runMutations(suite, { name: positionals[0], ...values });
  if (failed) process.exitCode = 1;
});

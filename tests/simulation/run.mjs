// Simulations on the model of KV, and whether sessions hold their invariants: `npm run test:simulation -- --seeds 5000 --first
// 1`. `--show 7` prints the violations in the history of seed 7. `--generator linearizable` runs the plans on linearizable
// stores. `--generator sequences` makes the plans of earlier releases, in which each tab sends one request at a time.

import { join } from "node:path";
import { parseArgs } from "node:util";
import { Stop, script } from "../../scripts/print.mjs";
import { root } from "../../scripts/project.mjs";
import { run } from "../../scripts/run.mjs";
import { needs, setUp } from "../../scripts/setup.mjs";

const limit = 30 * 60; // seconds

/** Builds the simulation. Returns the path of the program. */
export async function buildSimulation({ cwd = root, target = join(cwd, "target"), quiet = false } = {}) {
  const args = ["build", "--profile", "simulation", "--example", "simulation"];
  const { code, output } = await run("cargo", args, { cwd, quiet, limit, env: { CARGO_TARGET_DIR: target } });
  if (code && quiet) process.stderr.write(output);
  if (code) throw new Stop("The simulation could not be built. Read cargo's message above, then start again.");
  return join(target, "simulation", "examples", "simulation");
}

/** Runs the histories, and counts the invariants that were kept and those that were broken. */
export async function simulate({ seeds = "5000", first = "1", generator = "mixed" } = {}) {
  const program = await buildSimulation();
  const args = ["--seeds", seeds, "--first", first, "--generator", generator];
  const { code, output } = await run(program, args, { keep: true, limit });
  const [, passed = 0, failed = 0] = output.match(/(\d+) invariants kept, (\d+) broken\s*$/) ?? [];
  return { passed: Number(passed), failed: Math.max(Number(failed), code ? 1 : 0) };
}

await script(import.meta.url, async (args) => {
  const string = { type: "string" };
  const options = { seeds: string, first: string, show: string, generator: string };
  const { values } = parseArgs({ args, options });
  await setUp(needs.simulation);
  if (values.show) {
    await run(await buildSimulation(), ["--show", values.show, "--generator", values.generator ?? "mixed"], { limit });
    return;
  }
  const { failed } = await simulate(values);
  if (failed) process.exitCode = 1;
});

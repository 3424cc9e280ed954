// Takes guards out of a copy of the sources, one at a time, and runs the simulation on each: it has to notice them all.
// `npm run test:ablation -- name` takes those whose description holds the name; `--seeds 5000` are the histories of each.

import { parseArgs } from "node:util";
import { ablations } from "../tests/simulation/ablations.mjs";
import { copySources, plantAll } from "./planting.mjs";
import { Stop, say, script } from "./print.mjs";
import { run } from "./run.mjs";
import { needs, setUp } from "./setup.mjs";
import { buildSimulation } from "./simulation.mjs";

/** Beside the sources, what cargo wants to see of the project's other programs. */
const parts = ["tests"];

/** Builds the simulation from the copy and runs it. Gives how many promises were broken, and each rate, of all weathers and places together. */
async function measure({ copy, target }, seeds) {
  const program = await buildSimulation({ cwd: copy, target, quiet: true });
  const { output } = await run(program, ["--seeds", seeds, "--brief"], { keep: true, quiet: true, limit: 10 * 60 });
  const [, broken] = output.match(/, (\d+) broken\s*$/) ?? [];
  if (broken === undefined) return { brokeDown: true };
  const rates = {};
  for (const [, name, cells] of output.matchAll(/^\| ([^|]+) \| (.*) \|$/gm)) {
    for (const cell of cells.split(" | ")) rates[name] = (rates[name] ?? 0) + Number(cell);
  }
  const promises = [...output.matchAll(/^BROKEN in (\d+) of them +(.*) \(tested/gm)].map(([, times, what]) => `${what}: ${times}`);
  return { broken: Number(broken), promises, rates };
}

/** How a guard that is gone was noticed, if it was. */
function noticed({ rate, factor }, before, now) {
  if (now.brokeDown) return "the simulation broke down";
  if (now.broken) return now.promises.join("; ");
  const times = now.rates[rate] / before.rates[rate];
  return (times >= factor || times <= 1 / factor) && `${rate}: ${times.toFixed(2)} times what it was`;
}

/** Takes out all guards, or those that are named, and counts those that were missed and those that were not. */
export async function ablate(name = "", { seeds = "3000" } = {}) {
  const tree = copySources("ablation", parts);
  const before = await measure(tree, seeds);
  if (before.broken !== 0) throw new Stop("Promises are broken even with all guards: run `npm run test:simulation` first.");
  const named = ablations.filter(({ what }) => what.includes(name));
  const counts = await plantAll(tree.copy, named, async (ablation) => noticed(ablation, before, await measure(tree, seeds)));
  say(`\n${counts.passed} guards missed when they were gone, ${counts.failed} not missed`);
  return counts;
}

await script(import.meta.url, async (args) => {
  const { values, positionals } = parseArgs({ args, allowPositionals: true, options: { seeds: { type: "string" } } });
  await setUp(needs.ablation);
  const { failed } = await ablate(positionals[0], values);
  if (failed) process.exitCode = 1;
});

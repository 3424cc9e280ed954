// Plants faults in a copy of the sources, one at a time, and runs the comparison with Django on each: it has to see them all.
// `npm run test:faults -- name` takes those whose description holds the name.

import { join } from "node:path";
import { django, jsDoor, rustDoor } from "../tests/django/drivers.mjs";
import { faults } from "../tests/django/faults.mjs";
import { compare } from "../tests/django/run.mjs";
import { djangoDrivers } from "./django.mjs";
import { buildPackage } from "./package.mjs";
import { copySources, plantAll } from "./planting.mjs";
import { Stop, say, script } from "./print.mjs";
import { bin, find } from "./project.mjs";
import { run } from "./run.mjs";
import { needs, setUp } from "./setup.mjs";
import { python } from "./tools.mjs";

/** So many calls, at most, for a fault to be seen in. */
const CALLS = 30_000;

/** What cargo and esbuild need of the project beside the sources. */
const parts = ["package.json", "tests/django", "tests/packages", "target/npm/core.js", "dist"];

/** The door that a file belongs to, built from the copy and started. */
const doors = {
  async Rust({ copy, target }) {
    const { DJANGO_DRIVER } = await djangoDrivers({ cwd: copy, target, quiet: true });
    return rustDoor(DJANGO_DRIVER);
  },
  async JavaScript({ copy }) {
    const args = ["src/js/door.ts", "--bundle", "--format=esm", "--target=es2022", `--outfile=${join(copy, "dist", "door.js")}`, "--log-level=warning"];
    const { code } = await run(find("esbuild", [bin]), args, { cwd: copy });
    if (code) throw new Stop("The door could not be built. Read esbuild's message above, then start again.");
    return jsDoor(join(copy, "dist", "node.js"));
  },
};

/** Runs the comparison on the copy as it is. Gives what was seen: a mismatch, or a door that broke down. */
async function seen(tree, door, calls) {
  const [reference, one] = [django(python()), await doors[door](tree)];
  try {
    const { mismatch } = await compare(reference, { [door]: one }, calls, 1);
    return mismatch && `${mismatch.sequence.steps.length} steps`;
  } catch (error) {
    if (error instanceof Stop) throw error;
    return "the door broke down";
  } finally {
    reference.stop();
    one.stop();
  }
}

/** Plants all faults, or those that are named, and counts those that were seen and those that were not. */
export async function plantFaults(name = "") {
  const tree = copySources("faults", parts);
  for (const door of Object.keys(doors)) {
    const how = await seen(tree, door, 3000);
    if (how) throw new Stop(`${door} is not Django even without a fault: run \`npm run test:django\` first.`);
  }
  const named = faults.filter(({ what }) => what.includes(name));
  const counts = await plantAll(tree.copy, named, ({ file }) => seen(tree, file.endsWith(".ts") ? "JavaScript" : "Rust", CALLS));
  say(`\n${counts.passed} faults seen, ${counts.failed} not seen`);
  return counts;
}

await script(import.meta.url, async ([name]) => {
  await setUp(needs.django);
  await buildPackage();
  const { failed } = await plantFaults(name);
  if (failed) process.exitCode = 1;
});

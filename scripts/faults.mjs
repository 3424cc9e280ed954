// Plants faults in a copy of the sources, one at a time, and runs the comparison with Django on each: it has to see them all.
// `npm run test:faults -- name` takes those whose description holds the name.

import { cpSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { django, jsDoor, rustDoor } from "../tests/django/drivers.mjs";
import { faults } from "../tests/django/faults.mjs";
import { compare } from "../tests/django/run.mjs";
import { djangoDrivers } from "./django.mjs";
import { buildPackage } from "./package.mjs";
import { Stop, say, script, seconds } from "./print.mjs";
import { bin, find, root } from "./project.mjs";
import { run } from "./run.mjs";
import { needs, setUp } from "./setup.mjs";
import { python } from "./tools.mjs";

/** So many calls, at most, for a fault to be seen in. */
const CALLS = 30_000;

const copy = join(root, "target", "faults", "tree");
const target = join(root, "target", "faults", "build");

/** What cargo and esbuild need of the project. */
const parts = ["src", "Cargo.toml", "Cargo.lock", "rust-toolchain.toml", "README.md", "package.json", "tests/django", "tests/packages", "target/npm/core.js", "dist"];

function copyTree() {
  rmSync(copy, { recursive: true, force: true });
  const kept = (path) => basename(path) !== "node_modules";
  for (const part of parts) {
    mkdirSync(dirname(join(copy, part)), { recursive: true });
    cpSync(join(root, part), join(copy, part), { recursive: true, filter: kept });
  }
  symlinkSync(join(root, "node_modules"), join(copy, "node_modules"));
}

/** The door that a file belongs to, built from the copy and started. */
const doors = {
  async Rust() {
    const { DJANGO_DRIVER } = await djangoDrivers({ cwd: copy, target, quiet: true });
    return rustDoor(DJANGO_DRIVER);
  },
  async JavaScript() {
    const args = ["src/js/door.ts", "--bundle", "--format=esm", "--target=es2022", `--outfile=${join(copy, "dist", "door.js")}`, "--log-level=warning"];
    const { code } = await run(find("esbuild", [bin]), args, { cwd: copy });
    if (code) throw new Stop("The door could not be built. Read esbuild's message above, then start again.");
    return jsDoor(join(copy, "dist", "node.js"));
  },
};

/** Runs the comparison on the copy as it is. Gives what was seen: a mismatch, or a door that broke down. */
async function seen(door, calls) {
  const [reference, one] = [django(python()), await doors[door]()];
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

/** Whether the comparison sees one fault. */
async function plant({ what, file, from, to }) {
  const path = join(copy, file);
  const whole = readFileSync(path, "utf8");
  if (whole.split(from).length !== 2) throw new Stop(`"${what}" can't be planted: ${file} does not hold its text exactly once. Mend tests/django/faults.mjs.`);
  writeFileSync(path, whole.replace(from, () => to));
  try {
    const began = Date.now();
    const how = await seen(file.endsWith(".ts") ? "JavaScript" : "Rust", CALLS);
    say(`${how ? "seen    " : "NOT SEEN"} ${what}${how ? ` (${how}, ${seconds(Date.now() - began)})` : ""}`);
    return Boolean(how);
  } finally {
    writeFileSync(path, whole);
  }
}

/** Plants all faults, or those that are named, and counts those that were seen and those that were not. */
export async function plantFaults(name = "") {
  copyTree();
  for (const door of Object.keys(doors)) {
    const how = await seen(door, 3000);
    if (how) throw new Stop(`${door} is not Django even without a fault: run \`npm run test:django\` first.`);
  }
  const counts = { passed: 0, failed: 0 };
  for (const fault of faults.filter(({ what }) => what.includes(name))) counts[(await plant(fault)) ? "passed" : "failed"]++;
  say(`\n${counts.passed} faults seen, ${counts.failed} not seen`);
  return counts;
}

await script(import.meta.url, async ([name]) => {
  await setUp(needs.django);
  await buildPackage();
  const { failed } = await plantFaults(name);
  if (failed) process.exitCode = 1;
});

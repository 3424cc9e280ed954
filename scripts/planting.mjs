// A copy of the sources in which texts are replaced: faults and missing guards, one at a time, that the tests have to see.

import { cpSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { Stop, say, seconds } from "./print.mjs";
import { root } from "./project.mjs";

/** What cargo needs of the project, whatever is built. */
const always = ["src", "Cargo.toml", "Cargo.lock", "rust-toolchain.toml", "README.md"];

/** Copies the sources, and the other parts that are named, to a place of its own with a build folder beside it. */
export function copySources(name, parts) {
  const [copy, target] = [join(root, "target", name, "tree"), join(root, "target", name, "build")];
  rmSync(copy, { recursive: true, force: true });
  const kept = (path) => basename(path) !== "node_modules";
  for (const part of [...always, ...parts]) {
    mkdirSync(dirname(join(copy, part)), { recursive: true });
    cpSync(join(root, part), join(copy, part), { recursive: true, filter: kept });
  }
  symlinkSync(join(root, "node_modules"), join(copy, "node_modules"));
  return { copy, target };
}

/** Replaces texts, each of which stands in its file exactly once, for as long as `work` takes. */
async function replaced(copy, what, edits, work) {
  const wholes = new Map();
  try {
    for (const { file, from, to } of edits) {
      const path = join(copy, file);
      const text = readFileSync(path, "utf8");
      if (text.split(from).length !== 2) throw new Stop(`"${what}" can't be planted: ${file} does not hold its text exactly once. Mend the list.`);
      if (!wholes.has(path)) wholes.set(path, text);
      writeFileSync(path, text.replace(from, () => to));
    }
    return await work();
  } finally {
    for (const [path, text] of wholes) writeFileSync(path, text);
  }
}

/** Plants one after the other, and counts those that `seen` sees, which then says how, and those that it does not. */
export async function plantAll(copy, planted, seen) {
  const counts = { passed: 0, failed: 0 };
  for (const one of planted) {
    const began = Date.now();
    const how = await replaced(copy, one.what, one.edits ?? [one], () => seen(one));
    say(`${how ? "seen    " : "NOT SEEN"} ${one.what}${how ? ` (${how}, ${seconds(Date.now() - began)})` : ""}`);
    counts[how ? "passed" : "failed"]++;
  }
  return counts;
}

// Builds the package a second time, from scratch in another folder. The result has to be identical.

import { createHash } from "node:crypto";
import { cpSync, mkdtempSync, readFileSync, readdirSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildPackage } from "../../scripts/package.mjs";
import { Stop, say, script } from "../../scripts/print.mjs";
import { root } from "../../scripts/project.mjs";
import { run } from "../../scripts/run.mjs";
import { needs, setUp } from "../../scripts/setup.mjs";

/** The files that the build reads. */
const parts = ["src", "crates", "migrations", "npm", "worker", "scripts", "tests/bench/workers", "tests/django", "tests/packages", "examples", "Cargo.toml", "Cargo.lock", "rust-toolchain.toml", "package.json", "docs", "CHANGELOG.md", "LICENSE"];

/** The digest of each file in a folder, by its name. */
function digests(folder) {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return new Map(files.map(({ parentPath, name }) => {
    const path = join(parentPath, name);
    return [path.slice(folder.length + 1), createHash("sha256").update(readFileSync(path)).digest("hex")];
  }));
}

/** Counts the identical files and those that differ. */
export async function reproduce() {
  const copy = mkdtempSync(join(tmpdir(), "edge-session-somewhere-else-"));
  try {
    const kept = (path) => !/[/\\](node_modules|build|target|\.wrangler)$/.test(path);
    for (const part of parts) cpSync(join(root, part), join(copy, part), { recursive: true, filter: kept });
    symlinkSync(join(root, "node_modules"), join(copy, "node_modules"));
    const { code } = await run(process.execPath, ["--eval", 'import("./scripts/package.mjs").then(({ buildPackage }) => buildPackage())'], { cwd: copy, env: { CARGO_TARGET_DIR: join(copy, "target") } });
    if (code) throw new Stop("The package could not be built in another folder. Read the message above.");
    const [first, second] = [digests(join(root, "dist")), digests(join(copy, "dist"))];
    const names = [...new Set([...first.keys(), ...second.keys()])].sort();
    const other = names.filter((name) => first.get(name) !== second.get(name));
    for (const name of names) say(`${first.get(name)?.slice(0, 16)} ${other.includes(name) ? "DIFFERS" : "same"} ${name}`);
    return { passed: names.length - other.length, failed: other.length };
  } finally {
    rmSync(copy, { recursive: true, force: true, maxRetries: 5 });
  }
}

await script(import.meta.url, async () => {
  await setUp(needs.package);
  await buildPackage();
  const { failed } = await reproduce();
  if (failed) process.exitCode = 1;
});

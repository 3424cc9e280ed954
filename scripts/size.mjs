// Prints sizes, raw and gzipped, and fails above a budget: the upload of the Worker, and the part of
// the npm package that a Worker imports.

import { mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { extname, join, relative } from "node:path";
import { gzipSync } from "node:zlib";
import { buildPackage } from "./package.mjs";
import { Stop, say, script } from "./print.mjs";
import { bin, find, root } from "./project.mjs";
import { run } from "./run.mjs";
import { needs, setUp } from "./setup.mjs";

/**
 * In bytes, gzipped. The protocol on KV weighs 18 KB of the package: isolate memory and group commit, two cookie names, families and
 * their revocation, ending tokens, and fixes found by the simulation. The protocol on linearizable stores and the migration to them weigh 8 KB,
 * sealed records and sessions in cookies 4, the sessions of a user 14, the clients of Durable Objects and D1 1.5 KB of JavaScript. In the
 * Worker, the engines weigh 11 KB: Durable Objects 3.4, D1 3.8, memory 2.5, the choice among them 0.9. Built for speed (`opt-level = "s"`)
 * instead of size, the package weighs 8 KB more.
 */
const budgets = { worker: 191_000, package: 126_000 };
const uploaded = [".js", ".mjs", ".wasm"];
const scratch = mkdtempSync(join(tmpdir(), "edge-session-size-"));
process.on("exit", () => rmSync(scratch, { recursive: true, force: true }));

async function worker() {
  const { code, output } = await run("wrangler", ["deploy", "--dry-run", "--outdir", scratch], { quiet: true });
  if (code) throw new Stop(`${output}\nwrangler could not bundle the Worker. Fix the errors above, then measure again.`);
  return readdirSync(scratch, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && uploaded.includes(extname(entry.name)))
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name))
    .map((path) => weighed(relative(scratch, path).replace(/[0-9a-f]{40}-/, ""), readFileSync(path)));
}

/**
 * The package in a Worker that imports all of its root entry, as a bundler ships it: minified, beside the wasm. The share of TypeScript is
 * measured by a bundle without wasm-bindgen's glue.
 */
async function npmPackage() {
  const whole = weighed("JavaScript", await bundled("dist/workerd.js", "--external:*.wasm", "--minify"));
  const own = weighed("JavaScript: TypeScript", await bundled("npm/src/entry/shared.ts", "--external:#core", "--minify"));
  const glue = { name: "JavaScript: glue", raw: whole.raw - own.raw, gzip: whole.gzip - own.gzip };
  return [weighed("edge-session.wasm", readFileSync(join(root, "dist/edge-session.wasm"))), glue, own];
}

/** Prints by how much the package is larger in a Worker that is not minified. */
async function reportReadable() {
  const [readable, minified] = await Promise.all([[], ["--minify"]].map(async (flags) => weighed("", await bundled("dist/workerd.js", "--external:*.wasm", ...flags))));
  say(`In a Worker that is not minified, the package weighs ${((readable.gzip - minified.gzip) / 1000).toFixed(1)} KB more.`);
}

/** Bundles a module as a user's bundler does, and returns the text. */
async function bundled(module, ...options) {
  const file = join(mkdtempSync(join(scratch, "bundle-")), "bundle.js");
  const flags = ["--bundle", "--format=esm", "--target=es2022", "--log-level=warning", `--outfile=${file}`];
  const { code } = await run(find("esbuild", [bin]), [module, ...flags, ...options]);
  if (code) throw new Stop("esbuild could not bundle the package. Fix the errors above, then measure again.");
  return readFileSync(file);
}

function weighed(name, bytes) {
  return { name, raw: bytes.length, gzip: gzipSync(bytes, { level: 9 }).length };
}

/** Prints the parts and their sum. Returns by how many bytes the budget is exceeded. */
function report(title, parts, budget) {
  const sum = (key) => parts.reduce((total, part) => total + part[key], 0);
  const total = { name: "total", raw: sum("raw"), gzip: sum("gzip") };
  const kilobytes = (bytes) => `${(bytes / 1000).toFixed(1)} KB`.padStart(12);
  say(`\n${title.padEnd(24)}${"raw".padStart(12)}${"gzip".padStart(12)}`);
  for (const { name, raw, gzip } of [...parts, total]) say(name.padEnd(24) + kilobytes(raw) + kilobytes(gzip));
  const left = budget - total.gzip;
  say(`Of the budget of ${budget / 1000} KB gzipped, ${left} bytes are left.`);
  return Math.max(0, -left);
}

await script(import.meta.url, async () => {
  await setUp([...new Set([...needs.build, ...needs.package])]);
  await buildPackage();
  const excess = report("The Worker", await worker(), budgets.worker) + report("The package", await npmPackage(), budgets.package);
  await reportReadable();
  if (excess) throw new Stop("A budget is exceeded. Find the cause, or raise the budget in scripts/size.mjs with a reason.");
});

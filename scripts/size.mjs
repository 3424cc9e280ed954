// Prints what wrangler would upload for the Worker, file by file, raw and gzipped, and fails past the budget.

import { mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { extname, join, relative } from "node:path";
import { gzipSync } from "node:zlib";
import { Stop, say, script } from "./print.mjs";
import { run } from "./run.mjs";
import { needs, setUp } from "./setup.mjs";

const budget = 160_000; // bytes, gzipped
const uploaded = [".js", ".mjs", ".wasm"];

async function size() {
  await setUp(needs.build);
  const folder = mkdtempSync(join(tmpdir(), "edge-session-size-"));
  try {
    const { code, output } = await run("wrangler", ["deploy", "--dry-run", "--outdir", folder], { quiet: true });
    if (code) throw new Stop(`${output}\nwrangler could not bundle the Worker. Mend what it names above, then measure again.`);
    report(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function report(folder) {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && uploaded.includes(extname(entry.name)))
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name))
    .map((path) => ({ name: relative(folder, path).replace(/[0-9a-f]{40}-/, ""), bytes: readFileSync(path) }))
    .map(({ name, bytes }) => ({ name, raw: bytes.length, gzip: gzipSync(bytes, { level: 9 }).length }));
  const sum = (key) => files.reduce((total, file) => total + file[key], 0);
  const total = { name: "total", raw: sum("raw"), gzip: sum("gzip") };
  const kilobytes = (bytes) => `${(bytes / 1000).toFixed(1)} KB`.padStart(12);

  say(`${"".padEnd(24)}${"raw".padStart(12)}${"gzip".padStart(12)}`);
  for (const { name, raw, gzip } of [...files, total]) say(name.padEnd(24) + kilobytes(raw) + kilobytes(gzip));
  if (total.gzip > budget) {
    throw new Stop(`The Worker is over its budget of ${budget / 1000} KB. Find what grew, or raise the budget in scripts/size.mjs and say why.`);
  }
  say(`The budget is ${budget / 1000} KB gzipped; ${((budget - total.gzip) / 1000).toFixed(1)} KB of it are left.`);
}

await script(import.meta.url, size);

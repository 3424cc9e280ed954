// The package in programs that bundlers build: without a setting for Node, Bun and Deno, and with the guide's settings for Workers. Each
// bundle starts in a folder without node_modules.

import assert from "node:assert/strict";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { root } from "../../../scripts/project.mjs";
import { run } from "../../../scripts/run.mjs";
import { serve, succeed } from "../installed.mjs";
import { Visitor } from "./application.mjs";
import { build, folder, install } from "./servers.mjs";

await install();
const scratch = mkdtempSync(join(realpathSync(tmpdir()), "edge-session-bundles-"));
process.once("exit", () => rmSync(scratch, { recursive: true, force: true, maxRetries: 5 }));
const here = join(folder, "bundles");
const bin = (name) => join(folder, "node_modules/.bin", name);
const printed = "visits=1\nvisits=2\ntrue ES_KEY_ERROR function\nKV PUT failed: 429 Too Many Requests\n";

/** For each bundler: its arguments to write a file of this name into the scratch folder, and the runtime of the result. */
const bundlers = {
  "esbuild, to a module": ["esm.mjs", (file) => ["esbuild", "program.mjs", "--bundle", "--platform=node", "--format=esm", `--outfile=${file}`]],
  "esbuild, to CommonJS": ["cjs.cjs", (file) => ["esbuild", "program.mjs", "--bundle", "--platform=node", "--format=cjs", `--outfile=${file}`]],
  "esbuild, minified": ["min.mjs", (file) => ["esbuild", "program.mjs", "--bundle", "--platform=node", "--format=esm", "--minify", `--outfile=${file}`]],
  rolldown: ["rolldown.mjs", (file) => ["rolldown", "program.mjs", "--platform", "node", "--file", file]],
  webpack: ["webpack.cjs", (file) => ["webpack", "--mode", "production", "--target", "node", "--entry", "./program.mjs", "--output-path", scratch, "--output-filename", file.slice(scratch.length + 1)]],
  "Vite, for a server": ["vite/program.js", () => ["vite", "build", "--ssr", "program.mjs", "--outDir", join(scratch, "vite"), "--logLevel", "warn"]],
  "Bun, for Node": ["for-node.mjs", (file) => ["bun", "build", "program.mjs", "--target=node", `--outfile=${file}`]],
  "Bun, for Bun": ["for-bun.mjs", (file) => ["bun", "build", "program.mjs", "--target=bun", `--outfile=${file}`], bin("bun")],
};

for (const [name, [output, args, runtime = "node"]] of Object.entries(bundlers)) {
  test(`a bundle of ${name} needs no other file`, async () => {
    const file = join(scratch, output);
    await build("bundles", ...args(file));
    assert.equal(await succeed(runtime, [file], { cwd: scratch }), printed);
  });
}

test("a program of bun build --compile needs no other file", async () => {
  const program = join(scratch, "compiled");
  await build("bundles", "bun", "build", "program.mjs", "--compile", `--outfile=${program}`);
  assert.equal(await succeed(program, [], { cwd: scratch }), printed);
});

test("Deno runs it from node_modules, and a bundle of it, without a permission", async () => {
  await build("bundles", "esbuild", "program.mjs", "--bundle", "--platform=node", "--format=esm", `--outfile=${join(scratch, "deno.mjs")}`);
  for (const file of [join(here, "program.mjs"), join(scratch, "deno.mjs")]) {
    assert.equal(await succeed(bin("deno"), ["run", "--no-prompt", "--quiet", file], { cwd: here }), printed);
  }
});

/** Bundlers for Workers other than wrangler's: the arguments for a file of settings, and for the folder of the bundle. */
const forWorkers = {
  "vite.config.js": (settings, output) => ["vite", "build", "--ssr", "worker.js", "--config", settings, "--outDir", output, "--logLevel", "warn"],
  "webpack.config.js": (settings, output) => ["webpack", "--mode", "production", "--config", settings, "--output-path", output, "--output-filename", "worker.js"],
};

for (const [name, args] of Object.entries(forWorkers)) {
  test(`a Worker that is bundled with the guide's ${name}, served by wrangler`, { timeout: 120_000 }, async (t) => {
    const guide = readFileSync(join(root, "docs/guides/frameworks.md"), "utf8");
    const [, settings] = new RegExp(`^\`\`\`js\n(// ${name}.*?)^\`\`\`$`, "ms").exec(guide);
    const output = join(here, "dist", name);
    mkdirSync(output, { recursive: true });
    writeFileSync(join(here, "dist", `settings-${name}`), settings);
    await build("bundles", ...args(`./dist/settings-${name}`, output));
    cpSync(join(here, "wrangler.toml"), join(output, "wrangler.toml"));
    const { url, stop } = await serve(output);
    t.after(stop);
    const visitor = new Visitor(url);
    for (const text of ["visits=1", "visits=2"]) assert.equal((await visitor.get("/")).text, text);
  });
}

test("an error that nothing catches is a short text, which begins at the application's line", async () => {
  for (const flags of [[], ["--enable-source-maps"]]) {
    const { code, output } = await run("node", [...flags, "uncaught.mjs"], { cwd: here, quiet: true, limit: 60 });
    assert.equal(code, 1);
    assert.ok(output.length < 2500 && Math.max(...output.split("\n").map((line) => line.length)) < 250, output);
    assert.match(output, /\n  session\.set\("cart", .*\n +\^\n/, "the source");
    assert.match(output, /\nValueError: session\.cart\.items\[0\]\.added is a Date/);
    const [first, ...others] = output.split("\n").filter((line) => /^ +at /.test(line));
    assert.match(first, /bundles\/uncaught\.mjs:8:\d+\)?$/);
    const source = flags.length ? /StoredSessions\.run \(.*\/edge-session\/src\/sessions\.ts:\d+/ : /StoredSessions\.run \(.*\/edge-session\/shared\.js:\d+/;
    assert.ok(others.some((line) => source.test(line)), output);
  }
});

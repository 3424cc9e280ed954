// Builds the npm package into dist/: cargo, wasm-bindgen and wasm-opt for the bindings, esbuild and tsc for npm/src. One wasm
// file, one module that the entries share, and for each platform an entry that knows where the wasm comes from. The model of KV
// is built in the same way, from a wasm of its own, as `edge-session/testing`; only its importers load it.
// The plain entries have no wasm: one file each.

import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { listedDocuments, llmsTxt } from "./llms.mjs";
import { say, script, seconds } from "./print.mjs";
import { bin, find, read, root } from "./project.mjs";
import { needs, setUp } from "./setup.mjs";
import { assumptions, compile, features, order, step } from "./wasm.mjs";

const glue = join(root, "target", "npm");
const distribution = join(root, "dist");

/** SHA-256 in a loop instead of written out: 1.5 KB gzipped less, for about a microsecond a visit. */
const compact = '--cfg sha2_backend_soft="compact"';

/** The public declarations; the others describe internals. */
const declarations = ["cookie-store", "d1", "durable-objects", "errors", "index", "migrate", "options", "session-cookie", "sessions", "sessions-for", "store", "types", "with-sessions"];
const testing = ["cookie", "fault", "index", "model", "namespace", "options", "store-contract"].map((name) => `testing/${name}`);

/** The entries without wasm: the same file on every platform. */
const plain = ["csrf", "durable-object", "fastify", "hono", "next", "node", "unstorage"];

/**
 * The `exports` of package.json: the first condition that a platform supports is used. If Node can `require` a
 * module, `module-sync` gives `require` and `import` the same one, and so one WebAssembly; node.cjs is for others:
 * Node before 20.19, and tools that have a `require` of their own.
 */
const exports = {
  ".": entries("."),
  "./testing": entries("./testing"),
  ...Object.fromEntries(plain.map((name) => [`./${name}`, plainEntry(`./${name}`)])),
  "./package.json": "./package.json",
};

function entries(folder) {
  const module = (name) => ({ types: `${folder}/index.d.ts`, default: `${folder}/${name}.js` });
  return {
    workerd: module("workerd"),
    node: {
      "module-sync": module("node"),
      require: { types: `${folder}/index.d.cts`, default: `${folder}/node.cjs` },
      default: module("node"),
    },
    browser: module("browser"),
    default: module("browser"),
  };
}

function plainEntry(folder) {
  const module = (extension) => ({ types: `${folder}/index.d.${extension.replace("js", "ts")}`, default: `${folder}/index.${extension}` });
  return { import: module("js"), require: module("cjs") };
}

const keywords = ["session", "sessions", "cookie", "django", "cloudflare", "workers", "workers-kv", "edge", "wasm", "rust"];

/** Builds into `dist`. With `panics`, the core has a hook that makes it panic. */
export async function buildPackage({ panics = false, dist = distribution } = {}) {
  const started = Date.now();
  rmSync(dist, { recursive: true, force: true });
  await buildWasm("edge-session-bindings", "core", join(dist, "edge-session.wasm"), panics);
  await buildWasm("edge-session-testing-bindings", "model", join(dist, "testing/testing.wasm"));
  await bundle("npm/src", dist);
  await bundle("npm/src/testing", join(dist, "testing"));
  for (const name of plain) await bundlePlain(name, join(dist, name));

  await step(find("tsc", [bin]), ["--project", "npm"]);
  for (const name of [...declarations, ...testing, "node/express-session-store", ...plain.map((name) => `${name}/index`)]) declare(name, dist);
  const { name, version, description, license, engines } = JSON.parse(read("package.json"));
  const about = { name, version, description, keywords, license, engines };
  const manifest = { ...about, type: "module", sideEffects: true, exports, types: "./index.d.ts" };
  writeFileSync(join(dist, "package.json"), `${JSON.stringify(manifest, null, 2)}\n`);
  for (const file of ["CHANGELOG.md", "LICENSE"]) cpSync(join(root, file), join(dist, file));
  cpSync(join(root, "migrations"), join(dist, "migrations"), { recursive: true });
  cpSync(join(root, "docs/npm-readme.md"), join(dist, "README.md"));
  for (const path of listedDocuments()) cpSync(join(root, path), join(dist, path));
  writeFileSync(join(dist, "llms.txt"), llmsTxt(about));
  say(`The package was built into ${relative(root, dist)}/ in ${seconds(Date.now() - started)}.`);
}

/** Compiles a crate to `wasm`, and generates its glue under a name. */
async function buildWasm(crate, name, wasm, panics = false) {
  const rustflags = [compact, panics && "--cfg panics"];
  await compile({ crate, profile: "npm", target: "package", name, folder: glue, rustflags });

  mkdirSync(dirname(wasm), { recursive: true });
  const passes = [...assumptions, "-Oz", "--flatten", "--rereloop", "-Oz", "-Oz", order];
  const stripped = ["--strip-debug", "--strip-producers", "--strip-target-features", "--minify-imports-and-exports"];
  const names = await step(find("wasm-opt", [bin]), [join(glue, `${name}_bg.wasm`), ...features, ...passes, ...stripped, "--output", wasm], { quiet: true });
  shorten(name, new Map([...names.matchAll(/\["(.+?)", "(.+?)"\]/g)].map(([, long, short]) => [long, short])));
}

/** Builds the module that the entries in `source` share, and the entries, into `folder`. */
async function bundle(source, folder) {
  const esbuild = find("esbuild", [bin]);
  // The glue warns of calls that the entries do not make.
  const asWritten = "--define:process.env.NODE_ENV=process.env.NODE_ENV"; // or esbuild would write "production" there
  const shared = ["--format=esm", "--target=es2022", "--minify", "--log-level=warning", "--pure:console.warn", asWritten];
  await step(esbuild, [`${source}/entry/shared.ts`, "--bundle", `--outfile=${join(folder, "shared.js")}`, ...shared]);
  const entries = ["workerd", "node", "browser"].map((name) => `${source}/entry/${name}.ts`);
  await step(esbuild, [...entries, `--outdir=${folder}`, ...shared]);
  const here = ["--define:import.meta.url=here", '--banner:js="use strict"; const here = require("node:url").pathToFileURL(__filename);'];
  const common = [...shared, "--format=cjs", "--platform=node", ...here];
  await step(esbuild, [`${source}/entry/node.ts`, "--bundle", `--outfile=${join(folder, "node.cjs")}`, ...common]);
}

/** Builds an entry without wasm into `folder`. */
async function bundlePlain(name, folder) {
  const flags = ["--bundle", "--external:cloudflare:workers", "--external:edge-session", "--target=es2022", "--minify", "--log-level=warning"];
  for (const [format, file] of [["esm", "index.js"], ["cjs", "index.cjs"]]) {
    await step(find("esbuild", [bin]), [`npm/src/${name}/index.ts`, `--format=${format}`, `--outfile=${join(folder, file)}`, ...flags]);
  }
}

/** The declarations of one module, for `import` and for `require`: TypeScript needs files of its own for each kind. */
function declare(name, dist) {
  const text = readFileSync(join(glue, "types", `${name}.d.ts`), "utf8");
  writeFileSync(join(dist, `${name}.d.ts`), text);
  writeFileSync(join(dist, `${name}.d.cts`), text.replace(/(from "\.{1,2}\/[\w/-]+)\.js"/g, '$1.cjs"'));
}

/** Renames the shortened exports in the glue, and removes the reverse mappings of enums. */
function shorten(name, short) {
  const file = join(glue, `${name}.js`);
  const text = readFileSync(file, "utf8").replace(/, "\d+": "\w+",$/gm, ",");
  writeFileSync(file, text.replace(/\bwasm\.(\w+)/g, (_, name) => `wasm[${JSON.stringify(short.get(name) ?? name)}]`));
}

await script(import.meta.url, async () => {
  await setUp(needs.package);
  await buildPackage();
});

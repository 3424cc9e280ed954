// Builds the npm package into dist/: cargo, wasm-bindgen and wasm-opt for the bindings, esbuild and tsc for npm/src. One wasm
// file, one module that the entries share, and for each platform an entry that knows where the wasm comes from; the entry of Node
// contains it. The model of KV is built in the same way, from a wasm of its own, as `edge-session/testing`; only its importers load it.
// The plain entries have no wasm: one file each. The JavaScript is readable, with source maps: to minify is up to its users' bundlers.

import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join, relative, resolve } from "node:path";
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
const plain = ["astro", "csrf", "durable-object", "fastify", "h3", "hono", "next", "node", "nuxt", "react-router", "sveltekit", "tanstack-start", "unstorage"];

/**
 * The `exports` of package.json: the first condition that a platform supports is used. If Node can `require` a
 * module, `module-sync` gives `require` and `import` the same one, and so one WebAssembly; node.cjs is for others:
 * Node before 20.19, and tools that have a `require` of their own.
 */
const exports = {
  ".": entries("."),
  "./testing": entries("./testing"),
  ...Object.fromEntries(plain.map((name) => [`./${name}`, plainEntry(`./${name}`)])),
  "./edge-session.wasm": "./edge-session.wasm",
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
  await buildWasm("edge-session-bindings", "core", panics);
  await buildWasm("edge-session-testing-bindings", "model");
  await bundle("", dist);
  await bundle("testing", dist);
  cpSync(join(glue, "core.wasm"), join(dist, "edge-session.wasm"));
  cpSync(join(glue, "model.wasm"), join(dist, "testing/testing.wasm"));
  for (const name of plain) await bundlePlain(name, dist);

  await step(find("tsc", [bin]), ["--project", "npm"]);
  const parts = ["node/express-session-store", "react-router/session-storage"];
  for (const name of [...declarations, ...testing, ...parts, ...plain.map((name) => `${name}/index`)]) declare(name, dist);
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

/** Compiles a crate, and generates its wasm and its glue under a name. */
async function buildWasm(crate, name, panics = false) {
  const rustflags = [compact, panics && "--cfg panics"];
  await compile({ crate, profile: "npm", target: "package", name, folder: glue, rustflags });

  const passes = [...assumptions, "-Oz", "--flatten", "--rereloop", "-Oz", "-Oz", order];
  const stripped = ["--strip-debug", "--strip-producers", "--strip-target-features", "--minify-imports-and-exports"];
  const names = await step(find("wasm-opt", [bin]), [join(glue, `${name}_bg.wasm`), ...features, ...passes, ...stripped, "--output", join(glue, `${name}.wasm`)], { quiet: true });
  shorten(name, new Map([...names.matchAll(/\["(.+?)", "(.+?)"\]/g)].map(([, long, short]) => [long, short])));
}

/** Builds the module that the entries in `npm/src/<part>` share, and the entries, into that part of `dist`. */
async function bundle(part, dist) {
  const entry = (name) => `npm/src/${join(part, "entry", name)}.ts`;
  const build = (name, file, ...flags) => javascript(entry(name), dist, join(part, file), ...flags);
  const shared = ["--format=esm", "--external:*/shared.js"];
  const inlined = ["--platform=node", "--loader:.wasm=base64"];
  await build("shared", "shared.js", "--format=esm");
  for (const name of ["workerd", "browser"]) await build(name, `${name}.js`, ...shared, "--external:*.wasm");
  await build("node", "node.js", ...shared, ...inlined);
  await build("node", "node.cjs", "--format=cjs", ...inlined);
}

/** Builds an entry without wasm. */
async function bundlePlain(name, dist) {
  const external = ["--external:cloudflare:workers", "--external:edge-session"];
  for (const [format, file] of [["esm", "index.js"], ["cjs", "index.cjs"]]) {
    await javascript(`npm/src/${name}/index.ts`, dist, join(name, file), `--format=${format}`, ...external);
  }
}

/** Bundles a module into a file of `dist` that people can read, with its source map beside it. */
async function javascript(source, dist, name, ...flags) {
  const file = join(dist, name);
  const asWritten = "--define:process.env.NODE_ENV=process.env.NODE_ENV"; // or esbuild would write "development" there
  const readable = ["--bundle", "--target=es2022", "--sourcemap", asWritten];
  await step(find("esbuild", [bin]), [source, `--outfile=${file}`, ...readable, "--log-level=warning", ...flags]);
  const map = JSON.parse(readFileSync(`${file}.map`, "utf8"));
  // The sources have the same paths from wherever they were built: in a folder `src` of the package.
  const packed = (path) => relative(dirname(file), path.startsWith(glue) ? join(dist, "src", basename(path)) : join(dist, relative(join(root, "npm"), path)));
  map.sources = map.sources.map((path) => packed(resolve(dirname(file), path)));
  writeFileSync(`${file}.map`, JSON.stringify(map));
}

/** The declarations of one module, for `import` and for `require`: TypeScript needs files of its own for each kind. */
function declare(name, dist) {
  const text = readFileSync(join(glue, "types", `${name}.d.ts`), "utf8");
  writeFileSync(join(dist, `${name}.d.ts`), text);
  writeFileSync(join(dist, `${name}.d.cts`), text.replace(/(from "\.{1,2}\/[\w/-]+)\.js"/g, '$1.cjs"'));
}

/**
 * Renames the shortened exports in the glue. Removes the reverse mappings of enums, the warnings of calls that the entries do not make, and
 * the names of classes in themselves, for which esbuild would rename the classes.
 */
function shorten(name, short) {
  const file = join(glue, `${name}.js`);
  const text = readFileSync(file, "utf8")
    .replace(/, "\d+": "\w+",$/gm, ",")
    .replace(/^ *console\.warn\('using deprecated .*\n/gm, "")
    .replace(/Object\.create\(\w+\.prototype\)/g, "Object.create(this.prototype)");
  writeFileSync(file, text.replace(/\bwasm\.(\w+)/g, (_, name) => `wasm[${JSON.stringify(short.get(name) ?? name)}]`));
}

await script(import.meta.url, async () => {
  await setUp(needs.package);
  await buildPackage();
});

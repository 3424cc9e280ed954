// The package as a whole: its exports and its requirements.

import assert from "node:assert/strict";
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { createRequire } from "node:module";
import { test } from "node:test";

const dist = new URL("../../dist/", import.meta.url);
const manifest = JSON.parse(readFileSync(new URL("package.json", dist), "utf8"));
const names = [
  "ConfigError", "EdgeSessionError", "EntropyError", "InternalError", "KeyError", "KeyTakenError", "PanicError", "SessionBusyError",
  "SessionClosedError", "SessionInterruptedError", "StaleError", "StoreUnavailableError", "SupersededError", "TooLargeError", "UsageError",
  "ValueError", "cookieStore", "createSessions", "d1", "durableObjects", "kv", "memory", "migrate", "sessionsFor", "withSessions",
];

test("it exports what it documents, to import and to require", async () => {
  assert.deepEqual(Object.keys(await import("../../dist/node.js")).sort(), names);
  const required = (path) => Object.keys(createRequire(import.meta.url)(path)).filter((name) => !name.startsWith("__")).sort();
  assert.deepEqual(required("../../dist/node.js"), names);
  assert.deepEqual(Object.keys(await import("../../dist/testing/node.js")), ["KvModel", "cookieFor", "storeContract"]);
  for (const path of ["node.js", "node.cjs"]) assert.deepEqual(required(`../../dist/testing/${path}`), ["KvModel", "cookieFor", "storeContract"]);
  assert.deepEqual(Object.keys(await import("../../dist/unstorage/index.js")), ["fromUnstorage"]);
  assert.deepEqual(required("../../dist/unstorage/index.cjs"), ["fromUnstorage"]);
  assert.deepEqual(Object.keys(await import("../../dist/hono/index.js")), ["session"]);
  assert.deepEqual(required("../../dist/hono/index.cjs"), ["session"]);
  assert.deepEqual(Object.keys(await import("../../dist/next/index.js")), ["createNextSession"]);
  assert.deepEqual(required("../../dist/next/index.cjs"), ["createNextSession"]);
  assert.deepEqual(Object.keys(await import("../../dist/node/index.js")), ["expressSessionStore", "session"]);
  assert.deepEqual(required("../../dist/node/index.cjs"), ["expressSessionStore", "session"]);
  assert.deepEqual(Object.keys(await import("../../dist/fastify/index.js")), ["session"]);
  assert.deepEqual(required("../../dist/fastify/index.cjs"), ["session"]);
  for (const [name, calls] of [["h3", ["session"]], ["nuxt", ["session"]], ["react-router", ["createEdgeSessionStorage", "createSessionMiddleware"]], ["tanstack-start", ["withSession"]]]) {
    assert.deepEqual(Object.keys(await import(`../../dist/${name}/index.js`)), calls);
    assert.deepEqual(required(`../../dist/${name}/index.cjs`), calls);
  }
});

test("its entries are there, in the order in which platforms look, and nothing has to be installed", () => {
  assert.deepEqual(Object.keys(manifest.exports), [".", "./testing", "./astro", "./csrf", "./durable-object", "./fastify", "./h3", "./hono", "./next", "./node", "./nuxt", "./react-router", "./sveltekit", "./tanstack-start", "./unstorage", "./edge-session.wasm", "./package.json"]);
  const paths = (entry) => (typeof entry === "string" ? [entry] : Object.values(entry).flatMap(paths));
  for (const entries of [manifest.exports["."], manifest.exports["./testing"]]) {
    assert.deepEqual(Object.keys(entries), ["workerd", "node", "browser", "default"]);
    assert.deepEqual(Object.keys(entries.node), ["module-sync", "require", "default"]);
    for (const path of paths(entries)) assert.ok(readFileSync(new URL(path, dist)).length, path);
  }
  for (const name of ["astro", "csrf", "durable-object", "fastify", "h3", "hono", "next", "node", "nuxt", "react-router", "sveltekit", "tanstack-start", "unstorage"]) {
    const entries = manifest.exports[`./${name}`];
    assert.deepEqual(Object.keys(entries), ["import", "require"]);
    for (const path of paths(entries)) assert.ok(readFileSync(new URL(path, dist)).length, path);
  }
  assert.ok(WebAssembly.validate(readFileSync(new URL(manifest.exports["./edge-session.wasm"], dist))));
  assert.deepEqual(readdirSync(new URL("migrations", dist)), readdirSync(new URL("../../migrations", import.meta.url)));
  for (const name of ["README.md", "CHANGELOG.md", "LICENSE"]) assert.ok(readdirSync(dist).includes(name), name);
  assert.equal(manifest.dependencies, undefined);
  assert.equal(manifest.scripts, undefined);
});

test("its README links to packed files only", () => {
  const readme = readFileSync(new URL("README.md", dist), "utf8");
  assert.equal(readme, readFileSync(new URL("../../docs/npm-readme.md", import.meta.url), "utf8"));
  const links = [...readme.matchAll(/\]\((.*?)\)/g)].map(([, target]) => target);
  assert.deepEqual(links.filter((target) => !/^https:|^#/.test(target) && !existsSync(new URL(target, dist))), []);
});

test("no declaration contains `any`, or mentions a file outside of the package", () => {
  for (const file of readdirSync(dist, { recursive: true }).filter((name) => /\.d\.c?ts$/.test(name))) {
    const text = readFileSync(new URL(file, dist), "utf8").replace(/\/\*\*[^]*?\*\//g, "");
    assert.doesNotMatch(text, /\bany\b|#\w+"/, file);
  }
});

test("a deployed Worker contains no part of the model of KV", () => {
  for (const path of ["shared.js", "node.cjs"]) assert.doesNotMatch(readFileSync(new URL(path, dist), "utf8"), /KvModel/, path);
  assert.doesNotMatch(readFileSync(new URL("edge-session.wasm", dist), "latin1"), /propagation|Too Many Requests/i);
  assert.match(readFileSync(new URL("testing/testing.wasm", dist), "latin1"), /Too Many Requests/);
});

test("llms.txt lists the documents of the package", () => {
  const text = readFileSync(new URL("../../dist/llms.txt", import.meta.url), "utf8");
  const links = [...text.matchAll(/^\* \[.+\]\((.+)\): .+\.$/gm)].map(([, path]) => path);
  assert.ok(links.length >= 20);
  for (const path of links) assert.match(readFileSync(new URL(`../../dist/${path}`, import.meta.url), "utf8"), /^# /);
  const lines = text.split("\n").filter((line) => line.startsWith("* "));
  assert.equal(lines.length, links.length, "each has a sentence");
});

/** The JavaScript files of the package, by their path in it. */
const scripts = readdirSync(dist, { recursive: true }).filter((name) => /\.c?js$/.test(name));
const textOf = (path) => readFileSync(new URL(path, dist), "utf8");

test("its JavaScript has lines that people can read, and its classes have their names", async () => {
  assert.ok(scripts.includes("shared.js") && scripts.includes("testing/node.cjs"), scripts.join());
  for (const path of scripts) {
    const long = textOf(path).split("\n").filter((line) => line.length > 500);
    assert.deepEqual(long.map((line) => /^var \w+ = "AGFzb/.test(line)), /(^|\/)node\.c?js$/.test(path) ? [true] : [], `${path}: only the WebAssembly`);
    assert.doesNotMatch(textOf(path), /\bclass _(?!Core)/, path); // esbuild's name for a class that names itself
  }
  const { createSessions, KeyError, memory } = await import("../../dist/node.js");
  const session = await createSessions({ store: memory(), secrets: ["a secret of at least thirty-two bytes"] }).load("");
  assert.equal(session.constructor.name, "StoredSession");
  assert.throws(() => session.item("user"), (error) => error instanceof KeyError && error.constructor.name === "KeyError");
  const { KvModel } = await import("../../dist/testing/node.js");
  assert.deepEqual([KvModel.name, new KvModel().at("AMS").constructor.name], ["KvModel", "KvBinding"]);
});

test("each script has a source map with its sources, which names no file outside of the package", () => {
  for (const path of scripts) {
    assert.match(textOf(path), new RegExp(`\n//# sourceMappingURL=${path.split("/").at(-1)}\\.map\n$`), path);
    const { sources, sourcesContent, sourceRoot } = JSON.parse(textOf(`${path}.map`));
    assert.equal(sourceRoot, undefined);
    assert.ok(sources.length > 0 && sources.length === sourcesContent.length, path);
    for (const source of sources) {
      assert.ok(new URL(source, new URL(path, dist)).href.startsWith(new URL("src/", dist).href), `${path}: ${source}`);
    }
    assert.ok(sourcesContent.every((text) => text.length > 100), path);
  }
});

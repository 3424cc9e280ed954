// The package as a whole: what it exports, and what it needs.

import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { createRequire } from "node:module";
import { test } from "node:test";

const dist = new URL("../../dist/", import.meta.url);
const manifest = JSON.parse(readFileSync(new URL("package.json", dist), "utf8"));
const names = [
  "ConfigError", "EdgeSessionError", "EntropyError", "KeyError", "KeyTakenError", "PanicError", "SessionBusyError", "SessionClosedError",
  "SessionInterruptedError", "StaleError", "StoreUnavailableError", "TooLargeError", "ValueError", "createSessions", "kv", "memory", "withSessions",
];

test("it exports what it documents, to import and to require", async () => {
  assert.deepEqual(Object.keys(await import("../../dist/node.js")).sort(), names);
  assert.deepEqual(Object.keys(createRequire(import.meta.url)("../../dist/node.js")).filter((name) => !name.startsWith("__")).sort(), names);
});

test("its entries are there, in the order in which platforms look, and nothing has to be installed", () => {
  const entries = manifest.exports["."];
  assert.deepEqual(Object.keys(entries), ["workerd", "node", "browser", "default"]);
  assert.deepEqual(Object.keys(entries.node), ["module-sync", "require", "default"]);
  const paths = (entry) => (typeof entry === "string" ? [entry] : Object.values(entry).flatMap(paths));
  for (const path of paths(entries)) assert.ok(readFileSync(new URL(path, dist)).length, path);
  for (const name of ["README.md", "CHANGELOG.md", "LICENSE"]) assert.ok(readdirSync(dist).includes(name), name);
  assert.equal(manifest.dependencies, undefined);
  assert.equal(manifest.scripts, undefined);
});

test("no declaration says any, or speaks of what is not in the package", () => {
  for (const file of readdirSync(dist).filter((name) => /\.d\.c?ts$/.test(name))) {
    const text = readFileSync(new URL(file, dist), "utf8").replace(/\/\*\*[^]*?\*\//g, "");
    assert.doesNotMatch(text, /\bany\b|#core/, file);
  }
});

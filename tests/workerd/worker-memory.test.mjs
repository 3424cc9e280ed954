// The Worker's WebAssembly memory: it grows and never shrinks, so once it is warm it has to be flat, and so has its table of
// JavaScript's objects.

import { createExecutionContext } from "cloudflare:test";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { memoryKv, secret } from "./worker.mjs";

/** The Worker's instance, which its bundle keeps to itself: caught where it is made. */
const { Instance } = WebAssembly;
let wasm;
WebAssembly.Instance = class extends Instance {
  constructor(...args) {
    super(...args);
    wasm = this.exports;
  }
};
const { default: App } = await import("../../worker/build/index.js?an-instance-of-its-own");
WebAssembly.Instance = Instance;

const sizes = () => ({ bytes: wasm.memory.buffer.byteLength, objects: wasm.__wbindgen_externrefs.length });

beforeAll(() => {
  for (const level of ["log", "error"]) vi.spyOn(console, level).mockImplementation(() => {});
});
afterAll(() => vi.restoreAllMocks());

const bindings = () => ({ SESSIONS: memoryKv(), SESSION_SECRET: secret });

const context = createExecutionContext();

/** A visitor who keeps the cookie, as cheaply as can be. */
function visitor(env) {
  let Cookie = "";
  return async (method, path, body) => {
    const request = new Request(`http://localhost:8787${path}`, { method, body, headers: { Cookie } });
    const response = await new App(context, env).fetch(request);
    const [line] = response.headers.getSetCookie();
    if (line) Cookie = line.split(";")[0];
    await response.arrayBuffer();
    return response.status;
  };
}

const large = JSON.stringify("x".repeat(20_000));

/** Requests of every kind, and the statuses that they are answered with. */
const well = [
  ["PUT", "/session/data/user", '"alice"', 204],
  ["GET", "/session", undefined, 200],
  ["PUT", "/session/data/essay", large, 204],
  ["GET", "/session/data/essay", undefined, 200],
  ["DELETE", "/session/data/essay", undefined, 204],
  ["PATCH", "/session/data", '{"a":1,"b":[2]}', 204],
  ["PATCH", "/session/data", "{", 400],
  ["PUT", "/session/expiry", '{"value":100}', 200],
  ["GET", "/session/data/nothing", undefined, 404],
  ["POST", "/session/cycle-key", '{"c":3}', 204],
  ["GET", "/nowhere", undefined, 404],
  ["POST", "/session/flush", undefined, 204],
];
const failing = [["GET", "/session", undefined, 503], ["PUT", "/session/data/a", "1", 503]];

// I5
test("100,000 requests of every kind, some of them at a KV that fails, leave nothing behind", async () => {
  const alice = visitor(bindings());
  const unlucky = bindings();
  const bob = visitor(unlucky);
  expect(await bob("PUT", "/session/data/user", '"bob"')).toBe(204);
  unlucky.SESSIONS.get = () => Promise.reject(new Error("KV GET failed: 500"));
  const round = async () => {
    for (const [method, path, body, status] of well) if ((await alice(method, path, body)) !== status) expect.fail(`${method} ${path}`);
    for (const [method, path, body, status] of failing) if ((await bob(method, path, body)) !== status) expect.fail(`${method} ${path}`);
  };
  for (let n = 0; n < 600; n += 1) await round(); // a new session each, until the isolate remembers as many as it may: 512
  const warm = sizes();
  for (let n = 0; n < 100_000 / (well.length + failing.length); n += 1) await round();
  expect(sizes()).toEqual(warm);
}, 120_000);

// I6: what KV can hold at most is in memory once, however many requests read it at once
test("twenty values of 25 MiB, read at once, take less than 32 MiB", async () => {
  const env = bindings();
  const visitors = await Promise.all(Array.from({ length: 20 }, async () => {
    const one = visitor(env);
    await one("PUT", "/session/data/user", '"alice"');
    return one;
  }));
  env.SESSIONS.get = async (key) => (await scheduler.wait(20), key.includes(":session:") ? new ArrayBuffer(25 * 1024 * 1024) : null);
  expect(await Promise.all(visitors.map((one) => one("GET", "/session")))).toEqual(Array(20).fill(200));
  expect(sizes().bytes).toBeLessThan(32 * 1024 * 1024);
});

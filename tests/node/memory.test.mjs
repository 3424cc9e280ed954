// WebAssembly's memory never shrinks, so that leaks make it grow: after a warm-up it has to be constant.

import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import wasm from "../../dist/shared.js";
import { createSessions, withSessions } from "../../dist/node.js";
import { eventual, secrets } from "./visitor.mjs";

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc");

const linear = Object.values(wasm.initSync()).find((part) => part instanceof WebAssembly.Memory);
const bytes = () => linear.buffer.byteLength;
const many = 100_000;
const cart = Array.from({ length: 5 }, (_, n) => ({ name: `item ${n}`, count: n }));

/** Returns by how many bytes the WebAssembly memory grew while `work` ran `times` times after a warm-up. */
async function growth(work, times, warm = 1000) {
  for (let n = 0; n < warm; n++) await work(n);
  const before = bytes();
  for (let n = 0; n < times; n++) await work(n);
  return bytes() - before;
}

/** Requests of a visitor with a session, to a Worker around `handler`. */
async function requests(handler) {
  const options = { store: eventual(), secrets };
  const sessions = createSessions(options);
  const session = await sessions.load("");
  session.set("cart", cart);
  const headers = new Headers({ Cookie: new Headers(await sessions.commitHeaders(session, 200)).get("Set-Cookie").split(";")[0] });
  const worker = withSessions(options, { fetch: (request, env, context, session) => handler(session) });
  return () => worker.fetch({ headers });
}

test("100,000 committed sessions leak no memory", async () => {
  const request = await requests((session) => {
    session.get("cart")[0].count++;
    session.set("visits", session.get("visits", 0) + 1);
    return new Response();
  });
  assert.equal(await growth(request, many), 0);
});

test("100,000 sessions whose handler threw leak no memory", async () => {
  const request = await requests((session) => {
    session.set("cart", [...session.get("cart"), "one more"]);
    throw new Error("boom");
  });
  assert.equal(await growth(() => assert.rejects(request(), /boom/), many), 0);
});

test("without withSessions: a commit frees the session, and dispose does if the save is refused", async () => {
  const sessions = createSessions({ store: eventual(), secrets, maxRecordBytes: 1024 });
  const byHand = async (n) => {
    const session = await sessions.load("");
    session.set("cart", n % 2 ? cart : Array(40).fill(cart));
    if (n % 2) return sessions.commitHeaders(session, 500);
    await assert.rejects(session.save(), { code: "ES_TOO_LARGE" });
    session[Symbol.dispose]();
  };
  assert.equal(await growth(byHand, 20_000), 0);
});

test("a session that is neither committed nor disposed of is freed by the collector, between turns of the event loop", async () => {
  const sessions = createSessions({ store: eventual(), secrets });
  const forgetful = async () => {
    for (let n = 0; n < 1000; n++) (await sessions.load("")).set("cart", cart);
    collect();
    await turn();
  };
  const ofOneTurn = await growth(forgetful, 1, 0);
  const ofMany = await growth(forgetful, 50, 0);
  assert.ok(ofOneTurn > 0 && ofMany < 5 * ofOneTurn, `${ofOneTurn} bytes in one turn, ${ofMany} in fifty`);
});

/** Visits of many visitors. Isolate memory keeps the last of their sessions. */
function visitors(large) {
  const sessions = createSessions({ store: { ...eventual(), put: async () => {} }, secrets, maxRecordBytes: 1_000_000 });
  return async (n) => {
    const session = await sessions.load("");
    session.set("user", `visitor ${n}`).set("large", "x".repeat(large));
    const headers = new Headers(await sessions.commitHeaders(session, 200));
    const again = await sessions.load(headers.get("Set-Cookie").split(";")[0]);
    assert.equal(again.get("user"), `visitor ${n}`, "the isolate remembers it: the store keeps nothing");
    if (n % 2) await again.flush();
    else again.set("page", n);
    await sessions.commitHeaders(again, 200);
  };
}

test("20,000 sessions of as many visitors leak no memory beyond isolate memory", async () => {
  assert.equal(await growth(visitors(1), 20_000, 2_000), 0);
});

test("isolate memory is bounded in bytes", async () => {
  const before = bytes();
  const visit = visitors(200_000);
  for (let n = 0; n < 1_000; n++) await visit(n);
  const grown = bytes() - before;
  assert.ok(grown > 2 ** 21 && grown < 2 ** 23, `${grown} bytes, of which records may take 4 MiB`);
});

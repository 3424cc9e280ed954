// A panic of the core, in a build that can be made to: the request fails, and the next one works.

import assert from "node:assert/strict";
import { test } from "node:test";
import { createSessions, EdgeSessionError, kv, PanicError, withSessions } from "../../target/panics/node.js";
import { countingKv, secrets } from "./visitor.mjs";

const cookieOf = (response) => response.headers.getSetCookie()[0].split(";")[0];

/** A Worker that counts visits, and panics where it is told to. */
function worker() {
  const { kv: namespace } = countingKv();
  const { fetch } = withSessions({ store: kv(namespace), secrets }, {
    async fetch(request, env, context, session) {
      const visits = session.get("visits", 0) + 1;
      await new Promise(setImmediate);
      if (request.url.endsWith("/panic")) session.get("panic now");
      session.set("visits", visits);
      return new Response(String(visits));
    },
  });
  return (path, Cookie = "") => fetch(new Request(`https://example.com${path}`, { headers: { Cookie } }), {}, {});
}

test("after a panic the next request works, and nothing that was stored is lost", async () => {
  const visit = worker();
  const cookie = cookieOf(await visit("/"));
  for (let n = 0; n < 3; n++) {
    await assert.rejects(visit("/panic", cookie), (error) => error instanceof PanicError && error.code === "ES_PANIC" && error.cause instanceof WebAssembly.RuntimeError);
    assert.equal(await (await visit("/", cookie)).text(), String(n + 2));
  }
});

test("I2: of 50 requests in flight, those beside the one that panics end in an error of this package, and all work again", async () => {
  const visit = worker();
  const cookies = await Promise.all(Array.from({ length: 50 }, async () => cookieOf(await visit("/"))));
  const ends = await Promise.allSettled(cookies.map((cookie, n) => visit(n === 25 ? "/panic" : "/", cookie)));
  assert.equal(ends[25].status, "rejected");
  for (const { reason } of ends.filter(({ status }) => status === "rejected")) assert.ok(reason instanceof EdgeSessionError, reason?.stack);
  const again = await Promise.all(cookies.map(async (cookie) => (await visit("/", cookie)).status));
  assert.deepEqual(again, Array(50).fill(200));
});

test("a session that a panic lost says so, whatever is asked of it, and can be disposed of", async () => {
  const sessions = createSessions({ store: kv(countingKv().kv), secrets });
  const [lost, other] = [await sessions.open(), await sessions.open()];
  const late = await sessions.open();
  assert.throws(() => lost.get("panic now"), PanicError);
  for (const session of [lost, other]) {
    for (const call of [() => session.get("a"), () => session.set("a", 1), () => session.keys(), () => session.sessionKey, () => session.modified]) {
      assert.throws(call, PanicError);
    }
    await assert.rejects(session.save(), PanicError);
    session[Symbol.dispose]();
  }
  const next = await sessions.open();
  await next.set("a", 1).save();
  assert.equal((await sessions.open(next.sessionKey)).get("a"), 1);
  late[Symbol.dispose](); // of an instance that is long gone
  assert.equal((await sessions.open(next.sessionKey)).get("a"), 1);
});

test("what the secrets were at first is what they are after a panic, whatever became of the caller's", async () => {
  const store = kv(countingKv().kv);
  const mine = [new TextEncoder().encode(secrets[0])];
  const sessions = createSessions({ store, secrets: mine });
  mine[0].fill(0);
  mine.length = 0;
  const lost = await sessions.open();
  assert.throws(() => lost.get("panic now"), PanicError);
  const session = await sessions.load("");
  const [, , [, cookie]] = await sessions.commitHeaders(session.set("user", "alice"), 200);
  const other = createSessions({ store, secrets });
  assert.equal((await other.load(cookie.split(";")[0])).get("user"), "alice");
});

test("a load that waits for its store while the core panics, and signing for an old session, end in a PanicError", async () => {
  const inner = kv(countingKv().kv);
  let gate;
  const store = { ...inner, get: async (key) => (await gate, inner.get(key)) };
  const sessions = createSessions({ store, secrets });
  const first = await sessions.load("");
  const [, , [, line]] = await sessions.commitHeaders(first.set("user", "alice"), 200);
  const cookie = line.split(";")[0];
  const [old, panics] = [await sessions.open(), await sessions.open()];
  let open;
  gate = new Promise((resolve) => { open = resolve; });
  const waiting = sessions.load(cookie);
  assert.throws(() => panics.get("panic now"), PanicError);
  open();
  await assert.rejects(waiting, PanicError);
  assert.equal((await sessions.load(cookie)).get("user"), "alice");
  await assert.rejects(old.encode({ a: 1 }), PanicError);
});

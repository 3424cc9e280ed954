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

test("H7: of 50 requests in flight, those beside the one that panics end in an error of this package, and all work again", async () => {
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

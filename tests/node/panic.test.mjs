// A panic of the core, in a build with a hook for it: the request fails, and the next one succeeds.

import assert from "node:assert/strict";
import { test } from "node:test";
import { createSessions, EdgeSessionError, kv, PanicError, withSessions } from "../../target/panics/node.js";
import { cookiesAfter, countingKv, secrets } from "./visitor.mjs";

const cookieOf = (response) => response.headers.getSetCookie()[0].split(";")[0];

/** A Worker that counts visits and panics on request. */
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

test("after a panic the next request succeeds, and stored data are kept", async () => {
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

test("every call on a session that a panic lost reports it, and the session can be disposed of", async () => {
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
  late[Symbol.dispose](); // of an instance that was replaced
  assert.equal((await sessions.open(next.sessionKey)).get("a"), 1);
});

test("after a panic the secrets are the original ones, even if the caller changed its array", async () => {
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

/** A namespace that can be frozen: its reads then return the state of that time. */
function freezing() {
  const inner = countingKv();
  let shown;
  return {
    namespace: { ...inner.kv, get: async (key) => (shown ? (shown.get(key)?.value ?? null) : inner.kv.get(key)) },
    freeze: () => (shown = new Map(inner.kept)),
    catchUp: () => (shown = undefined),
  };
}

const panic = async (sessions) => {
  const lost = await sessions.open();
  assert.throws(() => lost.get("panic now"), PanicError);
};

test("a panic drops isolate memory without harm: a browser's saves are repaired from its cookie or reported", async () => {
  const { namespace, freeze, catchUp } = freezing();
  const [sessions, others] = [{}, { cookieAge: 600 }].map((settings) => createSessions({ store: kv(namespace), secrets, ...settings }));
  const visit = async (cookie, act) => {
    const session = await sessions.load(cookie);
    act(session);
    return cookiesAfter(cookie, new Headers(await sessions.commitHeaders(session, 200)));
  };
  const load = async (cookie, of = sessions) => {
    const session = await of.load(cookie);
    return [session.loadReason, session.get("user"), session.get("page")];
  };
  let cookie = await visit("", (session) => session.set("user", "alice"));
  freeze();
  cookie = await visit(cookie, (session) => session.set("page", 1));
  const invisible = await visit("", (session) => session.set("user", "bob"));
  assert.deepEqual([await load(cookie), await load(invisible, others)], [["live", "alice", 1], ["live", "bob", undefined]]);
  await panic(sessions);
  for (const of of [sessions, others]) {
    assert.deepEqual(await load(cookie, of), ["stale-repaired", "alice", 1]);
    assert.deepEqual(await load(invisible, of), ["not-yet-visible", undefined, undefined]);
  }
  catchUp();
  cookie = await visit(cookie, (session) => session.set("page", 2));
  freeze();
  cookie = await visit(cookie, (session) => session.set("page", 3));
  assert.deepEqual(await load(cookie, others), ["live", "alice", 3], "the new instance has one memory for all sessions of the namespace");
});

test("saves that wait while the core panics end in a PanicError, and acknowledged saves before and after it are kept", async () => {
  const { kv: inner, kept } = countingKv();
  let gate;
  const namespace = { ...inner, put: async (...args) => (await gate, inner.put(...args)) };
  const sessions = createSessions({ store: kv(namespace), secrets });
  const first = await sessions.load("");
  const cookie = cookiesAfter("", new Headers(await sessions.commitHeaders(first.set("user", "alice"), 200)));
  let open;
  gate = new Promise((resolve) => { open = resolve; });
  const save = async (n) => {
    const session = await sessions.load(cookie);
    await sessions.commitHeaders(session.set(`key ${n}`, n), 200);
  };
  const waiting = [0, 1, 2, 3].map(save);
  for (const promise of waiting) promise.catch(() => {});
  await new Promise((resolve) => setTimeout(resolve, 50));
  await panic(sessions);
  open();
  for (const promise of waiting) await assert.rejects(promise, PanicError);
  await Promise.all([4, 5, 6, 7].map(save));
  const session = await sessions.load(cookie);
  assert.deepEqual([4, 5, 6, 7].map((n) => session.get(`key ${n}`)), [4, 5, 6, 7]);
  assert.equal(session.get("user"), "alice");
  assert.equal(kept.size, 1);
});

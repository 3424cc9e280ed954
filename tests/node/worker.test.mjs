// withSessions: a whole Worker around a handler.

import assert from "node:assert/strict";
import { test } from "node:test";
import { createSessions, kv, StoreUnavailableError, withSessions } from "../../dist/node.js";
import { cookiesAfter, countingKv, eventual, loggedIn, secrets } from "./visitor.mjs";

const context = {};

/** Sends requests to a Worker, with the cookies that it set. */
function browser(worker, env) {
  return {
    cookie: "",
    async get(path) {
      const request = new Request(`https://example.com${path}`, { headers: { Cookie: this.cookie } });
      const response = await worker.fetch(request, env, context);
      this.cookie = cookiesAfter(this.cookie, response.headers);
      return response;
    },
  };
}

/** Captures the log of failed sessions. Returns its lines. */
async function logged(t, work) {
  const log = t.mock.method(console, "error", () => {});
  await work();
  return log.mock.calls.map(({ arguments: [line] }) => line);
}

test("a handler gets request, environment, context and session; its changes are committed", async () => {
  const env = { SESSIONS: countingKv().kv, SESSION_SECRET: secrets[0] };
  const worker = withSessions((env) => ({ store: kv(env.SESSIONS), secrets: [env.SESSION_SECRET] }), {
    async fetch(request, given, givenContext, session) {
      assert.ok(given === env && givenContext === context);
      if (new URL(request.url).pathname === "/logout") await session.flush();
      else session.set("visits", session.get("visits", 0) + 1);
      return new Response(`Visit number ${session.get("visits", 0)}`);
    },
  });
  const one = browser(worker, env);
  assert.equal(await (await one.get("/")).text(), "Visit number 1");
  assert.equal(await (await one.get("/")).text(), "Visit number 2");
  assert.equal(await (await one.get("/logout")).text(), "Visit number 0");
  assert.equal(one.cookie, "");
});

test("options are asked for once an environment", async () => {
  const asked = [];
  const worker = withSessions((env) => (asked.push(env), { store: eventual(), secrets }), { fetch: () => new Response("ok") });
  const [one, other] = [{}, {}];
  for (const env of [one, other, one, undefined, undefined]) await worker.fetch(new Request("https://example.com/"), env, context);
  assert.deepEqual(asked, [one, other, undefined]);
  const fixed = withSessions({ store: eventual(), secrets }, { fetch: (_, __, ___, session) => new Response(String(session.has("a"))) });
  assert.equal(await (await fixed.fetch(new Request("https://example.com/"))).text(), "false");
});

test("errors of the handler are passed on, and nothing is saved", async () => {
  const { kv: namespace, names } = countingKv();
  const boom = new Error("boom");
  const worker = withSessions({ store: kv(namespace), secrets }, { fetch(_, __, ___, session) { session.set("a", 1); throw boom; } });
  await assert.rejects(browser(worker).get("/"), boom);
  assert.deepEqual(names(), []);
});

test("a store that fails: 503 where the session was used and the error not caught", async (t) => {
  const { kv: namespace, kept } = countingKv();
  const sessions = createSessions({ store: kv(namespace), secrets });
  const session = await sessions.load("");
  session.set("user", "alice");
  const cookie = new Headers(await sessions.commitHeaders(session, 200)).get("Set-Cookie").split(";")[0];
  const failing = countingKv({ get: async () => { throw new Error("KV GET failed: 503"); } });
  const worker = withSessions({ store: kv(failing.kv), secrets }, {
    fetch(request, _, __, session) {
      const { pathname } = new URL(request.url);
      if (pathname === "/untouched") return new Response("the same for everyone");
      try {
        return new Response(session.get("user"));
      } catch (error) {
        if (pathname === "/caught" && error instanceof StoreUnavailableError) return new Response("Hello, whoever you are");
        throw error;
      }
    },
  });
  const one = { ...browser(worker, {}), cookie };
  const lines = await logged(t, async () => {
    assert.equal(await (await one.get("/untouched")).text(), "the same for everyone");
    assert.equal(await (await one.get("/caught")).text(), "Hello, whoever you are");
    const response = await one.get("/");
    assert.deepEqual([response.status, (await response.json()).error.code], [503, "ES_STORE_UNAVAILABLE"]);
    assert.deepEqual([response.headers.get("Vary"), response.headers.get("Cache-Control")], ["Cookie", "private, no-store"]);
  });
  assert.deepEqual(lines, ["edge-session: ES_STORE_UNAVAILABLE: the session store could not be reached; try again"]);
  assert.equal(one.cookie, cookie);
  assert.deepEqual(new Set(failing.names()), new Set(["get"]));
  assert.equal(kept.size, 1);
});

test("a session that cannot be saved is 503, 400 or 413, without a cookie", async (t) => {
  const { kv: here } = countingKv();
  const elsewhere = createSessions({ store: kv({ ...here }), secrets });
  const handler = { fetch: (_, __, ___, session) => (session.set("n", session.get("n", "") + "x".repeat(2000)), new Response("ok")) };
  const lines = await logged(t, async () => {
    for (const [faults, settings, status, code] of [
      [{ put: async () => { throw new Error("429"); } }, {}, 503, "ES_STORE_UNAVAILABLE"],
      [{}, { maxRecordBytes: 1024 }, 413, "ES_TOO_LARGE"],
    ]) {
      const response = await browser(withSessions({ store: kv(countingKv(faults).kv), secrets, ...settings }, handler)).get("/");
      assert.deepEqual([response.status, (await response.json()).error.code], [status, code]);
      assert.deepEqual([response.headers.getSetCookie(), response.headers.get("Vary"), response.headers.get("Cache-Control")], [[], "Cookie", "private, no-store"]);
    }
    const one = browser(withSessions({ store: kv(here), secrets }, {
      async fetch(request, env, context, session) {
        if (session.has("n")) await elsewhere.delete(session.sessionKey);
        return handler.fetch(request, env, context, session);
      },
    }));
    assert.equal((await one.get("/")).status, 200);
    assert.equal((await one.get("/")).status, 400);
  });
  assert.equal(lines.length, 3);
});

test("a failed save inside of the handler gets the response of a failed commit, and nothing is saved after it", async (t) => {
  const { kv: namespace, kept } = countingKv();
  const worker = withSessions({ store: kv(namespace), secrets, maxRecordBytes: 1024 }, {
    async fetch(request, _, __, session) {
      session.set("seen", new URL(request.url).pathname);
      const other = session.get("n");
      session.set("n", "x".repeat(2000));
      try {
        await session.save();
      } finally {
        session.set("n", other ?? null);
      }
      return new Response("ok");
    },
  });
  const lines = await logged(t, async () => {
    const response = await browser(worker, {}).get("/");
    assert.deepEqual([response.status, (await response.json()).error.code], [413, "ES_TOO_LARGE"]);
    assert.deepEqual([response.headers.getSetCookie(), response.headers.get("Vary"), response.headers.get("Cache-Control")], [[], "Cookie", "private, no-store"]);
  });
  assert.equal(lines.length, 1);
  assert.equal(kept.size, 0);
});

test("a failed logout is reported, and later requests finish it: until then pages that use the session get a 503", async (t) => {
  let down = true;
  const { kv: namespace, kept } = countingKv({
    put: async (key, value, options) => {
      if (down && key.includes(":ended:")) throw new Error("KV PUT failed: 500");
      kept.set(key, { value, ...options });
    },
  });
  const one = browser(withSessions({ store: kv(namespace), secrets }, {
    async fetch(request, _, __, session) {
      const { pathname } = new URL(request.url);
      if (pathname === "/untouched") return new Response("the same for everyone");
      if (pathname === "/logout") await session.flush();
      if (pathname === "/login") {
        session.cycleKey();
        session.set("user", "alice");
      }
      return new Response(session.get("user", "nobody"));
    },
  }), {});
  await one.get("/login");
  const { cookie } = one;
  await logged(t, async () => assert.equal((await one.get("/logout")).status, 503));
  const ending = one.cookie;
  assert.match(ending, new RegExp(`^${loggedIn}=`));
  assert.notEqual(ending, cookie);
  await logged(t, async () => assert.equal((await one.get("/")).status, 503));
  assert.equal(await (await one.get("/untouched")).text(), "the same for everyone");
  assert.equal(one.cookie, ending, "neither a failure nor a page that does not use the session takes it away");
  down = false;
  assert.equal(await (await one.get("/")).text(), "nobody");
  assert.equal(one.cookie, "");
  one.cookie = cookie;
  assert.equal(await (await one.get("/")).text(), "nobody", "the login has ended");
});

test("scheduled deletes expired records, and does not list KV, which expires records itself", async () => {
  let now = Date.UTC(2030, 0, 1);
  const workerOn = (store) => withSessions({ store, secrets, cookieAge: 60, clock: () => now }, {
    fetch: (_, __, ___, session) => (session.set("a", 1), new Response("ok")),
  });
  const store = eventual();
  const { kv: namespace, names } = countingKv();
  const workers = [workerOn(store), workerOn(kv(namespace))];
  for (const worker of workers) await browser(worker).get("/");
  names();
  for (const worker of workers) await worker.scheduled({}, undefined);
  assert.equal(store.records.size, 1);
  now += 200_000;
  for (const worker of workers) await worker.scheduled({}, undefined);
  assert.equal(store.records.size, 0);
  assert.deepEqual(names(), []);
});

test("scheduled continues where its last run ended, in the same environment", async () => {
  const listed = [];
  const env = {};
  const list = async (prefix, cursor) => (listed.push(cursor), { keys: [], cursor: String(Number(cursor ?? 0) + 1) });
  const worker = withSessions(() => ({ store: { ...eventual(), list }, secrets }), { fetch: () => new Response("ok") });
  await worker.scheduled({}, env);
  await worker.scheduled({}, env);
  await worker.scheduled({}, {});
  assert.deepEqual([listed[0], listed[999], listed[1000], listed[2000]], [undefined, "999", "1000", undefined]);
});

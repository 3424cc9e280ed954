// The comparison with other libraries in README.md and docs/concepts/benchmarks.md: the rows that a test can observe; and the
// visits of these libraries in the benchmark. `npm run bench` installs them; without them their tests are skipped.

import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import * as module from "node:module";
import { test } from "node:test";
import { createSessions, EdgeSessionError, kv as kvStore } from "../../dist/node.js";
import { contenders } from "../bench/contenders.mjs";
import { effects, pagesOf } from "../bench/effects.mjs";
import { namespace } from "../bench/kv.mjs";
import { honoVisit, request } from "../bench/shell.mjs";
import { modes } from "../bench/visit.mjs";

const secret = "the comparison's secret, of more than 32 bytes";
const areInstalled = existsSync(new URL("../bench/node_modules", import.meta.url)) && module.registerHooks;
const skip = areInstalled ? false : "npm run bench installs the other libraries; Node has to be 22.15 or newer";
const { peer } = areInstalled ? await import("../bench/peer.mjs") : {};

/**
 * Each library, by its column: from a KV namespace it makes a function that runs a handler with the session of a cookie. The
 * handler gets `get`, `set` and `logout`; the function returns the new Cookie header, or the old one.
 */
const libraries = {
  "edge-session": (kv) => {
    const sessions = createSessions({ store: kvStore(kv), secrets: [secret] });
    return async (cookie, handler) => {
      const session = await sessions.load(cookie);
      await handler({ get: (key) => session.get(key), set: (key, value) => session.set(key, value), logout: () => session.flush() });
      const headers = await sessions.commitHeaders(session, 200);
      return pair(headers.find(([name]) => name === "Set-Cookie")?.[1]) ?? cookie;
    };
  },
  "React Router (KV)": async (kv) => {
    const { createWorkersKVSessionStorage } = await peer("@react-router/cloudflare");
    const storage = createWorkersKVSessionStorage({ kv, cookie: { name: "__session", secrets: [secret], maxAge: 1_209_600, path: "/" } });
    return async (cookie, handler) => {
      const session = await storage.getSession(cookie);
      let isOver = false;
      await handler({
        get: (key) => session.get(key),
        set: (key, value) => session.set(key, value),
        logout: () => (isOver = true),
      });
      return pair(await (isOver ? storage.destroySession(session) : storage.commitSession(session))) ?? cookie;
    };
  },
  Astro: async (kv) => {
    const [{ AstroCookies }, { AstroSession, PERSIST_SYMBOL }, { default: driver }] = await Promise.all([
      peer("./node_modules/astro/dist/core/cookies/cookies.js"),
      peer("./node_modules/astro/dist/core/session/runtime.js"),
      peer("unstorage/drivers/cloudflare-kv-binding"),
    ]);
    const config = { driver: "cloudflare-kv-binding", options: { binding: kv } };
    return async (cookie, handler) => {
      const cookies = new AstroCookies(request(cookie), console);
      const session = new AstroSession({ cookies, config, runtimeMode: "production", driverFactory: driver, mockStorage: null, logger: console });
      await handler({ get: (key) => session.get(key), set: (key, value) => session.set(key, value), logout: () => session.destroy() });
      await session[PERSIST_SYMBOL]();
      return pair(cookies.consume().next().value) ?? cookie;
    };
  },
  "@hono/session": async (kv) => {
    const [{ useSession, useSessionStorage }, { Hono }] = await Promise.all([peer("@hono/session"), peer("hono")]);
    const app = new Hono();
    app.use(
      useSessionStorage({ get: (id) => kv.get(id, "json"), set: (id, session) => kv.put(id, JSON.stringify(session)), delete: (id) => kv.delete(id) }),
      useSession({ secret, duration: { absolute: 1_209_600 } }),
    );
    app.onError((error) => { throw error; });
    app.get("/", async (context) => {
      const { session } = context.var;
      await context.env.change({
        get: async (key) => (await session.get())?.[key],
        set: (key, value) => session.update((data) => ({ ...data, [key]: value })),
        logout: () => session.delete(),
      });
      return context.body(null);
    });
    const visit = honoVisit(app);
    return async (cookie, handler) => pair(await visit(cookie, handler)) ?? cookie;
  },
  "hono-sessions": async (kv) => {
    const [{ sessionMiddleware }, { Hono }] = await Promise.all([peer("hono-sessions"), peer("hono")]);
    const put = (id, session) => kv.put(id, JSON.stringify(session));
    const app = new Hono();
    app.onError((error) => { throw error; });
    app.use(sessionMiddleware({
      store: { getSessionById: (id) => kv.get(id, "json"), createSession: put, persistSessionData: put, deleteSession: (id) => kv.delete(id) },
      expireAfterSeconds: 1_209_600,
    }));
    app.get("/", async (context) => {
      const session = context.get("session");
      await context.env.change({
        get: (key) => session.get(key),
        set: (key, value) => session.set(key, value),
        logout: () => session.deleteSession(),
      });
      return context.body(null);
    });
    const visit = honoVisit(app);
    return async (cookie, handler) => pair(await visit(cookie, handler)) ?? cookie;
  },
};

/** Returns the Cookie header for a Set-Cookie line. */
const pair = (line) => line?.split(";")[0];

/** A KV namespace that counts its puts, and fails while `down` is set. */
function countingKv() {
  const inner = namespace();
  const kv = { puts: 0, down: false, keys: new Set() };
  kv.get = async (key, options) => {
    if (kv.down) throw new Error("KV GET failed: 503");
    return inner.get(key, options);
  };
  kv.put = async (key, value) => {
    kv.puts++;
    kv.keys.add(key);
    return inner.put(key, value);
  };
  kv.delete = (key) => inner.delete(key);
  kv.list = async () => ({ keys: [], list_complete: true });
  kv.getWithMetadata = async (key, options) => ({ value: await kv.get(key, options), metadata: null });
  return kv;
}

/** Reads a value in a request of its own. */
async function read(visit, cookie, key) {
  let value;
  await visit(cookie, async ({ get }) => void (value = await get(key)));
  return value;
}

/** The observation of each row: it returns the text that a cell begins with. */
const rows = {
  async "a slow request saves after a logout"(visit) {
    const cookie = await visit("", ({ set }) => set("user", "alice"));
    let go;
    const gate = new Promise((resolve) => (go = resolve));
    const slow = visit(cookie, async ({ get, set }) => {
      await get("user");
      await set("page", 1);
      await gate;
    });
    await new Promise((resolve) => setTimeout(resolve, 5));
    await visit(cookie, ({ logout }) => logout());
    go();
    const refused = await slow.then(() => false, (error) => error instanceof EdgeSessionError);
    const isBack = (await read(visit, cookie, "user")) !== undefined || (await read(visit, cookie, "page")) !== undefined;
    return refused && !isBack ? "refused" : isBack ? "revived" : "lost";
  },
  async "two requests write different keys"(visit) {
    const cookie = await visit("", ({ set }) => set("user", "alice"));
    const [one, other] = ["a", "b"].map((key) => visit(cookie, async ({ get, set }) => {
      await get("user");
      await new Promise((resolve) => setTimeout(resolve, key === "a" ? 5 : 10));
      await set(key, 1);
    }));
    await one;
    const last = await other;
    const kept = [await read(visit, last, "a"), await read(visit, last, "b")].filter((value) => value === 1).length;
    return kept === 2 ? "both kept" : "one lost";
  },
  async "KV fails"(visit, kv) {
    const cookie = await visit("", ({ set }) => set("user", "alice"));
    kv.down = true;
    let value = "not read";
    const error = await visit(cookie, async ({ get }) => void (value = await get("user"))).catch((error) => error);
    if (error instanceof EdgeSessionError) return "typed error";
    return error instanceof Error ? "throws" : value === undefined || value === null ? "new session" : "served";
  },
  async "a `Date` in the data"(visit) {
    let cookie;
    try {
      cookie = await visit("", ({ set }) => set("at", new Date(0)));
    } catch (error) {
      return /session\.at/.test(error.message) ? "refused, with its path" : "refused";
    }
    const value = await read(visit, cookie, "at");
    return value instanceof Date ? "kept" : typeof value === "string" ? "becomes text" : "lost";
  },
  async "setting an equal value"(visit, kv) {
    const cookie = await visit("", ({ set }) => set("user", "alice"));
    kv.puts = 0;
    await visit(cookie, ({ set }) => set("user", "alice"));
    return kv.puts ? "a write" : "no write";
  },
  async "two writes of different keys in one request"(visit) {
    const cookie = await visit("", ({ set }) => set("user", "alice"));
    const next = await visit(cookie, async ({ set }) => {
      await set("a", 1);
      await set("b", 2);
    });
    const values = [await read(visit, next, "a"), await read(visit, next, "b")];
    return values[0] === 1 && values[1] === 2 ? "both kept" : values[0] === undefined ? "the first is lost" : "the second is lost";
  },
  async "a record that is not JSON"(visit, kv) {
    const cookie = await visit("", ({ set }) => set("user", "alice"));
    for (const key of kv.keys) await kv.put(key, "{not JSON");
    return read(visit, cookie, "user").then((value) => (value === undefined || value === null ? "anonymous session" : "read"), () => "throws");
  },
};

/** The cells of the documented comparison, by row and column. */
function documented() {
  const cells = {};
  for (const file of ["README.md", "docs/concepts/benchmarks.md"]) {
    const text = readFileSync(new URL(`../../${file}`, import.meta.url), "utf8");
    for (const [table] of text.matchAll(/^\| \| edge-session \|(?:.*\n\|)+.*$/gm)) {
      const [head, , ...lines] = table.split("\n").map((line) => line.slice(1, -1).split("|").map((cell) => cell.trim()));
      for (const [row, ...values] of lines) cells[row] = Object.fromEntries(values.map((value, index) => [head[index + 1], value]));
    }
  }
  return cells;
}

const comparison = documented();

for (const [library, make] of Object.entries(libraries)) {
  test(`the comparison describes the behaviour of ${library}`, { skip: library !== "edge-session" && skip }, async (t) => {
    t.mock.method(console, "error", () => {});
    const kv = countingKv();
    const visit = await make(kv);
    for (const [row, observe] of Object.entries(rows)) {
      kv.down = false;
      kv.keys.clear();
      const seen = await observe(visit, kv);
      assert.ok(comparison[row]?.[library].startsWith(seen), `${row}: documented is "${comparison[row]?.[library]}", observed "${seen}"`);
    }
  });
}

/** The puts and Set-Cookie headers of three visits in the benchmark. hono-sessions also puts an access time that changed. */
const none = { puts: 0, cookies: 0 };
const both = { puts: 3, cookies: 3 };
const put = { puts: 3, cookies: 0 };
const cookie = { puts: 0, cookies: 3 };
const visits = {
  "react-router": { small: both, large: both, read: none, anonymous: none },
  astro: { small: both, large: both, read: none, anonymous: none },
  "hono-sessions": { small: both, large: both, read: { cookies: 3 }, anonymous: { cookies: 3 } },
  "hono-session": { small: put, large: put, read: none, anonymous: cookie }, // sets a cookie for a session without data
  "iron-session": { small: cookie, large: cookie, read: none, anonymous: none },
};

for (const { name, fits } of contenders.filter(({ peer }) => peer)) {
  test(`in the benchmark, ${name} writes what its visits write`, { skip }, async () => {
    const { default: make } = await peer(`./contenders/${name}.mjs`);
    for (const [mode, expected] of Object.entries(visits[name])) {
      for (const bytes of modes[mode].sizes ?? [200, 2048, 16_384]) {
        if (!(fits?.({ mode, bytes }) ?? true)) continue;
        assert.partialDeepStrictEqual(await effects(make, modes[mode], bytes), expected, `${mode}, ${bytes} B`);
      }
    }
  });
}

test("in the benchmark of Workers, Hono's page counts the visits of its session", { skip }, async () => {
  const { default: worker } = await peer("./workers/hono.mjs");
  const { bodies, calls } = await pagesOf(worker);
  assert.deepEqual(bodies, [{ visits: 1 }, { visits: 2 }, { visits: 3 }]);
  assert.deepEqual(calls, { get: 1, put: 1, delete: 0 });
});

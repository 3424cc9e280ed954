// clearExpired in workerd, on the real KV: nothing is listed, since KV expires records itself; a full pass removes what is over.

import { env } from "cloudflare:workers";
import { describe, expect, test, vi } from "vitest";
import { createSessions, kv as store, withSessions } from "../../dist/workerd.js";
import Pages from "../packages/rust-pages/build/index.js";
import { fetch, scheduled, secret, visitor, watched } from "./worker.mjs";

const prefix = "edge-session:session:";

/** Puts `count` records that were over `seconds` ago, which KV still holds. */
async function leave(count, seconds, name) {
  const deadline = (Date.now() - seconds * 1000) * 1000;
  const put = (n) => env.SESSIONS.put(`${prefix}${name}${String(n).padStart(5, "0")}`, "{}", { expirationTtl: 600, metadata: { deadline } });
  for (let start = 0; start < count; start += 100) {
    await Promise.all(Array.from({ length: Math.min(100, count - start) }, (_, n) => put(start + n)));
  }
}

async function count() {
  let found = 0;
  let cursor;
  do {
    const page = await env.SESSIONS.list({ cursor });
    found += page.keys.length;
    cursor = page.list_complete ? undefined : page.cursor;
  } while (cursor);
  return found;
}

test("the cron costs no operation in both implementations, and reports a missing configuration", async () => {
  await leave(2, 1_000, "over");
  const before = await count();
  const { kv, names } = watched({ list: () => Promise.reject(new Error("KV LIST failed: 500")) });
  await scheduled({ bindings: { SESSIONS: kv } });
  await withSessions({ store: store(kv), secrets: [secret] }, { fetch: () => new Response("ok") }).scheduled({}, {});
  expect(names()).toEqual([]);
  expect(await count()).toBe(before);
  const log = vi.spyOn(console, "error").mockImplementation(() => {});
  await scheduled({ bindings: { SESSION_SECRET: undefined } });
  expect(log.mock.calls.flat().join()).toContain("clear_expired failed: ES_CONFIG");
  log.mockRestore();
});

/**
 * A full pass through an implementation, on a namespace: the number of removed records, and whether it completed; or an
 * error's code.
 */
const implementations = {
  "the crate": async (SESSIONS) => {
    const response = await fetch("/clear-expired", { bindings: { SESSIONS }, Worker: Pages });
    const { Ok: swept, Err: code } = await response.json();
    return code ?? { removed: swept[0], complete: swept[1] };
  },
  "the package": (SESSIONS) => createSessions({ store: store(SESSIONS), secrets: [secret] }).clearExpired({ fullPass: true }).catch(({ code }) => code),
};

const fails = {
  "a cursor that expires on the way": async ({ cursor }) => {
    if (cursor) throw new Error("KV LIST failed: 400 Invalid cursor");
    return { keys: [], list_complete: false, cursor: "next" };
  },
  "an error": () => Promise.reject(new Error("KV LIST failed: 500")),
  "nothing": async () => undefined,
  "a page without keys": async () => ({ list_complete: true }),
  "keys that are no list": async () => ({ keys: 5, list_complete: true }),
  "keys that cannot be read": async () => ({ get keys() { throw new Error("no keys"); } }),
  "a key that is null": async () => ({ keys: [null], list_complete: true }),
};

for (const [implementation, fullPass] of Object.entries(implementations)) {
  describe(implementation, () => {
    test("1300 expired records take two full passes, each within a Worker's 1000 operations", async () => {
      const alice = visitor();
      await alice.put("/session/data/user", "alice");
      await env.SESSIONS.put("app:settings", "not ours");
      await fullPass(env.SESSIONS);
      const before = await count();
      await leave(1_300, 1_000, "over");
      const { kv, calls, names } = watched();
      const removed = [];
      for (const complete of [false, true]) {
        const swept = await fullPass(kv);
        expect(calls.length).toBeLessThanOrEqual(1_000);
        expect(names().filter((name) => name === "delete").length).toBe(swept.removed);
        expect(swept.complete).toBe(complete);
        removed.push(swept.removed);
      }
      expect(removed[0]).toBeGreaterThan(990);
      expect(removed[0] + removed[1]).toBe(1_300);
      expect(await count()).toBe(before);
      expect(await alice.data()).toEqual({ user: "alice" });
    }, 120_000);

    test("only what is past its deadline by two minutes goes", async () => {
      await fullPass(env.SESSIONS);
      const before = await count();
      await leave(3, 119, "just");
      await leave(3, 121, "past");
      await env.SESSIONS.put(`${prefix}without-metadata`, "{}");
      expect(await fullPass(env.SESSIONS)).toEqual({ removed: 3, complete: true });
      expect(await count()).toBe(before + 4);
      await env.SESSIONS.delete(`${prefix}without-metadata`);
      for (let n = 0; n < 3; n++) await env.SESSIONS.delete(`${prefix}just0000${n}`);
    });

    test("a session renewed meanwhile is not deleted", async () => {
      // Two sessions whose metadata say that they were over long ago; one of them is saved again before the sweep.
      const age = async () => {
        const { kv, calls } = watched();
        const one = visitor({ SESSIONS: kv });
        await one.put("/session/data/user", "alice");
        const [key] = calls[0].args;
        const metadata = { deadline: (Date.now() - 121_000) * 1000 };
        await env.SESSIONS.put(key, await env.SESSIONS.get(key, "arrayBuffer"), { expirationTtl: 600, metadata });
        return { one, key };
      };
      const [renewed, left] = [await age(), await age()];
      await renewed.one.put("/session/data/page", 2);
      await fullPass(env.SESSIONS);
      expect(await renewed.one.data()).toEqual({ user: "alice", page: 2 });
      expect(await env.SESSIONS.get(left.key)).toBeNull();
    });

    test("empty pages are not the end", async () => {
      await fullPass(env.SESSIONS);
      await leave(2, 1_000, "late");
      const list = async ({ cursor }) => (cursor === "next" ? env.SESSIONS.list({ prefix }) : { keys: [], list_complete: false, cursor: "next" });
      expect(await fullPass(watched({ list }).kv)).toEqual({ removed: 2, complete: true });
    });

    for (const [what, list] of Object.entries(fails)) {
      test(`a list that answers with ${what} is a store that fails: nothing is removed, and requests that wait meanwhile are answered`, async () => {
        const { kv, names } = watched({ list });
        const alice = visitor();
        await alice.put("/session/data/user", "alice");
        alice.bindings = { SESSIONS: watched({ get: async (...args) => (await scheduler.wait(50), env.SESSIONS.get(...args)) }).kv };
        const waiting = alice.data();
        expect(await fullPass(kv)).toBe("ES_STORE_UNAVAILABLE");
        expect(names()).not.toContain("delete");
        expect(await waiting).toEqual({ user: "alice" });
      });
    }

    test("an endless list is left after the operations of one run", async () => {
      const { kv, calls } = watched({ list: async () => ({ keys: [], list_complete: false, cursor: "again" }) });
      expect(await fullPass(kv)).toEqual({ removed: 0, complete: false });
      expect(calls.length).toBe(1_000);
    });
  });
}

test("the package's full passes continue where the last one ended, with the cursors of the real KV", async () => {
  const clock = () => Date.now();
  const sessions = createSessions({ store: store(env.SESSIONS), secrets: [secret], clock });
  while (!(await sessions.clearExpired({ fullPass: true })).complete);
  await leave(1_100, -3_600, "alive");
  const { kv, calls } = watched({ list: (options) => env.SESSIONS.list({ ...options, limit: 1 }) });
  const passing = createSessions({ store: store(kv), secrets: [secret] });
  expect(await passing.clearExpired({ fullPass: true })).toEqual({ removed: 0, complete: false });
  expect(calls.splice(0).length).toBe(1_000);
  expect(await passing.clearExpired({ fullPass: true })).toEqual({ removed: 0, complete: true });
  expect(calls.length).toBeLessThan(1_000);
  expect(calls[0].args[0].cursor).toEqual(expect.any(String));
}, 120_000);

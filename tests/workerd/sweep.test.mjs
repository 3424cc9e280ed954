import { env } from "cloudflare:workers";
import { expect, test, vi } from "vitest";
import { createSessions, kv as store, StoreUnavailableError } from "../../dist/workerd.js";
import { scheduled, secret, visitor, watched } from "./worker.mjs";

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

test("2500 expired records take several runs, each within KV's 1000 operations", async () => {
  const alice = visitor();
  await alice.put("/session/data/user", "alice");
  await env.SESSIONS.put("app:settings", "not ours");
  await leave(2_500, 1_000, "over");
  const { kv, calls, names } = watched();
  const removed = [];
  while (removed.length < 3) {
    await scheduled({ bindings: { SESSIONS: kv } });
    expect(calls.length).toBeLessThanOrEqual(1_000);
    removed.push(names().filter((name) => name === "delete").length);
  }
  expect(removed[0]).toBeGreaterThan(990);
  expect(removed.reduce((sum, n) => sum + n)).toBe(2_500);
  expect(await count()).toBe(2);
  expect(await alice.data()).toEqual({ user: "alice" });
}, 120_000);

test("only what is past its deadline by two minutes goes", async () => {
  const before = await count();
  await leave(3, 119, "just");
  await leave(3, 121, "past");
  await env.SESSIONS.put(`${prefix}without-metadata`, "{}");
  await scheduled();
  expect(await count()).toBe(before + 4);
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
  await scheduled();
  expect(await renewed.one.data()).toEqual({ user: "alice", page: 2 });
  expect(await env.SESSIONS.get(left.key)).toBeNull();
});

test("empty pages are not the end, and a store that fails is no panic", async () => {
  await leave(2, 1_000, "late");
  const list = async ({ cursor }) => (cursor === "next" ? env.SESSIONS.list({ prefix }) : { keys: [], list_complete: false, cursor: "next" });
  const before = await count();
  await scheduled({ bindings: { SESSIONS: watched({ list }).kv } });
  expect(await count()).toBe(before - 2);
  await scheduled({ bindings: { SESSIONS: watched({ list: () => Promise.reject(new Error("KV LIST failed: 500")) }).kv } });
  await scheduled({ bindings: { SESSION_SECRET: undefined } });
});

const fails = {
  "a cursor that has expired": () => Promise.reject(new Error("KV LIST failed: 400 Invalid cursor")),
  "a cursor that expires on the way": async ({ cursor }) => {
    if (cursor) throw new Error("KV LIST failed: 400 Invalid cursor");
    return { keys: [], list_complete: false, cursor: "next" };
  },
  "nothing": async () => undefined,
  "a page without keys": async () => ({ list_complete: true }),
  "keys that are no list": async () => ({ keys: 5, list_complete: true }),
  "keys that cannot be read": async () => ({ get keys() { throw new Error("no keys"); } }),
  "a key that is null": async () => ({ keys: [null], list_complete: true }),
};

for (const [what, list] of Object.entries(fails)) {
  test(`a list that answers with ${what} is a store that fails: nothing is removed, and who waits meanwhile is answered`, async () => {
    const { kv, names } = watched({ list });
    const alice = visitor();
    await alice.put("/session/data/user", "alice");
    alice.bindings = { SESSIONS: watched({ get: async (...args) => (await scheduler.wait(50), env.SESSIONS.get(...args)) }).kv };
    const waiting = alice.data();
    const log = vi.spyOn(console, "error").mockImplementation(() => {});
    await scheduled({ bindings: { SESSIONS: kv } });
    expect(log.mock.calls.flat().join()).toContain("clear_expired failed: ES_STORE_UNAVAILABLE");
    log.mockRestore();
    await expect(createSessions({ store: store(kv), secrets: [secret] }).clearExpired()).rejects.toBeInstanceOf(StoreUnavailableError);
    expect(names()).not.toContain("delete");
    expect(await waiting).toEqual({ user: "alice" });
  });
}

test("a list that never comes to its end is left after as many operations as a run may have", async () => {
  const { kv, calls } = watched({ list: async () => ({ keys: [], list_complete: false, cursor: "again" }) });
  await scheduled({ bindings: { SESSIONS: kv } });
  expect(calls.length).toBe(1_000);
  expect(await createSessions({ store: store(kv), secrets: [secret] }).clearExpired()).toEqual({ removed: 0, complete: false });
  expect(calls.length).toBe(2_000);
});

// Whole sessions inside workerd: what remains of an expired one, and the errors of a store.

import { applyD1Migrations, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { beforeAll, describe, expect, test, vi } from "vitest";
import { createSessions, d1, durableObjects, memory, withSessions } from "../../../dist/workerd.js";

const secrets = ["the stores' tests' secret, of more than 32 bytes"];
const objects = env.SESSION_OBJECTS;
const database = env.SESSION_DB;

beforeAll(() => applyD1Migrations(database, env.MIGRATIONS));

/** Sessions on a store, and the storage keys of the records that they have put. */
function sessionsOn(store, settings) {
  const keys = new Set();
  const noting = { ...store, put: (key, ...rest) => (keys.add(key), store.put(key, ...rest)) };
  return { keys, sessions: createSessions({ store: noting, secrets, ...settings }) };
}

/** Saves a new session with an expiry in seconds. Returns its session key. */
async function saved(sessions, expiry) {
  const session = await sessions.open();
  session.set("user", "alice");
  session.setExpiry(expiry);
  await session.save();
  return session.sessionKey;
}

/** What the object of a storage key stores: its number of rows, and its alarm. */
const contents = (key) =>
  runInDurableObject(objects.get(objects.idFromName(key)), async (_, { storage }) => ({
    rows: [...storage.kv.list()].length,
    alarm: await storage.getAlarm(),
  }));

test("durable_object: an alarm empties the object of a session whose deadline has passed; a sweep has nothing to do", async () => {
  const { keys, sessions } = sessionsOn(durableObjects(objects));
  const key = await saved(sessions, 1);
  const [storageKey] = keys;
  expect(await contents(storageKey)).toEqual({ rows: 1, alarm: expect.any(Number) });
  expect(await sessions.exists(key)).toBe(true);
  await expect.poll(() => contents(storageKey), { timeout: 10_000 }).toEqual({ rows: 0, alarm: null });
  expect(await sessions.exists(key)).toBe(false);
  expect(await sessions.clearExpired()).toEqual({ removed: 0, complete: true });
});

test("durable_object: the object of an anonymous session is emptied soon after its login, not at the session's own deadline", async () => {
  const { keys, sessions } = sessionsOn(durableObjects(objects));
  const session = await sessions.open();
  session.set("page", 1);
  await session.save();
  const [anonymous] = keys;
  const before = (await contents(anonymous)).alarm;
  session.cycleKey();
  await session.save();
  expect(keys.size).toBe(2);
  const { alarm } = await contents(anonymous);
  expect(before - Date.now()).toBeGreaterThan(86_400_000);
  expect(alarm - Date.now()).toBeLessThanOrEqual(600_000);
});

/** Puts so many expired rows, in one statement. */
async function fill(prefix, rows, deadline) {
  const query = `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1)
    INSERT INTO edge_session (key, value, deadline, generation) SELECT ?2 || i, x'00', ?3, 1 FROM n`;
  await database.prepare(query).bind(rows, prefix, deadline).run();
}

for (const [engine, newStore, rows, expected] of [["d1", () => d1(database), 2500, [1000, 1000, 500]], ["memory", memory, 5, [5]]]) {
  test(`${engine}: clearExpired deletes the records of ${rows} expired sessions, in ${expected.length} runs; live ones stay`, async () => {
    const time = { now: Date.now() };
    const store = newStore();
    const keyPrefix = `swept-${engine}`;
    const { keys, sessions } = sessionsOn(store, { keyPrefix, clock: () => time.now });
    const stored = async () => (await Promise.all([...keys].map((key) => store.get(key)))).filter(Boolean).length;
    const expired = [];
    for (let n = 0; n < 5; n += 1) expired.push(await saved(sessions, 10));
    const live = await saved(sessions, 3600);
    if (rows > 5) await fill(`${keyPrefix}:session:`, rows - 5, (time.now + 10_000) * 1000);
    expect(await sessions.clearExpired()).toEqual({ removed: 0, complete: true });
    time.now += 300_000;
    expect(await stored()).toBe(6);
    const runs = [];
    do runs.push(await sessions.clearExpired());
    while (!runs.at(-1).complete);
    expect(runs.map(({ removed }) => removed)).toEqual(expected);
    expect(await stored()).toBe(1);
    expect(await sessions.exists(live)).toBe(true);
    for (const key of expired) expect(await sessions.exists(key)).toBe(false);
  });
}

test("d1: a sweep is one operation, by the index of the deadlines; the cron trigger of withSessions runs it", async () => {
  const calls = [];
  const counting = (name) => async (...args) => (calls.push(name), d1(database)[name](...args));
  const methods = ["get", "put", "delete", "list", "deleteExpired"];
  const store = { consistency: "linearizable", ...Object.fromEntries(methods.map((name) => [name, counting(name)])) };
  const time = { now: Date.now() };
  const options = { store, secrets, clock: () => time.now };
  const key = await saved(createSessions(options), 10);
  calls.length = 0;
  time.now += 300_000;
  await withSessions(options, { fetch: () => new Response() }).scheduled();
  expect(calls).toEqual(["deleteExpired"]);
  expect(await createSessions(options).exists(key)).toBe(false);
});

test("d1: a sweep of a database without the table is a ConfigError", async () => {
  const { sessions } = sessionsOn(d1(env.EMPTY_DB));
  const error = await sessions.clearExpired().catch((error) => error);
  expect([error.name, error.code]).toEqual(["ConfigError", "ES_CONFIG"]);
});

// Errors of a store

/** The namespace, whose calls of one method fail first with these errors, in turn. */
function failing(method, errors) {
  const attempts = [];
  return {
    attempts,
    idFromName: (name) => objects.idFromName(name),
    get(id) {
      const stub = objects.get(id);
      const call = (name) => (...args) => {
        attempts.push(name);
        const error = name === method ? errors.shift() : undefined;
        if (error) throw Object.assign(new Error("the object failed"), error);
        return stub[name](...args);
      };
      return { read: call("read"), write: call("write"), remove: call("remove") };
    },
  };
}

describe("durable_object: errors of an object", () => {
  const requests = {
    read: ["", (session) => session.get("user")],
    write: ["/write", (session) => session.set("page", 1)],
    remove: ["/logout", (session) => session.flush()],
  };
  const handler = {
    async fetch(request, _env, _context, session) {
      const { pathname } = new URL(request.url);
      await requests[Object.keys(requests).find((method) => requests[method][0] === pathname.replace(/\/$/, ""))][1](session);
      return new Response();
    },
  };
  /** Sends a request of a logged-in browser, for which the calls of `method` fail first. Returns its status and the calls of the object. */
  async function outcome(method, errors) {
    const { sessions } = sessionsOn(durableObjects(objects));
    const login = await sessions.load(undefined);
    login.set("user", "alice");
    login.cycleKey();
    const response = await sessions.commit(login, new Response());
    const Cookie = response.headers.getSetCookie().map((line) => line.split(";")[0]).join("; ");
    const broken = failing(method, errors);
    const worker = withSessions({ store: durableObjects(broken), secrets }, handler);
    const { status } = await worker.fetch(new Request(`https://example.com${requests[method][0]}`, { headers: { Cookie } }));
    return [status, broken.attempts.filter((name) => name === method).length];
  }
  const overloaded = { overloaded: true };
  const retryable = { retryable: true };

  test.for(Object.keys(requests))("%s: an overloaded object gets one attempt, and the response is 503", async (method) => {
    vi.spyOn(console, "error").mockImplementation(() => {});
    expect(await outcome(method, Array(9).fill(overloaded))).toEqual([503, 1]);
    expect(await outcome(method, Array(9).fill({ ...overloaded, ...retryable }))).toEqual([503, 1]);
  });

  test.for(Object.keys(requests))("%s: a retryable error is retried, and the response is 200", async (method) => {
    expect(await outcome(method, [retryable])).toEqual([200, 2]);
  });
});

// Durable Objects: what an object stores, its alarm, its restart, and the errors that are retried.

import { abortAllDurableObjects, evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { expect, test } from "vitest";
import { ConfigError, durableObjects } from "../../../dist/workerd.js";
import { failingObjects } from "../failing-objects.mjs";

const namespace = env.SESSION_OBJECTS;
const store = durableObjects(namespace);
const bytes = (text) => new TextEncoder().encode(text);
const read = async (key) => {
  const value = await store.get(key);
  return value && new TextDecoder().decode(value);
};
/** Microseconds of Unix time, so many seconds from now. */
const inSeconds = (seconds) => (Date.now() + seconds * 1000) * 1000;
const put = (key, text, { seconds = 3600, generation = 1, ifGeneration } = {}) =>
  store.put(key, bytes(text), { ttl: 3600, deadline: inSeconds(seconds), generation, ifGeneration });

let keys = 0;
const newKey = () => `edge-session:session:object-${keys++}`;
const object = (key) => namespace.get(namespace.idFromName(key));

/** What the object of a key stores: its tables with their numbers of rows, and its alarm. */
const stored = (key) =>
  runInDurableObject(object(key), async (_, { storage }) => {
    const names = storage.sql.exec("SELECT name FROM sqlite_master WHERE type = 'table'").toArray().map(({ name }) => name);
    const tables = names.filter((name) => name !== "_cf_METADATA"); // the platform's own
    return { tables, rows: [...storage.kv.list()].length, alarm: await storage.getAlarm() };
  });
const empty = { tables: [], rows: 0, alarm: null };

test("a read of an object that was never written creates no table and no row", async () => {
  const key = newKey();
  expect(await store.get(key)).toBe(null);
  expect(await stored(key)).toEqual(empty);
});

test("a refused put stores nothing", async () => {
  const key = newKey();
  expect(await put(key, "a record", { generation: 2, ifGeneration: 1 })).toBe(false);
  expect(await stored(key)).toEqual(empty);
});

test("a record is one row, and a deleted object is empty, without an alarm", async () => {
  const key = newKey();
  await put(key, "a record");
  expect(await stored(key)).toMatchObject({ rows: 1, alarm: expect.any(Number) });
  await store.delete(key);
  expect(await stored(key)).toEqual(empty);
  await put(key, "another");
  expect(await stored(key)).toMatchObject({ rows: 1, alarm: expect.any(Number) });
  expect(await read(key)).toBe("another");
});

test("a put beside a deletion is stored whole, with its alarm, or not at all", async () => {
  for (let round = 0; round < 10; round++) {
    const key = newKey();
    await put(key, "before");
    await Promise.all([store.delete(key), put(key, "after", { generation: 2 }), store.delete(key), put(key, "last", { generation: 3 })]);
    const text = await read(key);
    const { rows, alarm } = await stored(key);
    expect([rows, alarm !== null]).toEqual(text === null ? [0, false] : [1, true]);
  }
});

test("the alarm is at the deadline, and later saves do not move it", async () => {
  const key = newKey();
  const deadline = inSeconds(100);
  await store.put(key, bytes("a record"), { ttl: 100, deadline, generation: 1, ifGeneration: 0 });
  expect((await stored(key)).alarm).toBe(deadline / 1000);
  await put(key, "the next", { seconds: 5000, generation: 2, ifGeneration: 1 });
  expect((await stored(key)).alarm).toBe(deadline / 1000);
});

test("an object of entries loses each at its own deadline, and itself with the last one", async () => {
  const list = `edge-session:user:${"aB-_".repeat(8)}`;
  const [soon, later] = ["soon", "later"].map((id) => `${list}:${id.padEnd(22, "x")}`);
  await put(later, "later", { seconds: 3600 });
  const { alarm } = await stored(list);
  await put(soon, "soon", { seconds: 0.5 });
  expect((await stored(list)).alarm).toBeLessThan(alarm);
  expect((await store.list(`${list}:`, undefined)).keys.length).toBe(2);
  await expect.poll(() => store.get(soon), { timeout: 10_000 }).toBe(null);
  expect(await stored(list)).toMatchObject({ rows: 1, alarm });
  await store.delete(later);
  expect(await stored(list)).toEqual(empty);
});

test("an alarm after the deadline empties the object", async () => {
  const key = newKey();
  await put(key, "a record", { seconds: 0.5 });
  await expect.poll(() => store.get(key), { timeout: 10_000 }).toBe(null);
  expect(await stored(key)).toEqual(empty);
  expect(await runDurableObjectAlarm(object(key))).toBe(false);
});

test("an alarm before the deadline keeps the record, and sets itself again", async () => {
  const key = newKey();
  await put(key, "a record", { seconds: 100 });
  const deadline = inSeconds(5000);
  await store.put(key, bytes("the next"), { ttl: 5000, deadline, generation: 2, ifGeneration: 1 });
  expect(await runDurableObjectAlarm(object(key))).toBe(true);
  expect(await read(key)).toBe("the next");
  expect((await stored(key)).alarm).toBe(deadline / 1000);
});

test("a deadline in 300 years is an alarm in 10 years", async () => {
  const key = newKey();
  await put(key, "a record", { seconds: 300 * 365 * 86_400 });
  const { alarm } = await stored(key);
  expect(Math.round((alarm - Date.now()) / (365 * 86_400_000))).toBe(10);
  expect(await runDurableObjectAlarm(object(key))).toBe(true);
  expect(await read(key)).toBe("a record");
});

test("a restart of the object keeps the record and its generation", async () => {
  const key = newKey();
  await put(key, "a record", { generation: 7 });
  await evictDurableObject(object(key));
  expect(await read(key)).toBe("a record");
  await abortAllDurableObjects();
  expect(await put(key, "other", { generation: 8, ifGeneration: 6 })).toBe(false);
  expect(await put(key, "the next", { generation: 8, ifGeneration: 7 })).toBe(true);
  expect(await read(key)).toBe("the next");
});

test("a retryable error is retried once, with a new stub; an overloaded one and others never", async () => {
  const key = newKey();
  await put(key, "a record");
  const options = { deadline: inSeconds(60), generation: 9 };
  const calls = [(store) => store.get(key), (store) => store.put(key, bytes("x"), options), (store) => store.delete(key)];
  for (const [errors, attempts, succeeds] of [
    [[{ retryable: true }], 2, true],
    [[{ retryable: true }, { retryable: true }], 2, false],
    [[{ retryable: true, overloaded: true }], 1, false],
    [[{ overloaded: true }], 1, false],
    [[{ remote: true }], 1, false],
  ]) {
    for (const call of calls) {
      const broken = failingObjects(namespace, [...errors]);
      const outcome = call(durableObjects(broken)).then(() => true, () => false);
      expect([await outcome, broken.stubs.length], JSON.stringify(errors)).toEqual([succeeds, attempts]);
    }
  }
});

test("a put that was applied although it failed is no conflict when it is repeated", async () => {
  const options = { ttl: 3600, deadline: inSeconds(3600), generation: 1, ifGeneration: 0 };
  const key = newKey();
  expect(await durableObjects(failingObjects(namespace, [{ retryable: true }], { applied: true })).put(key, bytes("a record"), options)).toBe(true);
  expect(await read(key)).toBe("a record");
  const other = durableObjects(failingObjects(namespace, [{ retryable: true }]));
  expect(await other.put(key, bytes("b record"), options), "another value with the same generation is one").toBe(false);
});

test("the jurisdiction and the location hint reach the platform", async () => {
  const calls = [];
  const watched = {
    idFromName: (name) => namespace.idFromName(name),
    jurisdiction: (name) => (calls.push(name), watched),
    get: (id, options) => (calls.push(options), namespace.get(id)),
  };
  await durableObjects(watched, { jurisdiction: "eu", locationHint: "weur" }).get(newKey());
  await durableObjects(watched).get(newKey());
  expect(calls).toEqual(["eu", { locationHint: "weur" }, undefined]);
});

test("the same namespace and options give the same store", () => {
  expect(durableObjects(namespace)).toBe(store);
  expect(durableObjects(namespace, { locationHint: "weur" })).toBe(durableObjects(namespace, { locationHint: "weur" }));
  expect(durableObjects(namespace, { locationHint: "weur" })).not.toBe(store);
});

test("a wrong binding is one sentence that says what to do", () => {
  const message = "durableObjects(namespace) got no Durable Object namespace: "
    + "add its binding under durable_objects.bindings in the configuration of wrangler";
  for (const wrong of [undefined, null, {}, env.SESSION_DB]) expect(() => durableObjects(wrong)).toThrow(new ConfigError(message));
});

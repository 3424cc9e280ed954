// Invalid replies of stores, options and dates: each is a typed error.

import assert from "node:assert/strict";
import { test } from "node:test";
import { createSessions } from "../../dist/node.js";
import { eventual, fresh, secrets, sessionsAt } from "./visitor.mjs";

test("H3: a store that lists other values than keys fails, and nothing is deleted", async () => {
  const thrower = { get name() { throw new Error("boom"); } };
  for (const page of [
    undefined, null, 5, "text", {}, { keys: 5 }, { keys: {} }, { keys: "text" }, { keys: [5] }, { keys: [null] }, { keys: [{}] }, { keys: [{ name: 5, deadline: 1 }] },
    { keys: [{ name: Symbol("s") }] }, { keys: [thrower] }, { keys: [], cursor: 5 }, { keys: [], cursor: {} },
  ]) {
    const deleted = [];
    const store = { ...eventual(), list: async () => page, delete: async (key) => void deleted.push(key) };
    await assert.rejects(sessionsAt({ store }).sessions.clearExpired(), (error) => error.code === "ES_STORE_UNAVAILABLE" && error.cause instanceof Error);
    assert.deepEqual(deleted, []);
  }
  for (const cursor of [undefined, null, ""]) {
    const store = { ...eventual(), list: async () => ({ keys: [], cursor }) };
    assert.deepEqual(await sessionsAt({ store }).sessions.clearExpired(), { removed: 0, complete: true });
  }
});

test("E4: a record with an invalid deadline stays", async () => {
  for (const deadline of [NaN, Infinity, -Infinity, undefined, null, "1", {}, 1n, Symbol("s"), true]) {
    const deleted = [];
    const pages = [{ keys: [{ name: "edge-session:session:x", deadline }] }];
    const store = { ...eventual(), list: async () => pages.shift() ?? { keys: [] }, delete: async (key) => void deleted.push(key) };
    assert.deepEqual(await sessionsAt({ store }).sessions.clearExpired(), { removed: 0, complete: true });
    assert.deepEqual(deleted, [], String(deadline));
  }
});

test("H3: unreadable options are refused with an error of the options", () => {
  const cycle = { store: eventual(), secrets };
  cycle.cookieName = cycle;
  for (const options of [
    cycle, { store: eventual(), secrets, toJSON() {} }, { store: eventual(), secrets, cookieAge: { toJSON() { throw new Error("boom"); } } }, { store: eventual(), secrets, cookieAge: 5n },
    { store: eventual(), secrets, cookieName: Symbol("s") }, { store: eventual(), secrets, cookiePath: "/\ud800" }, { store: eventual(), secrets, cookieSecure: 1 }, { store: eventual(), secrets, maxRecordBytes: NaN },
    { store: eventual(), secrets, maxRecordBytes: 2 ** 32 + 1024 }, { store: eventual(), secrets, cookieAge: 2 ** 63 }, { store: eventual(), secrets, absoluteAge: -0.5 },
  ]) {
    assert.throws(() => createSessions(options), { code: "ES_CONFIG", name: "ConfigError" });
  }
});

test("H3: invalid dates and expiry options are refused", async () => {
  const session = await fresh();
  for (const modification of [5, {}, [], true, new Date(NaN), Symbol("s"), () => 1]) {
    assert.throws(() => session.getExpiryAge({ modification }), { code: "ES_VALUE", name: "ValueError" });
    assert.throws(() => session.getExpiryDate({ modification, iso: true }), { code: "ES_VALUE" });
  }
  for (const expiry of [true, "soon", {}, { seconds: "x" }, { seconds: NaN }, { seconds: 1e300 }, 1.5, 2 ** 53, NaN, new Date(NaN), new Date(8.64e15), 1n, Symbol("s"), []]) {
    assert.throws(() => session.setExpiry(expiry), { code: "ES_VALUE" }, String(typeof expiry));
    assert.throws(() => session.getExpiryAge({ expiry }), { code: "ES_VALUE" });
  }
  for (const none of [undefined, null, {}, { modification: undefined, expiry: undefined }]) assert.equal(session.getExpiryAge(none), 1_209_600);
});

test("H3, H6: update and encode refuse other values than pairs, and report pairs that throw", async () => {
  const boom = new Error("boom");
  for (const values of [5, "ab", null, undefined, true, Symbol("s"), [5], [["a"]], [["a", 1, 2]], new Date(), new (class A {})(), () => 1]) {
    const session = await fresh();
    assert.throws(() => session.update(values), { code: "ES_VALUE" });
    await assert.rejects(session.encode(values), { code: "ES_VALUE" });
    assert.deepEqual(session.keys(), []);
  }
  for (const values of [{ get a() { throw boom; } }, new Proxy({}, { ownKeys() { throw boom; } }), { *[Symbol.iterator]() { throw boom; } }, [new Proxy([1, 2], { get() { throw boom; } })]]) {
    const session = await fresh();
    assert.throws(() => session.update(values), (error) => error.code === "ES_VALUE" && error.cause === boom);
    assert.equal(session.set("works", 1).get("works"), 1);
  }
  for (const text of [5, null, undefined, {}, Symbol("s"), "\ud800:a:b"]) assert.deepEqual(await (await fresh()).decode(text), {});
});

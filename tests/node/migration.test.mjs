// The migration from KV to a linearizable store, with requests under way.

import assert from "node:assert/strict";
import { test } from "node:test";
import { ConfigError, createSessions, kv, memory, migrate } from "../../dist/node.js";
import { KvModel } from "../../dist/testing/node.js";
import { cookiesAfter, eventual, secrets, sessionsAt, visitor } from "./visitor.mjs";

const at = (store, time) => createSessions({ store, secrets, ...(time && { clock: () => time.now }) });

test("nobody is logged out: sessions of KV are read, and saved to the new store", async () => {
  for (const logins of [0, 1, 2]) {
    const [from, to] = [eventual(), memory()];
    const { sessions: before } = sessionsAt({ store: from });
    const someone = visitor(before);
    await someone.visit((session) => session.set("user", "alice"));
    for (let login = 0; login < logins; login++) await someone.visit((session) => session.cycleKey());
    const moved = visitor(sessionsAt({ store: migrate({ from, to }) }).sessions);
    moved.cookie = someone.cookie;
    assert.equal((await moved.visit((session) => session.get("user"))).result, "alice");
    assert.equal(to.records.size, 0, "reading moves nothing");
    await moved.visit((session) => session.set("cart", "apple"));
    assert.equal(to.records.size, 1);
    const alone = visitor(sessionsAt({ store: to }).sessions);
    alone.cookie = moved.cookie;
    assert.deepEqual((await alone.visit((session) => [session.get("user"), session.get("cart")])).result, ["alice", "apple"]);
  }
});

test("a logout is final at once, although KV still shows the record", async () => {
  const model = new KvModel({ locallyInvisible: 1, cacheTtl: 30_000 });
  const from = kv(model.at("AMS"));
  const someone = visitor(createSessions({ store: from, secrets }));
  await someone.visit((session) => session.set("user", "alice"));
  await someone.visit((session) => session.cycleKey());
  await model.sleep(120_000);
  const to = memory();
  const sessions = createSessions({ store: migrate({ from, to }), secrets, clock: () => from.now() });
  const moved = visitor(sessions);
  moved.cookie = someone.cookie;
  assert.equal((await moved.visit((session) => session.get("user"))).result, "alice");
  const slow = await sessions.load(someone.cookie);
  slow.set("late", 1);
  await moved.visit((session) => session.flush());
  await assert.rejects(sessions.commitHeaders(slow, 200), { code: "ES_SESSION_INTERRUPTED" });
  const later = await sessions.load(someone.cookie);
  assert.deepEqual([later.get("user"), later.loadReason], [undefined, "revoked"]);
});

test("under load: every acknowledged write of twenty visitors is kept across the change", async () => {
  const [from, to, time] = [eventual(), memory(), { now: Date.UTC(2030, 0, 1) }];
  let sessions = at(from, time);
  const acknowledged = Array.from({ length: 20 }, () => new Set());
  const browsers = acknowledged.map((own, number) => {
    let cookie = "";
    const write = async (key) => {
      const current = sessions;
      const session = await current.load(cookie);
      await new Promise((resolve) => setImmediate(resolve));
      session.set(key, number);
      const headers = new Headers(await current.commitHeaders(session, 200));
      cookie = cookiesAfter(cookie, headers);
      own.add(key);
    };
    return { write, read: async () => (await sessions.load(cookie)).keys() };
  });
  for (const browser of browsers) await browser.write("first");
  const change = 5;
  for (let round = 0; round < 10; round++) {
    if (round === change) sessions = at(migrate({ from, to }), time);
    await Promise.all(browsers.flatMap(({ write }) => [0, 1, 2].map((tab) => write(`${round}.${tab}`))));
  }
  assert.equal(to.records.size, 20);
  for (const [number, browser] of browsers.entries()) assert.deepEqual(new Set(await browser.read()), acknowledged[number]);
});

test("other stores are refused", () => {
  for (const [from, to] of [[memory(), memory()], [eventual(), eventual()], [undefined, memory()], [eventual(), {}]]) {
    assert.throws(() => migrate({ from, to }), ConfigError);
  }
  assert.throws(() => createSessions({ store: { ...memory(), consistency: "strong" }, secrets }), ConfigError);
});

test("clearExpired uses the index of the new store, and says what the store says", async () => {
  const calls = [];
  const left = [1000, 1000, 7];
  const to = { ...memory(), expiresRecords: false, deleteExpired: async (...args) => (calls.push(args), left.shift()) };
  const { sessions, time } = sessionsAt({ store: migrate({ from: eventual(), to }) });
  for (const complete of [false, false, true]) assert.equal((await sessions.clearExpired()).complete, complete);
  assert.deepEqual(calls[0], ["edge-session:", (time.now - 120_000) * 1000, 1000]);
  to.deleteExpired = async () => {
    throw new ConfigError("the table is missing");
  };
  await assert.rejects(sessions.clearExpired(), { code: "ES_CONFIG" });
  to.deleteExpired = async () => {
    throw new Error("the database is restarting");
  };
  await assert.rejects(sessions.clearExpired(), { code: "ES_STORE_UNAVAILABLE" });
});

test("a store whose configuration is wrong throws that error, not that it was unavailable", async () => {
  const wrong = async () => {
    throw new ConfigError("the table is missing: run the migrations");
  };
  const { sessions } = sessionsAt({ store: { ...memory(), get: wrong, put: wrong } });
  const session = await sessions.load("");
  session.set("a", 1);
  await assert.rejects(sessions.commitHeaders(session, 200), { code: "ES_CONFIG", message: /run the migrations/ });
});

// The package express-session on a store of this package, and the migration of its sessions to the middleware.

import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as after } from "node:timers/promises";
import { promisify } from "node:util";
import expressSession from "express-session";
import { createStorage } from "unstorage";
import { Visitor } from "./application.mjs";
import { folder, install, start } from "./servers.mjs";

await install();
const { ConfigError, StoreUnavailableError, cookieStore, createSessions, kv, memory, migrate } = await import("edge-session");
const { expressSessionStore } = await import("edge-session/node");
const { fromUnstorage } = await import("edge-session/unstorage");

/** A folder for sessions, and servers of them that are stopped when the test ends. */
function site(t) {
  const folder = mkdtempSync(join(tmpdir(), "edge-session-express-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const serve = async (file, env) => {
    const server = await start("express-session", "node", () => [file], { FOLDER: folder, ...env });
    t.after(server.stop);
    return server;
  };
  return { folder, serve };
}

test("express-session in a store of this package: visits, login, logout, a second server", async (t) => {
  const { folder, serve } = site(t);
  const [one, two] = await Promise.all([serve("server.mjs"), serve("server.mjs")]);
  const alice = new Visitor(one.url);
  assert.equal((await alice.get("/user")).text, "user=-");
  assert.equal(alice.jar.size, 0, "nothing was saved");
  assert.equal((await alice.get("/")).page, "visits=1 user=- message=-");
  alice.url = two.url;
  assert.equal((await alice.get("/")).page, "visits=2 user=- message=-");
  const anonymous = new Visitor(one.url);
  anonymous.jar = new Map(alice.jar);
  await alice.get("/login");
  assert.equal((await alice.get("/")).page, "visits=3 user=alice message=welcome");
  assert.equal((await anonymous.get("/")).page, "visits=1 user=- message=-", "the id of before the login opens nothing");
  const copy = new Visitor(one.url);
  copy.jar = new Map(alice.jar);
  assert.equal((await copy.get("/user")).text, "user=alice");
  const [id] = decodeURIComponent(alice.jar.get("connect.sid")).slice(2).split(".");
  assert.ok(readdirSync(folder, { recursive: true }).every((name) => !name.includes(id)), "the store does not contain the id");
  await alice.get("/logout");
  assert.equal((await copy.get("/user")).text, "user=-");
});

test("express-session during an outage of the store: 503, and the cookie stays", async (t) => {
  const { serve } = site(t);
  const [healthy, broken] = await Promise.all([serve("server.mjs"), serve("server.mjs", { OUTAGE: "1" })]);
  const visitor = new Visitor(healthy.url);
  await visitor.get("/login");
  const before = new Map(visitor.jar);
  visitor.url = broken.url;
  assert.equal((await visitor.get("/")).status, 503);
  assert.deepEqual(visitor.jar, before);
});

test("the migrated site takes over the sessions of express-session", async (t) => {
  const { serve } = site(t);
  const [old, migrated] = await Promise.all([serve("server.mjs"), serve("migrated.mjs")]);
  const alice = new Visitor(old.url);
  await alice.get("/");
  await alice.get("/login");
  const copy = new Visitor(old.url);
  copy.jar = new Map(alice.jar);
  alice.url = migrated.url;
  assert.equal((await alice.get("/")).page, "visits=2 user=alice message=welcome");
  assert.deepEqual([...alice.jar.keys()].sort(), ["__Host-sessionid", "seen"]);
  assert.equal((await alice.get("/")).page, "visits=3 user=alice message=-");
  assert.equal((await copy.get("/user")).text, "user=-", "the old session has ended");
  await alice.get("/logout");
  copy.url = migrated.url;
  assert.equal((await copy.get("/")).page, "visits=1 user=- message=-");
  const forged = new Visitor(migrated.url);
  forged.jar.set("connect.sid", "s%3Aforged.signature");
  assert.equal((await forged.get("/")).page, "visits=1 user=- message=-");
});

/** A store of express-session on `store`, with promises. */
function promises(store, options) {
  const created = expressSessionStore(expressSession.Store, store, options);
  return Object.fromEntries(["get", "set", "touch", "destroy"].map((name) => [name, promisify(created[name])]));
}

/** The data of a session of express-session, with a cookie that expires. */
const data = (user, maxAge) => ({ user, cookie: { originalMaxAge: maxAge, expires: new Date(Date.now() + maxAge), path: "/" } });

test("the store is one of express-session's own stores", () => {
  const store = expressSessionStore(expressSession.Store, memory());
  assert.ok(store instanceof expressSession.Store);
  assert.equal(typeof store.createSession, "function");
  store.once("connect", () => {});
});

test("a session is what was set; an unknown one is null, and so is a destroyed one", async () => {
  const store = promises(memory());
  assert.equal(await store.get("id"), null);
  await store.set("id", data("alice", 1000));
  assert.equal((await store.get("id")).user, "alice");
  await store.set("id", data("bob", 1000));
  assert.equal((await store.get("id")).user, "bob");
  await store.destroy("id");
  assert.equal(await store.get("id"), null);
  await store.destroy("id");
});

test("calls without a callback are made", async () => {
  const records = memory();
  const store = expressSessionStore(expressSession.Store, records);
  store.set("id", data("alice", 1000));
  await after(20);
  assert.equal(records.records.size, 1);
  store.destroy("id");
  await after(20);
  assert.equal(records.records.size, 0);
});

test("a session expires with its cookie, also in a store that keeps it for longer", async () => {
  const storage = createStorage();
  const store = promises(fromUnstorage(storage));
  await store.set("short", data("alice", 50));
  await store.set("long", data("bob", 60_000));
  assert.equal((await store.get("short")).user, "alice");
  await after(60);
  assert.equal((await storage.getKeys()).length, 2);
  assert.equal(await store.get("short"), null);
  assert.equal((await store.get("long")).user, "bob");
  await store.set("long", data("bob", -1));
  assert.equal((await storage.getKeys()).length, 1, "a session that has expired is not stored");
});

test("the store gets the deadline, the ttl and growing generations; a cookie without maxAge has the ttl of the option", async () => {
  const time = { now: Date.UTC(2030, 0, 1) };
  const store = memory({ now: () => time.now });
  const puts = [];
  const noted = { ...store, put: (...args) => (puts.push(args[2]), store.put(...args)) };
  const { get, set } = promises(noted, { ttl: 60 });
  const session = { user: "alice", cookie: { originalMaxAge: null, expires: null, path: "/" } };
  await set("id", session);
  await set("id", { ...session, cookie: { ...session.cookie, expires: new Date(time.now + 1500).toJSON() } });
  assert.deepEqual(puts.map(({ ttl, deadline, ifGeneration }) => [ttl, deadline / 1000 - time.now, ifGeneration]), [[60, 60_000, undefined], [2, 1500, undefined]]);
  assert.ok(puts[1].generation > puts[0].generation);
  time.now += 1499;
  assert.equal((await get("id")).user, "alice");
  time.now += 1;
  assert.equal(await get("id"), null);
});

test("touch renews a session, keeps what another request has set, and does not bring a destroyed one back", async () => {
  const store = promises(memory());
  await store.set("id", data("alice", 40));
  await store.set("id", data("bob", 40));
  await store.touch("id", data("alice", 60_000));
  await after(50);
  assert.equal((await store.get("id")).user, "bob");
  await store.destroy("id");
  await store.touch("id", data("alice", 60_000));
  assert.equal(await store.get("id"), null);
});

test("clearExpired of Sessions with the same prefix deletes expired records", async () => {
  for (const [keyPrefix, left] of [["shop", 1], ["other", 2]]) {
    const storage = createStorage();
    const records = fromUnstorage(storage);
    const store = promises(records, { keyPrefix: "shop" });
    await store.set("short", data("alice", 1000));
    await store.set("long", data("bob", 3_600_000));
    const sessions = createSessions({ store: records, secrets: ["the secret of the express-session tests"], keyPrefix, clock: () => Date.now() + 600_000 });
    await sessions.clearExpired();
    assert.equal((await storage.getKeys()).length, left, keyPrefix);
  }
});

test("a store that fails is a StoreUnavailableError with its cause; an error of its configuration stays", async () => {
  const down = new Error("down");
  const fail = () => Promise.reject(down);
  const store = promises({ ...memory(), get: fail, put: fail, delete: fail });
  const calls = [() => store.get("id"), () => store.set("id", data("alice", 1000)), () => store.touch("id", data("alice", 1000)), () => store.destroy("id")];
  for (const call of calls) {
    await assert.rejects(call, (error) => error instanceof StoreUnavailableError && error.status === 503 && error.cause === down);
  }
  const misconfigured = new ConfigError("no table");
  await assert.rejects(promises({ ...memory(), get: () => Promise.reject(misconfigured) }).get("id"), misconfigured);
});

test("stores without records of their own, and other arguments, are refused", () => {
  const namespace = { get: async () => null, put: async () => {}, delete: async () => {}, list: async () => ({ keys: [], list_complete: true }) };
  for (const store of [cookieStore(), migrate({ from: kv(namespace), to: memory() }), undefined, {}]) {
    assert.throws(() => expressSessionStore(expressSession.Store, store), { code: "ES_CONFIG" });
  }
  assert.throws(() => expressSessionStore(memory()), { code: "ES_CONFIG" });
});

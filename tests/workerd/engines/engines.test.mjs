// The Worker that is deployed with each of its engines: the setting, whole sessions, and the cron.

import { applyD1Migrations } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { beforeAll, describe, expect, test, vi } from "vitest";
import { scheduled, visitor, watched } from "../worker.mjs";

const bindings = { SESSION_OBJECTS: env.SESSION_OBJECTS, SESSION_DB: env.SESSION_DB };

beforeAll(() => applyD1Migrations(env.SESSION_DB, env.MIGRATIONS));

const engines = ["kv", "durable_object", "d1", "memory"];

describe.each([...engines.map((engine) => [engine, "false"]), ...engines.map((engine) => [engine, "true"])])("%s, SESSION_SEAL=%s", (engine, SESSION_SEAL) => {
  const { kv, names } = watched();
  const newVisitor = () => visitor({ ...bindings, SESSIONS: kv, SESSION_ENGINE: engine, SESSION_SEAL });

  test("values, a login and a logout, after which the old cookies open nothing", async () => {
    const alice = newVisitor();
    await alice.put("/session/data/cart", ["apple"]);
    const anonymous = alice.cookie;
    expect(await alice.data()).toEqual({ cart: ["apple"] });
    expect((await alice.post("/session/cycle-key", { user: "alice" })).status).toBe(204);
    expect((await alice.get("/session")).json).toMatchObject({ data: { cart: ["apple"], user: "alice" }, engine, loadReason: "live" });
    const login = alice.cookie;
    expect(await newVisitor().data()).toEqual({});
    expect((await alice.post("/session/flush")).status).toBe(204);
    for (const cookie of [undefined, anonymous, login]) {
      expect(await Object.assign(newVisitor(), { cookie }).data(), String(cookie)).toEqual({});
    }
    if (engine !== "kv") expect(names(), "KV is not called").toEqual([]);
  });

  test("a session with an expiry of its own ends then", async () => {
    const bob = newVisitor();
    await bob.put("/session/data/user", "bob");
    await bob.request("PUT", "/session/expiry", { value: 1 });
    const { cookie } = bob;
    await new Promise((resolve) => setTimeout(resolve, 1_100));
    expect(await Object.assign(newVisitor(), { cookie }).data()).toEqual({});
  });

  test("20 visitors at once have a session each", async () => {
    const visitors = Array.from({ length: 20 }, newVisitor);
    await Promise.all(visitors.map((one, n) => one.put("/session/data/n", n)));
    expect(await Promise.all(visitors.map((one) => one.data()))).toEqual(visitors.map((_, n) => ({ n })));
  });
});

test.each(["false", "true"])("D1 contains the data as text only without SESSION_SEAL (%s)", async (SESSION_SEAL) => {
  const alice = visitor({ ...bindings, SESSION_ENGINE: "d1", SESSION_SEAL });
  const word = `word-${SESSION_SEAL}`;
  await alice.put("/session/data/word", word);
  const { results } = await env.SESSION_DB.prepare("SELECT value FROM edge_session").all();
  const texts = results.map(({ value }) => new TextDecoder().decode(new Uint8Array(value)));
  expect(texts.some((text) => text.includes(word))).toBe(SESSION_SEAL === "false");
  expect(texts.length).toBeGreaterThan(0);
  expect(await alice.data()).toEqual({ word });
});

test("cookie: values, a login, a logout and an expiry, without a store", async () => {
  const newVisitor = () => visitor({ SESSION_ENGINE: "cookie" });
  const alice = newVisitor();
  await alice.put("/session/data/cart", ["apple"]);
  expect((await alice.post("/session/cycle-key", { user: "alice" })).status).toBe(204);
  expect((await alice.get("/session")).json).toMatchObject({ data: { cart: ["apple"], user: "alice" }, engine: "cookie", loadReason: "live" });
  expect((await alice.put("/session/data/text", "x".repeat(4000))).status).toBe(413);
  expect(await alice.data()).toEqual({ cart: ["apple"], user: "alice" });
  await alice.request("PUT", "/session/expiry", { value: 1 });
  const { cookie } = alice;
  expect((await alice.post("/session/flush")).status).toBe(204);
  expect(await alice.data()).toEqual({});
  await new Promise((resolve) => setTimeout(resolve, 1_100));
  expect(await Object.assign(newVisitor(), { cookie }).data()).toEqual({});
});

describe.each(["durable_object", "d1"])("%s, linearizable", (engine) => {
  const newVisitor = () => visitor({ ...bindings, SESSION_ENGINE: engine });

  test("eight parallel writes of different keys from one page are all kept", async () => {
    const alice = newVisitor();
    await alice.put("/session/data/user", "alice");
    const { cookie } = alice;
    const keys = Array.from({ length: 8 }, (_, n) => `key-${n}`);
    const tabs = keys.map(() => Object.assign(newVisitor(), { cookie }));
    const statuses = await Promise.all(keys.map(async (key, n) => (await tabs[n].put(`/session/data/${key}`, n)).status));
    expect(statuses).toEqual(Array(8).fill(204));
    expect(await alice.data()).toEqual({ user: "alice", ...Object.fromEntries(keys.map((key, n) => [key, n])) });
  });
});

describe("the configuration", () => {
  const requests = [["GET", "/session"], ["PUT", "/session/data/a", 1], ["POST", "/session/cycle-key"], ["POST", "/session/flush"]];

  const refused = {
    "an unknown engine": ["SESSION_ENGINE must be", { SESSION_ENGINE: "postgres" }],
    "an empty engine": ["SESSION_ENGINE must be", { SESSION_ENGINE: "" }],
    "an engine in upper case": ["SESSION_ENGINE must be", { SESSION_ENGINE: "KV" }],
    "an engine that is a number": ["SESSION_ENGINE must be", { SESSION_ENGINE: 1 }],
    "no namespace of KV": ["the KV binding SESSIONS is missing", { SESSIONS: undefined }],
    "a database as namespace of KV": ["the KV binding SESSIONS is of another kind", { SESSIONS: env.SESSION_DB, SESSION_ENGINE: "kv" }],
    "no namespace of objects": ["the Durable Object binding SESSION_OBJECTS is missing", { SESSION_OBJECTS: undefined, SESSION_ENGINE: "durable_object" }],
    "KV as namespace of objects": ["the Durable Object binding SESSION_OBJECTS is of another kind", { SESSION_OBJECTS: env.SESSIONS, SESSION_ENGINE: "durable_object" }],
    "no database": ["the D1 binding SESSION_DB is missing", { SESSION_DB: undefined, SESSION_ENGINE: "d1" }],
    "objects as database": ["the D1 binding SESSION_DB is of another kind", { SESSION_DB: env.SESSION_OBJECTS, SESSION_ENGINE: "d1" }],
  };
  test.each(Object.keys(refused))("%s: 500 with one sentence, the log has another, and nothing is stored", async (name) => {
    const [expected, wrong] = refused[name];
    const log = vi.spyOn(console, "error").mockImplementation(() => {});
    const { kv, names } = watched();
    for (const [method, path, body] of requests) {
      log.mockClear();
      const one = visitor({ ...bindings, SESSIONS: kv, ...wrong });
      one.cookie = "__Host-sessionid=x";
      const { status, json, headers } = await one.request(method, path, body);
      expect([status, json.error.code, headers.getSetCookie()]).toEqual([500, "ES_CONFIG", []]);
      expect(log.mock.calls.flat().join("\n")).toMatch(new RegExp(`^edge-session: ES_CONFIG: ${expected}.*(in wrangler\\.toml|"memory" or "cookie")$`));
    }
    expect(names()).toEqual([]);
    log.mockRestore();
  });

  const unusable = {
    "a class that is no SessionObject": ["SESSION_OBJECTS has another class", { SESSION_OBJECTS: env.OTHER_OBJECTS, SESSION_ENGINE: "durable_object" }],
    "a database without the table": ["npx wrangler d1 migrations apply SESSION_DB", { SESSION_DB: env.EMPTY_DB, SESSION_ENGINE: "d1" }],
  };
  test.each(Object.keys(unusable))("%s: 500 at the first access to the store, and the log says what to do", async (name) => {
    const [expected, wrong] = unusable[name];
    const log = vi.spyOn(console, "error").mockImplementation(() => {});
    const right = visitor({ ...bindings, SESSION_ENGINE: wrong.SESSION_ENGINE });
    await right.put("/session/data/a", 1);
    for (const cookie of [undefined, right.cookie]) {
      log.mockClear();
      const one = Object.assign(visitor({ ...bindings, ...wrong }), { cookie });
      const { status, json, headers } = await one.put("/session/data/a", 2);
      expect([status, json.error.code, headers.getSetCookie()]).toEqual([500, "ES_CONFIG", []]);
      expect(log.mock.calls.flat().join("\n")).toContain(expected);
    }
    expect(await right.data()).toEqual({ a: 1 });
    log.mockRestore();
  });
});

test("the cron deletes what is over from D1, in several runs, and nothing that is not", async () => {
  const now = Date.now() * 1000;
  const query = `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1)
    INSERT INTO edge_session (key, value, deadline, generation) SELECT ?2 || i, x'00', ?3, 1 FROM n`;
  const fill = (rows, prefix, seconds) => env.SESSION_DB.prepare(query).bind(rows, prefix, now + seconds * 1_000_000).run();
  await fill(2500, "edge-session:session:over", -130);
  await fill(10, "edge-session:session:just-over", -100);
  await fill(10, "edge-session:session:live", 100);
  await fill(10, "other:session:over", -130);
  const statements = [];
  const SESSION_DB = { withSession: (constraint) => ({ prepare: (query) => (statements.push(query), env.SESSION_DB.withSession(constraint).prepare(query)) }) };
  const log = vi.spyOn(console, "log").mockImplementation(() => {});
  await scheduled({ bindings: { ...bindings, SESSION_DB, SESSION_ENGINE: "d1" } });
  await scheduled({ bindings: { ...bindings, SESSION_DB, SESSION_ENGINE: "d1" } });
  expect(log.mock.calls.flat()).toEqual(["clear_expired: 2500 records removed", "clear_expired: 0 records removed"]);
  expect([statements.length, new Set(statements).size]).toEqual([4, 1]);
  const count = (prefix) => env.SESSION_DB.prepare("SELECT count(*) AS n FROM edge_session WHERE key LIKE ? || '%'").bind(prefix).first("n");
  expect(await Promise.all(["edge-session:session:over", "edge-session:session:just-over", "edge-session:session:live", "other:"].map(count))).toEqual([0, 10, 10, 10]);

  for (const engine of ["durable_object", "memory", "kv"]) await scheduled({ bindings: { ...bindings, SESSION_ENGINE: engine } });
  expect(log.mock.calls.flat().slice(2)).toEqual(Array(3).fill("clear_expired: 0 records removed"));
  log.mockRestore();
});

test("the cron reports a database without the table", async () => {
  const log = vi.spyOn(console, "error").mockImplementation(() => {});
  await scheduled({ bindings: { SESSION_DB: env.EMPTY_DB, SESSION_ENGINE: "d1" } });
  expect(log.mock.calls.flat().join("\n")).toMatch(/^clear_expired failed: ES_CONFIG: the D1 database SESSION_DB has no table edge_session/);
  log.mockRestore();
});

import { env } from "cloudflare:workers";
import { expect, test } from "vitest";
import { refusingTombstones, sessionKey, visitor, watched, withoutTicks } from "./worker.mjs";

/** A visitor whose KV operations are recorded, logged in as `{ user: "alice" }`. */
async function live(faults) {
  const { kv, calls, names } = watched(faults);
  const alice = visitor({ SESSIONS: kv });
  await alice.put("/session/data/user", "alice");
  names();
  return { alice, calls, names };
}

test("an anonymous hit that does not write costs nothing and gets no cookie", async () => {
  const { kv, names } = watched();
  const anonymous = visitor({ SESSIONS: kv });
  for (const [method, path] of [["GET", "/session"], ["GET", "/session/data/a"], ["GET", "/session/test-cookie"], ["POST", "/session/flush"]]) {
    const { headers } = await anonymous.request(method, path);
    expect(headers.getSetCookie()).toEqual([]);
  }
  expect(names()).toEqual([]);
});

test("reading a live session is reads only, and no cookie", async () => {
  const { alice, names } = await live();
  const { headers } = await alice.get("/session");
  expect(headers.getSetCookie()).toEqual([]);
  expect(names()).toEqual(["get", "get"]);
});

test("a write is one put", () => withoutTicks(async () => {
  const { kv, names } = watched();
  const alice = visitor({ SESSIONS: kv });
  await alice.put("/session/data/user", "alice");
  expect(names(), "a new session is not looked up first").toEqual(["put"]);
  await alice.put("/session/data/page", 2);
  expect(names()).toEqual(["get", "get", "put"]);
  await alice.request("PATCH", "/session/data", { a: 1, b: 2, c: 3 });
  expect(names()).toEqual(["get", "get", "put"]);
  await alice.put("/session/data/page", 2);
  expect(names(), "an equal value is not written").toEqual(["get", "get"]);
}));

test("a login is one put under the new key, then the end of the old one, whose record stays for a second login beside it", async () => {
  const { alice, calls, names } = await live();
  await alice.post("/session/cycle-key", { name: "Alice" });
  const [record, tombstone, again, tombstoneAgain, successor, put, end] = calls.map(({ args }) => args[0]);
  expect(names()).toEqual(["get", "get", "get", "get", "get", "put", "put"]);
  expect([again, tombstoneAgain]).toEqual([record, tombstone]);
  expect([tombstone, successor].map((key) => key.replace(/\.\d+$/, "."))).toEqual(Array(2).fill(end.replace(/\.0$/, ".")));
  expect([tombstone, successor, end].map((key) => key.split(".").at(-1))).toEqual(["0", "1", "0"]);
  expect(put).not.toBe(record);
});

test("a key of a login that is cycled is one put, then its end, and leaves no record", async () => {
  const { alice, calls, names } = await live();
  await alice.post("/session/cycle-key");
  names();
  await alice.post("/session/cycle-key");
  const [record] = calls.map(({ args }) => args[0]);
  const [deleted] = calls.at(-1).args;
  expect(names()).toEqual(["get", "get", "get", "get", "put", "put", "delete"]);
  expect(deleted).toBe(record);
  expect(await env.SESSIONS.get(record)).toBeNull();
});

test("a logout ends the key and the next one, and deletes the record", async () => {
  for (const logins of [0, 1]) {
    const { alice, calls, names } = await live();
    for (let n = 0; n < logins; n += 1) await alice.post("/session/cycle-key");
    names();
    await alice.post("/session/flush");
    const keys = calls.map(({ args }) => args[0]);
    expect(names()).toEqual(["get", "get", "put", "put", "delete"]);
    expect(keys.slice(2, 4).map((key) => key.split(".").at(-1))).toEqual([`${logins}`, `${logins + 1}`]);
    expect(keys[4]).toBe(keys[0]);
    expect(await env.SESSIONS.get(keys[4])).toBeNull();
  }
});

test("every put is bytes with an expiration of at least a minute, every get has the shortest cacheTtl", async () => {
  const { alice, calls } = await live();
  for (const value of [null, 1, 30, 59, 60, 61, 0, 1e10, new Date(Date.now() + 5_000).toISOString()]) {
    await alice.put("/session/expiry", { value });
  }
  await alice.put("/session/expiry", { value: 10_000 });
  await alice.post("/session/cycle-key");
  const puts = calls.filter(({ name }) => name === "put");
  expect(puts.length).toBeGreaterThan(9);
  for (const { args: [, value, options] } of puts) {
    expect(value).toBeInstanceOf(ArrayBuffer);
    expect(Number.isInteger(options.expirationTtl)).toBe(true);
    expect(options.expirationTtl).toBeGreaterThanOrEqual(60);
    expect(options.metadata).toEqual({ deadline: expect.any(Number) });
  }
  for (const { args } of calls.filter(({ name }) => name === "get")) {
    expect(args[1]).toEqual({ type: "arrayBuffer", cacheTtl: 30 });
  }
});

test("the session key is in no key, value or metadata in KV", async () => {
  const { alice, calls } = await live();
  await alice.post("/session/cycle-key", { name: "Alice" });
  const token = alice.cookie.split("=")[1];
  const key = await sessionKey(alice.cookie);
  expect(key).toMatch(/^[a-z0-9]{32}$/);
  let listed = 0;
  for (const { name, metadata } of (await env.SESSIONS.list()).keys) {
    const stored = `${name} ${JSON.stringify(metadata)} ${await env.SESSIONS.get(name)}`;
    expect(stored).not.toContain(key);
    expect(stored).not.toContain(token.slice(0, 40));
    listed += 1;
  }
  expect(listed).toBeGreaterThan(0);
  expect(JSON.stringify(calls)).not.toContain(key);
});

test("set_expiry(2): expired after three seconds, though KV's own expiration is still to come", async () => {
  const { alice, calls } = await live();
  await alice.put("/session/expiry", { value: 2 });
  const [key] = calls.findLast(({ name }) => name === "put").args;
  expect(await alice.data()).toEqual({ user: "alice" });
  await scheduler.wait(3_000);
  expect(await env.SESSIONS.get(key)).not.toBeNull();
  expect(await alice.data()).toEqual({});
  expect(alice.cookie, "the cookie of an expired session is deleted").toBeUndefined();
});

test("ten thousand random, malformed and forged cookies: anonymous, no error, no operation", async () => {
  const { alice, names } = await live();
  const [name, token] = alice.cookie.split("=");
  const bytes = new Uint8Array(256);
  const random = (length) => {
    crypto.getRandomValues(bytes);
    return Array.from(bytes.subarray(0, length), (byte) => String.fromCharCode(33 + (byte % 94))).join("");
  };
  const letters = (length) => random(length).replace(/[^\w-]/g, "A");
  const forge = [
    (n) => random(n % 200),
    (n) => letters(128 + (n % 33)),
    (n) => token.slice(0, n % token.length),
    (n) => token.slice(0, n % token.length) + (token[n % token.length] === "A" ? "B" : "A") + token.slice((n % token.length) + 1),
    (n) => `"${token}"${"=".repeat(n % 3)}`,
    (n) => `${token}${letters(1 + (n % 8))}`,
    (n) => `${n}; ${name}=${letters(128)}; ${name}=x, ${name}`,
  ];
  const mallory = visitor(alice.bindings);
  for (let n = 0; n < 10_000; n += 1) {
    mallory.cookie = `${name}=${forge[n % forge.length](n)}`;
    const { status, json, headers } = await mallory.get("/session");
    if (status !== 200 || Object.keys(json.data).length || !json.isNew || !/Max-Age=0;/.test(headers.get("Set-Cookie"))) {
      expect.fail(`cookie ${n} was answered with ${status} ${JSON.stringify(json)} ${headers.get("Set-Cookie")}`);
    }
  }
  expect(names()).toEqual([]);
});

test("a read that fails is 503, and never a logout", async () => {
  const failing = { get: () => Promise.reject(new Error("KV GET failed: 429 Too Many Requests")) };
  const { alice } = await live();
  for (const fault of [
    failing,
    { get: () => { throw new Error("KV GET failed: 500 Internal Server Error"); } },
    { get: () => Promise.resolve(undefined) },
    { get: () => Promise.resolve("text") },
  ]) {
    const { kv, names } = watched(fault);
    const visiting = visitor({ SESSIONS: kv });
    visiting.cookie = alice.cookie;
    for (const [method, path, body] of [["GET", "/session"], ["PUT", "/session/data/a", 1], ["DELETE", "/session/data"], ["POST", "/session/cycle-key"], ["PUT", "/session/expiry", { value: 5 }]]) {
      const { status, json, headers } = await visiting.request(method, path, body);
      expect([status, json.error.code]).toEqual([503, "ES_STORE_UNAVAILABLE"]);
      expect(headers.getSetCookie()).toEqual([]);
      expect(headers.get("Cache-Control")).toBe("private, no-store");
    }
    expect(visiting.cookie).toBe(alice.cookie);
    expect(new Set(names())).toEqual(new Set(["get"]));
    // A page that does not use the session is served.
    expect((await visiting.put("/session/data/_reserved", 1)).status).toBe(403);
    expect((await visiting.request("PUT", "/session/data/a", "{")).status).toBe(400);
  }
  expect(await alice.data()).toEqual({ user: "alice" });
});

test("a write that fails is 503, without a cookie, and the session is unchanged", async () => {
  const { alice } = await live();
  const { kv } = watched({ put: () => Promise.reject(new Error("KV PUT failed: 429 Too Many Requests")) });
  const visiting = visitor({ SESSIONS: kv });
  visiting.cookie = alice.cookie;
  for (const [method, path, body] of [["PUT", "/session/data/a", 1], ["POST", "/session/cycle-key"]]) {
    const { status, headers } = await visiting.request(method, path, body);
    expect([status, headers.getSetCookie()]).toEqual([503, []]);
  }
  expect((await visitor({ SESSIONS: kv }).put("/session/data/a", 1)).status).toBe(503);
  expect(await alice.data()).toEqual({ user: "alice" });
});

test("a failed logout is reported, and the next requests finish it", async () => {
  const { alice } = await live({ put: refusingTombstones });
  const { cookie } = alice;
  const { status, headers } = await alice.post("/session/flush");
  expect([status, headers.getSetCookie().map((line) => line.split(";")[0].replace(/=.+/, "=…"))]).toEqual([503, ["__Host-sessionid=…", "__Host-sessionid-anonymous="]]);
  const ending = alice.cookie;
  expect((await alice.get("/session")).status).toBe(503);
  expect((await alice.put("/session/data/user", "bob")).status).toBe(503);
  expect(alice.cookie).toBe(ending);
  alice.bindings = {};
  expect(await alice.data()).toEqual({});
  expect(alice.cookie).toBeUndefined();
  alice.cookie = cookie;
  expect(await alice.data()).toEqual({});
});

test("a login whose old key cannot be ended is a login", async () => {
  const { alice, names } = await live({ put: refusingTombstones });
  expect((await alice.post("/session/cycle-key")).status).toBe(204);
  expect(names().slice(5)).toEqual(["put", "put", "put", "delete"]);
  expect(await alice.data()).toEqual({ user: "alice" });
});

test("an invalid record is an anonymous session, and stays in the store", async () => {
  for (const damaged of ["", "null", "not json", '{"edge-session":1}', new Uint8Array([255, 254]).buffer]) {
    const { alice, calls } = await live();
    await alice.put("/session/data/page", 1);
    const [key] = calls.findLast(({ name }) => name === "put").args;
    await env.SESSIONS.put(key, damaged, { expirationTtl: 60 });
    expect(await alice.data()).toEqual({});
    await alice.put("/session/data/user", "bob");
    expect(await env.SESSIONS.get(key, "arrayBuffer")).toEqual(
      typeof damaged === "string" ? new TextEncoder().encode(damaged).buffer : damaged,
    );
  }
});

test("a hundred interleaved requests of twenty sessions: no cross-talk, no borrow error", async () => {
  const slow = (method) => async (...args) => {
    await scheduler.wait(Math.random() * 20);
    return env.SESSIONS[method](...args);
  };
  const { kv } = watched({ get: slow("get"), put: slow("put"), delete: slow("delete") });
  const visitors = await Promise.all(Array.from({ length: 20 }, async (_, n) => {
    const one = visitor({ SESSIONS: kv });
    await one.put("/session/data/name", `visitor ${n}`);
    return one;
  }));
  const answers = await Promise.all(Array.from({ length: 100 }, async (_, n) => {
    const one = { ...visitors[n % 20] };
    const calls = [
      () => one.get("/session"),
      () => one.get("/session/data/name"),
      () => one.put(`/session/data/key${n}`, n),
      () => one.get("/session/test-cookie"),
      () => one.put("/session/expiry", { value: 1000 + n }),
    ];
    return { n, ...(await calls[Math.floor(n / 20)]()) };
  }));
  for (const { n, status, json } of answers) {
    expect([200, 204]).toContain(status);
    if (n < 20) expect(json.data.name).toBe(`visitor ${n}`);
    if (n >= 20 && n < 40) expect(json).toBe(`visitor ${n % 20}`);
  }
  for (const [n, one] of visitors.entries()) {
    expect((await one.data()).name).toBe(`visitor ${n}`);
  }
});

// The npm package inside workerd: with the real KV binding, and sessions that cross between it and the Rust Worker.

import { env } from "cloudflare:workers";
import { beforeEach, expect, test } from "vitest";
import * as edgeSession from "../../dist/workerd.js";
import history from "../data/golden-history.json";
import { replay } from "../node/golden-history.mjs";
import TenLines from "../../examples/typescript-worker/minimal.ts";
import QuickStart from "../../examples/typescript-worker/worker.ts";
import { cookiesAfter, secret, visitor as visitorOfApp, watched, withoutTicks } from "./worker.mjs";

const { createSessions, kv } = edgeSession;
const { kv: namespace, calls, names } = watched();
const sessions = createSessions({ store: kv(namespace), secrets: [secret] });
beforeEach(() => void names());

/** A visitor of a Worker with the package. */
function visitor(worker, bindings = {}) {
  return {
    cookie: undefined,
    async request(method, path) {
      const init = { method, headers: this.cookie ? { Cookie: this.cookie } : {} };
      const response = await worker.fetch(new Request(`https://example.com${path}`, init), bindings, {});
      this.cookie = cookiesAfter(this.cookie, response.headers);
      return response;
    },
    get(path) {
      return this.request("GET", path);
    },
    post(path) {
      return this.request("POST", path);
    },
  };
}

test("the quick start counts visits, logs in, and out, on the real KV", () => withoutTicks(async () => {
  const one = visitor(QuickStart, { SESSIONS: namespace, SESSION_SECRET: secret });
  expect(await (await one.get("/")).text()).toBe("Visit number 1");
  expect(names()).toEqual(["put"]);
  expect(await (await one.post("/login")).text()).toBe("Welcome");
  expect(names().slice(4)).toEqual(["get", "put", "put"]);
  expect(await (await one.get("/")).text()).toBe("Visit number 2");
  expect(names()).toEqual(["get", "get", "put"]);
  const loggedIn = one.cookie;
  for (const path of ["/login", "/logout"]) expect(await (await one.get(path)).text()).toMatch(/^Visit number/);
  names();
  expect(await (await one.post("/logout")).text()).toBe("Goodbye");
  expect(names().slice(2)).toEqual(["put", "put", "delete"]);
  expect(one.cookie).toBeUndefined();
  one.cookie = loggedIn;
  expect(await (await one.get("/")).text()).toBe("Visit number 1");
}));

test.each([false, true])("the sessions of a user are listed and ended on the real KV, seal: %s", async (seal) => {
  const one = createSessions({ store: kv(namespace), secrets: [secret], keyPrefix: `devices-${seal}`, seal });
  const login = async (label) => {
    const session = await one.load("");
    session.bindUser("alice", { label });
    return cookiesAfter("", new Headers(await one.commitHeaders(session, 200)));
  };
  const [phone, laptop, tablet] = await Promise.all(["phone", "laptop", "tablet"].map(login));
  const isLive = async (cookie) => (await one.load(cookie)).loadReason === "live";
  const labels = async () => (await one.list("alice")).map(({ label }) => label).sort();
  const listed = await one.list("alice", await one.load(laptop));
  expect(listed.map(({ label, current }) => [label, current]).sort()).toEqual([["laptop", true], ["phone", false], ["tablet", false]]);
  const { id } = listed.find(({ label }) => label === "phone");
  expect(await one.revoke("bob", id)).toBe(false);
  expect(await one.revoke("alice", id)).toBe(true);
  expect([await isLive(phone), await isLive(laptop), await labels()]).toEqual([false, true, ["laptop", "tablet"]]);
  expect(await one.revokeOthers(await one.load(laptop))).toBe(1);
  expect([await isLive(tablet), await isLive(laptop), await labels()]).toEqual([false, true, ["laptop"]]);
  expect(await one.revokeAll("alice")).toBe(1);
  expect([await isLive(laptop), await labels()]).toEqual([false, []]);
  const { keys } = await namespace.list({ prefix: `devices-${seal}:user:` });
  expect(keys).toEqual([]);
});

test("the ten lines count visits, on the real KV", async () => {
  const one = visitor(TenLines, { SESSIONS: namespace, SESSION_SECRET: secret });
  for (const n of [1, 2, 3]) expect(await (await one.get("/")).text()).toBe(`Visit number ${n}`);
});

test("I10: a history has the same bytes on every platform", async () => {
  expect(await replay(edgeSession, history)).toEqual(history.requests.map(({ headers, stored }) => ({ headers, stored })));
});

test("200 interleaved requests of twenty visitors, on the real KV", async () => {
  const headersOf = async (cookie, handler) => {
    const session = await sessions.load(cookie);
    await handler(session);
    return sessions.commitHeaders(session, 200);
  };
  const cookies = await Promise.all(Array.from({ length: 20 }, async (_, n) => {
    const headers = await headersOf("", (session) => session.set("name", n));
    return new Headers(headers).get("Set-Cookie").split(";")[0];
  }));
  await Promise.all(Array.from({ length: 200 }, (_, n) => headersOf(cookies[n % 20], async (session) => {
    await scheduler.wait(Math.random() * 5);
    if (n % 3 === 0) session.set("last", n);
    expect(session.get("name")).toBe(n % 20);
  })));
});

test("a session crosses from the package to the Rust Worker and back", async () => {
  const app = visitorOfApp();
  const session = await sessions.load("");
  session.update({ user: "älice", cart: [{ name: "apple", count: 2 }], minus: -0, big: 2 ** 60 });
  session.setExpiry(new Date("2099-01-01T00:00:00Z"));
  const headers = new Headers(await sessions.commitHeaders(session, 200));
  app.cookie = headers.get("Set-Cookie").split(";")[0];
  expect(await app.data()).toMatchObject({ user: "älice", cart: [{ name: "apple", count: 2 }], big: 2 ** 60 });
  await app.put("/session/data/from", { rust: true });
  await app.post("/session/cycle-key");

  const back = await sessions.load(app.cookie);
  expect(back.get("from")).toEqual({ rust: true });
  expect(Object.is(back.get("minus"), -0)).toBe(true);
  expect(back.getExpiryDate().toISOString()).toBe("2099-01-01T00:00:00.000Z");
  back.set("from", "the package");
  const again = new Headers(await sessions.commitHeaders(back, 200));
  app.cookie = again.get("Set-Cookie").split(";")[0];
  expect((await app.data()).from).toBe("the package");

  const leaving = await sessions.load(app.cookie);
  await leaving.flush();
  leaving[Symbol.dispose]();
  expect(await app.data()).toEqual({});
});

test("both implementations put the same record in the same way", async () => {
  const session = await sessions.load("");
  session.set("user", "alice");
  await sessions.commitHeaders(session, 200);
  const { kv: other, calls: rust } = watched();
  await visitorOfApp({ SESSIONS: other }).put("/session/data/user", "alice");
  const [mine, theirs] = [calls, rust].map((list) => list.find(({ name }) => name === "put").args);
  const shape = ([key, value, { expirationTtl, metadata }]) => ({
    key: key.replace(/[\w-]{32}$/, "…"),
    bytes: value.byteLength,
    text: new TextDecoder().decode(value).replaceAll(/\d{16}|"[0-9a-f]{8}"/g, "…"),
    expirationTtl,
    metadata: Object.keys(metadata).join(),
    deadline: JSON.parse(new TextDecoder().decode(value)).deadline === metadata.deadline,
  });
  expect(shape(mine)).toEqual(shape(theirs));
  expect(shape(mine).deadline).toBe(true);
  expect((await env.SESSIONS.getWithMetadata(mine[0])).metadata).toEqual(mine[2].metadata);
});

test("a full pass of clearExpired deletes expired records, by the deadlines in the list of the real KV", async () => {
  let now = Date.now();
  const own = createSessions({ store: kv(namespace), secrets: [secret], keyPrefix: "swept", cookieAge: 100, clock: () => now });
  for (let n = 0; n < 3; n++) {
    const session = await own.open();
    session.set("n", n);
    await session.save();
    session[Symbol.dispose]();
  }
  expect(await own.clearExpired({ fullPass: true })).toEqual({ removed: 0, complete: true });
  now += 300_000;
  expect(await own.clearExpired()).toEqual({ removed: 0, complete: true });
  expect(await own.clearExpired({ fullPass: true })).toEqual({ removed: 3, complete: true });
  expect((await env.SESSIONS.list({ prefix: "swept" })).keys).toEqual([]);
});

test("responses with immutable headers, redirects and web sockets keep working", async () => {
  const answer = async (response) => {
    const session = await sessions.load("");
    session.set("a", 1);
    return sessions.commit(session, response);
  };
  const redirect = await answer(Response.redirect("https://example.com/next"));
  expect([redirect.status, redirect.headers.getSetCookie().length]).toEqual([302, 1]);
  const [client] = Object.values(new WebSocketPair());
  const upgrade = await answer(new Response(null, { status: 101, webSocket: client }));
  expect([upgrade.status, upgrade.webSocket, upgrade.headers.getSetCookie().length]).toEqual([101, client, 1]);
});

// The sessions of `createEdgeSessionStorage` beside those of React Router's own `createMemorySessionStorage`: the same calls, the same results.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { stripTypeScriptTypes } from "node:module";
import { test } from "node:test";
import { createMemorySessionStorage, createStaticHandler, isSession, RouterContextProvider } from "react-router";
import { visits } from "./application.mjs";
import { install } from "./servers.mjs";

await install();
const { createSessions, memory } = await import("edge-session");
const { createEdgeSessionStorage, createSessionMiddleware } = await import("edge-session/react-router");

const secrets = ["the secret of the storage's tests, of more than 32 bytes"];
const edge = (settings = {}) => createEdgeSessionStorage({ store: memory(), secrets, ...settings });
const own = () => createMemorySessionStorage({ cookie: { name: "session", secrets, path: "/" } });

/** A browser of a storage. `visit` runs a handler with a session, and commits or destroys it. */
function browserOf(storage) {
  return {
    cookie: "",
    keep(line) {
      const [pair] = line.split(";");
      if (/; (Max-Age=0|Expires=Thu, 01 Jan 1970)/.test(line)) this.cookie = "";
      else if (line) this.cookie = pair;
      return line;
    },
    async visit(handler, options) {
      const session = await storage.getSession(this.cookie);
      const result = await handler(session);
      this.keep(await storage.commitSession(session, options));
      return result;
    },
    async leave() {
      this.keep(await storage.destroySession(await storage.getSession(this.cookie)));
    },
  };
}

/** Requests of one visitor, each a list of calls. */
const history = [
  [["id"], ["data"], ["has", "user"], ["get", "user"]],
  [["set", "user", "alice"], ["get", "user"], ["has", "user"], ["data"]],
  [["get", "user"], ["flash", "message", "welcome"], ["has", "message"]],
  [["has", "message"], ["data"], ["get", "message"], ["get", "message"], ["has", "message"], ["data"]],
  [["get", "message"]],
  [["flash", "error", "wrong"], ["get", "error"], ["get", "error"]],
  [["has", "error"]],
  [["set", "message", "kept"], ["flash", "message", "once"], ["get", "message"], ["unset", "message"], ["get", "message"], ["get", "message"]],
  [["flash", "late", [1, { a: null }]], ["unset", "late"]],
  [["get", "late"], ["unset", "user"], ["unset", "none"], ["data"]],
  [["has", "user"], ["data"]],
];

test("the same calls have the same results", async () => {
  const [theirs, ours] = [browserOf(own()), browserOf(edge())];
  for (const calls of history) {
    const run = (session) => calls.map(([name, ...parameters]) => (name === "id" || name === "data" ? session[name] : session[name](...parameters)));
    assert.deepEqual(await ours.visit(run), await theirs.visit(run), JSON.stringify(calls));
  }
});

test("React Router takes its sessions for its own", async () => {
  assert.ok(isSession(await edge().getSession()));
});

test("an object that was changed in place is saved, as by React Router, unless trackChanges is false", async () => {
  const add = (session) => void session.get("cart").push("pear");
  for (const [storage, expected] of [[own(), ["apple", "pear"]], [edge(), ["apple", "pear"]], [edge({ trackChanges: false }), ["apple"]]]) {
    const browser = browserOf(storage);
    await browser.visit((session) => session.set("cart", ["apple"]));
    await browser.visit(add);
    assert.deepEqual(await browser.visit((session) => session.get("cart")), expected);
  }
});

test("destroySession ends the session, also for a copy of its cookie", async () => {
  for (const storage of [own(), edge()]) {
    const browser = browserOf(storage);
    await browser.visit((session) => session.set("user", "alice"));
    const copy = browser.cookie;
    await browser.leave();
    assert.equal(browser.cookie, "");
    assert.equal((await storage.getSession(copy)).get("user"), undefined);
  }
});

test("a visitor whose session stores nothing, and a session that was only read, get no cookie", async () => {
  const storage = edge();
  const browser = browserOf(storage);
  await browser.visit((session) => session.get("user"));
  assert.equal(browser.cookie, "");
  await browser.visit((session) => session.set("user", "alice"));
  const read = await storage.getSession(browser.cookie);
  read.get("user");
  assert.equal(await storage.commitSession(read), "");
});

test("cycleKey gives the session another key, and the key from before opens nothing", async () => {
  const storage = edge();
  const browser = browserOf(storage);
  await browser.visit((session) => session.set("visits", 1));
  const [before, { id }] = [browser.cookie, await storage.getSession(browser.cookie)];
  await browser.visit((session) => (session.cycleKey(), session.set("user", "alice")));
  assert.match(browser.cookie, /^__Host-sessionid=/);
  const session = await storage.getSession(browser.cookie);
  assert.deepEqual([session.data, session.id === id], [{ visits: 1, user: "alice" }, false]);
  assert.deepEqual((await storage.getSession(before)).data, {});
  const both = await storage.getSession(`${before}; ${browser.cookie}`);
  assert.equal(both.get("user"), "alice", "commitSession returns one cookie: that of before stays in the browser");
});

test("commitSession takes maxAge and expires, and refuses other options", async () => {
  const storage = edge();
  const committed = async (options) => {
    const session = await storage.getSession();
    session.set("user", "alice");
    return storage.commitSession(session, options);
  };
  assert.match(await committed({ maxAge: 60 }), /; Max-Age=60;/);
  const expires = new Date(Date.now() + 90_000);
  assert.match(await committed({ expires }), /; Max-Age=(89|90);/);
  assert.match(await committed({ maxAge: undefined }), /; Max-Age=1209600;/);
  await assert.rejects(committed({ path: "/admin" }), { code: "ES_VALUE", message: /takes maxAge and expires, not path/ });
});

test("a session of another storage, and a second commit, are refused", async () => {
  const storage = edge();
  const foreign = await own().getSession();
  await assert.rejects(storage.commitSession(foreign), { code: "ES_USAGE", message: /a session of getSession of the same storage/ });
  await assert.rejects(storage.destroySession(await edge().getSession()), { code: "ES_USAGE" });
  const session = await storage.getSession();
  session.set("user", "alice");
  await storage.commitSession(session);
  assert.deepEqual([session.get("user"), session.has("user"), session.data], ["alice", true, { user: "alice" }], "it can still be read");
  await assert.rejects(storage.commitSession(session), { code: "ES_SESSION_CLOSED" });
});

test("a Sessions can be passed in place of the options", async () => {
  const sessions = createSessions({ store: memory(), secrets });
  const storage = createEdgeSessionStorage(sessions);
  const browser = browserOf(storage);
  await browser.visit((session) => session.set("user", "alice"));
  assert.equal((await sessions.load(browser.cookie)).get("user"), "alice");
});

test("an error of the store is thrown with its status, and the session can be committed again", async () => {
  const store = memory();
  let fails = true;
  const storage = edge({ store: { ...store, put: (...put) => (fails ? Promise.reject(new Error("down")) : store.put(...put)) } });
  const session = await storage.getSession();
  session.set("user", "alice");
  await assert.rejects(storage.commitSession(session), { code: "ES_STORE_UNAVAILABLE", status: 503 });
  fails = false;
  assert.match(await storage.commitSession(session), /^__Host-sessionid-anonymous=/);
});

const guide = readFileSync(new URL("../../../docs/guides/migrating/from-react-router.md", import.meta.url), "utf8");
const [code] = [...guide.matchAll(/^```ts\n(.*?)^```$/gms)].map(([, code]) => code).filter((code) => code.includes("takeOver"));
const { takeOver } = await import(`data:text/javascript,${encodeURIComponent(stripTypeScriptTypes(code))}`);

/** A site with the middleware of the guide, whose old sessions are in `oldStorage`. `get` returns the user, and the cookies after the response. */
function migrated(oldStorage, response = () => new Response()) {
  const [sessionMiddleware, getSession] = createSessionMiddleware({ store: memory(), secrets });
  const loader = ({ context }) => {
    const page = response();
    page.headers.set("User", getSession(context).get("user", "-"));
    return page;
  };
  const handler = createStaticHandler([{ id: "home", path: "/", loader, middleware: [sessionMiddleware, takeOver(oldStorage, getSession)] }]);
  return async (...cookies) => {
    const request = new Request("http://localhost/", { headers: { Cookie: cookies.join("; ") } });
    const options = { requestContext: new RouterContextProvider(), generateMiddlewareResponse: (query) => query(request) };
    const { headers } = await handler.queryRoute(request, options);
    return { user: headers.get("User"), lines: headers.getSetCookie() };
  };
}

test("an old session is taken over once, and then opens nothing", async () => {
  const oldStorage = own();
  const old = browserOf(oldStorage);
  await old.visit((session) => session.set("user", "alice"));
  const get = migrated(oldStorage);
  const { user, lines } = await get(old.cookie);
  assert.equal(user, "alice");
  const [deletion] = lines.filter((line) => line.startsWith("session="));
  assert.match(deletion, /Expires=Thu, 01 Jan 1970/);
  const [cookie] = lines.filter((line) => line.startsWith("__Host-sessionid=")).map((line) => line.split(";")[0]);
  assert.deepEqual(await get(cookie), { user: "alice", lines: [] });
  assert.equal((await get(old.cookie)).user, "-", "a copy of the old cookie");
});

test("no session is taken over without its cookie, nor over a login that exists", async () => {
  const oldStorage = own();
  const [alice, bob] = [browserOf(oldStorage), browserOf(oldStorage)];
  await alice.visit((session) => session.set("user", "alice"));
  await bob.visit((session) => session.set("user", "bob"));
  const get = migrated(oldStorage);
  for (const cookie of ["", "session=forged", alice.cookie.replace("=", "=x")]) assert.deepEqual(await get(cookie), { user: "-", lines: [] });
  const { lines } = await get(alice.cookie);
  const cookie = lines.find((line) => line.startsWith("__Host-sessionid=")).split(";")[0];
  assert.deepEqual(await get(cookie, bob.cookie), { user: "alice", lines: [] });
});

test("a page that is one response for all visitors deletes the old cookie of one", async () => {
  const oldStorage = own();
  const constant = new Response();
  const get = migrated(oldStorage, () => constant);
  const alice = browserOf(oldStorage);
  await alice.visit((session) => session.set("user", "alice"));
  await get(alice.cookie);
  assert.deepEqual(constant.headers.getSetCookie(), []);
});

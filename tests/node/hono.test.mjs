// The middleware for Hono, in Hono itself.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Hono } from "hono";
import { setCookie } from "hono/cookie";
import { HTTPException } from "hono/http-exception";
import { session } from "../../dist/hono/index.js";
import { createSessions, memory } from "../../dist/node.js";
import { cookiesAfter, loggedIn, secrets } from "./visitor.mjs";

/** An application with the middleware, and a browser. */
function site(store = memory(), settings = {}) {
  const app = new Hono();
  app.use(session({ store, secrets, ...settings }));
  app.get("/", (c) => {
    const { session } = c.var;
    session.set("visits", session.get("visits", 0) + 1);
    return c.text(String(session.get("visits")));
  });
  let cookie = "";
  const visit = async (path, init, env) => {
    const response = await app.request(path, { ...init, headers: { Cookie: cookie } }, env);
    cookie = cookiesAfter(cookie, response.headers);
    return response;
  };
  return { app, visit };
}

test("each request has its session, which is committed with the response", async () => {
  const { app, visit } = site();
  app.post("/login", (c) => {
    c.var.session.cycleKey();
    setCookie(c, "theme", "dark");
    c.header("Vary", "Accept");
    return c.redirect("/", 303);
  });
  assert.equal(await (await visit("/")).text(), "1");
  const login = await visit("/login", { method: "POST" });
  assert.deepEqual([login.status, login.headers.get("Location")], [303, "/"]);
  assert.deepEqual(login.headers.getSetCookie().map((line) => line.split("=")[0]), ["theme", loggedIn, `${loggedIn}-anonymous`]);
  assert.deepEqual([login.headers.get("Vary"), login.headers.get("Cache-Control")], ["Accept, Cookie", "private, no-store"]);
  assert.equal(await (await visit("/")).text(), "2");
});

test("a page that does not use its session is unchanged", async () => {
  const { app } = site();
  app.get("/about", (c) => c.text("about"));
  const response = await app.request("/about");
  assert.deepEqual([...response.headers], [["content-type", "text/plain;charset=UTF-8"]]);
});

test("an error page saves nothing, an exception with a status below 500 does", async () => {
  const { app, visit } = site();
  app.onError((error, c) => (error instanceof HTTPException ? error.getResponse() : c.text("broken", 500)));
  app.get("/broken", (c) => {
    c.var.session.set("visits", 100);
    throw new Error("a mistake");
  });
  app.get("/refused", (c) => {
    c.var.session.set("visits", 200);
    throw new HTTPException(403, { message: "not you" });
  });
  await visit("/");
  const broken = await visit("/broken");
  assert.deepEqual([broken.status, await broken.text()], [500, "broken"]);
  assert.equal(await (await visit("/")).text(), "2");
  assert.equal((await visit("/refused")).status, 403);
  assert.equal(await (await visit("/")).text(), "201");
});

test("a session that cannot be read or saved gives the status of the error, unless the handler catches it", async (t) => {
  t.mock.method(console, "error", () => {});
  const store = memory();
  let fails = false;
  const failing = { ...store, get: async (key) => (fails ? Promise.reject(new Error("down")) : store.get(key)) };
  const { app, visit } = site(failing, { maxRecordBytes: 4096 });
  app.get("/caught", (c) => {
    try {
      return c.text(String(c.var.session.get("visits")));
    } catch (error) {
      return c.text(error.code);
    }
  });
  app.get("/large", (c) => {
    c.var.session.set("essay", "x".repeat(5000));
    return c.text("written");
  });
  await visit("/");
  const large = await visit("/large");
  assert.deepEqual([large.status, (await large.json()).error.code, large.headers.getSetCookie()], [413, "ES_TOO_LARGE", []]);
  fails = true;
  const down = await visit("/");
  assert.deepEqual([down.status, (await down.json()).error.code, down.headers.getSetCookie()], [503, "ES_STORE_UNAVAILABLE", []]);
  assert.equal(await (await visit("/caught")).text(), "ES_STORE_UNAVAILABLE");
  fails = false;
  assert.equal(await (await visit("/")).text(), "2");
});

test("the options of a Worker are asked for once for each environment", async () => {
  let asked = 0;
  const app = new Hono();
  app.use(session((env) => {
    asked++;
    return { store: env.store, secrets: env.secrets };
  }));
  app.get("/", (c) => c.text(String(c.var.session.get("user", env === c.env))));
  const env = { store: memory(), secrets };
  for (let n = 0; n < 3; n++) assert.equal(await (await app.request("/", {}, env)).text(), "true");
  assert.equal(asked, 1);
  await app.request("/", {}, { store: memory(), secrets });
  assert.equal(asked, 2);
});

test("a streamed body is sent with the cookie of what was written before it", async () => {
  const { app, visit } = site();
  app.get("/stream", (c) => {
    c.var.session.set("visits", 41);
    const parts = ["one ", "two"];
    return c.body(new ReadableStream({
      async pull(controller) {
        await new Promise((resolve) => setImmediate(resolve));
        const part = parts.shift();
        if (part) controller.enqueue(new TextEncoder().encode(part));
        else controller.close();
      },
    }));
  });
  assert.equal(await (await visit("/stream")).text(), "one two");
  assert.equal(await (await visit("/")).text(), "42");
});

test("the middleware takes a Sessions, whose other calls the handlers use", async () => {
  const sessions = createSessions({ store: memory(), secrets });
  const app = new Hono();
  app.use(session(sessions));
  app.post("/login", (c) => (c.var.session.bindUser("alice", { label: "Phone" }), c.text("Welcome")));
  app.get("/devices", async (c) => c.json((await sessions.list("alice", c.var.session)).map(({ label, current }) => [label, current])));
  const cookie = cookiesAfter("", (await app.request("/login", { method: "POST" })).headers);
  assert.deepEqual(await (await app.request("/devices", { headers: { Cookie: cookie } })).json(), [["Phone", true]]);
});

test("of two middlewares on one path, the first gives the request its session", async () => {
  const store = memory();
  const { app, visit } = site(store);
  app.use("/admin/*", session({ store, secrets }));
  app.get("/admin/", (c) => (c.var.session.set("admin", true), c.text("ok")));
  const before = (await visit("/admin/")).headers.getSetCookie();
  assert.equal(before.length, 1);
  assert.equal(store.records.size, 1);
  assert.equal(await (await visit("/")).text(), "1");
  assert.equal(store.records.size, 1);
});

test("app.onError makes the response to an error of the session, and nothing is saved", async (t) => {
  t.mock.method(console, "error", () => {});
  const store = memory();
  const { app, visit } = site(store);
  app.get("/fails", async (c) => {
    c.var.session.set("visits", 100);
    store.put = async () => { throw new Error("down"); };
    await c.var.session.save();
    return c.text("saved");
  });
  await visit("/");
  const { put } = store;
  store.wait = async () => {};
  const plain = await visit("/fails");
  assert.deepEqual([plain.status, (await plain.json()).error.code], [503, "ES_STORE_UNAVAILABLE"], "without one it is JSON");
  app.onError((error, c) => c.text(`Sorry: ${error.code}`, error.status ?? 500));
  const page = await visit("/fails");
  assert.deepEqual([page.status, await page.text(), page.headers.getSetCookie()], [503, "Sorry: ES_STORE_UNAVAILABLE", []]);
  store.put = put;
  assert.equal(await (await visit("/")).text(), "2");
});

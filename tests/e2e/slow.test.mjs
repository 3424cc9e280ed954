// An application with slow handlers, made with the npm package, in Chromium: responses after 6 and 7 seconds, and a login form
// that is double-clicked.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { serve } from "../workerd/outside/serve.mjs";
import { launch } from "./browser.mjs";
import { cookieNames, openTab, send } from "./tab.mjs";

/** Seconds after which a session of the application expires, counted from its last save. */
const AGE = 15;

/**
 * `/<application>/<path>`; the header `Location` names the place that the request goes to. The applications differ in their
 * settings.
 */
const script = `
import { kv, withSessions } from "./package/workerd.js";

/** A KV namespace at one location: reads are served from the location's cache for the cacheTtl. */
class LocationNamespace {
  #namespace;
  #cache = new Map();

  constructor(namespace) {
    this.#namespace = namespace;
  }

  async get(key, options) {
    const cached = this.#cache.get(key);
    if (cached?.until > Date.now()) return cached.value?.slice(0) ?? null;
    const value = await this.#namespace.get(key, options);
    this.#cache.set(key, { value: value?.slice(0), until: Date.now() + 1000 * options.cacheTtl });
    return value;
  }

  async put(key, value, options) {
    await this.#namespace.put(key, value, options);
    this.#cache.delete(key);
  }

  async delete(key) {
    await this.#namespace.delete(key);
    this.#cache.delete(key);
  }
}

/** The environment of each location: the same object for all its requests, as the platform's is. */
const locations = new Map();
function environment(env, location) {
  if (!locations.has(location)) locations.set(location, { ...env, SESSIONS: new LocationNamespace(env.SESSIONS) });
  return locations.get(location);
}

const page = (body) => new Response("<!doctype html><title>An application</title>" + body, { headers: { "Content-Type": "text/html" } });
const redirect = (path) => new Response(null, { status: 303, headers: { Location: path } });

const routes = {
  "GET /": () => page('<form method="post" action="login"><button>Log in</button></form>'),
  "POST /login": async (session) => {
    await scheduler.wait(1000); // a password is checked
    session.cycleKey();
    session.set("user", "alice");
    return redirect("account");
  },
  "GET /account": (session) => page("<p>" + JSON.stringify(Object.fromEntries(session.items())) + "</p>"),
  "GET /data": (session) => Response.json({ reason: session.loadReason, data: Object.fromEntries(session.items()) }),
  "POST /cart": (session) => {
    session.set("cart", ["apple"]);
    return new Response(null, { status: 204 });
  },
  "POST /logout": async (session) => {
    await session.flush();
    return new Response(null, { status: 204 });
  },
  "POST /ask": async (session, { seconds, answer }) => {
    const user = session.get("user", null);
    await scheduler.wait(1000 * seconds);
    if (answer !== undefined) session.set("answer", answer);
    return Response.json({ user });
  },
};

const application = (settings) => withSessions(
  (env) => ({ store: kv(env.SESSIONS), secrets: [env.SESSION_SECRET], cookieAge: ${AGE}, ...settings }),
  {
    async fetch(request, env, context, session) {
      const path = new URL(request.url).pathname.replace(/^\\/\\w+/, "");
      const body = request.headers.get("Content-Type")?.startsWith("application/json") ? await request.json() : undefined;
      return routes[request.method + " " + path](session, body);
    },
  },
);
const applications = { usual: application({}), renewing: application({ saveEveryRequest: true }), form: application({}) };

/** The cookies of all responses to logins, including responses that the browser did not get. */
const given = { usual: [], renewing: [], form: [] };

export default {
  async fetch(request, env, context) {
    const { pathname } = new URL(request.url);
    if (pathname === "/given") return Response.json(given);
    const name = pathname.split("/")[1];
    if (!(name in applications)) return new Response(null, { status: 404 });
    const response = await applications[name].fetch(request, environment(env, request.headers.get("Location") ?? "here"), context);
    if (pathname.endsWith("/login")) given[name].push(...response.headers.getSetCookie());
    return response;
  },
};`;

let server;
let browser;

before(async () => {
  [server, browser] = await Promise.all([serve(script), launch()]);
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

/** A test in a browser of its own, with one tab. */
function inBrowser(name, work) {
  test(name, async () => {
    const context = await browser.newContext();
    try {
      await work(await openTab(context, url("/usual/")), context);
    } finally {
      await context.close();
    }
  });
}

const url = (path) => new URL(path, `http://localhost:${server.url.port}`).href;

/** Sends the login form, and waits for the page that it leads to. */
async function logIn(tab) {
  await tab.getByRole("button").click();
  await tab.locator("p", { hasText: "alice" }).waitFor();
}

const json = { "Content-Type": "application/json" };
const ask = async (tab, application, body, location = "here") => {
  const { status, json: answer } = await send(tab, "POST", `/${application}/ask`, { body, headers: { ...json, Location: location } });
  assert.equal(status, 200, JSON.stringify(answer));
  return answer;
};
const read = async (tab, location = "here") => (await send(tab, "GET", "/usual/data", { headers: { Location: location } })).json; // the applications share their sessions

describe("handlers that take seconds", { concurrency: true }, () => {
  for (const loggedIn of [false, true]) {
    const visitor = loggedIn ? "a visitor who is logged in" : "an anonymous visitor";

    inBrowser(`${visitor}: what a handler of 7 seconds writes is read right after it, and at another location`, async (tab) => {
      await send(tab, "POST", "/usual/cart");
      if (loggedIn) await logIn(tab);
      for (const location of ["here", "there"]) assert.equal((await read(tab, location)).data.cart?.[0], "apple"); // both have the record in their caches
      await ask(tab, "usual", { seconds: 7, answer: 42 });
      const [here, there] = [await read(tab), await read(tab, "there")];
      assert.equal(here.data.answer, 42);
      assert.deepEqual([there.data.answer, there.reason], [42, "stale-repaired"]);
      // A save at the other location keeps it.
      await ask(tab, "usual", { seconds: 0, answer: 43 }, "there");
      const last = await read(tab);
      assert.deepEqual([last.data.answer, last.data.cart, last.data.user], [43, ["apple"], loggedIn ? "alice" : undefined]);
    });
  }

  for (const [application, what] of [["renewing", "reads"], ["usual", "writes"]]) {
    inBrowser(`an active visitor whose every request ${what} and takes 6 seconds stays logged in`, async (tab) => {
      await tab.goto(url(`/${application}/`));
      await logIn(tab);
      const began = Date.now();
      for (let request = 0; Date.now() - began < 1.5 * 1000 * AGE; request += 1) {
        const { user } = await ask(tab, application, { seconds: 6, answer: what === "writes" ? request : undefined });
        assert.equal(user, "alice", `${Math.round((Date.now() - began) / 1000)} s after the login`);
      }
    });
  }
});

inBrowser("a login form that is double-clicked: one session with the cart, and a logout ends it under every cookie given", async (tab, context) => {
  await tab.goto(url("/form/"));
  await send(tab, "POST", "/form/cart");
  const logins = [];
  tab.on("request", (request) => {
    if (request.url().endsWith("/login")) logins.push(request.method());
  });
  await tab.getByRole("button").dblclick({ delay: 30 });
  await tab.locator("p", { hasText: "alice" }).waitFor();
  assert.deepEqual(logins, ["POST", "POST"]);
  assert.deepEqual((await read(tab)).data, { cart: ["apple"], user: "alice" });
  assert.deepEqual(await cookieNames(context), ["__Host-sessionid"]);
  assert.equal((await send(tab, "POST", "/form/logout")).status, 204);
  assert.deepEqual(await cookieNames(context), []);
  assert.deepEqual((await read(tab)).data, {});
  const { form } = await (await fetch(url("/given"))).json();
  const cookies = form.map((line) => line.split(";")[0]).filter((pair) => !pair.endsWith("="));
  assert.ok(cookies.length > 0);
  for (const cookie of cookies) {
    const { data } = await (await fetch(url("/form/data"), { headers: { Cookie: cookie } })).json();
    assert.deepEqual(data, {});
  }
});

// The adapters for React Router, TanStack Start, h3 and Nuxt in the frameworks themselves: what the sites do not reach.

import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { describe, test } from "node:test";
import { createServerEntry } from "@tanstack/react-start/server";
import { H3, HTTPError, onError, toResponse } from "h3";
import { createApp, createError, createRouter, eventHandler, send, sendIterable, sendRedirect, setResponseHeader, setResponseStatus, toNodeListener } from "h3-1";
import { fetchNodeRequestHandler } from "node-mock-http";
import { createContext, createStaticHandler, redirect, RouterContextProvider } from "react-router";
import { visits } from "./application.mjs";
import { install } from "./servers.mjs";

await install();
const { createSessions, memory } = await import("edge-session");
const { createSessionMiddleware } = await import("edge-session/react-router");
const { withSession } = await import("edge-session/tanstack-start");
const { session: h3Session } = await import("edge-session/h3");
const { session: nuxtSession } = await import("edge-session/nuxt");

const secrets = ["the secret of the adapters' tests, of more than 32 bytes"];
const settings = () => ({ store: memory(), secrets });

/** The next `Cookie` header of a browser. */
function cookiesAfter(cookie, response) {
  const jar = new Map(cookie.split("; ").filter(Boolean).map((pair) => pair.split("=")));
  for (const line of response.headers.getSetCookie()) {
    const [, name, value] = /^(.*?)=(.*?);/.exec(line);
    if (/; Max-Age=0(;|$)/.test(line)) jar.delete(name);
    else jar.set(name, value);
  }
  return [...jar].map((pair) => pair.join("=")).join("; ");
}

const requestOf = (path, cookie = "") => new Request(`http://localhost${path}`, { headers: { Cookie: cookie } });

/** A store in memory that counts its reads, and whose puts fail while `fails` is true. */
function countingStore() {
  const store = memory();
  const counting = {
    ...store,
    reads: 0,
    fails: false,
    get: (key) => (counting.reads++, store.get(key)),
    put: (...put) => (counting.fails ? Promise.reject(new Error("down")) : store.put(...put)),
  };
  return counting;
}

/** A browser of a site, with a cookie. */
function browserOf(fetch) {
  return {
    cookie: "",
    async get(path) {
      const response = await fetch(path, this.cookie);
      this.cookie = cookiesAfter(this.cookie, response);
      return response;
    },
  };
}

describe("React Router", () => {
  /** An application with one resource route for each loader, below a root with the middleware. */
  function application([sessionMiddleware], loaders, middleware = [sessionMiddleware]) {
    const children = Object.entries(loaders).map(([path, loader]) => ({ id: path, path, loader, middleware: [sessionMiddleware] }));
    const handler = createStaticHandler([{ id: "root", path: "/", middleware, children }]);
    return (path, cookie, requestContext = new RouterContextProvider()) => {
      const request = requestOf(path, cookie);
      return handler.queryRoute(request, { requestContext, generateMiddlewareResponse: (query) => query(request) });
    };
  }

  const count = (getSession) => ({ context }) => {
    const session = getSession(context);
    session.set("visits", session.get("visits", 0) + 1);
    return new Response(String(session.get("visits")));
  };

  test("a request has one session, however many of its routes have the middleware", async () => {
    const store = countingStore();
    const made = createSessionMiddleware({ store, secrets });
    const browser = browserOf(application(made, { count: count(made[1]) }));
    assert.equal((await browser.get("/count")).headers.getSetCookie().length, 1);
    store.reads = 0;
    const second = await browser.get("/count");
    const reads = store.reads;
    assert.deepEqual([await second.text(), second.headers.getSetCookie().length, second.headers.get("Vary")], ["2", 1, "Cookie"]);
    const single = createSessionMiddleware({ store, secrets });
    const once = browserOf(application([(_, next) => next()], { count: count(single[1]) }, [single[0]]));
    once.cookie = browser.cookie;
    store.reads = 0;
    await once.get("/count");
    assert.equal(reads, store.reads);
  });

  test("a redirect that a loader or a middleware throws keeps what was set", async () => {
    const made = createSessionMiddleware(settings());
    const [sessionMiddleware, getSession] = made;
    const requireUser = ({ context, request }) => {
      const session = getSession(context);
      if (!request.url.endsWith("/account") || session.has("user")) return;
      session.set("next", "/account");
      throw redirect("/login");
    };
    const loaders = {
      account: () => new Response("account"),
      login({ context }) {
        getSession(context).cycleKey();
        getSession(context).set("user", "alice");
        throw redirect(getSession(context).pop("next", "/"), 303);
      },
    };
    const browser = browserOf(application(made, loaders, [sessionMiddleware, requireUser]));
    assert.equal((await browser.get("/account")).headers.get("Location"), "/login");
    const login = await browser.get("/login");
    assert.deepEqual([login.status, login.headers.get("Location")], [303, "/account"]);
    assert.equal(await (await browser.get("/account")).text(), "account");
  });

  test("two requests with one context are refused: the second visitor would get the session of the first", async () => {
    const made = createSessionMiddleware(settings());
    const fetch = application(made, { count: count(made[1]) });
    const shared = new RouterContextProvider();
    await fetch("/count", "", shared);
    await assert.rejects(fetch("/count", "", shared), { code: "ES_USAGE", message: /getLoadContext has to return a new RouterContextProvider/ });
  });

  test("getSession names the remedy if the route has no middleware", async () => {
    const [, getSession] = createSessionMiddleware(settings());
    const none = [(_, next) => next()];
    const message = /export `middleware = \[sessionMiddleware\]` from the root route/;
    await assert.rejects(application(none, { count: count(getSession) }, [])("/count"), { code: "ES_USAGE", message });
  });

  test("options that are a function get the environment of the context, once for each", async () => {
    const environment = createContext();
    const asked = [];
    const made = createSessionMiddleware((env) => (asked.push(env), { store: env.store, secrets }), { env: (context) => context.get(environment) });
    const fetch = application(made, { count: count(made[1]) });
    const [one, two] = [{ store: memory() }, { store: memory() }];
    const inside = (env) => browserOf((path, cookie) => fetch(path, cookie, new RouterContextProvider(new Map([[environment, env]]))));
    const [first, second] = [inside(one), inside(two)];
    assert.equal(await (await first.get("/count")).text(), "1");
    assert.equal(await (await first.get("/count")).text(), "2");
    assert.equal(await (await second.get("/count")).text(), "1");
    assert.deepEqual(asked.map((env) => env === one), [true, false]);
  });

  test("options that are a function without an environment are asked for at the first request", async () => {
    let asked = 0;
    const made = createSessionMiddleware(() => (asked++, settings()));
    assert.equal(asked, 0);
    const browser = browserOf(application(made, { count: count(made[1]) }));
    for (const visits of ["1", "2"]) assert.equal(await (await browser.get("/count")).text(), visits);
    assert.equal(asked, 1);
  });

  test("a save that fails or is refused is the response of onError, by default in JSON, and keeps the cookie", async (t) => {
    t.mock.method(console, "error", () => {});
    const store = countingStore();
    const sessions = createSessions({ store, secrets });
    const texts = { onError: ({ code, status }) => new Response(code, { status }) };
    for (const [options, textOf] of [[{}, async (response) => (await response.json()).error.code], [texts, (response) => response.text()]]) {
      const made = createSessionMiddleware(sessions, options);
      const [, getSession] = made;
      const logIn = ({ context }) => (getSession(context).cycleKey(), new Response("welcome"));
      const browser = browserOf(application(made, { count: count(getSession), login: logIn }));
      await browser.get("/count");
      const before = browser.cookie;
      store.fails = true;
      const down = await browser.get("/count");
      assert.deepEqual([down.status, await textOf(down), down.headers.get("Vary")], [503, "ES_STORE_UNAVAILABLE", "Cookie"]);
      store.fails = false;
      await browser.get("/login");
      const late = browserOf(application(made, { count: count(getSession) }));
      late.cookie = before;
      const refused = await late.get("/count");
      assert.deepEqual([refused.status, await textOf(refused), late.cookie], [409, "ES_SUPERSEDED", before]);
    }
  });
});

describe("TanStack Start", () => {
  const handler = {
    fetch(request, { context, ...others }) {
      const { session, ...more } = context;
      session.set("visits", session.get("visits", 0) + 1);
      return Response.json([session.get("visits"), Object.keys(more), Object.keys(others)]);
    },
  };

  test("the handler gets the session in its context, beside what the server passes", async () => {
    const entry = createServerEntry(withSession(handler, settings()));
    const browser = browserOf((path, cookie) => entry.fetch(requestOf(path, cookie), { context: { nonce: "n" }, inlineCss: false }));
    assert.deepEqual(await (await browser.get("/")).json(), [1, ["nonce"], ["inlineCss"]]);
    assert.deepEqual(await (await browser.get("/")).json(), [2, ["nonce"], ["inlineCss"]]);
    assert.deepEqual(await (await entry.fetch(requestOf("/"))).json(), [1, [], []]);
  });

  test("options that are a function are asked for at the first request", async () => {
    let asked = 0;
    const entry = createServerEntry(withSession(handler, () => (asked++, settings())));
    assert.equal(asked, 0);
    for (let n = 0; n < 2; n++) await entry.fetch(requestOf("/"));
    assert.equal(asked, 1);
  });

  test("a thrown error saves nothing, and a session that cannot be saved is the response of onError", async (t) => {
    t.mock.method(console, "error", () => {});
    const failing = {
      fetch(request, { context: { session } }) {
        session.set("visits", request.url.endsWith("/large") ? "x".repeat(70_000) : 7);
        if (request.url.endsWith("/thrown")) throw new Error("a mistake");
        return new Response("saved");
      },
    };
    const onError = ({ code, status }) => new Response(code, { status });
    const entry = createServerEntry(withSession(failing, settings(), { onError }));
    const thrown = await entry.fetch(requestOf("/thrown"));
    assert.deepEqual([thrown.status, thrown.headers.getSetCookie()], [500, []]);
    const large = await entry.fetch(requestOf("/large"));
    assert.deepEqual([large.status, await large.text(), large.headers.getSetCookie()], [413, "ES_TOO_LARGE", []]);
  });
});

describe("h3", () => {
  const count = ({ context: { session } }) => {
    session.set("visits", session.get("visits", 0) + 1);
    return session.get("visits");
  };
  const site = (app) => browserOf((path, cookie) => app.request(path, { headers: { Cookie: cookie } }));

  test("a request has one session, however often the middleware is used", async () => {
    const store = countingStore();
    const middleware = h3Session({ store, secrets }, toResponse);
    const browser = site(new H3().use(middleware).use(middleware).get("/", count));
    assert.equal((await browser.get("/")).headers.getSetCookie().length, 1);
    const once = site(new H3().use(h3Session({ store, secrets }, toResponse)).get("/", count));
    store.reads = 0;
    assert.equal(await (await browser.get("/")).text(), "2");
    const reads = store.reads;
    once.cookie = browser.cookie;
    store.reads = 0;
    assert.equal(await (await once.get("/")).text(), "3");
    assert.equal(reads, store.reads);
  });

  test("requests with one context object have sessions of their own", async () => {
    const app = new H3().use(h3Session(settings(), toResponse)).get("/", count);
    const shared = {};
    for (let n = 0; n < 2; n++) assert.equal(await (await app.request("/", {}, shared)).text(), "1");
  });

  test("the hooks of the application are called once, with the response of the session", async () => {
    const calls = [];
    const hooks = {
      onResponse: ({ headers }) => calls.push(headers.getSetCookie().length),
      onError: ({ status }) => void calls.push(`error ${status}`),
    };
    const app = new H3(hooks).use(h3Session(settings(), toResponse)).get("/", count).get("/refused", () => {
      throw new HTTPError({ status: 403 });
    });
    await app.request("/");
    assert.deepEqual(calls.splice(0), [1]);
    assert.equal((await app.request("/refused")).status, 403);
    assert.deepEqual(calls, ["error 403", 0]);
  });

  test("a middleware of h3 for errors that is used after it gets them first", async () => {
    const app = new H3().use(h3Session(settings(), toResponse)).use(onError((error) => `caught ${error.status}`)).get("/refused", ({ context }) => {
      context.session.set("message", "refused");
      throw new HTTPError({ status: 403 });
    });
    const response = await app.request("/refused");
    assert.deepEqual([await response.text(), response.headers.getSetCookie().length], ["caught 403", 1]);
  });

  test("one response for all visitors gets the cookie of none", async () => {
    const constant = new Response(null, { status: 204 });
    const app = new H3().use(h3Session(settings(), toResponse)).get("/", (event) => (count(event), constant));
    const [alice, bob] = [await app.request("/"), await app.request("/")];
    assert.deepEqual([alice, bob, constant].map(({ headers }) => headers.getSetCookie().length), [1, 1, 0]);
  });

  test("options that are a function get the bindings of a Worker, once for each environment", async () => {
    let asked = 0;
    const app = new H3().use(h3Session((env) => (asked++, { store: env.store, secrets }), toResponse)).get("/", count);
    const runtime = (env) => ({ runtime: { name: "cloudflare", cloudflare: { env } } });
    const inside = (env) => browserOf((path, cookie) => app.fetch(Object.assign(requestOf(path, cookie), runtime(env))));
    const [one, two] = [inside({ store: memory() }), inside({ store: memory() })];
    for (const visits of ["1", "2"]) assert.equal(await (await one.get("/")).text(), visits);
    assert.equal(await (await two.get("/")).text(), "1");
    assert.equal(asked, 2);
  });

  test("a save that fails is the response of onError", async (t) => {
    t.mock.method(console, "error", () => {});
    const store = countingStore();
    store.fails = true;
    const onError = ({ code, status }) => new Response(code, { status });
    const app = new H3().use(h3Session({ store, secrets }, toResponse, { onError })).get("/", count);
    const response = await app.request("/");
    assert.deepEqual([response.status, await response.text(), response.headers.getSetCookie()], [503, "ES_STORE_UNAVAILABLE", []]);
  });
});

describe("Nuxt", () => {
  /** Makes a change that only the commit notices, and refuses. */
  const spoil = ({ context: { session } }) => Object.assign(session.set("cart", {}).get("cart"), { total: 1n });

  const routes = {
    "/": (event) => {
      const { session } = event.context;
      session.set("visits", session.get("visits", 0) + 1);
      setResponseHeader(event, "X-Visits", session.get("visits"));
      return String(session.get("visits"));
    },
    "/unused": () => "unused",
    "/redirect": (event) => (event.context.session.set("visits", 10), sendRedirect(event, "/", 303)),
    "/stream": (event) => sendIterable(event, [`visits ${event.context.session.get("visits", 0)}`, " and more"].map((part) => Buffer.from(part))),
    "/refused": ({ context }) => {
      context.session.set("visits", 20);
      throw createError({ statusCode: 403 });
    },
    "/failed": (event) => {
      event.context.session.set("visits", 30);
      setResponseStatus(event, 502);
      return "failed";
    },
    "/invalid": (event) => (spoil(event), sendIterable(event, ["never"])),
    "/both": (event) => {
      spoil(event);
      throw createError({ statusCode: 403 });
    },
  };

  /** The two ways of Nitro 2 to serve an application of h3 1: with `node:http`, and in memory, as on Workers. */
  const ways = {
    "node:http": async (t, listener) => {
      const server = createServer(listener).listen(0, "localhost");
      await once(server, "listening");
      t.after(() => server.close());
      return (path, init) => fetch(`http://localhost:${server.address().port}${path}`, { ...init, redirect: "manual" });
    },
    "in memory": (_, listener) => (path, init) => fetchNodeRequestHandler(listener, path, init),
  };

  for (const [name, serve] of Object.entries(ways)) {
    /** Returns a browser of an application with plugins. */
    async function site(t, ...plugins) {
      const router = createRouter();
      for (const [path, handler] of Object.entries(routes)) router.get(path, eventHandler(handler));
      const errors = [];
      const onError = ({ statusCode }, event) => (errors.push(statusCode), send(event, `error ${statusCode}`));
      const h3App = createApp({ onError }).use(router);
      for (const plugin of plugins) plugin({ h3App });
      const request = await serve(t, toNodeListener(h3App));
      return Object.assign(browserOf((path, cookie) => request(path, { headers: cookie ? { cookie } : {} })), { errors });
    }

    test(`${name}: a response below 500 saves, also a redirect, an error and a stream; one of 500 or more saves nothing`, async (t) => {
      const browser = await site(t, nuxtSession(settings()));
      const visit = async (path) => {
        const response = await browser.get(path);
        return [response.status, await response.text()];
      };
      assert.deepEqual(await visit("/"), [200, "1"]);
      assert.deepEqual(await visit("/failed"), [502, "failed"]);
      assert.deepEqual(await visit("/stream"), [200, "visits 1 and more"]);
      assert.equal((await visit("/redirect"))[0], 303);
      assert.deepEqual(await visit("/"), [200, "11"]);
      assert.deepEqual(await visit("/refused"), [403, "error 403"]);
      assert.deepEqual(await visit("/"), [200, "21"]);
    });

    test(`${name}: a session that JSON cannot represent is an error page, which replaces a stream and another error page`, async (t) => {
      const browser = await site(t, nuxtSession(settings()));
      for (const [path, errors] of [["/invalid", [500]], ["/both", [403, 500]]]) {
        const response = await browser.get(path);
        assert.deepEqual([response.status, await response.text(), response.headers.getSetCookie()], [500, "error 500", []]);
        assert.deepEqual(browser.errors.splice(0), errors);
      }
      assert.equal(await (await browser.get("/")).text(), "1");
    });

    test(`${name}: a response that did not use the session has no header of it`, async (t) => {
      const browser = await site(t, nuxtSession(settings()));
      await browser.get("/");
      const { headers } = await browser.get("/unused");
      assert.deepEqual([headers.get("Vary"), headers.get("Cache-Control"), headers.getSetCookie()], [null, null, []]);
    });

    test(`${name}: a request has one session, however often the plugin is used`, async (t) => {
      const store = countingStore();
      const browser = await site(t, nuxtSession({ store, secrets }), nuxtSession({ store, secrets }));
      const { headers } = await browser.get("/");
      assert.deepEqual([headers.getSetCookie().length, headers.get("X-Visits"), headers.get("Vary")], [1, "1", "Cookie"]);
      assert.equal(await (await browser.get("/")).text(), "2");
    });

    test(`${name}: a save that fails is the response of onError`, async (t) => {
      t.mock.method(console, "error", () => {});
      const store = countingStore();
      store.fails = true;
      const onError = ({ code, status }) => new Response(code, { status });
      const response = await (await site(t, nuxtSession({ store, secrets }, { onError }))).get("/");
      assert.deepEqual([response.status, await response.text(), response.headers.getSetCookie()], [503, "ES_STORE_UNAVAILABLE", []]);
      assert.equal(response.headers.get("X-Visits"), null);
    });

    test(`${name}: an error before the load is an error page`, async (t) => {
      const fail = () => Promise.reject(new Error("before the load"));
      const response = await (await site(t, nuxtSession(Object.assign(createSessions(settings()), { run: fail, load: fail })))).get("/unused");
      assert.deepEqual([response.status, await response.text()], [500, "error 500"]);
    });

    test(`${name}: options that cannot be right are an error page`, async (t) => {
      const response = await (await site(t, nuxtSession(() => ({ store: memory(), secrets: [] })))).get("/unused");
      assert.deepEqual([response.status, await response.text()], [500, "error 500"]);
    });
  }
});

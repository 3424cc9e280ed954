// The adapters of Astro and SvelteKit, in what a site cannot show: tests/packages/frameworks has the sites.

import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { session as astro } from "../../dist/astro/index.js";
import { createSessions, memory } from "../../dist/node.js";
import { session as sveltekit } from "../../dist/sveltekit/index.js";
import { cookiesAfter, secrets } from "./visitor.mjs";

const request = (Cookie = "") => new Request("https://example.com/", { headers: { Cookie } });

/** Each adapter as a function of a request and a handler, which gets the `locals`. */
const adapters = {
  astro: (options, runOptions) => {
    const onRequest = astro(options, runOptions);
    return (request, handler, { locals = {}, ...context } = {}) =>
      onRequest({ isPrerendered: false, locals, request, ...context }, async () => handler(locals));
  },
  sveltekit: (options, runOptions) => {
    const handle = sveltekit(options, runOptions);
    return (request, handler, { locals = {}, ...context } = {}) =>
      handle({ event: { locals, request, ...context }, resolve: async ({ locals }) => handler(locals) });
  },
};

for (const [name, adapter] of Object.entries(adapters)) {
  test(`${name}: the session is in locals, and committed with the response`, async () => {
    const serve = adapter({ store: memory(), secrets });
    let cookie = "";
    for (const expected of ["1", "2"]) {
      const answer = await serve(request(cookie), ({ session }) => new Response(String(session.update("visits", (visits = 0) => visits + 1).get("visits"))));
      cookie = cookiesAfter(cookie, answer.headers);
      assert.equal(await answer.text(), expected);
    }
  });

  test(`${name}: takes a Sessions and a function of options, which is called once, at the first request`, async () => {
    let calls = 0;
    const options = { store: memory(), secrets };
    const lazy = adapter(() => (calls++, options));
    assert.equal(calls, 0);
    const first = await lazy(request(), ({ session }) => (session.set("a", 1), new Response()));
    const shared = adapter(createSessions(options));
    const answer = await shared(request(cookiesAfter("", first.headers)), ({ session }) => new Response(String(session.get("a"))));
    assert.deepEqual([await answer.text(), calls], ["1", 1]);
    await lazy(request(), () => new Response());
    assert.equal(calls, 1);
  });

  test(`${name}: a request that passes twice has one session`, async () => {
    const serve = adapter({ store: memory(), secrets });
    const [locals, again] = [{}, request()];
    let nested;
    const answer = await serve(again, async ({ session }) => {
      session.set("a", 1);
      nested = await serve(again, (locals) => new Response(String(locals.session.update("a", (a) => a + 1) === session)), { locals });
      return new Response(String(session.get("a")));
    }, { locals });
    assert.deepEqual([await nested.text(), await answer.text()], ["true", "2"]);
    assert.deepEqual([nested.headers.getSetCookie().length, answer.headers.getSetCookie().length], [0, 1]);
  });

  test(`${name}: an error of the handler saves nothing, and onError makes the response to one of the session`, async (t) => {
    t.mock.method(console, "error", () => {});
    const store = memory();
    const serve = adapter({ store, secrets, maxRecordBytes: 4096 }, { onError: (error) => new Response(`Sorry: ${error.code}`, { status: error.status }) });
    await assert.rejects(serve(request(), ({ session }) => {
      session.set("a", 1);
      throw new TypeError("a mistake");
    }), TypeError);
    const answer = await serve(request(), ({ session }) => (session.set("a", "x".repeat(5000)), new Response()));
    assert.deepEqual([answer.status, await answer.text(), store.records.size], [413, "Sorry: ES_TOO_LARGE", 0]);
  });
}

test("astro: a rewritten page has the session of the first one, and the page of an error has one of its own", async () => {
  const serve = adapters.astro({ store: memory(), secrets });
  const [locals, first] = [{}, request()];
  let session;
  await assert.rejects(serve(first, async (locals) => {
    session = locals.session;
    await serve(new Request(first), (locals) => (assert.equal(locals.session, session), new Response()), { locals });
    throw new TypeError("a mistake");
  }, { locals }), TypeError);
  const answer = await serve(first, (locals) => new Response(locals.session.get("user", "nobody"), { status: 500 }), { locals });
  assert.notEqual(locals.session, session);
  assert.equal(await answer.text(), "nobody");
});

test("astro: a page that is prerendered gets no session", async () => {
  const serve = adapters.astro(() => assert.fail("no options at build time"));
  const answer = await serve(request(), (locals) => new Response(String("session" in locals)), { isPrerendered: true });
  assert.equal(await answer.text(), "false");
});

test("sveltekit: an error that it reports to its script with the status 200 saves nothing", async () => {
  const json = (value, type = "application/json") => new Response(JSON.stringify(value), { headers: { "Content-Type": type, "X-Kept": "1" } });
  const error = (status) => ({ type: "error", error: { status, message: "Error" } });
  const data = (...nodes) => ({ type: "data", nodes });
  const [navigation, remote] = [{ isDataRequest: true }, { isRemoteRequest: true }];
  const cases = [
    [navigation, json(data(null, { type: "skip" }, { type: "data", data: [{ type: 1 }, "error"] })), true],
    [navigation, json(data(null, error(500))), false],
    [navigation, json(data({ type: "data", data: [] }, error(404))), true],
    [navigation, json(data(error())), false],
    [navigation, json(data(error(503)), "text/sveltekit-data"), false],
    [remote, json({ type: "result", data: "[]" }), true],
    [remote, json(error(500)), false],
    [remote, json(error(403)), true],
    [{}, json(error(500)), true], // of an endpoint of the application
    [navigation, new Response(null, { headers: { "Content-Type": "application/json" } }), true],
  ];
  for (const [event, response, saves] of cases) {
    const store = memory();
    const text = await response.clone().text();
    const answer = await adapters.sveltekit({ store, secrets })(request(), ({ session }) => (session.set("a", 1), response), event);
    assert.deepEqual([answer.status, await answer.text(), answer.headers.get("X-Kept")], [200, text, response.headers.get("X-Kept")]);
    assert.deepEqual([store.records.size, answer.headers.getSetCookie().length], saves ? [1, 1] : [0, 0], text);
  }
});

test("sveltekit: what is streamed to its script is not waited for", async () => {
  const parts = ['{"type":"data",', '"nodes":[{"type":"error","error":{"status":500}}]}\n{"type"', ':"chunk"}\n'];
  for (const type of ["text/sveltekit-data", "text/event-stream"]) {
    const store = memory();
    let [sent, goOn] = [0];
    const waiting = new Promise((resolve) => void (goOn = resolve));
    const body = new ReadableStream({
      async pull(controller) {
        if (sent === 2) await waiting; // for the test, which has the response by then
        controller.enqueue(new TextEncoder().encode(parts[sent++]));
        if (sent === 3) controller.close();
      },
    });
    const response = new Response(body, { headers: { "Content-Type": type } });
    const answer = await adapters.sveltekit({ store, secrets })(request(), ({ session }) => (session.set("a", 1), response), { isDataRequest: true });
    assert.equal(store.records.size, type === "text/sveltekit-data" ? 0 : 1);
    goOn();
    assert.equal(await answer.text(), parts.join(""));
  }
});

test("sveltekit: if the browser leaves, the application's stream is cancelled, although its first line was read", async () => {
  let cancelled;
  const body = new ReadableStream({
    start: (controller) => controller.enqueue(new TextEncoder().encode('{"type":"data","nodes":[]}\n')),
    cancel: (reason) => void (cancelled = reason),
  });
  const response = new Response(body, { headers: { "Content-Type": "text/sveltekit-data" } });
  const answer = await adapters.sveltekit({ store: memory(), secrets })(request(), ({ session }) => (session.set("a", 1), response), { isDataRequest: true });
  answer.body.cancel("left").catch(() => {});
  await sleep(0);
  assert.ok(cancelled);
});

test("sveltekit: a response to its script is not copied if the session was not used", async () => {
  const response = Object.assign(Response.json({ type: "data", nodes: [] }), { clone: () => assert.fail("copied") });
  const answer = await adapters.sveltekit({ store: memory(), secrets })(request(), () => response, { isDataRequest: true });
  assert.equal(await answer.text(), '{"type":"data","nodes":[]}');
});

test("sveltekit: after a failure of the store, an error that it reports to its script with the status 500 has the status 503", async () => {
  const store = memory();
  const serve = adapters.sveltekit({ store, secrets });
  const { headers } = await serve(request(), ({ session }) => (session.set("a", 1), new Response()));
  store.get = () => Promise.reject(new Error("unreachable"));
  const answer = await serve(request(cookiesAfter("", headers)), async ({ session }) => {
    assert.throws(() => session.get("a"), { code: "ES_STORE_UNAVAILABLE" });
    return Response.json({ type: "error", error: { status: 500, message: "Error" } }, { status: 500 });
  }, { isDataRequest: true });
  assert.deepEqual([answer.status, answer.headers.getSetCookie()], [503, []]);
});

test("sveltekit: options for each environment of the platform", async () => {
  const stores = [memory(), memory()];
  const serve = adapters.sveltekit(({ store }) => ({ store, secrets }));
  for (const store of stores) await serve(request(), ({ session }) => (session.set("a", 1), new Response()), { platform: { env: { store } } });
  assert.deepEqual(stores.map(({ records }) => records.size), [1, 1]);
});

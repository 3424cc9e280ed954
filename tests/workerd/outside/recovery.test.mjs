// A trap in the Worker's wasm: the request fails, those that were in flight beside it fail as well, and the next ones work. And
// clients that leave before the response.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { setTimeout as wait } from "node:timers/promises";
import { serve } from "./serve.mjs";

/** Workers by the first part of the path, at a KV whose reads take as long as a header says. */
const script = `
import App from "./app/index.js";
import Pages from "./pages/index.js";
import { kv, withSessions } from "./package/workerd.js";

const counting = withSessions((env) => ({ store: kv(env.SESSIONS), secrets: [env.SESSION_SECRET] }), {
  fetch(request, env, context, session) {
    session.set("visits", session.get("visits", 0) + 1);
    return new Response(String(session.get("visits")));
  },
});
class Package {
  constructor(context, env) { Object.assign(this, { context, env }); }
  fetch(request) { return counting.fetch(request, this.env, this.context); }
}
const workers = { app: App, pages: Pages, package: Package };

export default {
  fetch(request, env, context) {
    const delay = request.headers.get("KV-Delay");
    const get = async (...args) => {
      if (delay) await scheduler.wait(Number(delay));
      return env.SESSIONS.get(...args);
    };
    const SESSIONS = { get, put: (...args) => env.SESSIONS.put(...args), delete: (...args) => env.SESSIONS.delete(...args) };
    const [, name, path] = new URL(request.url).pathname.match(/^\\/(\\w+)(\\/.*)$/);
    return new workers[name](context, { ...env, SESSIONS }).fetch(new Request(new URL(path, request.url), request));
  },
};`;

let server;
before(async () => {
  server = await serve(script);
});
after(() => server?.stop());

/** One request; gives the status, the session's cookie that came with it, and the text. */
async function ask(path, { method, body, cookie = "", delay = "", signal } = {}) {
  const headers = { Cookie: cookie, "KV-Delay": String(delay) };
  const response = await fetch(new URL(path, server.url), { method, body, headers, redirect: "manual", signal });
  const given = response.headers.getSetCookie().find((line) => /^__Host-sessionid(-anonymous)?=\w/.test(line));
  return { status: response.status, cookie: given?.split(";")[0], text: await response.text() };
}

const times = (count, work) => Promise.all(Array.from({ length: count }, (_, n) => work(n)));

// I2
for (const [path, what] of Object.entries({
  panic: "a panic",
  abort: "an abort",
  overflow: "a full stack in wasm's memory",
  recursion: "a full stack of the platform",
  memory: "no memory left",
})) {
  test(`${what} with 50 requests in flight: that one is 500, the others end, and 100 more work, each with its own session`, async () => {
    const cookies = await times(50, async (n) => (await ask("/app/session/data/name", { method: "PUT", body: String(n) })).cookie);
    const pages = await times(25, async () => (await ask("/pages/login")).cookie);
    const flight = [
      ...pages.map((cookie) => ask("/pages/read", { cookie, delay: 300 })),
      ...pages.map((cookie) => ask("/pages/read", { cookie })),
    ];
    await wait(100);
    const trapped = await ask(`/pages/${path}`, { cookie: pages[0] });
    assert.deepEqual([trapped.status, trapped.cookie], [500, undefined]);
    assert.doesNotMatch(trapped.text, /panicked|as the test wants it|\.rs\b/);
    for (const { status, text } of await Promise.all(flight)) assert.ok(status === 500 || (status === 200 && text === 'Some("alice")'), `${status} ${text}`);

    const again = await times(100, async (n) => [
      await ask("/pages/read", { cookie: pages[n % 25] }),
      JSON.parse((await ask("/app/session/data/name", { cookie: cookies[n % 50] })).text),
    ]);
    for (const [n, [{ status, text }, name]] of again.entries()) assert.deepEqual([status, text, name], [200, 'Some("alice")', n % 50]);
  });
}

test("a trap while a login waits for KV leaves the session as it was", async () => {
  const { cookie } = await ask("/pages/login");
  const login = ask("/pages/login", { cookie, delay: 200 });
  await wait(50);
  assert.equal((await ask("/pages/panic")).status, 500);
  const { status, cookie: given } = await login;
  assert.deepEqual([status, given], [500, undefined]);
  assert.equal((await ask("/pages/read", { cookie })).text, 'Some("alice")');
});

// G14, G15: a request whose client leaves has no effect on the next one
for (const [worker, path, first] of [
  ["app", "/session", ["/app/session/data/name", { method: "PUT", body: "1" }]],
  ["pages", "/read", ["/pages/login"]],
  ["package", "/", ["/package/"]],
]) {
  test(`${worker}: 50 clients leave while KV keeps them waiting, some for a minute; the next requests work`, async () => {
    const { cookie } = await ask(...first);
    const leaving = Array.from({ length: 50 }, (_, n) => {
      const signal = AbortSignal.timeout(20 + n);
      return ask(`/${worker}${path}`, { cookie, delay: n % 2 ? 60_000 : 150, signal }).then(({ status }) => status, (error) => error.name);
    });
    const staying = await times(20, () => ask(`/${worker}${path}`, { cookie, delay: 100 }));
    for (const { status } of staying) assert.equal(status, 200);
    assert.deepEqual(new Set(await Promise.all(leaving)), new Set(["TimeoutError"]));
    await wait(200);
    for (const { status } of await times(20, () => ask(`/${worker}${path}`, { cookie }))) assert.equal(status, 200);
  });
}

test("no log line contains a token", async () => {
  const { cookie } = await ask("/pages/login");
  await ask("/pages/panic", { cookie });
  const output = server.output();
  assert.match(output, /as the test wants it/);
  assert.doesNotMatch(output, /__Host-sessionid(-anonymous)?=\w/);
  assert.ok(!output.includes(cookie.split("=")[1].slice(0, 40)));
});

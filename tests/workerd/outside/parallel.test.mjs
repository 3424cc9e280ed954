// Requests that run at the same time in real isolates, to the Rust Worker and to one made with the npm package: parallel writes
// on one record, clients that abort, two isolates on one namespace, and two namespaces in one isolate.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { setTimeout as wait } from "node:timers/promises";
import { serve } from "./serve.mjs";

/** `/<worker>/<namespace>/<path>`. SLOW is the namespace SESSIONS with operations that take as long as those of a real one. */
const script = `
import App from "./app/index.js";
import PackageWorker from "./package-worker.js";

const workers = { app: App, package: PackageWorker };

/** The environment with another namespace as SESSIONS: the same object for all requests, as the platform's is. */
const environments = new Map();
function environment(env, name) {
  if (!environments.has(name)) environments.set(name, { ...env, SESSIONS: name === "SLOW" ? slow(env.SESSIONS) : env[name] });
  return environments.get(name);
}

function slow(namespace) {
  const delayed = (name) => async (...args) => {
    await scheduler.wait(2 + 20 * Math.random());
    const result = await namespace[name](...args);
    await scheduler.wait(2 + 20 * Math.random());
    return result;
  };
  return { get: delayed("get"), put: delayed("put"), delete: delayed("delete") };
}

let isolate;

export default {
  async fetch(request, env, context) {
    const { pathname } = new URL(request.url);
    if (pathname === "/isolate") return new Response(isolate ??= crypto.randomUUID());
    if (pathname === "/copy") {
      for (const { name, metadata } of (await env.SESSIONS.list()).keys) {
        await env.OTHER.put(name, await env.SESSIONS.get(name, "arrayBuffer"), { expirationTtl: 3600, metadata });
      }
      return new Response();
    }
    const [, name, namespace, path] = pathname.match(/^\\/(\\w+)\\/(\\w+)(\\/.*)$/);
    return new workers[name](context, environment(env, namespace)).fetch(new Request(new URL(path, request.url), request));
  },
};`;

const namespaces = ["SESSIONS", "OTHER"];
/** A request that takes longer than this was blocked by another one. */
const PROMPTLY = 15_000;
const workers = ["app", "package"];

let server;
before(async () => {
  server = await serve(script, { isolates: 2, namespaces });
});
after(() => server?.stop());

/** A browser at one of the Workers: it keeps the cookies of each response as it arrives. */
class Browser {
  #cookies;

  constructor(worker, cookies = []) {
    this.worker = worker;
    this.#cookies = new Map(cookies);
  }

  /** Another browser with the same cookies, which are from now on its own. */
  clone() {
    return new Browser(this.worker, this.#cookies);
  }

  /** Sends a request. Returns `{ status, json, milliseconds }`; the status is "aborted" where `signal` ended it first. */
  async send(method, path, { body, namespace = "SESSIONS", isolate = 0, signal } = {}) {
    const began = Date.now();
    const headers = { Cookie: [...this.#cookies].map((pair) => pair.join("=")).join("; ") };
    try {
      const url = new URL(`/${this.worker}/${namespace}${path}`, server.urls[isolate]);
      const response = await fetch(url, { method, headers, body: body === undefined ? undefined : JSON.stringify(body), signal });
      this.#take(response.headers.getSetCookie());
      const text = await response.text();
      return { status: response.status, json: text === "" ? undefined : JSON.parse(text), milliseconds: Date.now() - began };
    } catch (error) {
      if (!signal?.aborted) throw error;
      return { status: "aborted", milliseconds: Date.now() - began };
    }
  }

  #take(lines) {
    for (const line of lines) {
      const [, name, value] = line.match(/^([^=]+)=([^;]*)/);
      if (/; Max-Age=0(;|$)/.test(line)) this.#cookies.delete(name);
      else this.#cookies.set(name, value);
    }
  }

  write(key, options) {
    return this.send("PUT", `/session/data/${key}`, { body: key, ...options });
  }

  async data(options) {
    const { status, json, milliseconds } = await this.send("GET", "/session", options);
    assert.equal(status, 200, JSON.stringify(json));
    assert.ok(milliseconds < PROMPTLY, `${milliseconds} ms`);
    return json.data;
  }

  async cycleKey(options) {
    const { status, json } = await this.send("POST", "/session/cycle-key", options);
    assert.equal(status, 204, JSON.stringify(json));
  }

  async flush(options) {
    const { status, json } = await this.send("POST", "/session/flush", options);
    assert.equal(status, 204, JSON.stringify(json));
  }
}

/** A browser whose session exists. */
async function visitor(worker, options) {
  const browser = new Browser(worker);
  const { status, json } = await browser.write("first", options);
  assert.equal(status, 204, JSON.stringify(json));
  return browser;
}

const keysOf = (count, prefix) => Array.from({ length: count }, (_, n) => `${prefix}-${n}`);
const present = (keys) => Object.fromEntries(keys.map((key) => [key, key]));
/** The error of a response, in short. */
const errorOf = ({ status, json }) => `${status} ${json?.error?.code}`;

for (const worker of workers) {
  for (const namespace of ["SESSIONS", "SLOW"]) {
    const where = namespace === "SLOW" ? "a KV that takes its time" : "the local KV";

    test(`${worker}: 20 parallel writes on one record of ${where}, ten rounds: none is lost, none is refused`, async () => {
      const refused = [];
      let [acknowledged, lost] = [0, 0];
      for (let round = 0; round < 10; round += 1) {
        const browser = await visitor(worker, { namespace });
        const before = browser.clone();
        const keys = keysOf(20, "key");
        const answers = await Promise.all(keys.map((key) => browser.write(key, { namespace })));
        const expected = keys.filter((_, n) => answers[n].status === 204);
        acknowledged += expected.length;
        refused.push(...answers.filter(({ status }) => status !== 204).map(errorOf));
        const views = [await browser.data({ namespace }), await before.data({ namespace })];
        lost += expected.filter((key) => views.some((data) => data[key] !== key)).length;
      }
      assert.deepEqual({ acknowledged, lost, refused }, { acknowledged: 200, lost: 0, refused: [] });
    });

    test(`${worker}: of 20 parallel writes on ${where}, four are aborted: no other one is lost, and no request is left waiting`, async () => {
      const figures = { aborted: 0, lost: 0, refused: [], late: 0 };
      for (let round = 0; round < 10; round += 1) {
        const browser = await visitor(worker, { namespace });
        const keys = keysOf(20, "key");
        const answers = await Promise.all(keys.map((key, n) => {
          const signal = n % 5 === 2 ? AbortSignal.timeout(Math.ceil((namespace === "SLOW" ? 120 : 12) * Math.random())) : undefined;
          return browser.write(key, { namespace, signal });
        }));
        const after = await browser.write("after", { namespace });
        const data = await browser.data({ namespace });
        figures.aborted += answers.filter(({ status }) => status === "aborted").length;
        figures.refused.push(...[...answers, after].filter(({ status }) => status !== 204 && status !== "aborted").map(errorOf));
        figures.late += [...answers, after].filter(({ milliseconds }) => milliseconds >= PROMPTLY).length;
        figures.lost += [...keys, "after"].filter((key, n) => [...answers, after][n].status === 204 && data[key] !== key).length;
      }
      assert.ok(figures.aborted > 0, "no request was aborted before it was answered");
      assert.deepEqual({ ...figures, aborted: 0 }, { aborted: 0, lost: 0, refused: [], late: 0 });
    });
  }

  test(`${worker}: all clients of a burst abort: the next requests are answered promptly, ten rounds`, async () => {
    const browser = await visitor(worker, { namespace: "SLOW" });
    for (let round = 0; round < 10; round += 1) {
      const leave = (key) => browser.write(key, { namespace: "SLOW", signal: AbortSignal.timeout(Math.ceil(100 * Math.random())) });
      await Promise.all(keysOf(10, `round-${round}`).map(leave));
      const keys = keysOf(3, `after-${round}`);
      for (const answer of await Promise.all(keys.map((key) => browser.write(key, { namespace: "SLOW" })))) {
        assert.equal(answer.status, 204, errorOf(answer));
        assert.ok(answer.milliseconds < PROMPTLY, `${answer.milliseconds} ms`);
      }
      const data = await browser.data({ namespace: "SLOW" });
      for (const key of keys) assert.equal(data[key], key);
    }
  });

  test(`${worker}: writes, a login and a logout in parallel: what was acknowledged is kept, and the logout holds`, async () => {
    for (let round = 0; round < 10; round += 1) {
      const browser = await visitor(worker, { namespace: "SLOW" });
      const keys = keysOf(10, "key");
      const login = wait(4 * round).then(() => browser.cycleKey({ namespace: "SLOW" }));
      const answers = await Promise.all(keys.map((key) => browser.write(key, { namespace: "SLOW" })));
      await login;
      const expected = keys.filter((_, n) => answers[n].status === 204);
      for (const answer of answers) assert.ok([204, 400, 409].includes(answer.status), errorOf(answer));
      const loggedIn = browser.clone();
      const data = await browser.data({ namespace: "SLOW" });
      assert.deepEqual(["first", ...expected].filter((key) => data[key] !== key), [], `lost in round ${round}`);

      const logout = wait(4 * round).then(() => browser.flush({ namespace: "SLOW" }));
      await Promise.all(keysOf(10, "late").map((key) => browser.write(key, { namespace: "SLOW" })));
      await logout;
      for (const each of [browser, loggedIn]) {
        assert.equal((await each.data({ namespace: "SLOW" })).first, undefined, `round ${round}`);
      }
    }
  });

  // Two isolates

  test(`${worker}: two isolates in turn: each reads at once what the other has acknowledged`, async () => {
    assert.equal(new Set(await Promise.all(server.urls.map((url) => fetch(new URL("/isolate", url)).then((response) => response.text())))).size, 2);
    const browser = await visitor(worker);
    const keys = ["first"];
    for (let turn = 0; turn < 20; turn += 1) {
      const burst = keysOf(turn % 4 === 3 ? 10 : 1, `turn-${turn}`);
      const answers = await Promise.all(burst.map((key) => browser.write(key, { isolate: turn % 2 })));
      assert.deepEqual(answers.filter(({ status }) => status !== 204).map(errorOf), [], `turn ${turn}`);
      keys.push(...burst);
      for (const isolate of [1 - (turn % 2), turn % 2]) assert.deepEqual(await browser.data({ isolate }), present(keys), `turn ${turn}`);
    }
  });

  test(`${worker}: two isolates at once: each request is answered promptly, both read the same, and the next saves of both are kept`, async () => {
    for (let round = 0; round < 5; round += 1) {
      const browser = await visitor(worker);
      const answers = await Promise.all(keysOf(20, "key").map((key, n) => browser.write(key, { isolate: n % 2 })));
      for (const answer of answers) {
        assert.ok([204, 409, 503].includes(answer.status), errorOf(answer));
        assert.ok(answer.milliseconds < PROMPTLY, `${answer.milliseconds} ms`);
      }
      // The first load of each isolate may put back what the other's put has overwritten.
      for (const isolate of [0, 1]) await browser.data({ isolate });
      assert.deepEqual(await browser.data({ isolate: 0 }), await browser.data({ isolate: 1 }));
      for (const isolate of [0, 1]) {
        const { status, json, milliseconds } = await browser.write(`next-${isolate}`, { isolate });
        assert.equal(status, 204, JSON.stringify(json));
        assert.ok(milliseconds < PROMPTLY, `${milliseconds} ms`);
        assert.equal((await browser.data({ isolate: 1 - isolate }))[`next-${isolate}`], `next-${isolate}`);
      }
    }
  });

  test(`${worker}: a login in one isolate while the other saves: the login and what was there before it stay`, async () => {
    for (let round = 0; round < 10; round += 1) {
      const browser = await visitor(worker);
      const before = browser.clone();
      const login = wait(10).then(() => browser.cycleKey());
      const saves = keysOf(8, "key").map((key, n) => wait(round + 4 * n).then(() => browser.write(key, { isolate: 1 })));
      await Promise.all([login, ...saves]);
      for (const isolate of [0, 1]) {
        assert.equal((await browser.data({ isolate })).first, "first", `round ${round}`);
        assert.deepEqual(await before.data({ isolate }), {}, `round ${round}: the key from before the login has ended`);
      }
    }
  });

  test(`${worker}: a logout in one isolate while the other saves: no cookie opens the session in either`, async () => {
    for (let round = 0; round < 10; round += 1) {
      const browser = await visitor(worker);
      await browser.cycleKey();
      const stolen = browser.clone();
      await browser.data({ isolate: 1 });
      const logout = wait(10).then(() => browser.flush());
      const saves = keysOf(8, "key").map((key, n) => wait(round + 4 * n).then(() => browser.write(key, { isolate: 1 })));
      await Promise.all([logout, ...saves]);
      for (const each of [browser, stolen]) {
        for (const isolate of [0, 1]) assert.equal((await each.data({ isolate })).first, undefined, `round ${round}`);
      }
    }
  });

  // Two namespaces

  test(`${worker}: two namespaces in one isolate: neither shows what the other holds, and a logout in one is none in the other`, async () => {
    const browser = await visitor(worker);
    assert.deepEqual(await browser.clone().data({ namespace: "OTHER" }), {});
    assert.equal((await fetch(new URL("/copy", server.url))).status, 200); // so that one cookie names a record in each
    const there = browser.clone();
    const [here, elsewhere] = [keysOf(10, "here"), keysOf(10, "elsewhere")];
    const answers = await Promise.all([
      ...here.map((key) => browser.write(key)),
      ...elsewhere.map((key) => there.write(key, { namespace: "OTHER" })),
    ]);
    assert.deepEqual(answers.filter(({ status }) => status !== 204).map(errorOf), []);
    assert.deepEqual(await browser.data(), present(["first", ...here]));
    assert.deepEqual(await there.data({ namespace: "OTHER" }), present(["first", ...elsewhere]));
    await browser.flush();
    assert.deepEqual(await there.data({ namespace: "OTHER" }), present(["first", ...elsewhere]));
    assert.deepEqual(await there.clone().data({ namespace: "SESSIONS" }), {});
  });
}

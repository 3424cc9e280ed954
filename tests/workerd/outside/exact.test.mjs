// Sessions on linearizable stores from outside, each test on Durable Objects and D1 in two real isolates that share them, and on one
// `memory` in Node that two Workers share: what is exact there and has a bound on KV. The browsers keep cookies as real ones do.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { setTimeout as wait } from "node:timers/promises";
import { memory, withSessions } from "../../../dist/node.js";
import { exactWorker } from "./exact-worker.mjs";
import { serve } from "./serve.mjs";

const script = `
import { d1, durableObjects, withSessions } from "./package/workerd.js";
import { exactWorker } from "./exact-worker.js";

export { SessionObject } from "./package/durable-object.js";

const worker = exactWorker(withSessions, (env) => ({ durable_object: durableObjects(env.SESSION_OBJECTS), d1: d1(env.SESSION_DB) }));

let isolate;

export default {
  fetch(request, ...rest) {
    if (new URL(request.url).pathname === "/isolate") return new Response(isolate ??= crypto.randomUUID());
    return worker.fetch(request, ...rest);
  },
};`;

const folder = mkdtempSync(join(tmpdir(), "edge-session-exact-"));
after(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }));

const ROUNDS = 10;
const ISOLATES = [0, 1];

const modules = { "exact-worker.js": "tests/workerd/outside/exact-worker.mjs" };
const start = () => serve(script, { isolates: 2, engines: true, folder, modules });
let server;
before(async () => {
  server = await start();
});
after(() => server?.stop());

const inWorkerd = (engine) => (isolate, path, init) => fetch(new URL(`/${engine}${path}`, server.urls[isolate]), init);

const store = memory();
const env = { SESSION_SECRET: "the exact sessions' secret, of more than 32 bytes" };
const workers = ISOLATES.map(() => exactWorker(withSessions, () => ({ memory: store })));
const inNode = (isolate, path, init) => workers[isolate].fetch(new Request(new URL(`/memory${path}`, "http://localhost"), init), env);

const sites = { durable_object: inWorkerd("durable_object"), d1: inWorkerd("d1"), memory: inNode };

/** A browser: it keeps the cookies of each response as it arrives, those of all its tabs. */
class Browser {
  #cookies;

  constructor(send, cookies = []) {
    this.request = send;
    this.#cookies = new Map(cookies);
  }

  /** Another browser with the same cookies, which are from now on its own. */
  clone() {
    return new Browser(this.request, this.#cookies);
  }

  get cookie() {
    return [...this.#cookies].map((pair) => pair.join("=")).join("; ");
  }

  /** Sends a request with the browser's cookies, or with those of a tab that has sent it before. Returns `{ status, json, arrived }`. */
  async send(method, path, { isolate = 0, cookie = this.cookie } = {}) {
    const response = await this.request(isolate, path, { method, headers: { Cookie: cookie } });
    const setCookies = response.headers.getSetCookie();
    this.take({ setCookies });
    return { status: response.status, setCookies, arrived: Date.now(), json: await response.json() };
  }

  /** Keeps the cookies of a response. Returns the browser. */
  take({ setCookies }) {
    for (const line of setCookies) {
      const [, name, value] = line.match(/^([^=]+)=([^;]*)/);
      if (/; Max-Age=0(;|$)/.test(line)) this.#cookies.delete(name);
      else this.#cookies.set(name, value);
    }
    return this;
  }

  write(key, { milliseconds = 0, ...options } = {}) {
    return this.send("PUT", `/session?key=${key}&wait=${milliseconds}`, options);
  }

  login(user, { milliseconds = 0, ...options } = {}) {
    return this.send("POST", `/login?user=${user}&wait=${milliseconds}`, options);
  }

  logout(options) {
    return this.send("POST", "/logout", options);
  }

  async data(options) {
    const { status, json } = await this.send("GET", "/session", options);
    assert.equal(status, 200, JSON.stringify(json));
    return json.data;
  }
}

/** A browser whose anonymous session exists. */
async function visitor(send) {
  const browser = new Browser(send);
  assert.equal(outcome(await browser.write("first")), "200");
  return browser;
}

/** A browser that has logged in; it had no session before. */
async function user(send, name = "alice") {
  const browser = new Browser(send);
  assert.equal(outcome(await browser.login(name)), "200");
  return browser;
}

const outcome = ({ status, json }) => (json.error ? `${status} ${json.error.code}` : String(status));
const named = (count, prefix) => Array.from({ length: count }, (_, n) => `${prefix}-${n}`);
const random = (milliseconds) => Math.floor(milliseconds * Math.random());
const lost = (keys, data) => keys.filter((key) => data[key] !== key);

/** The storage keys of the records that are stored, of those that either isolate has put. */
async function stored(send) {
  const lists = await Promise.all(ISOLATES.map(async (isolate) => (await (await send(isolate, "/stored")).json()).keys));
  return [...new Set(lists.flat())].sort();
}

test("the two isolates are two", async () => {
  const names = await Promise.all(server.urls.map(async (url) => (await fetch(new URL("/isolate", url))).text()));
  assert.equal(new Set(names).size, 2);
});

for (const [engine, send] of Object.entries(sites)) {
  for (const [from, isolateOf] of [["one page", () => 0], ["two isolates", (n) => n % 2]]) {
    test(`${engine}: eight parallel writes of different keys from ${from}: 0 lost, 0 refused`, async () => {
      const figures = { acknowledged: 0, refused: [], lost: [] };
      for (let round = 0; round < ROUNDS; round += 1) {
        const browser = await (round % 2 ? user(send) : visitor(send));
        const keys = named(8, "key");
        const answers = await Promise.all(keys.map((key, n) => browser.write(key, { isolate: isolateOf(n), milliseconds: n % 3 })));
        figures.acknowledged += answers.filter(({ status }) => status === 200).length;
        figures.refused.push(...answers.filter(({ status }) => status !== 200).map(outcome));
        for (const isolate of ISOLATES) figures.lost.push(...lost(keys, await browser.data({ isolate })));
      }
      assert.deepEqual(figures, { acknowledged: 8 * ROUNDS, refused: [], lost: [] });
    });
  }

  test(`${engine}: a logout that races ten slow writes: nobody is logged in after its answer, and nothing is stored`, async (t) => {
    t.mock.method(console, "error", () => {}); // the Worker in Node logs each refusal
    const figures = { acknowledged: 0, refused: 0 };
    for (let round = 0; round < ROUNDS; round += 1) {
      const before = await stored(send);
      const browser = await user(send);
      const { cookie } = browser;
      assert.equal((await browser.data({ isolate: 1 })).user, "alice");
      const slow = named(10, "slow").map((key, n) => browser.write(key, { cookie, isolate: n % 2, milliseconds: random(60) }));
      let running = true;
      const answered = Promise.all(slow).finally(() => (running = false));
      await (round % 2 ? Promise.race(slow) : wait(random(40)));
      const { status, arrived } = await browser.logout({ isolate: round % 2 });
      assert.equal(status, 200);
      // Requests that begin after the answer, while writes are still running and afterwards.
      const served = [];
      const look = async () => {
        await wait(1);
        for (const isolate of ISOLATES) served.push(await browser.clone().data({ isolate, cookie }));
      };
      while (running) await look();
      await look();
      assert.deepEqual(served.filter((data) => Object.keys(data).length > 0), [], `round ${round}`);
      for (const answer of await answered) {
        if (answer.status === 200) {
          assert.ok(answer.json.at <= arrived, `round ${round}: a commit that began ${answer.json.at - arrived} ms after the logout`);
          figures.acknowledged += 1;
        } else {
          assert.ok([400, 409].includes(answer.status), outcome(answer));
          figures.refused += 1;
        }
      }
      assert.deepEqual(await stored(send), before, `round ${round}`);
      assert.deepEqual(await browser.data(), {});
    }
    t.diagnostic(`${figures.acknowledged} writes were acknowledged before the logout, ${figures.refused} refused`);
    assert.ok(figures.acknowledged > 0 && figures.refused > 0, JSON.stringify(figures));
  });

  test(`${engine}: logins of one user at two isolates are all listed, and each ends at once where another isolate ends it`, async (t) => {
    t.mock.method(console, "error", () => {}); // the Worker in Node logs each refusal
    const ask = async (path, method = "POST", isolate = 0, cookie = "") =>
      (await send(isolate, path, { method, headers: { Cookie: cookie } })).json();
    for (let round = 0; round < ROUNDS; round += 1) {
      const user = `user-${engine}-${round}`;
      const browsers = named(6, "device").map(() => new Browser(send));
      const bind = (browser, n) => browser.send("POST", `/bind?user=${user}&label=${n}`, { isolate: n % 2 });
      assert.deepEqual((await Promise.all(browsers.map(bind))).map(outcome), Array(6).fill("200"));
      for (const isolate of ISOLATES) {
        const devices = await ask(`/devices?user=${user}`, "GET", isolate, browsers[2].cookie);
        assert.deepEqual(devices.map(({ label }) => label).sort(), ["0", "1", "2", "3", "4", "5"]);
        assert.deepEqual(devices.filter(({ current }) => current).map(({ label }) => label), ["2"]);
      }
      const { id } = (await ask(`/devices?user=${user}`, "GET", 1)).find(({ label }) => label === "0");
      assert.equal(await ask(`/revoke?user=another&id=${id}`), false);
      assert.equal(await ask(`/revoke?user=${user}&id=${id}`), true);
      assert.deepEqual(await browsers[0].clone().data({ isolate: 1 }), {});
      // The end of all others, while they write.
      const slow = browsers.slice(3).map((browser, n) => browser.clone().write("slow", { cookie: browser.cookie, isolate: n % 2, milliseconds: random(40) }));
      await wait(random(20));
      assert.equal((await browsers[2].send("POST", "/revoke-others", { isolate: round % 2 })).json, 4);
      for (const isolate of ISOLATES) {
        for (const [n, browser] of browsers.entries()) {
          const { user: name } = await browser.clone().data({ isolate, cookie: browser.cookie });
          assert.equal(name, n === 2 ? user : undefined, `round ${round}: device ${n}`);
        }
      }
      await Promise.all(slow);
      for (const browser of browsers.slice(3)) assert.deepEqual(await browser.clone().data({ cookie: browser.cookie }), {});
      // Logins and the end of all at once: what is logged in afterwards is listed.
      const late = named(4, "late").map(() => new Browser(send));
      await Promise.all([...late.map(bind), ask(`/revoke-all?user=${user}`, "POST", 1), wait(1).then(() => ask(`/revoke-all?user=${user}`))]);
      const alive = [];
      for (const [n, browser] of [browsers[2], ...late].entries()) if ((await browser.data({ isolate: 1 })).user === user) alive.push(n);
      assert.ok(!alive.includes(0));
      const listed = await ask(`/devices?user=${user}`, "GET", round % 2);
      assert.equal(listed.length, alive.length, `round ${round}: ${listed.length} of ${alive.length} sessions are listed`);
    }
  });

  test(`${engine}: two logins at once beside a write: both succeed, neither sees the other's data, and the write is kept`, async (t) => {
    t.mock.method(console, "error", () => {}); // the Worker in Node logs each refusal
    let acknowledged = 0;
    for (let round = 0; round < ROUNDS; round += 1) {
      const browser = await visitor(send);
      const before = browser.clone();
      const names = ["alice", "bob"];
      const [write, ...logins] = await Promise.all([
        browser.write("cart", { isolate: round % 2, milliseconds: round % 3 ? random(8) : 0 }),
        ...names.map((name, isolate) => browser.login(name, { isolate, milliseconds: 2 + random(8) })),
      ]);
      assert.deepEqual(logins.map(outcome), ["200", "200"], `round ${round}`);
      assert.ok(["200", "409 ES_SUPERSEDED"].includes(outcome(write)), outcome(write));
      const cart = write.status === 200 ? { cart: "cart" } : {};
      acknowledged += write.status === 200 ? 1 : 0;
      for (const isolate of ISOLATES) {
        for (const [n, user] of names.entries()) {
          const data = await before.clone().take(logins[n]).data({ isolate });
          assert.deepEqual(data, { first: "first", ...cart, user, [`private-${user}`]: user }, `round ${round}`);
        }
        const { user, ...kept } = await browser.data({ isolate });
        assert.ok(names.includes(user));
        assert.deepEqual(kept, { first: "first", ...cart, [`private-${user}`]: user }, `round ${round}`);
        assert.deepEqual(await before.clone().data({ isolate }), {}, `round ${round}: the anonymous cookie opens nothing`);
      }
    }
    t.diagnostic(`${acknowledged} of ${ROUNDS} writes were acknowledged`);
    assert.ok(acknowledged > 0);
  });

  test(`${engine}: requests of another tab with the cookie from before the login are superseded, and the login stays`, async (t) => {
    t.mock.method(console, "error", () => {}); // the Worker in Node logs each refusal
    let acknowledged = 0;
    for (let round = 0; round < ROUNDS; round += 1) {
      const browser = await (round % 2 ? user(send, "before") : visitor(send));
      const { cookie } = browser;
      const write = (key, n, milliseconds) => browser.write(key, { cookie, isolate: n % 2, milliseconds });
      const beside = named(6, "beside");
      const [login, ...answers] = await Promise.all([
        browser.login("alice", { milliseconds: 4 }),
        ...beside.map((key, n) => write(key, n, random(12))),
      ]);
      assert.equal(outcome(login), "200");
      for (const answer of answers) assert.ok(["200", "409 ES_SUPERSEDED"].includes(outcome(answer)), outcome(answer));
      const kept = beside.filter((_, n) => answers[n].status === 200);
      acknowledged += kept.length;
      const late = await Promise.all(named(4, "late").map((key, n) => write(key, n)));
      assert.deepEqual(late.map(outcome), Array(4).fill("409 ES_SUPERSEDED"));
      for (const isolate of ISOLATES) {
        const data = await browser.data({ isolate });
        assert.equal(data.user, "alice", `round ${round}`);
        assert.deepEqual(Object.keys(data).filter((key) => /beside|late/.test(key)).sort(), kept.sort(), `round ${round}`);
      }
    }
    t.diagnostic(`${acknowledged} of ${6 * ROUNDS} writes were acknowledged before the login`);
  });

  test(`${engine}: the cookie does not grow with the saves`, async (t) => {
    for (const [kind, browser] of [["an anonymous session", await visitor(send)], ["a login", await user(send)]]) {
      const values = () => browser.cookie.split("; ").map((pair) => pair.slice(pair.indexOf("=") + 1).length);
      const first = values();
      assert.equal(first.length, 1);
      for (const key of named(50, "key")) assert.equal(outcome(await browser.write(key)), "200");
      assert.deepEqual(values(), first);
      t.diagnostic(`the cookie's value has ${first[0]} characters after 50 saves of ${kind}`);
    }
  });
}

for (const engine of ["durable_object", "d1"]) {
  test(`${engine}: sessions and logouts survive a restart of workerd`, async () => {
    const send = inWorkerd(engine);
    const [anonymous, login, ended] = [await visitor(send), await user(send), await user(send, "bob")];
    const before = anonymous.clone();
    const { cookie } = ended;
    await anonymous.login("carol");
    assert.equal(outcome(await ended.logout()), "200");
    await server.stop();
    server = await start();
    for (const isolate of ISOLATES) {
      assert.deepEqual(await login.data({ isolate }), { user: "alice", "private-alice": "alice" });
      assert.deepEqual(await anonymous.data({ isolate }), { first: "first", user: "carol", "private-carol": "carol" });
      assert.deepEqual(await ended.clone().data({ isolate, cookie }), {});
      assert.equal(outcome(await before.clone().write("late", { isolate })), "409 ES_SUPERSEDED");
    }
    assert.equal(outcome(await login.write("after")), "200");
    assert.equal((await login.data({ isolate: 1 })).after, "after");
  });
}

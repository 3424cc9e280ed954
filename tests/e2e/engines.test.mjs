// `SESSION_ENGINE=… npm start`: the Worker with each engine that needs bindings, from a checkout as it is, and its restart.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { serve } from "./serve.mjs";

for (const engine of ["durable_object", "d1"]) {
  describe(engine, () => {
    let server;
    before(async () => {
      server = await serve({ engine });
    });
    after(() => server?.stop());

    /** A browser that keeps the session's cookies. */
    function browser() {
      const jar = new Map();
      return {
        jar,
        async request(method, path, body) {
          const cookie = [...jar].map((pair) => pair.join("=")).join("; ");
          const response = await fetch(server.url + path, { method, body: JSON.stringify(body), headers: cookie ? { Cookie: cookie } : {} });
          for (const line of response.headers.getSetCookie()) {
            const [, name, value] = line.match(/^([^=]+)=([^;]*)/);
            if (/; Max-Age=0(;|$)/.test(line)) jar.delete(name);
            else jar.set(name, value);
          }
          const text = await response.text();
          return { status: response.status, json: text && JSON.parse(text) };
        },
        async data() {
          return (await this.request("GET", "/session")).json.data;
        },
      };
    }

    test("a value is there in the next request and after a restart of the server; a logout ends the session for good", async () => {
      const alice = browser();
      assert.equal((await alice.request("PUT", "/session/data/cart", ["apple"])).status, 204);
      assert.equal((await alice.request("POST", "/session/cycle-key", { user: "alice" })).status, 204);
      const { json } = await alice.request("GET", "/session");
      assert.deepEqual([json.data, json.engine], [{ cart: ["apple"], user: "alice" }, engine]);
      server = await server.restart();
      assert.deepEqual(await alice.data(), { cart: ["apple"], user: "alice" });
      assert.deepEqual(await browser().data(), {});

      const thief = browser();
      for (const [name, value] of alice.jar) thief.jar.set(name, value);
      assert.deepEqual(await thief.data(), { cart: ["apple"], user: "alice" });
      assert.equal((await alice.request("POST", "/session/flush")).status, 204);
      assert.deepEqual(await thief.data(), {});
      server = await server.restart();
      assert.deepEqual(await thief.data(), {});
    });

    test("the cron runs", async () => {
      const response = await fetch(`${server.url}/cdn-cgi/handler/scheduled`);
      assert.equal(response.status, 200);
      for (let tries = 0; !server.output().includes("clear_expired: 0 records removed") && tries < 50; tries += 1) {
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
      assert.match(server.output(), /clear_expired: 0 records removed/);
    });

    test("the script says what it serves, and a Worker without the binding answers 500 and logs what to do", async () => {
      assert.match(server.output(), new RegExp(`The engine is ${engine}\\. wrangler\\.${engine}\\.toml, which wrangler reads, is wrangler\\.toml`));
      const without = await serve({ vars: { SESSION_ENGINE: engine } });
      try {
        const response = await fetch(`${without.url}/session`);
        assert.deepEqual([response.status, (await response.json()).error.code], [500, "ES_CONFIG"]);
        assert.match(without.output(), /binding SESSION_\w+ is missing: add it under \[\[\w+(\.bindings)?\]\] in wrangler\.toml/);
      } finally {
        await without.stop();
      }
    });
  });
}

test("an unknown engine ends with a message that names the engines", async () => {
  await assert.rejects(serve({ engine: "redis" }), /SESSION_ENGINE=redis is not an engine\. Choose one of kv, durable_object, d1, memory, cookie\./);
});

// Durable Objects and D1 in a Worker that wrangler bundles and serves, as a user of the package makes it: the migration, a restart,
// and bindings that are wrong.

import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { root } from "../../../scripts/project.mjs";
import { serve, succeed } from "../../packages/installed.mjs";

const folder = mkdtempSync(join(tmpdir(), "edge-session-engines-"));
after(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }));
mkdirSync(join(folder, "node_modules"));
symlinkSync(join(root, "dist"), join(folder, "node_modules/edge-session"));

writeFileSync(join(folder, "worker.js"), `
import { DurableObject } from "cloudflare:workers";
import { d1, durableObjects } from "edge-session";

export { SessionObject } from "edge-session/durable-object";
export class OtherObject extends DurableObject {}

/** GET /<engine>/<key> reads, PUT writes with the generations in the query, DELETE deletes. */
export default {
  async fetch(request, env) {
    const { pathname, searchParams } = new URL(request.url);
    const [, engine, key] = pathname.split("/");
    const stores = {
      objects: () => durableObjects(env.SESSION_OBJECTS),
      other: () => durableObjects(env.OTHER_OBJECTS),
      d1: () => d1(env.SESSION_DB),
    };
    try {
      const store = stores[engine]();
      if (request.method === "DELETE") return new Response(String(await store.delete(key)));
      if (request.method === "GET") return new Response(await store.get(key), { headers: { "Content-Type": "text/plain" } });
      const [generation, ifGeneration] = searchParams.getAll("generation").map(Number);
      const options = { ttl: 3600, deadline: (Date.now() + 3_600_000) * 1000, generation, ifGeneration };
      return new Response(String(await store.put(key, new Uint8Array(await request.arrayBuffer()), options)));
    } catch (error) {
      return new Response(error.name + ": " + error.message, { status: 500 });
    }
  },
};
`);

/** The configuration that the guide shows, and a class that is no SessionObject. */
const guide = readFileSync(join(root, "docs/guides/durable-objects-and-d1.md"), "utf8");
const shown = [...guide.matchAll(/^```toml\n(.*?)^```$/gms)].map(([, toml]) => toml);
assert.equal(shown.length, 2);
writeFileSync(join(folder, "wrangler.toml"), `
name = "engines"
main = "worker.js"
compatibility_date = "2026-11-01"

${shown.join("\n")}
[[durable_objects.bindings]]
name = "OTHER_OBJECTS"
class_name = "OtherObject"

[[migrations]]
tag = "other-objects"
new_sqlite_classes = ["OtherObject"]
`);

/** Serves the Worker while `work` runs; what it stored stays in the folder. */
async function served(work) {
  const { url, stop } = await serve(folder);
  try {
    await work(async (method, path, body) => (await fetch(url + path, { method, body })).text());
  } finally {
    await stop();
  }
}

test("a record in a Durable Object and in D1 survives a restart; wrong bindings say what to do", async () => {
  await served(async (send) => {
    const missing = await send("GET", "/d1/key");
    assert.match(missing, /^ConfigError: the D1 database has no table edge_session: run `npx wrangler d1 migrations apply /);
    for (const method of ["GET", "PUT", "DELETE"]) {
      const message = "ConfigError: the Durable Object namespace has another class: set its class_name to SessionObject in the configuration of wrangler";
      assert.equal(await send(method, "/other/key?generation=1", method === "PUT" ? "x" : undefined), message);
    }
  });
  await succeed("wrangler", ["d1", "migrations", "apply", "SESSION_DB", "--local"], { cwd: folder, env: { CI: "1" } });
  await served(async (send) => {
    for (const engine of ["objects", "d1"]) {
      assert.equal(await send("PUT", `/${engine}/key?generation=1&generation=0`, "the first"), "true");
      assert.equal(await send("PUT", `/${engine}/key?generation=1&generation=0`, "other"), "false");
    }
  });
  await served(async (send) => {
    for (const engine of ["objects", "d1"]) {
      assert.equal(await send("GET", `/${engine}/key`), "the first");
      assert.equal(await send("PUT", `/${engine}/key?generation=2&generation=2`, "other"), "false");
      assert.equal(await send("PUT", `/${engine}/key?generation=2&generation=1`, "the second"), "true");
      assert.equal(await send("GET", `/${engine}/key`), "the second");
      await send("DELETE", `/${engine}/key`);
      assert.equal(await send("GET", `/${engine}/key`), "");
    }
  });
});

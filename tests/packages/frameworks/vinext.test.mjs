// vinext, with the pages of the site of Next.js: on Node, on its development server, and in workerd with Workers KV.

import assert from "node:assert/strict";
import { cpSync, rmSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { serve as serveWorker } from "../installed.mjs";
import { serveAndVisit, Visitor, visits } from "./application.mjs";
import { NO_STORE, visitsOfNext } from "./next-visits.mjs";
import { build, folder, install, start } from "./servers.mjs";

await install();
for (const [project, names] of [["vinext", ["app", "session.ts", "tsconfig.json"]], ["vinext-workers", ["app", "tsconfig.json"]]]) {
  rmSync(join(folder, project, "app"), { recursive: true, force: true });
  for (const name of names) cpSync(join(folder, "next", name), join(folder, project, name), { recursive: true });
}
const serve = (env) => start("vinext", "vinext", (port) => ["start", "--port", port, "--hostname", "localhost"], env);

test("vinext", async (t) => {
  await build("vinext", "vite", "build");
  const servers = await serveAndVisit(t, serve);

  await visitsOfNext(t, servers, { componentFailed: 200, notWrapped: NO_STORE });

  await t.test("a write after the response sends no cookie", async () => {
    const visitor = new Visitor(servers.site.url);
    assert.equal((await visitor.get("/check/after")).text, "after");
    assert.equal((await visitor.get("/")).page, "visits=1 user=- message=-");
  });
});

test("vinext, built for Workers, in workerd", { timeout: 120_000 }, async (t) => {
  await build("vinext-workers", "vite", "build");
  const site = await serveWorker(join(folder, "vinext-workers"));
  t.after(site.stop);
  await visits(t, site.url);
});

test("vinext, on its development server", async (t) => {
  const site = await start("vinext", "vite", (port) => ["dev", "--port", port, "--host", "localhost"]);
  t.after(site.stop);
  await visits(t, site.url);
});

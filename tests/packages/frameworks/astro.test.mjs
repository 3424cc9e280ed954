// Astro, with the middleware of `edge-session/astro`: built, on its development server, and in Chromium.

import assert from "node:assert/strict";
import { test } from "node:test";
import { refusal, serveAndVisit, streamed, Visitor, visits } from "./application.mjs";
import { build, install, start } from "./servers.mjs";

await install();
await build("astro", "astro", "build");
const serve = (env) => start("astro", "node", () => ["dist/server/entry.mjs"], env);

test("Astro, built", async (t) => {
  const { site } = await serveAndVisit(t, serve);

  await t.test("a page that was prerendered has no session", async () => {
    assert.match((await new Visitor(site.url).get("/static")).text, /no session/);
  });

  await t.test("a page that is rewritten to another one has one session", async () => {
    const visitor = new Visitor(site.url);
    const { headers, page } = await visitor.get("/rewritten");
    assert.equal(page, "visits=1 user=- message=rewritten");
    assert.equal(headers.getSetCookie().length, 1);
    assert.equal((await visitor.get("/")).page, "visits=2 user=- message=-");
  });

  await t.test("the page 500.astro has the session of the visitor", async () => {
    const visitor = new Visitor(site.url);
    await visitor.get("/login");
    const { status, text } = await visitor.get("/boom");
    assert.equal(status, 500);
    assert.match(text, /error of alice/);
  });

  await refusal(t, site.url);

  await streamed(t, site.url);
});

test("Astro, on its development server", async (t) => {
  const site = await start("astro", "astro", (port) => ["dev", "--port", port, "--host", "localhost"], { ASTRO_TELEMETRY_DISABLED: "1" });
  t.after(site.stop);
  await visits(t, site.url);
});

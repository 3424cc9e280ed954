// Astro, with the middleware of `edge-session/astro`: built, on its development server, and in Chromium.

import assert from "node:assert/strict";
import { test } from "node:test";
import { launch } from "../../e2e/browser.mjs";
import { build, install, outage, start, Visitor, visits } from "./application.mjs";

await install();
await build("astro", "astro", "build");
const serve = (env) => start("astro", "node", () => ["dist/server/entry.mjs"], env);

test("Astro, built", async (t) => {
  const site = await serve();
  t.after(site.stop);
  await visits(t, site.url);
  const broken = await serve({ OUTAGE: "1" });
  t.after(broken.stop);
  await outage(t, broken.url, site.url);

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

  await t.test("a session that cannot be saved is an error in JSON, and sets no cookie", async () => {
    const answer = await new Visitor(site.url).get("/large");
    assert.deepEqual([answer.status, JSON.parse(answer.text).error.code], [413, "ES_TOO_LARGE"]);
    assert.deepEqual(answer.headers.getSetCookie(), []);
  });

  await t.test("in Chromium, a page is streamed, and a component that waits reads the session", async () => {
    const browser = await launch();
    t.after(() => browser.close());
    const page = await browser.newPage();
    await page.goto(`${site.url}/login`);
    await page.getByText("visits=1 user=alice message=welcome").waitFor();
    await page.goto(`${site.url}/stream`, { waitUntil: "commit" });
    await page.getByText("began").waitFor();
    assert.equal(await page.getByText("user=").count(), 0);
    await page.getByText("user=alice").waitFor();
  });
});

test("Astro, on its development server", async (t) => {
  const site = await start("astro", "astro", (port) => ["dev", "--port", port, "--host", "localhost"], { ASTRO_TELEMETRY_DISABLED: "1" });
  t.after(site.stop);
  await visits(t, site.url);
});

// Nuxt 4, with the plugin of `edge-session/nuxt`: on Node, on its development server, and in workerd.

import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { launch } from "../../e2e/browser.mjs";
import { serve as serveWorker } from "../installed.mjs";
import { ownHeaders, refusal, serveAndVisit, Visitor, visits } from "./application.mjs";
import { build, folder, install, start } from "./servers.mjs";

await install();
await build("nuxt", "nuxt", "build");
const serve = (env) => start("nuxt", "node", () => [".output/server/index.mjs"], env);

/** The tests of what only Nuxt has. */
async function ofNuxt(t, url) {
  await t.test("a request of a page to its own server has the session of the page", async () => {
    const visitor = new Visitor(url);
    await visitor.get("/login");
    assert.match((await visitor.get("/account")).text, /account of alice, account/);
    assert.equal((await visitor.get("/")).page, "visits=2 user=alice message=account");
  });

  await t.test("the routes and the page of the guide log in, show a message once, and log out", async () => {
    const visitor = new Visitor(url);
    assert.equal((await visitor.post("/login")).status, 303);
    for (const text of ["Welcome Hello alice, visit number 1", " Hello alice, visit number 2"]) {
      assert.ok((await visitor.get("/guide")).text.includes(`<p>${text}</p>`), text);
    }
    assert.equal((await visitor.post("/logout")).status, 303);
    assert.match((await visitor.get("/guide")).text, /<p> Hello visitor, visit number 1<\/p>/);
  });

  await t.test("the page of an error reads the session, and saves nothing", async () => {
    const visitor = new Visitor(url);
    await visitor.get("/login");
    const { status, text, headers } = await visitor.get("/refused");
    assert.deepEqual([status, /403 user=alice/.test(text)], [403, true]);
    assert.deepEqual([headers.get("Vary"), headers.get("Cache-Control")], ["Cookie", "private, no-store"]);
    assert.equal((await visitor.get("/")).page, "visits=1 user=alice message=refused");
  });

  await t.test("a route whose response Nitro keeps for all visitors has no session", async () => {
    const visitor = new Visitor(url);
    await visitor.get("/login");
    const { status, text, headers } = await visitor.get("/cached");
    assert.deepEqual([status, /alice/.test(text), headers.getSetCookie()], [500, false, []]);
  });

  for (const accept of ["text/html", "application/json"]) {
    await t.test(`a session that JSON cannot represent is an error page in ${accept}, and saves nothing`, async () => {
      const visitor = new Visitor(url);
      const { status, text, headers } = await visitor.get("/invalid", { Accept: accept });
      assert.deepEqual([status, headers.getSetCookie()], [500, []]);
      assert.match(headers.get("Content-Type"), new RegExp(accept));
      assert.match(text, /500/);
      assert.doesNotMatch(text, /essay|saved/);
    });
  }
}

test("Nuxt, built", async (t) => {
  const { site } = await serveAndVisit(t, serve);

  await ownHeaders(t, site.url);

  await refusal(t, site.url);

  await ofNuxt(t, site.url);

  await t.test("in Chromium, a page keeps what the server rendered, and the next page asks the server", async () => {
    const browser = await launch();
    t.after(() => browser.close());
    const page = await browser.newPage();
    const errors = [];
    page.on("console", (message) => message.type() === "error" && errors.push(message.text()));
    await page.goto(`${site.url}/login`, { waitUntil: "networkidle" });
    await page.getByText("visits=1 user=alice message=welcome").waitFor();
    await page.getByRole("link").click();
    await page.getByText("account of alice, -").waitFor();
    assert.deepEqual(errors, []);
  });
});

test("TypeScript agrees with the project", async () => {
  await build("nuxt", "vue-tsc", "--build", "--noEmit");
});

test("Nuxt, built for Workers, in workerd", { timeout: 120_000 }, async (t) => {
  await build("nuxt", "nuxt", "build", "--preset", "cloudflare_module");
  const site = await serveWorker(join(folder, "nuxt"));
  t.after(site.stop);

  await visits(t, site.url);

  await ownHeaders(t, site.url);

  await refusal(t, site.url);

  await ofNuxt(t, site.url);
});

for (const [name, env] of [["", {}], [", with the bindings of wrangler", { NITRO_PRESET: "cloudflare_module" }]]) {
  test(`Nuxt, on its development server${name}`, async (t) => {
    const site = await start("nuxt", "nuxt", (port) => ["dev", "--port", port, "--host", "localhost"], env);
    t.after(site.stop);
    await visits(t, site.url);
  });
}

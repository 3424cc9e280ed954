// SvelteKit, with the hook of `edge-session/sveltekit`: built by its adapter for Node, on its development server, and in Chromium.

import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { root } from "../../../scripts/project.mjs";
import { launch } from "../../e2e/browser.mjs";
import { refusal, serveAndVisit, streamed, Visitor, visits } from "./application.mjs";
import { build, folder, install, start } from "./servers.mjs";

await install();
const node = join(root, "node_modules/.bin/node"); // SvelteKit prerenders on Node 22 and newer
const vite = join(folder, "node_modules/vite/bin/vite.js");
await build("sveltekit", node, vite, "build");
const serve = (env) => start("sveltekit", "node", () => ["build/index.js"], { PROTOCOL_HEADER: "x-forwarded-proto", ...env });

test("SvelteKit, built", async (t) => {
  const { site, broken } = await serveAndVisit(t, serve, { later: /"alice"/ });

  await t.test("a page that was prerendered has no session", async () => {
    assert.match((await new Visitor(site.url).get("/static")).text, /no session/);
  });

  await t.test("the error page of a failure of the store is SvelteKit's", async () => {
    const visitor = new Visitor(site.url);
    await visitor.get("/login");
    visitor.url = broken.url;
    const { status, text } = await visitor.get("/");
    assert.equal(status, 503);
    assert.match(text, /<!doctype html>/i);
    const data = await visitor.get("/__data.json");
    assert.deepEqual([data.status, data.headers.getSetCookie()], [200, []]);
    assert.match(data.text, /"type":"error"/);
  });

  await refusal(t, site.url);

  await streamed(t, site.url);

  await t.test("in Chromium, an error of a navigation or of a remote function saves nothing, a refusal and a promise that fails later do", async () => {
    const browser = await launch();
    t.after(() => browser.close());
    // Without it, the server takes itself for https, and refuses a remote function as a request of another site.
    const page = await browser.newPage({ extraHTTPHeaders: { "x-forwarded-proto": "http" } });
    await page.goto(`${site.url}/login`);
    await page.getByText("visits=1 user=alice message=welcome").waitFor();
    let visits = 1;
    /** Does something on the page of links, in SvelteKit's script, and then reads the message. */
    const messageAfter = async (role, name, result) => {
      await page.goto(`${site.url}/links`, { waitUntil: "networkidle" });
      await page.getByRole(role, { name, exact: true }).click();
      await page.getByText(result).waitFor();
      await page.goto(site.url);
      return new RegExp(`visits=${++visits} user=alice message=(\\S+)`).exec(await page.getByText("visits=").textContent())?.[1];
    };
    assert.equal(await messageAfter("link", "boom", "Internal Error"), "-");
    assert.equal(await messageAfter("link", "refused", "not you"), "refused");
    assert.equal(await messageAfter("link", "late boom", "it failed later"), "late");
    assert.equal(await messageAfter("button", "write", "result: written"), "written");
    assert.equal(await messageAfter("button", "write and fail", "result: failed 500"), "-");
  });
});

test("SvelteKit, on its development server", async (t) => {
  const site = await start("sveltekit", node, (port) => [vite, "dev", "--port", port, "--host", "localhost"]);
  t.after(site.stop);
  await visits(t, site.url, { later: /"alice"/ });
});

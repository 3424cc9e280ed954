// The sites of the frameworks on Cloudflare Workers, in workerd with a local KV: built, and on their development servers.

import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, test } from "node:test";
import { root } from "../../../scripts/project.mjs";
import { launch } from "../../e2e/browser.mjs";
import { serve } from "../installed.mjs";
import { ownHeaders, refusal, serveAndVisit, Visitor, visits } from "./application.mjs";
import { build, buildWith, folder, install, nitro, start } from "./servers.mjs";

await install();
const node = join(root, "node_modules/.bin/node"); // SvelteKit prerenders on Node 22 and newer
const vite = join(folder, "node_modules/vite/bin/vite.js");

/** Serves the Worker of a configuration of wrangler. With OUTAGE=1, its KV fails. */
const worker = (project, config) => (env) => serve(join(folder, project), [config], env);

/** Visits a page that was prerendered. */
async function withoutSession(t, url, path) {
  await t.test("a page that was prerendered has no session", async () => {
    assert.match((await new Visitor(url).get(path)).text, /no session/);
  });
}

/** Visits the site on the development server of a program. */
async function onDevelopmentServer(t, project, program, config, env) {
  await t.test("on its development server", async (t) => {
    const site = await start(project, program, (port) => ["dev", ...config, "--port", port, "--host", "localhost"], env);
    t.after(site.stop);
    await visits(t, site.url);
  });
}

describe("on Workers", { concurrency: 2 }, () => {
  test("Next.js, by OpenNext", async (t) => {
    const project = "next";
    await buildWith({ WORKERS: "1", NEXT_TELEMETRY_DISABLED: "1" }, project, "opennextjs-cloudflare", "build");
    const { site } = await serveAndVisit(t, worker(project, "wrangler.json"));

    await t.test("a page reads the session that a route handler has set", async () => {
      const visitor = new Visitor(site.url);
      await visitor.get("/login");
      assert.match((await visitor.get("/form")).text, /visits=0 user=alice/);
    });

    await t.test("in Chromium, a server function sets the cookie of the session", async () => {
      const browser = await launch();
      t.after(() => browser.close());
      const page = await browser.newPage();
      await page.goto(`${site.url}/form`, { waitUntil: "networkidle" });
      await page.getByRole("button", { name: "Log in" }).click();
      await page.getByText("visits=0 user=alice").waitFor();
      await page.getByRole("button", { name: "Count" }).click();
      await page.getByText("visits=1 user=alice").waitFor();
    });

    await t.test("a session that cannot be saved is an error in JSON, and sets no cookie", async () => {
      const { status, text, headers } = await new Visitor(site.url).get("/check/large");
      assert.deepEqual([status, JSON.parse(text).error.code, headers.getSetCookie()], [413, "ES_TOO_LARGE", []]);
    });
  });

  test("Astro", async (t) => {
    const project = "astro";
    const config = ["--config", "astro.config.workers.mjs"];
    await build(project, "astro", "build", ...config);
    const { site } = await serveAndVisit(t, worker(project, "dist/server/wrangler.json"));

    await refusal(t, site.url);

    await withoutSession(t, site.url, "/static/");

    await onDevelopmentServer(t, project, "astro", config, { ASTRO_TELEMETRY_DISABLED: "1" });
  });

  test("React Router", async (t) => {
    const project = "react-router";
    const config = ["--config", "vite.workers.ts"];
    await build(project, "react-router", "build", ...config);
    await serveAndVisit(t, worker(project, "build/server/wrangler.json"));

    await onDevelopmentServer(t, project, "react-router", config);
  });

  test("TanStack Start", async (t) => {
    const project = "tanstack-start";
    const config = ["--config", "vite.workers.ts"];
    await build(project, "vite", "build", ...config);
    await serveAndVisit(t, worker(project, "dist/server/wrangler.json"));

    await onDevelopmentServer(t, project, "vite", config);
  });

  test("SvelteKit", async (t) => {
    const project = "sveltekit";
    await build(project, node, vite, "build", "--config", "vite.workers.js");
    const { site } = await serveAndVisit(t, worker(project, "wrangler.json"), { later: /"alice"/ });

    await refusal(t, site.url);

    await withoutSession(t, site.url, "/static");
  });

  test("Nitro", async (t) => {
    const project = "nitro";
    await buildWith({ WORKERS: "1" }, project, "node", nitro, "build");
    const { site } = await serveAndVisit(t, worker(project, "wrangler.json"));

    await ownHeaders(t, site.url);

    await refusal(t, site.url);
  });
});

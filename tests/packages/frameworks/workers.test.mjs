// The sites of the frameworks on Cloudflare Workers, in workerd with a local KV: built, and on their development servers.

import { test } from "node:test";
import { serveAndVisit, visits } from "./application.mjs";
import { build, install, start } from "./servers.mjs";

await install();

/** Serves the Worker of a configuration of wrangler. With OUTAGE=1, its KV fails. */
const worker = (project, config) => (env = {}) => {
  const vars = Object.entries(env).flatMap((pair) => ["--var", pair.join(":")]);
  const flags = ["--ip", "localhost", "--inspector-port", "0", "--show-interactive-dev-session=false", ...vars];
  return start(project, "wrangler", (port) => ["dev", "--config", config, "--port", port, ...flags]);
};

test("React Router", async (t) => {
  const project = "react-router";
  const config = ["--config", "vite.workers.ts"];
  await build(project, "react-router", "build", ...config);
  await serveAndVisit(t, worker(project, "build/server/wrangler.json"));

  await t.test("on its development server", async (t) => {
    const site = await start(project, "react-router", (port) => ["dev", ...config, "--port", port, "--host", "localhost"]);
    t.after(site.stop);
    await visits(t, site.url);
  });
});

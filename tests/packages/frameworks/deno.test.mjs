// Deno's own server, and Hono on it.

import { test } from "node:test";
import { install, outage, start, visits } from "./application.mjs";

await install();

/** The package reads its WebAssembly from node_modules; the pages read the environment. */
const flags = ["serve", "--allow-read=../node_modules", "--allow-env", "--host", "localhost"];

for (const [project, name] of [["deno", "Deno"], ["hono", "Hono on Deno"]]) {
  test(name, async (t) => {
    const serve = (env) => start(project, "deno", (port) => [...flags, "--port", port, "server.mjs"], env);
    const site = await serve();
    t.after(site.stop);
    await visits(t, site.url);
    const broken = await serve({ OUTAGE: "1" });
    t.after(broken.stop);
    await outage(t, broken.url, site.url);
  });
}

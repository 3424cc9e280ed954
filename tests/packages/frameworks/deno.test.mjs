// Deno's own server, and Hono on it.

import { test } from "node:test";
import { install, outage, start, visits } from "./application.mjs";

await install();

/** The pages read the environment; the package itself needs no permission. */
const flags = ["serve", "--allow-env=OUTAGE,PORT,HOST", "--host", "localhost"];

for (const [project, name] of [["fetch", "Deno"], ["hono", "Hono on Deno"]]) {
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

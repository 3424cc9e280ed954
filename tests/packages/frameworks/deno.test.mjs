// Deno's own server, and Hono on it.

import { test } from "node:test";
import { serveAndVisit } from "./application.mjs";
import { install, start } from "./servers.mjs";

await install();

/** The pages read the environment; the package itself needs no permission. */
const flags = ["serve", "--allow-env=OUTAGE,PORT,HOST", "--host", "localhost"];

for (const [project, name] of [["fetch", "Deno"], ["hono", "Hono on Deno"]]) {
  test(name, async (t) => {
    const serve = (env) => start(project, "deno", (port) => [...flags, "--port", port, "server.mjs"], env);
    await serveAndVisit(t, serve);
  });
}

// Hono on Bun.

import { test } from "node:test";
import { serveAndVisit } from "./application.mjs";
import { install, start } from "./servers.mjs";

await install();
const serve = (env) => start("hono", "bun", () => ["server.mjs"], env);

test("Hono on Bun", async (t) => {
  await serveAndVisit(t, serve);
});

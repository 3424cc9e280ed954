// Bun's own server.

import { test } from "node:test";
import { serveAndVisit } from "./application.mjs";
import { install, start } from "./servers.mjs";

await install();
const serve = (env) => start("fetch", "bun", () => ["server.mjs"], env);

test("Bun", async (t) => {
  await serveAndVisit(t, serve);
});

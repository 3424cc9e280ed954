// Elysia on Bun.

import { test } from "node:test";
import { serveAndVisit } from "./application.mjs";
import { install, start } from "./servers.mjs";

await install();
const serve = (env) => start("elysia", "bun", () => ["server.mjs"], env);

test("Elysia on Bun", async (t) => {
  await serveAndVisit(t, serve);
});

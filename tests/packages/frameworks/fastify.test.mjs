// Fastify, with the plugin of `edge-session/fastify`.

import { test } from "node:test";
import { events, serveAndVisit } from "./application.mjs";
import { install, start } from "./servers.mjs";

await install();
const serve = (env) => start("fastify", "node", () => ["server.mjs"], env);

test("Fastify", async (t) => {
  const { site } = await serveAndVisit(t, serve);

  await events(t, site.url);
});

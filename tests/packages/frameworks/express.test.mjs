// Express, with the middleware of `edge-session/node`.

import { test } from "node:test";
import { events, serveAndVisit } from "./application.mjs";
import { install, start } from "./servers.mjs";

await install();
const serve = (env) => start("express", "node", () => ["server.mjs"], env);

test("Express", async (t) => {
  const { site } = await serveAndVisit(t, serve);

  await events(t, site.url);
});

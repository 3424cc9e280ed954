// Nitro 3, with the middleware of `edge-session/h3`.

import { test } from "node:test";
import { ownHeaders, refusal, serveAndVisit, visits } from "./application.mjs";
import { build, checkTypes, install, nitro, start } from "./servers.mjs";

await install();
await build("nitro", "node", nitro, "build");
const serve = (env) => start("nitro", "node", () => [".output/server/index.mjs"], env);

test("Nitro, built", async (t) => {
  const { site } = await serveAndVisit(t, serve);

  await ownHeaders(t, site.url);

  await refusal(t, site.url);
});

test("TypeScript agrees with the project", async () => {
  await checkTypes("nitro");
});

test("Nitro, on its development server", async (t) => {
  const site = await start("nitro", "node", (port) => [nitro, "dev", "--port", port, "--host", "localhost"]);
  t.after(site.stop);
  await visits(t, site.url);
});

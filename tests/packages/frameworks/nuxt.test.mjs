// Nuxt 4, with the plugin of `edge-session/nuxt`.

import { test } from "node:test";
import { ownHeaders, refusal, serveAndVisit, visits } from "./application.mjs";
import { build, install, start } from "./servers.mjs";

await install();
await build("nuxt", "nuxt", "build");
const serve = (env) => start("nuxt", "node", () => [".output/server/index.mjs"], env);

test("Nuxt, built", async (t) => {
  const { site } = await serveAndVisit(t, serve);

  await ownHeaders(t, site.url);

  await refusal(t, site.url);
});

test("Nuxt, on its development server", async (t) => {
  const site = await start("nuxt", "nuxt", (port) => ["dev", "--port", port, "--host", "localhost"]);
  t.after(site.stop);
  await visits(t, site.url);
});

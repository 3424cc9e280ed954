// Next.js, built by Turbopack and served by `next start`, and on its development server, with `edge-session/next`.

import { test } from "node:test";
import { serveAndVisit, Visitor, visits } from "./application.mjs";
import { seen, visitsOfNext } from "./next-visits.mjs";
import { build, install, start } from "./servers.mjs";

await install();
await build("next", "next", "build");
const serve = (env) => start("next", "next", (port) => ["start", "--port", port, "--hostname", "localhost"], env);

test("Next.js", async (t) => {
  const servers = await serveAndVisit(t, serve);
  const { site } = servers;

  await visitsOfNext(t, servers, { componentFailed: 500, notWrapped: null });

  await t.test("a write after the response is refused with what to do", async () => {
    await new Visitor(site.url).get("/check/after");
    await seen(site, /after: ES_USAGE: withSession needs a route handler/);
  });
});

test("Next.js, on its development server", async (t) => {
  const site = await start("next", "next", (port) => ["dev", "--port", port, "--hostname", "localhost"], { NEXT_TELEMETRY_DISABLED: "1" });
  t.after(site.stop);
  await visits(t, site.url);
});

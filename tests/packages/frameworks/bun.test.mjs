// Bun's own server.

import { test } from "node:test";
import { install, outage, start, visits } from "./application.mjs";

await install();
const serve = (env) => start("fetch", "bun", () => ["server.mjs"], env);

test("Bun", async (t) => {
  const site = await serve();
  t.after(site.stop);
  await visits(t, site.url);
  const broken = await serve({ OUTAGE: "1" });
  t.after(broken.stop);
  await outage(t, broken.url, site.url);
});

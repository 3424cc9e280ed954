// Next.js, built by Turbopack and served by `next start`, with `edge-session/next`.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Visitor, build, install, outage, start, visits } from "./application.mjs";

await install();
await build("next", "next", "build");
const serve = (env) => start("next", "next", (port) => ["start", "--port", port, "--hostname", "localhost"], env);

test("Next.js", async (t) => {
  const site = await serve();
  t.after(site.stop);
  await visits(t, site.url);
  const broken = await serve({ OUTAGE: "1" });
  t.after(broken.stop);
  await outage(t, broken.url, site.url);
});

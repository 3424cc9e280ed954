// Express, with the middleware of `edge-session/node`.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Visitor, install, outage, start, visits } from "./application.mjs";

await install();
const serve = (env) => start("express", "node", () => ["server.mjs"], env);

test("Express", async (t) => {
  const site = await serve();
  t.after(site.stop);
  await visits(t, site.url);
  const broken = await serve({ OUTAGE: "1" });
  t.after(broken.stop);
  await outage(t, broken.url, site.url);

  await t.test("events are sent one by one, and read the session after the headers", async () => {
    const visitor = new Visitor(site.url);
    await visitor.get("/login");
    const { headers, text } = await visitor.get("/events");
    assert.match(headers.get("Content-Type"), /^text\/event-stream/);
    assert.equal(text, "data: began \n\ndata: user=alice\n\n");
  });
});

// The npm package in Chromium, without a bundler: the browser entry fetches its wasm.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { extname } from "node:path";
import { test } from "node:test";
import { launch } from "./browser.mjs";

const types = { ".js": "text/javascript", ".wasm": "application/wasm" };

test("a session lives in the browser, with a store in memory", async (t) => {
  const server = createServer((request, response) => {
    const type = types[extname(request.url)];
    response.setHeader("Content-Type", type ?? "text/html");
    response.end(type ? readFileSync(new URL(`../../dist${request.url}`, import.meta.url)) : "<!doctype html><title>A page</title>");
  });
  await new Promise((resolve) => server.listen(0, "localhost", resolve));
  t.after(() => server.close());
  const browser = await launch();
  t.after(() => browser.close());
  const page = await browser.newPage();
  await page.goto(`http://localhost:${server.address().port}/`);
  const result = await page.evaluate(async () => {
    const { createSessions, memory } = await import("/browser.js");
    const sessions = createSessions({ store: memory(), secrets: ["the browser tests' secret, of more than 32 bytes"] });
    const session = await sessions.open();
    session.set("user", "älice");
    await session.save();
    const again = await sessions.open(session.sessionKey);
    return [again.get("user"), await sessions.exists(session.sessionKey), (await session.encode({ a: 1 })).length > 20];
  });
  assert.deepEqual(result, ["älice", true, true]);
});

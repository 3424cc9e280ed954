// TanStack Start, with the server entry of `edge-session/tanstack-start`: built, on its development server, and in Chromium.

import assert from "node:assert/strict";
import { test } from "node:test";
import { launch } from "../../e2e/browser.mjs";
import { serveAndVisit, Visitor, visits } from "./application.mjs";
import { build, checkTypes, install, start } from "./servers.mjs";

await install();
await build("tanstack-start", "vite", "build");
const flags = ["--prod", "--host", "localhost", "--static", "../client"];
const serve = (env) => start("tanstack-start", "srvx", (port) => ["serve", ...flags, "--port", port, "dist/server/server.js"], env);

test("TanStack Start, built", async (t) => {
  const { site } = await serveAndVisit(t, serve);

  await t.test("visitors who get the same response object get no cookie of each other", async () => {
    const [alice, bob] = [await new Visitor(site.url).post("/headers"), await new Visitor(site.url).post("/headers")];
    const cookies = [alice, bob].map(({ headers }) => headers.getSetCookie());
    assert.deepEqual(cookies.map((lines) => lines.length), [1, 1]);
    assert.notEqual(cookies[0][0], cookies[1][0]);
  });

  await t.test("headers that Start sets after its middleware are merged with those of the session", async () => {
    const { headers } = await new Visitor(site.url).get("/headers");
    assert.deepEqual([headers.get("Vary"), headers.get("Cache-Control")], ["Accept, Cookie", "private, no-store"]);
  });

  await t.test("a session that cannot be saved is an error, and sets no cookie", async () => {
    const answer = await new Visitor(site.url).get("/large");
    assert.deepEqual([answer.status, answer.text.slice(0, 14)], [413, "ES_TOO_LARGE: "]);
    assert.deepEqual(answer.headers.getSetCookie(), []);
  });

  const browser = await launch();
  t.after(() => browser.close());

  await t.test("in Chromium, server functions use the session and throw its errors, and a streamed part reads it", async () => {
    const userAgent = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36"; // not Headless, a bot
    const page = await browser.newPage({ userAgent });
    await page.goto(site.url);
    await page.getByText("visits=1 user=- message=-").waitFor();
    await page.waitForLoadState("networkidle");
    const documents = [];
    page.on("request", (request) => request.resourceType() === "document" && documents.push(request.url()));
    await page.getByRole("link", { name: "login" }).click();
    await page.getByText("visits=2 user=alice message=welcome").waitFor();
    await page.getByRole("link", { name: "stream" }).click();
    await page.getByText("user=alice").waitFor();
    await page.getByRole("link", { name: "large" }).click();
    await page.getByRole("heading", { name: "Error: ES_TOO_LARGE" }).waitFor();
    assert.deepEqual(documents, []);
    await page.goto(`${site.url}/stream`, { waitUntil: "commit" });
    await page.getByText("waiting").waitFor();
    await page.getByText("user=alice").waitFor();
  });
});

test("TanStack Start, on its development server", async (t) => {
  const site = await start("tanstack-start", "vite", (port) => ["dev", "--port", port, "--host", "localhost"]);
  t.after(site.stop);
  await visits(t, site.url);
});

test("TypeScript agrees with the project", async () => {
  await checkTypes("tanstack-start");
});

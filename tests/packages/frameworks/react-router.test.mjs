// React Router, with the middleware of `edge-session/react-router`: built, on its development server, and in Chromium.

import assert from "node:assert/strict";
import { test } from "node:test";
import { launch } from "../../e2e/browser.mjs";
import { serveAndVisit, Visitor, visits } from "./application.mjs";
import { build, checkTypes, install, start } from "./servers.mjs";

await install();
await build("react-router", "react-router", "typegen");
await build("react-router", "react-router", "build");
const serve = (env) => start("react-router", "react-router-serve", () => ["build/server/index.js"], env);

test("React Router, built", async (t) => {
  const { site } = await serveAndVisit(t, serve);

  await t.test("a session that cannot be saved is an error in JSON, and sets no cookie", async () => {
    const visitor = new Visitor(site.url);
    const answer = await visitor.get("/large");
    assert.equal(answer.status, 413);
    assert.match(answer.text, /^\{"error":\{"code":"ES_TOO_LARGE"/);
    assert.deepEqual(answer.headers.getSetCookie(), []);
  });

  const browser = await launch();
  t.after(() => browser.close());

  await t.test("in Chromium, a page is streamed, and its later part reads the session", async () => {
    const userAgent = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36"; // not Headless, a bot
    const extraHTTPHeaders = { "Accept-Encoding": "identity" }; // or the compression of the server holds the first part back
    const page = await browser.newPage({ userAgent, extraHTTPHeaders });
    await page.goto(`${site.url}/login`);
    await page.getByText("visits=1 user=alice message=welcome").waitFor();
    await page.goto(`${site.url}/stream`, { waitUntil: "commit" });
    await page.getByText("waiting").waitFor();
    await page.getByText("user=alice").waitFor();
    await page.close();
  });

  await t.test("in Chromium, navigations without a new document use the session, and show its errors in the ErrorBoundary", async () => {
    const context = await browser.newContext();
    const page = await context.newPage();
    await page.goto(`${site.url}/login`);
    const documents = [];
    page.on("request", (request) => request.resourceType() === "document" && documents.push(request.url()));
    await page.getByRole("link", { name: "stream" }).click();
    await page.getByText("user=alice").waitFor();
    await page.getByRole("link", { name: "home" }).click();
    await page.getByText("visits=2 user=alice message=-").waitFor();
    await page.getByRole("link", { name: "large" }).click();
    await page.getByRole("heading", { name: "error 413" }).waitFor();
    assert.deepEqual(documents, []);
    await context.close();
  });
});

test("React Router, on its development server", async (t) => {
  const site = await start("react-router", "react-router", (port) => ["dev", "--port", port, "--host", "localhost"]);
  t.after(site.stop);
  await visits(t, site.url);
});

test("TypeScript agrees with the project", async () => {
  await checkTypes("react-router");
});

// What the site in the folder next has beyond the visits of application.mjs: Next.js and vinext serve it.

import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { launch } from "../../e2e/browser.mjs";
import { Visitor } from "./application.mjs";

export const NO_STORE = "private, no-cache, no-store, max-age=0, must-revalidate";

/** Waits until the server has written a line. */
export async function seen(site, line) {
  for (const began = Date.now(); Date.now() - began < 5000 && !line.test(site.output()); await sleep(20)) {}
  assert.match(site.output(), line);
}

/**
 * The tests of the site, served healthy and with OUTAGE=1. `componentFailed` is the status of a page with a component that cannot read its
 * session, `notWrapped` the `Cache-Control` of a route handler that calls wrapped functions.
 */
export async function visitsOfNext(t, { site, broken }, { componentFailed, notWrapped }) {
  await t.test("during an outage, a server component that reads its session fails, and an error page is sent", async () => {
    const visitor = new Visitor(site.url);
    await visitor.get("/login");
    visitor.url = broken.url;
    const page = await visitor.get("/form");
    assert.equal(page.status, componentFailed);
    assert.match(broken.output(), /the session store could not be reached/);
    assert.equal((await visitor.get("/stream")).status, 200, "the headers were sent before the component ran");
  });

  await t.test("a page that reads its session is stored by no cache", async () => {
    const { headers } = await new Visitor(site.url).get("/form");
    assert.equal(headers.get("Cache-Control"), NO_STORE);
    assert.deepEqual(headers.getSetCookie(), []);
  });

  await t.test("the headers of the session are merged into those of a route handler", async () => {
    const visitor = new Visitor(site.url);
    const { headers } = await visitor.get("/check/shared");
    assert.match(headers.get("Vary"), /\bAccept, Cookie\b/);
    assert.equal(headers.get("Cache-Control"), "private, max-age=60");
  });

  await t.test("a route handler that is not wrapped itself has the caching headers that the guide says", async () => {
    const { headers } = await new Visitor(site.url).get("/check/twice");
    assert.deepEqual([headers.get("Cache-Control"), /\bcookie\b/i.test(headers.get("Vary"))], [notWrapped, false]);
    assert.equal(headers.getSetCookie().length, 1);
  });

  await t.test("a write in a server component is refused with what to do", async () => {
    const visitor = new Visitor(site.url);
    await visitor.get("/login");
    const { text } = await visitor.get("/refused");
    const errors = [...text.matchAll(/<li>(.*?)<\/li>/g)].map(([, error]) => error);
    assert.equal(errors.length, 4);
    for (const error of errors.slice(0, 2)) assert.match(error, /^ES_USAGE: the session of getSession cannot be changed; .* with withSession$/);
    assert.match(errors[2], /^ES_USAGE: withSession needs a route handler or a server function: .* read with getSession$/);
    assert.equal(errors[3], "true", "the components of a page share one load");
    assert.match((await visitor.get("/")).page, /user=alice/);
  });

  for (const [path, status, location, init] of [
    ["/check/not-found", 404, null, {}],
    ["/check/permanent", 308, "/?a=1;b=2", {}],
    ["/check/form", 307, "/", {}],
    ["/check/form", 307, "/", { method: "POST", body: "{}", headers: { "Content-Type": "application/json" } }],
    ["/check/form", 303, "/", { method: "POST", body: new URLSearchParams("user=alice") }],
    ["/check/form", 303, "/", { method: "POST", body: new FormData() }],
    ["/check/form", 307, "/", { method: "PUT", body: new FormData() }],
  ]) {
    await t.test(`${init.method ?? "GET"} ${path}: what was set before the ${status} is saved`, async () => {
      const visitor = new Visitor(site.url);
      const response = await visitor.request(path, init);
      assert.deepEqual([response.status, response.headers.get("Location")], [status, location]);
      assert.equal(response.headers.get("Cache-Control"), "private, no-store");
      assert.equal((await visitor.get("/")).page, "visits=1 user=alice message=-");
    });
  }

  await t.test("a response of 500 saves nothing", async () => {
    const visitor = new Visitor(site.url);
    const { status, text, headers } = await visitor.get("/check/unavailable");
    assert.deepEqual([status, text, headers.getSetCookie()], [500, "unavailable", []]);
  });

  await t.test("a handler that returns no response is an error, which says so", async () => {
    const { status } = await new Visitor(site.url).get("/check/nothing");
    assert.equal(status, 500);
    await seen(site, /commit takes a Response, not undefined/);
  });

  await t.test("a session that cannot be saved is a 413 in JSON, and no cookie", async () => {
    const { status, text, headers } = await new Visitor(site.url).get("/check/large");
    assert.deepEqual([status, JSON.parse(text).error.code, headers.getSetCookie()], [413, "ES_TOO_LARGE", []]);
    assert.deepEqual([headers.get("Cache-Control"), headers.get("Vary").includes("Cookie")], ["private, no-store", true]);
  });

  await t.test("a handler that fails after a logout has deleted the cookie", async () => {
    const visitor = new Visitor(site.url);
    await visitor.get("/login");
    assert.equal((await visitor.get("/check/flushed")).status, 413);
    assert.deepEqual([...visitor.jar.keys()], ["seen"]);
  });

  await t.test("after a handler has failed, its session is closed", async () => {
    await new Visitor(site.url).get("/check/kept");
    await new Visitor(site.url).get("/check/late");
    await seen(site, /the session is closed/);
  });

  await t.test("a wrapped function that a wrapped handler calls has the same session, and getSession too", async () => {
    const visitor = new Visitor(site.url);
    assert.equal((await visitor.get("/check/nested")).text, "alice alice");
    assert.equal((await visitor.get("/")).page, "visits=1 user=alice message=-");
  });

  for (const [name, text] of [["twice", "- alice alice"], ["together", "together"]]) {
    await t.test(`two wrapped functions of one request, ${name}, save both of their changes`, async () => {
      const visitor = new Visitor(site.url);
      assert.equal((await visitor.get(`/check/${name}`)).text, text);
      assert.equal((await visitor.get("/")).page, "visits=8 user=alice message=-");
    });
  }

  await t.test("the value of a cookie of another name cannot contain a session cookie", async () => {
    const victim = new Visitor(site.url);
    await victim.get("/login");
    const visitor = new Visitor(site.url);
    visitor.jar.set("theme", `dark%3B%20__Host-sessionid%3D${victim.jar.get("__Host-sessionid")}`);
    assert.match((await visitor.get("/")).page, /user=-/);
  });

  const browser = await launch();
  t.after(() => browser.close());

  for (const javaScriptEnabled of [true, false]) {
    await t.test(`server functions of a form, ${javaScriptEnabled ? "with" : "without"} JavaScript in the browser`, async () => {
      const context = await browser.newContext({ javaScriptEnabled });
      const page = await context.newPage();
      const shows = (text) => page.getByText(text, { exact: true }).waitFor({ timeout: 10_000 });
      const press = (name) => page.getByRole("button", { name }).click();
      await page.goto(`${site.url}/form`, { waitUntil: "networkidle" });
      await press("Count");
      await shows("visits=1 user=-");
      await press("Log in");
      await shows("visits=1 user=alice");
      assert.deepEqual((await context.cookies()).map(({ name }) => name), ["__Host-sessionid"], "the redirect has deleted the anonymous cookie");
      await press("Count");
      await shows("visits=2 user=alice");
      await press("Fail");
      await page.getByText(/failed|error/i).first().waitFor({ timeout: 10_000 });
      await page.goto(`${site.url}/form`);
      await shows("visits=2 user=alice");
      await press("Leave");
      await page.getByText(/failed|error/i).first().waitFor({ timeout: 10_000 });
      assert.deepEqual(await context.cookies(), [], "a server function that fails after a logout has deleted the cookie");
      await context.close();
    });
  }
}

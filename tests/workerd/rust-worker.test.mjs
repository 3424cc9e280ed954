// The crate in another Rust Worker: every combination of a response with a session.

import { env } from "cloudflare:workers";
import { expect, test, vi } from "vitest";
import Pages from "../packages/rust-pages/build/index.js";
import QuickStart from "../../examples/rust-worker/build/index.js";
import { refusingTombstones, visitor as visitorOf, watched } from "./worker.mjs";

const visitor = (bindings) => visitorOf(bindings, Pages);
const cookies = ({ headers }) => headers.getSetCookie().map((line) => line.split("=")[0]);

/** A visitor who is logged in as alice, at a Worker whose KV operations are recorded. */
async function alice(faults) {
  const { kv, names } = watched(faults);
  const one = visitor({ SESSIONS: kv });
  await one.get("/login");
  names();
  return { one, names };
}

test("the quick start of the guide counts visits, logs in, and out", async () => {
  const one = visitorOf({}, QuickStart);
  expect((await one.get("/")).text).toBe("Visit number 1");
  const before = one.cookie;
  expect((await one.post("/login")).text).toBe("Welcome");
  expect((await one.get("/")).text).toBe("Visit number 2");
  const loggedIn = one.cookie;
  for (const path of ["/login", "/logout"]) expect((await one.get(path)).text).toMatch(/^Visit number/);
  expect((await one.post("/logout")).text).toBe("Goodbye");
  expect(one.cookie).toBeUndefined();
  for (const cookie of [before, loggedIn]) {
    one.cookie = cookie;
    expect((await one.get("/")).text).toBe("Visit number 1");
  }
});

test("a page that does not use its session is unchanged, and may be cached", async () => {
  const { one, names } = await alice();
  for (const who of [one, visitor()]) {
    const page = await who.get("/untouched");
    expect(page.headers.get("Cache-Control")).toBe("public, max-age=60, s-maxage=600");
    expect(page.headers.get("Cloudflare-CDN-Cache-Control")).toBe("max-age=600");
    expect(page.headers.get("Vary")).toBe("accept-encoding");
    expect(cookies(page)).toEqual(["theme"]);
  }
  expect(new Set(names())).toEqual(new Set(["get"]));
});

test("a page that reads is private, one that writes is not stored, and the application's own cookie stays", async () => {
  const { one } = await alice();
  const read = await one.get("/read");
  expect(read.headers.get("Cache-Control")).toBe("private, max-age=60");
  expect(read.headers.get("Cloudflare-CDN-Cache-Control")).toBeNull();
  expect(read.headers.get("Vary")).toBe("accept-encoding, Cookie");
  expect(cookies(read)).toEqual(["theme"]);
  const written = await one.get("/missing");
  expect(written.status).toBe(404);
  expect(written.headers.get("Cache-Control")).toBe("private, no-store");
  expect(cookies(written)).toEqual(["theme", "__Host-sessionid"]);
});

test("redirects, 304 and HEAD keep working", async () => {
  const { one } = await alice();
  const redirect = await one.get("/redirect");
  expect([redirect.status, redirect.headers.get("Location"), cookies(redirect)]).toEqual([302, "/", ["theme", "__Host-sessionid"]]);
  const notModified = await one.get("/not-modified");
  expect([notModified.status, notModified.text, notModified.headers.get("Vary")]).toEqual([304, "", "accept-encoding, Cookie"]);
  const head = await one.request("HEAD", "/read");
  expect([head.status, head.headers.get("Vary")]).toEqual([200, "accept-encoding, Cookie"]);
});

test("a 5xx saves nothing, and so does a handler that fails", async () => {
  const { one, names } = await alice();
  const broken = await one.get("/broken");
  expect([broken.status, cookies(broken)]).toEqual([500, ["theme"]]);
  const thrown = await one.get("/throws");
  expect([thrown.status, cookies(thrown)]).toEqual([500, []]);
  expect(new Set(names())).toEqual(new Set(["get"]));
  const anonymous = visitor();
  expect((await anonymous.get("/broken")).status).toBe(500);
  expect(anonymous.cookie).toBeUndefined();
});

test("KV failing: an untouched page is served, one that uses its session gets 503, the cookie stays, nothing is written", async () => {
  const { one } = await alice();
  const { kv, names } = watched({ get: () => Promise.reject(new Error("KV GET failed: 503")) });
  const visiting = visitor({ SESSIONS: kv });
  visiting.cookie = one.cookie;
  const untouched = await visiting.get("/untouched");
  expect([untouched.status, untouched.text]).toEqual([200, "the same for everyone"]);
  for (const path of ["/read", "/login", "/redirect"]) {
    const page = await visiting.get(path);
    expect([page.status, page.json.error.code, cookies(page)]).toEqual([503, "ES_STORE_UNAVAILABLE", []]);
    expect(page.headers.get("Vary")).toBe("Cookie");
    expect(page.headers.get("Cache-Control")).toBe("private, no-store");
  }
  expect((await visiting.get("/catches")).text).toBe("ES_STORE_UNAVAILABLE");
  expect(visiting.cookie).toBe(one.cookie);
  expect(new Set(names())).toEqual(new Set(["get"]));
  expect((await one.get("/read")).text).toBe('Some("alice")');
});

test("a session that ended meanwhile is 400, and one that grew too large 413", async () => {
  const { one } = await alice();
  const slow = visitor({ SESSIONS: watched({
    get: async (...args) => {
      const value = await env.SESSIONS.get(...args);
      await env.SESSIONS.delete(args[0]);
      return value;
    },
  }).kv });
  slow.cookie = one.cookie;
  const { now } = Date;
  let waited = 0;
  const clock = vi.spyOn(Date, "now").mockImplementation(() => now() + waited++); // as if the handler waited for I/O
  const interrupted = await slow.get("/redirect");
  clock.mockRestore();
  expect([interrupted.status, interrupted.json.error.code]).toEqual([400, "ES_SESSION_INTERRUPTED"]);
  expect(interrupted.json.error.message).toMatch(/^The request's session was deleted before the request completed\./);
  const large = await (await alice()).one.get("/large");
  expect([large.status, large.json.error.code, cookies(large)]).toEqual([413, "ES_TOO_LARGE", []]);
});

test("the log says which setting is wrong, and that an old key remains", async () => {
  const log = vi.spyOn(console, "error").mockImplementation(() => {});
  try {
    expect((await visitor({ SESSION_SECRET: "short" }).get("/read")).status).toBe(500);
    expect(log.mock.calls.flat().join()).toMatch(/ES_CONFIG: SESSION_SECRET .* 32 bytes/);
    const { one } = await alice({ put: refusingTombstones });
    expect((await one.get("/login")).status).toBe(200);
    expect(log.mock.calls.flat().join()).toContain("the old key could not be revoked");
  } finally {
    log.mockRestore();
  }
});

test("a session written here opens through the repository's own Worker, and the other way round", async () => {
  const { one } = await alice();
  const app = visitorOf();
  app.cookie = one.cookie;
  expect(await app.data()).toEqual({ user: "alice" });
  await app.put("/session/data/user", "bob");
  one.cookie = app.cookie;
  expect((await one.get("/read")).text).toBe('Some("bob")');
});

// The example with axum: sessions of the crate's tower layer, in a Worker with the feature `http` of the crate `worker`.

import { env } from "cloudflare:workers";
import { expect, test, vi } from "vitest";
import AxumWorker from "../../examples/axum-worker/build/index.js";
import { fetch, refusingTombstones, visitor as visitorOf, watched } from "./worker.mjs";

const visitor = (bindings) => visitorOf(bindings, AxumWorker);
const names = ({ headers }) => headers.getSetCookie().map((line) => line.split("=")[0]);

/** A visitor who is logged in as alice, at a Worker whose KV operations are recorded. */
async function alice(faults) {
  const { kv, names: operations } = watched(faults);
  const one = visitor({ SESSIONS: kv });
  await one.post("/login");
  operations();
  return { one, operations };
}

test("counts visits, logs in with a message for the next page, and logs out", async () => {
  const one = visitor();
  expect((await one.get("/")).text).toBe("Hello, stranger. Visit number 1");
  const before = one.cookie;
  const login = await one.post("/login");
  expect([login.status, login.headers.get("Location")]).toEqual([303, "/"]);
  expect((await one.get("/")).text).toBe("Welcome! Hello, alice. Visit number 2");
  expect((await one.get("/")).text).toBe("Hello, alice. Visit number 3");
  const loggedIn = one.cookie;
  expect((await one.post("/logout")).text).toBe("Goodbye");
  expect(one.cookie).toBeUndefined();
  for (const cookie of [before, loggedIn]) {
    one.cookie = cookie;
    expect((await one.get("/")).text).toBe("Hello, stranger. Visit number 1");
  }
});

test("a login sets the cookie and deletes the anonymous one, and no cache may store the response", async () => {
  const one = visitor();
  expect(names(await one.get("/"))).toEqual(["__Host-sessionid-anonymous"]);
  const login = await one.post("/login");
  expect(names(login)).toEqual(["__Host-sessionid", "__Host-sessionid-anonymous"]);
  expect(login.headers.get("Vary")).toBe("Cookie");
  expect(login.headers.get("Cache-Control")).toBe("private, no-store");
});

test("a route that does not exist sets no cookie, and its 404 and 405 are axum's", async () => {
  const { one, operations } = await alice();
  for (const [method, path, status] of [["GET", "/missing", 404], ["GET", "/login", 405]]) {
    const page = await one.request(method, path);
    expect([page.status, names(page), page.headers.get("Vary"), page.headers.get("Cache-Control")]).toEqual([status, [], null, null]);
  }
  expect(new Set(operations())).toEqual(new Set(["get"]));
});

test("a HEAD request has the headers of the page and no body", async () => {
  const page = await visitor().request("HEAD", "/");
  expect([page.status, page.text, names(page)]).toEqual([200, "", ["__Host-sessionid-anonymous"]]);
});

test("a forged cookie opens no session and costs no operation before the save", async () => {
  const { kv, names: operations } = watched();
  const one = visitor({ SESSIONS: kv });
  one.cookie = "__Host-sessionid=forged";
  expect((await one.get("/")).text).toBe("Hello, stranger. Visit number 1");
  expect(operations()).toEqual(["put"]);
});

test("KV failing: a page with a session gets 503 with the error in JSON and in the log, the cookie stays, nothing is written", async () => {
  const { one } = await alice();
  const { kv, names: operations } = watched({ get: () => Promise.reject(new Error("KV GET failed: 503")) });
  const visiting = visitor({ SESSIONS: kv });
  visiting.cookie = one.cookie;
  const log = vi.spyOn(console, "error").mockImplementation(() => {});
  const pages = [await visiting.get("/"), await visiting.post("/login")];
  const logged = log.mock.calls.flat().join();
  log.mockRestore();
  for (const page of pages) {
    expect([page.status, page.json.error.code, names(page)]).toEqual([503, "ES_STORE_UNAVAILABLE", []]);
    expect([page.headers.get("Vary"), page.headers.get("Cache-Control")]).toEqual(["Cookie", "private, no-store"]);
  }
  expect(logged).toMatch(/edge-session: ES_STORE_UNAVAILABLE: .*KV GET failed: 503/);
  expect((await visiting.get("/missing")).status).toBe(404);
  expect(new Set(operations())).toEqual(new Set(["get"]));
  expect((await one.get("/")).text).toMatch(/Hello, alice/);
});

test("a save that fails replaces the page by 503, and sets no cookie", async () => {
  const { kv } = watched({ put: () => Promise.reject(new Error("KV PUT failed: 503")) });
  const page = await visitor({ SESSIONS: kv }).get("/");
  expect([page.status, page.json.error.code, names(page)]).toEqual([503, "ES_STORE_UNAVAILABLE", []]);
});

test("the log says that an old key remains", async () => {
  const { one } = await alice({ put: refusingTombstones });
  const log = vi.spyOn(console, "error").mockImplementation(() => {});
  expect((await one.post("/login")).status).toBe(303);
  const logged = log.mock.calls.flat().join();
  log.mockRestore();
  expect(logged).toContain("the old key could not be revoked");
});

test("parallel requests of one visitor are all counted, and those of two visitors do not meet", async () => {
  const { one } = await alice();
  const other = visitor();
  const pages = await Promise.all([one.get("/"), other.get("/"), one.get("/"), other.get("/")]);
  expect(pages.map(({ text }) => text.match(/alice|stranger/)[0])).toEqual(["alice", "stranger", "alice", "stranger"]);
  expect(one.cookie).not.toBe(other.cookie);
});

test("a session written here opens through the repository's own Worker", async () => {
  const { one } = await alice();
  const app = visitorOf();
  app.cookie = one.cookie;
  expect((await app.data()).user).toBe("alice");
});

test("a wrong setting is 500, and the log names it", async () => {
  const log = vi.spyOn(console, "error").mockImplementation(() => {});
  const response = await fetch("/", { bindings: { SESSION_SECRET: "short", SESSIONS: env.SESSIONS }, Worker: AxumWorker });
  const logged = log.mock.calls.flat().join();
  log.mockRestore();
  expect(response.status).toBe(500);
  expect(logged).toMatch(/ES_CONFIG: SESSION_SECRET .* 32 bytes/);
});

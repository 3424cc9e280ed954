import { env } from "cloudflare:workers";
import { expect, test } from "vitest";
import document from "../../docs/reference/http-routes.md?raw";
import { fetch, visitor, watched, withoutTicks } from "./worker.mjs";

const error = (code) => ({ error: { code, message: expect.stringMatching(/\w+ \w+/) } });

test("a response to a visitor without a session reports it, and sets no cookie", async () => {
  const { status, headers, json } = await visitor().get("/session");
  expect(status).toBe(200);
  expect(json).toEqual({
    data: {},
    isNew: true,
    expiry: { age: 1209600, date: expect.any(String), atBrowserClose: false },
    stored: null,
    cookie: {
      name: "__Host-sessionid-anonymous", anonymousName: "__Host-sessionid-anonymous", loginName: "__Host-sessionid",
      domain: null, path: "/", secure: true, httpOnly: true, sameSite: "Lax", issued: null, expires: null,
    },
    loadReason: "new",
    engine: "kv",
    saveEveryRequest: false,
    now: expect.stringMatching(/^[\d-]{10}T[\d:.]+\+00:00$/),
  });
  expect(headers.get("Content-Type")).toBe("application/json");
  expect(headers.getSetCookie()).toEqual([]);
  expect(headers.get("Vary")).toBe("Cookie");
  expect(headers.get("Cache-Control")).toBe("private");
});

/** A value with the name of its type in the place of each text, number, boolean and null. */
function shape(value) {
  if (value === null || typeof value !== "object") return value === null ? "null" : typeof value;
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, shape(member)]));
}

test("the documented response of GET /session has the members of a real one", async () => {
  const [, text] = document.match(/^```json\n(.+?)^```$/ms);
  const documented = JSON.parse(text);
  const alice = visitor();
  await alice.request("PATCH", "/session/data", documented.data);
  const { json } = await alice.get("/session");
  expect(shape(json)).toEqual(shape(documented));
  for (const member of ["data", "isNew", "loadReason", "engine", "saveEveryRequest"]) expect(json[member]).toEqual(documented[member]);
  for (const member of ["name", "anonymousName", "loginName", "path", "sameSite"]) expect(json.cookie[member]).toBe(documented.cookie[member]);
});

/** The description of the stored record and the cookie in `GET /session`, with dates as milliseconds. */
async function described(alice) {
  const { json } = await alice.get("/session");
  const { deadline, absoluteDeadline } = json.stored ?? {};
  const { issued, expires } = json.cookie;
  const dates = { deadline, absoluteDeadline, issued, expires, now: json.now };
  return Object.fromEntries(Object.entries(dates).map(([name, date]) => [name, date && Date.parse(date)]));
}

test("the stored deadline stays as the last save set it, and so does the cookie's expiry", async () => {
  const alice = visitor();
  await alice.put("/session/data/a", 1);
  const saved = await described(alice);
  expect(saved).toMatchObject({ deadline: saved.issued + 1_209_600_000, expires: saved.deadline });
  expect(saved.absoluteDeadline).toBe(saved.issued + 34_560_000_000);
  await scheduler.wait(20);
  const read = await described(alice);
  expect(read.now, "time went on").toBeGreaterThan(saved.now);
  expect({ ...read, now: saved.now }, "and reading moved nothing").toEqual(saved);
  await alice.put("/session/data/a", 2);
  const changed = await described(alice);
  expect(changed.deadline).toBeGreaterThan(saved.deadline);
  expect(changed.absoluteDeadline).toBe(saved.absoluteDeadline);

  await alice.put("/session/expiry", { value: 100 });
  const short = await described(alice);
  expect(short).toMatchObject({ deadline: short.issued + 100_000, expires: short.deadline });
  await alice.put("/session/expiry", { value: 0 });
  expect(await described(alice), "a cookie without an end, and a record that has one").toMatchObject({ expires: null, deadline: expect.any(Number) });
  await alice.put("/session/expiry", { value: 1_000_000_000 });
  const capped = await described(alice);
  expect(capped.deadline).toBe(capped.absoluteDeadline);
  expect(capped.expires).toBe(capped.absoluteDeadline);

  await alice.post("/session/flush");
  expect((await alice.get("/session")).json).toMatchObject({ isNew: true, stored: null, cookie: { issued: null, expires: null } });
});

test("no browser keeps a cookie for more than 400 days, whatever the record does", async () => {
  const alice = visitor({ SESSION_ABSOLUTE_AGE: 86_400_000, SESSION_COOKIE_AGE: 50_000_000 });
  await alice.put("/session/data/a", 1);
  const { deadline, absoluteDeadline, issued, expires } = await described(alice);
  expect([deadline - issued, absoluteDeadline - issued, expires - issued]).toEqual([50_000_000_000, 86_400_000_000, 34_560_000_000]);
});

test("the cookie is described with the attributes that it is sent with", async () => {
  for (const [bindings, expected] of [
    [{}, { name: "__Host-sessionid-anonymous", domain: null, path: "/", secure: true, httpOnly: true, sameSite: "Lax" }],
    [{ SESSION_COOKIE_DOMAIN: "example.com", SESSION_COOKIE_PATH: '/a"b', SESSION_COOKIE_SAMESITE: "None" },
      { name: "__Secure-sessionid-anonymous", domain: "example.com", path: '/a"b', secure: true, httpOnly: true, sameSite: "None" }],
    [{ SESSION_COOKIE_SECURE: false, SESSION_COOKIE_HTTPONLY: false, SESSION_COOKIE_SAMESITE: "Strict" },
      { name: "sessionid-anonymous", domain: null, path: "/", secure: false, httpOnly: false, sameSite: "Strict" }],
  ]) {
    const alice = visitor(bindings);
    const header = (await alice.put("/session/data/a", 1)).headers.get("Set-Cookie");
    const { name, domain, path, secure, httpOnly, sameSite, issued, expires } = (await alice.get("/session")).json.cookie;
    expect({ name, domain, path, secure, httpOnly, sameSite }).toEqual(expected);
    const attributes = [domain && `Domain=${domain}`, `Path=${path}`, secure && "Secure", httpOnly && "HttpOnly", `SameSite=${sameSite}`];
    expect(header).toMatch(new RegExp(`^${name}=`));
    expect(header.split("; ").slice(3)).toEqual(attributes.filter(Boolean));
    const age = Number(header.match(/; Max-Age=(\d+);/)[1]);
    expect(Date.parse(expires) - Date.parse(issued)).toBe(age * 1000);
    expect(Date.parse(header.match(/; Expires=(.*? GMT);/)[1])).toBe(Math.floor(Date.parse(expires) / 1000) * 1000);
    await alice.post("/session/cycle-key");
    expect((await alice.get("/session")).json.cookie, "after a login under its other name").toMatchObject({ ...expected, name: name.replace("-anonymous", "") });
  }
});

test("if each request renews, a read that renews returns the new deadline", async () => {
  const alice = visitor({ SESSION_SAVE_EVERY_REQUEST: true, SESSION_COOKIE_AGE: 10 });
  await alice.put("/session/data/a", 1);
  const saved = await described(alice);
  await scheduler.wait(1_100);
  const { json, headers } = await alice.get("/session");
  expect(json.saveEveryRequest).toBe(true);
  expect(headers.get("Set-Cookie")).toContain("Max-Age=10;");
  expect(Date.parse(json.stored.deadline)).toBeGreaterThan(saved.deadline);
  expect(Date.parse(json.stored.deadline)).toBe((await described(alice)).deadline);
});

/** The entries of a `Server-Timing` header, by name. */
function timing(headers) {
  const entries = headers.get("Server-Timing").split(", ").map((entry) => entry.split(/;(?:desc|dur)=/));
  return Object.fromEntries(entries.map(([name, value]) => [name, /^\d+$/.test(value) ? Number(value) : value]));
}

test("Server-Timing reports the cost of a request, as counted by KV", () => withoutTicks(async () => {
  const { kv, calls } = watched();
  const alice = visitor({ SESSIONS: kv });
  const cost = async (method, path, body) => {
    calls.length = 0;
    const { headers } = await alice.request(method, path, body);
    const { "store-read": read, "store-write": write, "store-delete": deleted, "store-list": list, "request-cookie": request, "set-cookie": set, store } = timing(headers);
    const asked = (name) => calls.filter((call) => call.name === name).length;
    expect([read, write, deleted, list], `${method} ${path}`).toEqual(["get", "put", "delete", "list"].map(asked));
    expect(set === "none", `${method} ${path}`).toBe(headers.getSetCookie().length === 0);
    expect(store).toBeGreaterThanOrEqual(0);
    return [read, write, deleted, request, set];
  };
  expect(await cost("GET", "/session")).toEqual([0, 0, 0, "none", "none"]);
  expect(await cost("PUT", "/session/data/a", 1)).toEqual([0, 1, 0, "none", "given"]);
  expect(await cost("GET", "/session")).toEqual([2, 0, 0, "verified", "none"]);
  expect(await cost("HEAD", "/session/data/a")).toEqual([2, 0, 0, "verified", "none"]);
  expect(await cost("PUT", "/session/data/a", 1)).toEqual([2, 0, 0, "verified", "none"]);
  expect(await cost("PUT", "/session/data/a", 2)).toEqual([2, 1, 0, "verified", "given"]);
  expect(await cost("PATCH", "/session/data", "{")).toEqual([2, 0, 0, "verified", "none"]);
  expect(await cost("DELETE", "/session/data/b")).toEqual([2, 0, 0, "verified", "none"]);
  expect(await cost("POST", "/session/cycle-key")).toEqual([5, 2, 0, "verified", "given"]);
  expect(await cost("POST", "/session/cycle-key")).toEqual([4, 2, 1, "verified", "given"]);
  expect(await cost("PUT", "/session/expiry", { value: -5 })).toEqual([2, 0, 1, "verified", "deleted"]);
  await alice.put("/session/data/a", 1);
  const ended = alice.cookie;
  expect(await cost("POST", "/session/flush")).toEqual([2, 2, 1, "verified", "deleted"]);
  alice.cookie = ended;
  expect(await cost("GET", "/session")).toEqual([2, 0, 0, "verified", "none"]);
  alice.cookie = "__Host-sessionid=forged";
  expect(await cost("GET", "/session")).toEqual([0, 0, 0, "refused", "deleted"]);
  expect(await cost("GET", "/session/nope")).toEqual([0, 0, 0, "unread", "none"]);
}));

test("Server-Timing counts what failed as well, and times KV", async () => {
  const failing = { put: () => Promise.reject(new Error("KV PUT failed: 500")) };
  const slow = { get: async (...args) => (await scheduler.wait(30), env.SESSIONS.get(...args)) };
  const alice = visitor();
  await alice.put("/session/data/a", 1);
  const { status, headers } = await visitor({ SESSIONS: watched(failing).kv }).put("/session/data/a", 1);
  expect([status, timing(headers)]).toMatchObject([503, { "store-write": 4, "set-cookie": "none" }]);
  alice.bindings = { SESSIONS: watched(slow).kv };
  const { store } = timing((await alice.get("/session")).headers);
  expect(store).toBeGreaterThanOrEqual(29);
  expect(store).toBeLessThan(5_000);
});

test("a value set in one request is visible in the next one, and to no other visitor", async () => {
  const alice = visitor();
  const put = await alice.put("/session/data/cart", { items: [1, "é"] });
  expect([put.status, put.text]).toEqual([204, ""]);
  expect(put.headers.get("Cache-Control")).toBe("private, no-store");
  expect(put.headers.get("Set-Cookie")).toMatch(
    /^__Host-sessionid-anonymous=[\w-]{128}; Expires=\w{3}, \d\d \w{3} \d{4} [\d:]{8} GMT; Max-Age=1209600; Path=\/; Secure; HttpOnly; SameSite=Lax$/,
  );
  expect((await alice.get("/session/data/cart")).json).toEqual({ items: [1, "é"] });
  expect((await alice.get("/session")).json).toMatchObject({ data: { cart: { items: [1, "é"] } }, isNew: false });
  expect(await visitor().data()).toEqual({});
});

test("values are returned as they were sent, with every digit", async () => {
  const alice = visitor();
  for (const text of ["9007199254740993", "1.0", "-0", "1e3", '"\\u00e9"', "[ 1 , {} ]", "null", "false"]) {
    expect((await alice.request("PUT", "/session/data/v", text)).status).toBe(204);
    expect((await alice.get("/session/data/v")).text).toBe(text);
  }
});

test("keys of every kind are plain keys", async () => {
  const alice = visitor();
  const keys = ["__proto__".slice(2), "a/b", "10", "2", "é", "%41", "<img>", " ", "constructor", "a b?c#d"];
  for (const key of keys) {
    expect((await alice.put(`/session/data/${encodeURIComponent(key)}`, key)).status).toBe(204);
    expect((await alice.get(`/session/data/${encodeURIComponent(key)}`)).json).toBe(key);
  }
  const { text } = await alice.get("/session");
  const places = keys.map((key) => text.indexOf(`${JSON.stringify(key)}:`));
  expect(places).toEqual([...places].sort((a, b) => a - b));
  expect(places.every((place) => place > 0)).toBe(true);
});

test("keys that no URL can contain are refused with a message, alone and among others, and nothing is set", async () => {
  const alice = visitor();
  await alice.put("/session/data/a", 1);
  const long = "x".repeat(16_000);
  for (const key of ["", ".", "..", `${long}x`, "é".repeat(2_667)]) {
    const body = { b: 2, [key]: 3 };
    for (const [method, path] of [["PATCH", "/session/data"], ["POST", "/session/cycle-key"]]) {
      const { status, json, headers } = await alice.request(method, path, body);
      expect([status, json], key.slice(0, 9)).toEqual([400, error("bad_key")]);
      expect(headers.getSetCookie()).toEqual([]);
    }
    const status = key.length < 3 ? 404 : 400; // the URL names something else
    expect((await alice.put(`/session/data/${encodeURIComponent(key)}`, 3)).status, key.slice(0, 9)).toBe(status);
    expect(await alice.data()).toEqual({ a: 1 });
  }
  const keys = ["...", "a/b", "%", "+", " ", "é", "😀", "\0", "a?b", "#", "%2e", "%2E%2e", ".%2e", "/", "//", "./", "constructor", "toString", "a\nb", "\\", "*", long, "é".repeat(2_666)];
  expect((await alice.request("PATCH", "/session/data", Object.fromEntries(keys.map((key) => [key, key.length])))).status).toBe(204);
  for (const key of keys) {
    const path = `/session/data/${encodeURIComponent(key)}`;
    expect((await alice.get(path)).json, key.slice(0, 9)).toBe(key.length);
    expect((await alice.request("DELETE", path)).status, key.slice(0, 9)).toBe(204);
  }
  expect(await alice.data()).toEqual({ a: 1 });
});

test("a missing or deleted value is 404", async () => {
  const alice = visitor();
  await alice.put("/session/data/a", 1);
  expect((await alice.request("DELETE", "/session/data/a")).status).toBe(204);
  for (const method of ["GET", "DELETE"]) {
    const { status, json } = await alice.request(method, "/session/data/a");
    expect([status, json]).toEqual([404, error("ES_KEY_ERROR")]);
  }
});

test("several values are set at once, or none of them", async () => {
  const alice = visitor();
  expect((await alice.request("PATCH", "/session/data", { a: 1, b: [2] })).status).toBe(204);
  expect((await alice.request("PATCH", "/session/data", '{"b": 3, "c": }')).status).toBe(400);
  expect((await alice.request("PATCH", "/session/data", { c: 4, _auth_user_id: 1 })).status).toBe(403);
  expect(await alice.data()).toEqual({ a: 1, b: [2] });
  expect((await alice.request("DELETE", "/session/data")).status).toBe(204);
  expect((await alice.get("/session")).json).toMatchObject({ data: {}, isNew: false });
});

test("keys that begin with _ are neither shown nor changed", async () => {
  const alice = visitor();
  await alice.put("/session/data/a", 1);
  await alice.put("/session/expiry", { value: 100 });
  expect(await alice.data()).toEqual({ a: 1 });
  for (const method of ["GET", "PUT", "DELETE"]) {
    const body = method === "PUT" ? "1" : undefined;
    const { status, json } = await alice.request(method, "/session/data/_session_expiry", body);
    expect([status, json]).toEqual([403, error("reserved_key")]);
  }
  await alice.request("DELETE", "/session/data");
  expect((await alice.get("/session")).json).toMatchObject({ data: {}, expiry: { age: 100 } });
});

test("every kind of expiry, and back to the policy", async () => {
  const alice = visitor();
  await alice.put("/session/data/a", 1);

  const seconds = await alice.put("/session/expiry", { value: 100 });
  expect([seconds.status, seconds.json.age]).toEqual([200, 100]);
  expect(seconds.headers.get("Set-Cookie")).toContain("; Max-Age=100;");

  const close = await alice.put("/session/expiry", { value: 0 });
  expect(close.json).toMatchObject({ age: 1209600, atBrowserClose: true });
  expect(close.headers.get("Set-Cookie")).not.toMatch(/Max-Age|Expires/);

  const soon = new Date(Date.now() + 3_600_000).toISOString();
  const date = await alice.put("/session/expiry", { value: soon });
  expect(Date.parse(date.json.date)).toBe(Date.parse(soon));
  expect(date.headers.get("Set-Cookie")).toMatch(/; Max-Age=(3600|359\d);/);

  const policy = await alice.put("/session/expiry", { value: null });
  expect(policy.json).toMatchObject({ age: 1209600, atBrowserClose: false });
  expect(policy.headers.get("Set-Cookie")).toContain("; Max-Age=1209600;");

  for (const body of ["", "{}", "[]", '{"value": "soon"}', '{"value": 1.5}', '{"value": true}', '{"value": "2030-01-01T00:00:00"}', '{"value": 1, "x": 2}', '{"value": 1e99}']) {
    const { status, json } = await alice.request("PUT", "/session/expiry", body);
    expect([status, json], body).toEqual([400, error("bad_expiry")]);
  }
  expect(await alice.data()).toEqual({ a: 1 });
});

test("a call that is refused leaves nothing behind", async () => {
  const alice = visitor();
  await alice.put("/session/data/user", "alice");
  const before = alice.cookie;
  for (const [method, path, body] of [
    ["PUT", "/session/expiry", '{"value": 9000000000000000}'],
    ["POST", "/session/cycle-key", "{"],
    ["POST", "/session/cycle-key", '{"_auth_user_id": 1}'],
    ["PATCH", "/session/data", '{"a": 1, "_b": 2}'],
  ]) {
    const { status, headers } = await alice.request(method, path, body);
    expect([400, 403]).toContain(status);
    expect(headers.getSetCookie()).toEqual([]);
    expect((await alice.get("/session")).json).toMatchObject({ data: { user: "alice" }, expiry: { age: 1209600 } });
  }
  expect(alice.cookie).toBe(before);
});

test("a login keeps the data under a new cookie and ends the old one", async () => {
  const alice = visitor();
  await alice.put("/session/data/cart", [1]);
  const before = alice.cookie;
  expect((await alice.post("/session/cycle-key", { user: "alice" })).status).toBe(204);
  expect(alice.cookie).not.toBe(before);
  expect(await alice.data()).toEqual({ cart: [1], user: "alice" });
  const thief = visitor();
  thief.cookie = before;
  expect(await thief.data()).toEqual({});
  expect(thief.cookie, "a late answer would otherwise take the new cookie away").toBe(before);
  expect((await alice.post("/session/cycle-key")).status).toBe(204);
  expect((await alice.post("/session/cycle-key", { _auth_user_id: 1 })).status).toBe(403);
});

test("a logout deletes the cookie with all its attributes, and the old cookie opens no session", async () => {
  for (const name of ["__Host-sessionid-anonymous", "__Host-sessionid"]) {
    const alice = visitor();
    await alice.put("/session/data/user", "alice");
    if (name === "__Host-sessionid") await alice.post("/session/cycle-key");
    const before = alice.cookie;
    const { status, headers } = await alice.post("/session/flush");
    expect(status).toBe(204);
    expect(headers.getSetCookie()).toEqual([`${name}=; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=0; Path=/; Secure; HttpOnly; SameSite=Lax`]);
    expect(alice.cookie).toBeUndefined();
    alice.cookie = before;
    expect(await alice.data()).toEqual({});
  }
});

test("a login gives the cookie its own name, and takes the anonymous one away", async () => {
  const alice = visitor();
  await alice.put("/session/data/cart", [1]);
  const { headers } = await alice.post("/session/cycle-key");
  const [given, taken, ...others] = headers.getSetCookie();
  expect(given).toMatch(/^__Host-sessionid=[\w-]{128}; Expires=\w{3}, \d\d \w{3} \d{4} [\d:]{8} GMT; Max-Age=1209600; Path=\/; Secure; HttpOnly; SameSite=Lax$/);
  expect([taken, others]).toEqual(["__Host-sessionid-anonymous=; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=0; Path=/; Secure; HttpOnly; SameSite=Lax", []]);
  expect([headers.get("Vary"), headers.get("Cache-Control")]).toEqual(["Cookie", "private, no-store"]);
  expect(await alice.data()).toEqual({ cart: [1] });
});

test("the test cookie takes two requests and a browser that sends cookies back", async () => {
  const alice = visitor();
  expect((await alice.get("/session/test-cookie")).json).toEqual({ worked: false });
  expect((await alice.post("/session/test-cookie")).status).toBe(204);
  expect((await alice.get("/session/test-cookie")).json).toEqual({ worked: true });
  expect((await alice.request("DELETE", "/session/test-cookie")).status).toBe(204);
  expect((await alice.request("DELETE", "/session/test-cookie")).status).toBe(404);

  const refusing = visitor();
  await refusing.post("/session/test-cookie");
  refusing.cookie = undefined;
  expect((await refusing.get("/session/test-cookie")).json).toEqual({ worked: false });
});

test("HEAD is GET without a body", async () => {
  const alice = visitor();
  await alice.put("/session/data/a", 1);
  const init = { method: "HEAD", headers: { Cookie: alice.cookie } };
  for (const path of ["/session", "/session/data/a", "/session/test-cookie"]) {
    const response = await fetch(path, { init });
    expect(response.status).toBe(200);
    expect(response.headers.get("Vary")).toBe("Cookie");
  }
  expect((await fetch("/session/data/b", { init })).status).toBe(404);
});

test("unknown routes are 404, wrong methods 405 with Allow", async () => {
  for (const path of ["/", "/session/", "/session/nope", "/session/data/", "/session/data/a/b", "/sessions"]) {
    const { status, json } = await visitor().get(path);
    expect([status, json], path).toEqual([404, error("not_found")]);
  }
  for (const [method, path, allow] of [
    ["POST", "/session", "GET, HEAD"],
    ["OPTIONS", "/session", "GET, HEAD"],
    ["GET", "/session/data", "PATCH, DELETE"],
    ["POST", "/session/data/a", "GET, HEAD, PUT, DELETE"],
    ["GET", "/session/expiry", "PUT"],
    ["GET", "/session/cycle-key", "POST"],
    ["GET", "/session/flush", "POST"],
    ["PUT", "/session/test-cookie", "GET, HEAD, POST, DELETE"],
  ]) {
    const { status, headers, json } = await visitor().request(method, path);
    expect([status, headers.get("Allow"), json]).toEqual([405, allow, error("method_not_allowed")]);
  }
});

test("another site's page is refused", async () => {
  const alice = visitor();
  await alice.put("/session/data/user", "alice");
  for (const headers of [
    { "Sec-Fetch-Site": "cross-site" },
    { "Sec-Fetch-Site": "same-site" },
    { Origin: "https://evil.example" },
    { Origin: "null" },
    { Origin: "http://localhost:8788" },
    { Origin: "https://localhost:8787" },
    { "Sec-Fetch-Site": "cross-site", Origin: "http://localhost:8787" },
  ]) {
    for (const [method, path] of [["GET", "/session"], ["POST", "/session/flush"], ["PUT", "/session/data/user"]]) {
      const { status, json } = await alice.request(method, path, method === "PUT" ? "1" : undefined, headers);
      expect([status, json], JSON.stringify(headers)).toEqual([403, error("cross_site")]);
    }
  }
  for (const headers of [{ "Sec-Fetch-Site": "same-origin" }, { "Sec-Fetch-Site": "none" }, { Origin: "http://localhost:8787" }, { "Sec-Fetch-Site": "same-origin", Origin: "https://behind-a-proxy.example" }]) {
    expect((await alice.request("GET", "/session", undefined, headers)).json.data).toEqual({ user: "alice" });
  }
});

test("bodies over 64 KiB are 413, whatever they say about their length", async () => {
  const alice = visitor();
  const large = "x".repeat(64 * 1024);
  expect((await alice.put("/session/data/a", large)).status).toBe(413);
  const stream = () => new Response(JSON.stringify(large)).body;
  const response = await fetch("/session/data/a", { init: { method: "PUT", body: stream() } });
  expect(response.status).toBe(413);
  // A body that may come, in a record that would be too large.
  const { status, json } = await alice.put("/session/data/a", "x".repeat(64 * 1024 - 10));
  expect([status, json]).toEqual([413, error("ES_TOO_LARGE")]);
  expect((await alice.put("/session/data/a", "x".repeat(60_000))).status).toBe(204);
});

test("what is not JSON is 400", async () => {
  for (const body of ["", "{", "undefined", "'a'", "NaN", "01", '"\\ud800"', "[".repeat(65) + "]".repeat(65), "1e999", new Uint8Array([0x22, 0xff, 0x22])]) {
    const response = await fetch("/session/data/a", { init: { method: "PUT", body } });
    expect(response.status, String(body).slice(0, 20)).toBe(400);
    expect(await response.json()).toEqual(error("bad_json"));
    expect(response.headers.getSetCookie()).toEqual([]);
  }
  expect((await visitor().request("PATCH", "/session/data", "[1]")).status).toBe(400);
  expect((await visitor().get("/session/data/%ff")).status).toBe(400);
});

test("a rate limit binding refuses an address that creates too many sessions, and counts nobody who has one", async () => {
  const alice = visitor({ SESSION_RATE_LIMIT: env.RATE_LIMIT });
  const here = { "CF-Connecting-IP": "192.0.2.1" };
  const put = (one, headers = here) => one.request("PUT", "/session/data/a", "1", headers);
  for (let n = 0; n < 3; n++) expect((await put(n ? visitor({ SESSION_RATE_LIMIT: env.RATE_LIMIT }) : alice)).status).toBe(204);
  const refused = await put(visitor({ SESSION_RATE_LIMIT: env.RATE_LIMIT }));
  expect([refused.status, refused.json, refused.headers.get("Set-Cookie")]).toEqual([429, error("too_many_sessions"), null]);
  for (let n = 0; n < 5; n++) expect((await put(alice)).status).toBe(204);
  expect((await put(visitor({ SESSION_RATE_LIMIT: env.RATE_LIMIT }), { "CF-Connecting-IP": "192.0.2.2" })).status).toBe(204);
  const anonymous = visitor({ SESSION_RATE_LIMIT: env.RATE_LIMIT });
  for (const [method, path] of [["GET", "/session"], ["POST", "/session/flush"], ["DELETE", "/session/data"]]) {
    expect((await anonymous.request(method, path, undefined, here)).status).toBeLessThan(300);
  }
  const broken = { limit: () => Promise.reject(new Error("down")) };
  for (const limit of [broken, { limit: () => { throw new Error("down"); } }, {}]) {
    expect((await put(visitor({ SESSION_RATE_LIMIT: limit }))).status, "it fails open").toBe(204);
  }
});

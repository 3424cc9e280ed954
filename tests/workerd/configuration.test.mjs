import { afterEach, beforeEach, expect, test, vi } from "vitest";
import document from "../../docs/reference/settings.md?raw";
import { fetch, refusingTombstones, sessionKey, visitor, watched } from "./worker.mjs";

const long = "0123456789abcdef0123456789abcdef";
let log;

beforeEach(() => {
  log = vi.spyOn(console, "error").mockImplementation(() => {});
});
afterEach(() => log.mockRestore());

test("texts, numbers and booleans are taken alike", async () => {
  for (const [age, close] of [[60, true], ["60", "true"]]) {
    const one = visitor({ SESSION_COOKIE_AGE: age, SESSION_EXPIRE_AT_BROWSER_CLOSE: close });
    const { headers } = await one.put("/session/data/a", 1);
    expect(headers.get("Set-Cookie")).not.toContain("Max-Age");
    expect((await one.get("/session")).json.expiry).toMatchObject({ age: 60, atBrowserClose: true });
  }
});

/** The documented settings, each with a value other than the default if possible. */
function documented() {
  const [, table] = document.match(/\n\| setting \| default \| meaning \|\n(.+?)\n\n/s);
  const rows = [...table.matchAll(/^\| `(SESSION_\w+)` \| (.+?) \|/gm)].map(([, name, text]) => [name, text.replaceAll("`", "")]);
  const own = {
    SESSION_SECRET: long,
    SESSION_SECRET_FALLBACKS: JSON.stringify([`an older secret: ${long}`]),
    SESSION_COOKIE_NAME: "shop-sessionid",
    SESSION_COOKIE_DOMAIN: "example.com",
    SESSION_COOKIE_PATH: "/shop",
    SESSION_COOKIE_SAMESITE: "Strict",
    SESSION_KEY_PREFIX: "shop",
    SESSION_ENGINE: "memory",
    SESSION_COOKIE_PARTITIONED: false, // it needs the default of SESSION_COOKIE_SECURE
  };
  const other = (text) => (/^(true|false)$/.test(text) ? text !== "true" : Number(text) - 1);
  return rows.map(([name, text]) => [name, own[name] ?? other(text)]);
}

test("every documented setting works, as text, number and boolean, alone and with all others", async () => {
  const settings = documented();
  expect(settings.length).toBeGreaterThanOrEqual(16);
  expect(settings.filter(([, value]) => Number.isNaN(value)), "a new setting without a number or a boolean as default needs a value in this test").toEqual([]);
  const all = Object.fromEntries(settings);
  for (const bindings of [...settings.flatMap(([name, value]) => [{ [name]: value }, { [name]: String(value) }]), all]) {
    const one = visitor(bindings);
    expect([(await one.put("/session/data/a", 1)).status, await one.data()], JSON.stringify(bindings)).toEqual([204, { a: 1 }]);
  }
  expect(log).not.toHaveBeenCalled();
});

test("SESSION_CHECK_ENDED = false saves the read of the tombstone", async () => {
  for (const [value, reads] of [[undefined, 2], [true, 2], ["true", 2], [false, 1], ["False", 1]]) {
    const { kv, names } = watched();
    const one = visitor({ SESSIONS: kv, SESSION_CHECK_ENDED: value });
    await one.put("/session/data/a", 1);
    names();
    expect(await one.data()).toEqual({ a: 1 });
    expect(names(), String(value)).toEqual(Array(reads).fill("get"));
  }
});

test("the cookie has the configured attributes when it is set and when it is deleted", async () => {
  const one = visitor({
    SESSION_COOKIE_NAME: "__Secure-shop-sessionid",
    SESSION_COOKIE_DOMAIN: "example.com",
    SESSION_COOKIE_PATH: "/shop",
    SESSION_COOKIE_SAMESITE: "strict",
    SESSION_COOKIE_HTTPONLY: false,
  });
  const attributes = "; Domain=example.com; Path=/shop; Secure; SameSite=Strict";
  const given = (await one.put("/session/data/a", 1)).headers.get("Set-Cookie");
  expect(given.startsWith("__Secure-shop-sessionid-anonymous=") && given.endsWith(attributes)).toBe(true);
  const deleted = (name) => `${name}=; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=0${attributes}`;
  const [login, taken] = (await one.post("/session/cycle-key")).headers.getSetCookie();
  expect(login.startsWith("__Secure-shop-sessionid=") && login.endsWith(attributes)).toBe(true);
  expect(taken).toBe(deleted("__Secure-shop-sessionid-anonymous"));
  expect((await one.post("/session/flush")).headers.getSetCookie()).toEqual([deleted("__Secure-shop-sessionid")]);
  const plain = visitor({ SESSION_COOKIE_SECURE: false });
  expect((await plain.put("/session/data/a", 1)).headers.get("Set-Cookie")).toMatch(/^sessionid-anonymous=.*; Path=\/; HttpOnly; SameSite=Lax$/);
});

test("saving every request renews, but not with each one", async () => {
  const { kv, names } = watched();
  const one = visitor({ SESSIONS: kv, SESSION_SAVE_EVERY_REQUEST: true });
  await one.put("/session/data/a", 1);
  names();
  for (let n = 0; n < 5; n += 1) await one.get("/session");
  expect(new Set(names())).toEqual(new Set(["get"]));
});

test("an empty domain means none, and a binding whose name begins with SESSION_ is not a setting", async () => {
  const one = visitor({ SESSION_COOKIE_DOMAIN: "", SESSION_STORE: watched().kv });
  expect((await one.put("/session/data/a", 1)).headers.get("Set-Cookie")).not.toContain("Domain");
});

test("secrets rotate: the first signs, all verify", async () => {
  const old = "an older secret, of more than 32 bytes";
  const alice = visitor({ SESSION_SECRET: old });
  await alice.put("/session/data/user", "alice");
  alice.bindings = { SESSION_SECRET: long, SESSION_SECRET_FALLBACKS: JSON.stringify([old]) };
  expect(await alice.data()).toEqual({ user: "alice" });
  await alice.put("/session/data/page", 1);
  alice.bindings = { SESSION_SECRET: long };
  expect(await alice.data()).toEqual({ user: "alice", page: 1 });
});

test("a missing, short or contradictory setting is a 500 with one sentence, the log names it, and nothing is stored", async () => {
  for (const [setting, bindings] of [
    ["SESSION_SECRET", { SESSION_SECRET: undefined }],
    ["SESSION_SECRET", { SESSION_SECRET: "short" }],
    ["SESSION_SECRET_FALLBACKS", { SESSION_SECRET_FALLBACKS: "not json" }],
    ["SESSION_SECRET_FALLBACKS", { SESSION_SECRET_FALLBACKS: '["short"]' }],
    ["SESSION_COOKIE_AGE", { SESSION_COOKIE_AGE: "two weeks" }],
    ["SESSION_COOKIE_AGE", { SESSION_COOKIE_AGE: 1.5 }],
    ["SESSION_COOKIE_AGE", { SESSION_COOKIE_AGE: true }],
    ["SESSION_COOKIE_SECURE", { SESSION_COOKIE_SECURE: "off" }],
    ["SESSION_COOKIE_NAME", { SESSION_COOKIE_NAME: "__Host-x", SESSION_COOKIE_DOMAIN: "example.com" }],
    ["SESSION_COOKIE_SAMESITE", { SESSION_COOKIE_SAMESITE: "None", SESSION_COOKIE_SECURE: false }],
    ["SESSION_COOKIE_PATH", { SESSION_COOKIE_PATH: "/; HttpOnly=no" }],
    ["SESSION_COOKIE_AGES", { SESSION_COOKIE_AGES: 60 }],
    ["SESSIONS", { SESSIONS: undefined }],
  ]) {
    log.mockClear();
    const { kv, names } = watched();
    for (const [method, path] of [["GET", "/session"], ["PUT", "/session/data/a"], ["POST", "/session/flush"]]) {
      const init = { method, body: method === "PUT" ? "1" : undefined, headers: { Cookie: "__Host-sessionid=x" } };
      const response = await fetch(path, { init, bindings: { SESSIONS: kv, ...bindings } });
      expect(response.status, setting).toBe(500);
      const { error } = await response.json();
      expect(error).toEqual({ code: "ES_CONFIG", message: expect.stringMatching(/^[^.]+$/) });
      expect(error.message).not.toContain(setting === "SESSIONS" ? "KV" : setting);
      expect(response.headers.getSetCookie()).toEqual([]);
    }
    const logged = log.mock.calls.flat().join("\n");
    expect(logged).toContain(setting);
    expect(logged).not.toContain("short\"");
    expect(names()).toEqual([]);
  }
});

test("no log line holds a token, a secret or data", async () => {
  const alice = visitor({ SESSIONS: watched({ put: refusingTombstones }).kv });
  await alice.put("/session/data/diary", "a private text");
  const token = alice.cookie.split("=")[1];
  const key = await sessionKey(alice.cookie);
  await alice.post("/session/cycle-key");
  expect(log).toHaveBeenCalled();
  const logged = log.mock.calls.flat().join("\n");
  const secrets = [token, token.slice(3, 40), key, "private text", "tests' secret"];
  for (const secret of secrets) expect(logged).not.toContain(secret);
});

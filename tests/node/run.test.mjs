// One request in one call: `run`, `sessionsFor`, and the statuses and messages of errors.

import assert from "node:assert/strict";
import { test } from "node:test";
import * as api from "../../dist/node.js";
import { cookiesAfter, secrets, sessionsAt, visitor } from "./visitor.mjs";

const { createSessions, memory, sessionsFor } = api;

/** A browser that sends its requests through `run`. */
function browser(sessions) {
  let cookie = "";
  return async (handler) => {
    const response = await sessions.run(new Request("https://example.com/", { headers: { Cookie: cookie } }), handler);
    cookie = cookiesAfter(cookie, response.headers);
    return response;
  };
}

test("run loads the session, commits it with the response, and frees it", async () => {
  const { sessions } = sessionsAt();
  const visit = browser(sessions);
  let last;
  for (const expected of ["1", "2", "3"]) {
    const response = await visit((session) => {
      last = session;
      session.set("visits", session.get("visits", 0) + 1);
      return new Response(String(session.get("visits")));
    });
    assert.equal(await response.text(), expected);
    assert.throws(() => last.set("visits", 0), { code: "ES_SESSION_CLOSED" });
  }
  const text = await sessions.run("no=session", async (session) => new Response(session.loadReason));
  assert.equal(await text.text(), "new");
});

test("a response that the handler throws counts as returned", async () => {
  const visit = browser(sessionsAt().sessions);
  const response = await visit((session) => {
    session.set("message", "Saved");
    throw new Response(null, { status: 303, headers: { Location: "/" } });
  });
  assert.deepEqual([response.status, response.headers.get("Location"), response.headers.getSetCookie().length], [303, "/", 1]);
  assert.equal(await (await visit((session) => new Response(session.pop("message")))).text(), "Saved");
});

test("a thrown response of another realm, or of a server that replaces the class, counts as well", async () => {
  const { sessions } = sessionsAt();
  const { Response } = globalThis;
  const redirect = new Response(null, { status: 302, headers: { Location: "/" } });
  globalThis.Response = class extends Response {};
  try {
    const response = await sessions.run("", (session) => {
      session.set("a", 1);
      throw redirect;
    });
    assert.deepEqual([response.status, response.headers.get("Location"), response.headers.has("Set-Cookie")], [302, "/", true]);
  } finally {
    globalThis.Response = Response;
  }
});

test("other errors are rethrown, nothing is saved, and the session is freed", async () => {
  const { sessions } = sessionsAt();
  const visit = browser(sessions);
  await visit((session) => (session.set("a", 1), new Response()));
  let last;
  await assert.rejects(visit((session) => {
    last = session;
    session.set("a", 2);
    throw new TypeError("a mistake");
  }), TypeError);
  assert.throws(() => last.get("a"), { code: "ES_SESSION_CLOSED" });
  await assert.rejects(visit(() => undefined), { code: "ES_VALUE", message: /return one from every branch/ });
  assert.equal(await (await visit((session) => new Response(session.get("a")))).text(), "1");
});

test("a session that cannot be saved gives the status of the error", async (t) => {
  t.mock.method(console, "error", () => {});
  const { sessions } = sessionsAt({ maxRecordBytes: 4096 });
  const response = await sessions.run(null, (session) => (session.set("essay", "x".repeat(5000)), new Response("written")));
  assert.deepEqual([response.status, (await response.json()).error.code], [413, "ES_TOO_LARGE"]);
});

test("sessionsFor creates the sessions once for each environment", async () => {
  let asked = 0;
  const sessionsOf = sessionsFor((env) => (asked++, { store: env.store, secrets }));
  const [one, two] = [{ store: memory() }, { store: memory() }];
  assert.equal(sessionsOf(one), sessionsOf(one));
  assert.notEqual(sessionsOf(one), sessionsOf(two));
  assert.equal(asked, 2);
  const fixed = sessionsFor({ store: memory(), secrets });
  assert.equal(fixed(undefined), fixed(undefined));
  const sessions = createSessions({ store: memory(), secrets });
  assert.equal(sessionsFor(sessions)(one), sessions);
  assert.throws(() => sessionsFor(() => ({ secrets }))({}), { code: "ES_CONFIG" });
});

test("an error has the status of its response under both names, or none", () => {
  const expected = {
    StoreUnavailableError: 503, SessionInterruptedError: 400, StaleError: 409, SupersededError: 409, TooLargeError: 413,
    KeyError: undefined, ValueError: undefined, ConfigError: undefined, UsageError: undefined, PanicError: undefined,
  };
  for (const [name, status] of Object.entries(expected)) {
    const error = new api[name]("message");
    assert.deepEqual([error.status, error.statusCode], [status, status], name);
  }
});

test("a mistake in a call is named with its remedy", async () => {
  const { sessions } = sessionsAt();
  assert.throws(() => createSessions(), { code: "ES_CONFIG", message: /createSessions needs options: \{ store: kv\(env\.SESSIONS\)/ });
  assert.throws(() => createSessions(null), { code: "ES_CONFIG" });
  const message = /load takes a Request or the text of its Cookie header \(in Node: request\.headers\.cookie\), not/;
  for (const argument of [{ headers: { cookie: "a=b" } }, new Headers(), 42, true]) {
    await assert.rejects(sessions.load(argument), { code: "ES_VALUE", message });
  }
  await assert.rejects(sessions.open(42), { code: "ES_VALUE", message: /a session key is a string, not a number/ });
  const someone = visitor(sessions);
  await someone.visit((session) => session.set("a", 1));
  const session = await sessions.load(someone.cookie);
  await assert.rejects(sessions.commit(new Response(), session), { code: "ES_VALUE" });
  await assert.rejects(sessions.commit(session), { code: "ES_VALUE", message: /commit takes a Response, not undefined/ });
});

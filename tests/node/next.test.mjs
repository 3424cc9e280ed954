// The functions for Next.js outside of it: what the project in tests/packages/frameworks/next cannot reach.

import assert from "node:assert/strict";
import { test } from "node:test";
import { createNextSession } from "../../dist/next/index.js";
import { createSessions, memory } from "../../dist/node.js";
import { secrets } from "./visitor.mjs";

/** The cookies of one request, as Next's `cookies()` has them. */
class Cookies {
  #values = new Map();

  getAll() {
    return [...this.#values].map(([name, value]) => ({ name, value }));
  }

  set(name, value) {
    this.#values.set(name, value);
  }

  delete(name) {
    this.#values.delete(name);
  }
}

const options = () => ({ store: memory(), secrets });

test("every call of a session that can change it is refused by the session of getSession", async () => {
  const { getSession } = createNextSession(options(), async () => new Cookies());
  const session = await getSession();
  const reads = [
    "constructor", "item", "get", "has", "keys", "values", "items", "isEmpty", "getExpiryAge", "getExpiryDate", "getExpireAtBrowserClose", "encode",
    "decode", "toJSON", "testCookieWorked",
  ];
  const calls = Object.getOwnPropertyNames(Object.getPrototypeOf(session));
  const methods = calls.filter((name) => name !== "modified" && typeof session[name] === "function" && !reads.includes(name));
  assert.equal(methods.length, 17, methods.join(", "));
  for (const name of methods) assert.throws(() => session[name]("key", "value"), { code: "ES_USAGE", message: /with withSession$/ }, name);
  assert.throws(() => (session.modified = true), { code: "ES_USAGE" });
  assert.deepEqual([session.get("key", "none"), session.modified], ["none", false]);
});

test("the sessions of a user are listed with the session of getSession", async () => {
  const sessions = createSessions(options());
  const jar = new Cookies();
  const { getSession, withSession } = createNextSession(sessions, async () => jar);
  await withSession((session) => session.bindUser("alice", { label: "Phone" }))();
  assert.deepEqual((await sessions.list("alice", await getSession())).map(({ label, current }) => [label, current]), [["Phone", true]]);
});

test("a function of the options is called at the first use, and once", async () => {
  let calls = 0;
  const { withSession } = createNextSession(() => (calls++, options()), async () => new Cookies());
  const count = withSession((session) => void session.set("visits", 1));
  assert.equal(calls, 0);
  await count();
  await count();
  assert.equal(calls, 1);
});

test("two requests share no session, even if they run at once", async () => {
  let jar;
  const { getSession, withSession } = createNextSession(options(), async () => jar);
  const jars = [new Cookies(), new Cookies()];
  const set = withSession((session, user) => void session.set("user", user));
  await Promise.all(["alice", "bob"].map((user, index) => {
    jar = jars[index];
    return set(user);
  }));
  const users = [];
  for (jar of jars) users.push((await getSession()).get("user"));
  assert.deepEqual(users, ["alice", "bob"]);
});

test("a wrapped function returns its result, and a server function that cannot save throws the error", async () => {
  const jar = new Cookies();
  const { withSession } = createNextSession(options(), async () => jar);
  assert.equal(await withSession((session, one, two) => one + two)(1, 2), 3);
  await assert.rejects(withSession((session) => void session.set("book", "x".repeat(100_000)))(), { code: "ES_TOO_LARGE" });
  assert.deepEqual(jar.getAll(), []);
});

test("an error of a route handler that is not of this package is rethrown, even with a status: its message is not sent to the visitor", async (t) => {
  const log = t.mock.method(console, "error", () => {});
  const { withSession } = createNextSession(options(), async () => new Cookies());
  const error = Object.assign(new Error("password=hunter2"), { status: 409, code: "CONFLICT" });
  await assert.rejects(withSession(() => Promise.reject(error))(new Request("https://example.com/")), error);
  assert.equal(log.mock.callCount(), 0);
});

test("a failure of the store in a route handler is logged with its cause, which the response does not contain", async (t) => {
  const log = t.mock.method(console, "error", () => {});
  const cause = new Error("no route to 10.0.0.1");
  const store = { ...memory(), get: () => Promise.reject(cause) };
  const jar = new Cookies();
  await createNextSession(options(), async () => jar).withSession((session) => void session.set("user", "alice"))();
  const { withSession } = createNextSession({ store, secrets }, async () => jar);
  const answer = await withSession((session) => new Response(session.get("user")))(new Request("https://example.com/"));
  const { error } = await answer.json();
  assert.deepEqual([answer.status, error.code, /10\.0\.0\.1/.test(error.message)], [503, "ES_STORE_UNAVAILABLE", false]);
  assert.match(log.mock.calls[0].arguments[0], /^edge-session: ES_STORE_UNAVAILABLE: /);
  assert.equal(log.mock.calls[0].arguments[1], cause);
});

test("an error with another digest, as React gives to each error of a server component, saves nothing", async () => {
  const jar = new Cookies();
  const { getSession, withSession } = createNextSession(options(), async () => jar);
  for (const digest of ["DYNAMIC_SERVER_USAGE", "BAILOUT_TO_CLIENT_SIDE_RENDERING", "HANGING_PROMISE_REJECTION", "123456", 7]) {
    const failing = withSession((session) => {
      session.set("user", "mallory");
      throw Object.assign(new Error("no navigation"), { digest });
    });
    await assert.rejects(failing(), { digest });
    assert.equal((await getSession()).get("user"), undefined);
  }
  await assert.rejects(withSession(() => Promise.reject(null))(), (error) => error === null);
  assert.deepEqual(jar.getAll(), []);
});

for (const status of [401, 403, 404]) {
  test(`what was set before forbidden(), unauthorized() or notFound(), ${status}, is saved`, async () => {
    const jar = new Cookies();
    const { getSession, withSession } = createNextSession(options(), async () => jar);
    const digest = `NEXT_HTTP_ERROR_FALLBACK;${status}`;
    await assert.rejects(withSession((session) => {
      session.set("attempts", 1);
      throw Object.assign(new Error(digest), { digest });
    })(), { digest });
    assert.equal((await getSession()).get("attempts"), 1);
  });
}

// What frameworks need besides `load` and `commit`: headers and cookies of their own response, their error pages, messages for the next page.

import assert from "node:assert/strict";
import { inspect } from "node:util";
import { test } from "node:test";
import { EdgeSessionError, createSessions, memory } from "../../dist/node.js";
import { secrets, sessionsAt, visited, visitor } from "./visitor.mjs";

const failing = { get: async () => { throw new Error("KV GET failed: 500"); }, put: async () => { throw new Error("KV PUT failed: 500"); }, delete: async () => {}, list: async () => ({ keys: [] }), wait: async () => {} };

test("commitHeaders merges into headers, and keeps the cookies of others", async () => {
  const { sessions } = sessionsAt();
  const session = await sessions.load("");
  session.set("a", 1);
  const headers = new Headers({ Vary: "Accept-Encoding", "Cache-Control": "max-age=60", "X-Other": "1", ETag: '"1"' });
  headers.append("Set-Cookie", "theme=dark");
  const list = await sessions.commitHeaders(session, 200, headers);
  assert.equal(headers.get("Vary"), "Accept-Encoding, Cookie");
  assert.match(headers.get("Cache-Control"), /no-store/);
  const cookies = headers.getSetCookie();
  assert.deepEqual([cookies[0], cookies.length, headers.get("X-Other")], ["theme=dark", 2, "1"]);
  assert.deepEqual(list, [...headers]);
  assert.deepEqual(new Headers(list).getSetCookie(), cookies);
});

test("commitHeaders leaves headers as they are if the response does not depend on the session", async () => {
  const { sessions } = sessionsAt();
  const headers = new Headers({ "X-Other": "1" });
  assert.deepEqual(await sessions.commitHeaders(await sessions.load(""), 200, headers), [["x-other", "1"]]);
});

test("commitHeaders refuses headers that cannot be changed, and saves nothing", async () => {
  const { sessions, store } = sessionsAt();
  const session = await sessions.load("");
  session.set("a", 1);
  for (const headers of [Response.redirect("https://example.com/").headers, {}, null]) {
    await assert.rejects(sessions.commitHeaders(session, 200, headers), { code: "ES_VALUE", message: /nothing was saved/ });
  }
  assert.equal(store.records.size, 0);
  assert.equal((await sessions.commitHeaders(session, 200, new Headers())).length, 3, "it is still open");
});

test("commitCookies returns the cookies as frameworks set them", async () => {
  const cookies = async (settings, act) => {
    const sessions = createSessions({ store: memory(), secrets, ...settings });
    const session = await sessions.load("");
    await act(session);
    return sessions.commitCookies(session, 200);
  };
  const set = (session) => session.set("a", 1);
  const [cookie, ...others] = await cookies({}, set);
  assert.deepEqual(others, []);
  assert.match(cookie.value, /^[\w.~-]{40,}$/);
  assert.deepEqual({ ...cookie, value: "" }, {
    name: "__Host-sessionid-anonymous",
    value: "",
    options: { path: "/", maxAge: 1_209_600, secure: true, httpOnly: true, sameSite: "lax" },
  });
  const [other] = await cookies({ cookieDomain: "example.com", cookiePath: "/shop", cookieSameSite: "None", cookieHttpOnly: false, expireAtBrowserClose: true }, set);
  assert.deepEqual(other.options, { path: "/shop", domain: "example.com", secure: true, httpOnly: false, sameSite: "none" });
  assert.deepEqual(await cookies({}, () => {}), []);
  assert.deepEqual(await cookies({}, (session) => session.get("a")), []);
});

test("commitCookies of a login and of a logout also delete a cookie", async () => {
  const { sessions } = sessionsAt();
  const alice = visitor(sessions);
  await visited(alice, (session) => session.set("a", 1));
  const login = await sessions.load(alice.cookie);
  login.cycleKey();
  const cookies = await sessions.commitCookies(login, 200);
  assert.deepEqual(cookies.map(({ name, value, options }) => [name, value === "", options.maxAge === 0]).sort(), [
    ["__Host-sessionid", false, false],
    ["__Host-sessionid-anonymous", true, true],
  ]);
});

test("a commit needs a status, and its arguments in order", async () => {
  const { sessions } = sessionsAt();
  const session = await sessions.load("");
  for (const status of [undefined, NaN, 0, "none", null]) {
    for (const call of ["commitHeaders", "commitCookies"]) {
      await assert.rejects(sessions[call](session, status), { code: "ES_VALUE", message: /needs the status of the response/ });
    }
  }
  await assert.rejects(sessions.commit(new Response(), session), { code: "ES_VALUE", message: /the session first, then the response/ });
  await assert.rejects(sessions.commit(session, undefined), { code: "ES_VALUE", message: /not undefined; return one from every branch/ });
});

test("the error page that a framework made of a failure of the store has the status 503, and saves nothing", async (t) => {
  t.mock.method(console, "error", () => {});
  const healthy = sessionsAt();
  const alice = visitor(healthy.sessions);
  await visited(alice, (session) => session.set("a", 1));
  const sessions = createSessions({ store: failing, secrets, clock: () => healthy.time.now });
  const page = (status) => async (session) => {
    try {
      return new Response(session.get("a"));
    } catch {
      return new Response("Something went wrong", { status, headers: { "Content-Type": "text/html", "X-Page": "1" } });
    }
  };
  const answer = await sessions.run(alice.cookie, page(500));
  assert.deepEqual([answer.status, await answer.text(), answer.headers.get("X-Page"), answer.headers.getSetCookie()], [503, "Something went wrong", "1", []]);
  for (const status of [200, 502]) assert.equal((await sessions.run(alice.cookie, page(status))).status, status, "the handler has dealt with it");
  assert.equal((await healthy.sessions.run(alice.cookie, (session) => new Response(null, { status: session.has("a") ? 500 : 200 }))).status, 500, "a failure of its own");
});

test("run takes a session that is loaded already", async () => {
  const { sessions } = sessionsAt();
  const session = await sessions.load("");
  const answer = await sessions.run(session, (same) => (assert.equal(same, session), same.set("a", 1), new Response("ok")));
  assert.equal(answer.headers.getSetCookie().length, 1);
  assert.equal(session.get("a"), 1);
  await assert.rejects(sessions.run(session, () => new Response()), { code: "ES_SESSION_CLOSED" });
});

test("a failure of the store does not hide that the page of the error cannot be sent", async (t) => {
  t.mock.method(console, "error", () => {});
  const sessions = createSessions({ store: failing, secrets });
  const used = async (session) => {
    await session.set("a", 1).save().catch(() => {});
    const response = new Response("Something went wrong", { status: 500 });
    await response.text();
    return response;
  };
  await assert.rejects(sessions.run("", used), { code: "ES_VALUE", message: /its body was read/ });
});

test("onError makes the response to an error, for a failed handler and for a failed commit", async (t) => {
  t.mock.method(console, "error", () => {});
  const sessions = createSessions({ store: failing, secrets });
  const onError = (error) => {
    assert.ok(error instanceof EdgeSessionError);
    return new Response(`Sorry: ${error.code}`, { status: error.status, headers: { Vary: "Accept" } });
  };
  for (const handler of [async (session) => { await session.set("a", 1).save(); }, (session) => (session.set("a", 1), new Response())]) {
    const answer = await sessions.run("", handler, { onError });
    assert.deepEqual([answer.status, await answer.text(), answer.headers.get("Vary")], [503, "Sorry: ES_STORE_UNAVAILABLE", "Accept, Cookie"]);
  }
  await assert.rejects(sessions.run("", () => { throw new TypeError("a mistake"); }, { onError: assert.fail }), TypeError);
  const shared = new Response(null, { status: 503 });
  await sessions.run("", (session) => (session.set("a", 1), new Response()), { onError: () => shared });
  assert.deepEqual([...shared.headers], [], "a response of the application is not changed");
});

test("flash: the next request that asks gets the value, and no other; a failed request keeps it", async () => {
  const { sessions } = sessionsAt();
  const alice = visitor(sessions);
  await visited(alice, (session) => {
    session.set("message", "of the data").flash("message", { text: "Saved" });
    assert.equal(session.flashed("message", "none"), "none", "not in the same request");
    assert.equal(session.get("message"), "of the data");
  });
  await visited(alice, (session) => session.has("user"));
  await visited(alice, (session) => assert.deepEqual(session.flashed("message"), { text: "Saved" }), 500);
  const shown = await visited(alice, (session) => {
    assert.deepEqual(session.flashed("message"), { text: "Saved" });
    assert.deepEqual(session.flashed("message"), { text: "Saved" }, "as often as this request asks");
  });
  assert.deepEqual(shown.flashed("message"), { text: "Saved" }, "also while its page is streamed");
  await visited(alice, (session) => {
    assert.equal(session.flashed("message"), undefined);
    assert.equal(session.get("message"), "of the data");
    assert.equal(session.modified, false);
  });
});

test("flash: null is a value, and a message that was read stays readable after the next one was set", async () => {
  const { sessions } = sessionsAt();
  const alice = visitor(sessions);
  await visited(alice, (session) => session.flash("nothing", null).flash("message", "first"));
  await visited(alice, (session) => {
    assert.equal(session.flashed("nothing", "fallback"), null);
    assert.equal(session.flashed("message"), "first");
    session.flash("message", "second");
    assert.equal(session.flashed("message"), "first");
  });
  await visited(alice, (session) => assert.equal(session.flashed("message"), "second"));
});

test("flash refuses what set refuses", async () => {
  const session = await sessionsAt().sessions.load("");
  assert.throws(() => session.flash("message", new Date()), { code: "ES_VALUE", message: /store date\.toISOString/ });
  assert.throws(() => session.flash(1, "x"), { code: "ES_VALUE" });
  assert.equal(session.modified, false);
});

test("update(key, change) sets what the function returns", async () => {
  const { sessions } = sessionsAt();
  const alice = visitor(sessions);
  const visit = (session) => session.update("visits", (visits = 0) => visits + 1).update("cart", (cart = []) => (cart.push("apple"), cart));
  for (let n = 0; n < 2; n++) await visited(alice, visit);
  await visited(alice, (session) => {
    assert.deepEqual([session.get("visits"), session.get("cart")], [2, ["apple", "apple"]]);
    assert.throws(() => session.update("visits", () => undefined), { code: "ES_VALUE" });
    assert.throws(() => session.update("visits", 3), { code: "ES_VALUE", message: /a function of the old value/ });
  });
});

test("a change in place without modified is lost, or saved with trackChanges", async () => {
  for (const [trackChanges, expected] of [[undefined, ["apple"]], [false, ["apple"]], [true, ["apple", "pear"]]]) {
    const { sessions } = sessionsAt({ trackChanges });
    const alice = visitor(sessions);
    await visited(alice, (session) => session.set("cart", ["apple"]).set("other", [1]));
    const session = await visited(alice, (session) => (session.get("other"), session.get("cart").push("pear")));
    assert.equal(session.modified, trackChanges === true);
    const after = await visited(alice, (session) => assert.deepEqual(session.get("cart"), expected));
    assert.equal(after.modified, false, "reading is no change");
  }
});

test("in development, a change in place without modified is an event and a warning", async (t) => {
  const warn = t.mock.method(console, "error", () => {});
  const before = process.env.NODE_ENV;
  process.env.NODE_ENV = "development";
  t.after(() => before === undefined ? delete process.env.NODE_ENV : (process.env.NODE_ENV = before));
  const events = [];
  const { sessions } = sessionsAt({ onEvent: ({ kind, session }) => events.push([kind, session.length]) });
  const alice = visitor(sessions);
  await visited(alice, (session) => session.set("cart", ["apple"]));
  events.length = 0;
  await visited(alice, (session) => session.get("cart"));
  assert.deepEqual([events, warn.mock.callCount()], [[], 0]);
  await visited(alice, (session) => session.get("cart").push("pear"));
  assert.deepEqual(events, [["unsaved-change", 11]]);
  assert.match(warn.mock.calls[0].arguments[0], /"cart" was changed in place.*session\.modified = true/);
  await visited(alice, (session) => (session.get("cart").push("pear"), (session.modified = true)));
  assert.equal(warn.mock.callCount(), 1);
  await visited(alice, (session) => session.get("cart").push(new Date()));
  assert.equal(warn.mock.callCount(), 2, "what JSON cannot represent is reported, too, and fails no page");
});

test("a record that another program wrote with spaces is not a change", async () => {
  const store = memory();
  const sessions = createSessions({ store, secrets, trackChanges: true });
  const alice = visitor(sessions);
  await visited(alice, (session) => session.set("cart", [1, 2]));
  const [[key, record]] = store.records;
  const text = Buffer.from(record.value).toString("latin1").replace("[1,2]", "[1, 2]");
  store.records.set(key, { ...record, value: Uint8Array.from(Buffer.from(text, "latin1")) });
  const session = await visited(alice, (session) => assert.deepEqual(session.get("cart"), [1, 2]));
  assert.equal(session.modified, false);
});

test("console.log and JSON.stringify show the state and the keys, no value and no session key", async () => {
  const { sessions } = sessionsAt();
  const alice = visitor(sessions);
  const session = await visited(alice, (session) => session.update({ user: "alice", token: "a secret" }));
  for (const shown of [inspect(session), JSON.stringify(session)]) {
    assert.match(shown, /user.*token/s);
    assert.match(shown, /new/);
    for (const hidden of ["alice", "a secret", session.sessionKey]) assert.ok(!shown.includes(hidden), shown);
  }
  assert.match(inspect(session), /^Session \{/);
  const unused = await sessions.load(alice.cookie);
  assert.equal(JSON.stringify(unused), '{"loadReason":"live","accessed":false,"modified":false}');
  assert.equal(unused.accessed, false, "showing a session is not an access");
  unused[Symbol.dispose]();
  assert.match(inspect(unused), /^Session \{/);
});

test("a duration as text and a secret of one character are refused with what to do", async () => {
  const { sessions } = sessionsAt();
  const session = await sessions.load("");
  assert.throws(() => session.setExpiry("1h"), { code: "ES_VALUE", message: /seconds or \{ seconds \}/ });
  assert.throws(() => createSessions({ store: memory(), secrets: ["a".repeat(32)] }), { code: "ES_CONFIG", message: /^Each of secrets needs random bytes; one repeats a single character/ });
  assert.throws(() => createSessions({ store: memory(), secrets: [undefined] }), { code: "ES_CONFIG", message: /set SESSION_SECRET .* in the environment/ });
});

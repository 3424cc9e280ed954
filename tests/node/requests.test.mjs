// Sessions around requests: login, logout, expiry, the operations on the store, and stores that fail.

import assert from "node:assert/strict";
import { test } from "node:test";
import { createSessions, kv, SessionBusyError, SessionClosedError, StoreUnavailableError } from "../../dist/node.js";
import { anonymous, cookiesAfter, countingKv, eventual, kinds, loggedIn, secrets, sessionsAt, visitor } from "./visitor.mjs";

const closed = { code: "ES_SESSION_CLOSED" };

test("a login changes the key and the cookie's name, and keeps the data; a logout ends the session at once", async () => {
  const { sessions, store, time } = sessionsAt();
  const alice = visitor(sessions);
  const first = await alice.visit((session) => session.set("theme", "dark"));
  const attributes = "Path=/; Secure; HttpOnly; SameSite=Lax";
  const given = (name) => new RegExp(`^${name}=[\\w-]+; Expires=Tue, 15 Jan 2030 00:00:00 GMT; Max-Age=1209600; ${attributes}$`);
  const deleted = (name) => `${name}=; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=0; ${attributes}`;
  assert.equal(first.answer.headers.getSetCookie().length, 1);
  assert.match(first.answer.headers.get("Set-Cookie"), given(anonymous));
  const before = alice.cookie;
  const { answer } = await alice.visit((session) => {
    session.cycleKey();
    session.set("user", "alice");
  });
  const [gives, deletes, ...others] = answer.headers.getSetCookie();
  assert.match(gives, given(loggedIn));
  assert.deepEqual([deletes, others], [deleted(anonymous), []]);
  assert.deepEqual([answer.headers.get("Vary"), answer.headers.get("Cache-Control")], ["Cookie", "private, no-store"]);
  assert.match(alice.cookie, new RegExp(`^${loggedIn}=[\\w-]+$`));
  assert.deepEqual(kinds(store), ["ended", "session", "session"], "a tombstone ends the old key; its record stays for a second login beside this one");
  const thief = { ...visitor(sessions), cookie: before };
  assert.deepEqual((await thief.visit((session) => [session.loadReason, session.items()])).result, ["superseded", []]);
  assert.deepEqual((await alice.visit((session) => session.items())).result, [["theme", "dark"], ["user", "alice"]]);
  time.now += 101_000;
  assert.deepEqual((await thief.visit((session) => [session.loadReason, session.items()])).result, ["revoked", []]);
  const login = alice.cookie;
  const logout = await alice.visit(async (session) => {
    await session.flush();
    assert.deepEqual(kinds(store), ["ended", "ended", "ended", "session"], "before the commit");
    assert.deepEqual([session.isEmpty(), session.sessionKey], [true, undefined]);
  });
  assert.deepEqual(logout.answer.headers.getSetCookie(), [deleted(loggedIn)]);
  assert.equal(alice.cookie, "");
  alice.cookie = login;
  assert.deepEqual((await alice.visit((session) => [session.loadReason, session.get("user")])).result, ["revoked", undefined]);
});

test("a session ends at its deadline, and clearExpired removes the record", async () => {
  const { sessions, store, time } = sessionsAt({ cookieAge: 100 });
  const alice = visitor(sessions);
  await alice.visit((session) => session.set("user", "alice"));
  const cookie = alice.cookie;
  time.now += 99_000;
  assert.equal((await alice.visit((session) => session.get("user"))).result, "alice");
  time.now += 1_000;
  assert.equal((await alice.visit((session) => session.get("user"))).result, undefined);
  assert.equal(alice.cookie, "", "the cookie of an expired session is deleted");
  assert.notEqual(cookie, "");
  assert.equal(store.records.size, 1);
  time.now += 121_000;
  assert.deepEqual(await sessions.clearExpired(), { removed: 1, complete: true });
  assert.equal(store.records.size, 0);
});

test("a change inside of a value is stored with modified = true, and only then", async () => {
  const { sessions } = sessionsAt();
  const alice = visitor(sessions);
  await alice.visit((session) => session.set("cart", ["apple"]));
  await alice.visit((session) => session.get("cart").push("lost"));
  await alice.visit((session) => {
    session.get("cart").push("pear");
    session.modified = true;
  });
  assert.deepEqual((await alice.visit((session) => session.get("cart"))).result, ["apple", "pear"]);
  await alice.visit((session) => session.set("other", 1).modified = false);
  assert.deepEqual((await alice.visit((session) => session.keys())).result, ["cart"]);
  await assert.rejects(alice.visit((session) => {
    session.get("cart").push(new Date());
    session.modified = true;
  }), { code: "ES_VALUE", message: "session.cart[2] is a Date; store date.toISOString()" });
});

test("a page that does not touch its session stays as it is; one that reads is private", async () => {
  const { sessions } = sessionsAt();
  const alice = visitor(sessions);
  await alice.visit((session) => session.set("user", "alice"));
  const plain = () => new Response("page", { status: 201, headers: { "Cache-Control": "public, max-age=60", "CDN-Cache-Control": "max-age=9" } });
  const page = plain();
  assert.equal((await alice.visit(() => {}, page)).answer, page);
  const { answer } = await alice.visit((session) => session.get("user"), plain());
  assert.deepEqual([...answer.headers], [["cache-control", "private, max-age=60"], ["content-type", "text/plain;charset=UTF-8"], ["vary", "Cookie"]]);
  assert.deepEqual([answer.status, await answer.text()], [201, "page"]);
});

test("immutable headers, redirects, 304 and cookies of the application", async () => {
  const { sessions } = sessionsAt();
  const alice = visitor(sessions);
  const redirect = await alice.visit((session) => session.set("a", 1), Response.redirect("https://example.com/next", 303));
  assert.deepEqual([redirect.answer.status, redirect.answer.headers.get("Location")], [303, "https://example.com/next"]);
  assert.notEqual(alice.cookie, "");
  const notModified = await alice.visit((session) => session.get("a"), new Response(null, { status: 304 }));
  assert.deepEqual([notModified.answer.status, notModified.answer.body], [304, null]);
  const own = new Response("ok", { headers: [["Set-Cookie", "theme=dark"], ["Set-Cookie", "lang=en"]] });
  const { answer } = await alice.visit((session) => session.set("a", 2), own);
  assert.deepEqual(answer.headers.getSetCookie().map((line) => line.split("=")[0]), ["theme", "lang", anonymous]);
  const both = new Response("ok", { headers: own.headers });
  const login = await alice.visit((session) => session.cycleKey(), both);
  assert.deepEqual(login.answer.headers.getSetCookie().map((line) => line.split("=")[0]), ["theme", "lang", loggedIn, anonymous]);
});

test("load takes a request, a header's text or nothing; commitHeaders gives the headers alone", async () => {
  const { sessions } = sessionsAt();
  const session = await sessions.load(null);
  session.set("user", "alice");
  const headers = new Headers(await sessions.commitHeaders(session, 200));
  assert.deepEqual([...headers.keys()], ["cache-control", "set-cookie", "vary"]);
  const cookie = headers.get("Set-Cookie").split(";")[0];
  assert.equal((await sessions.load(`theme=dark; ${cookie}`)).get("user"), "alice");
  assert.equal((await sessions.load({ headers: new Headers({ Cookie: cookie }) })).get("user"), "alice");
  assert.deepEqual([...(await sessions.commitHeaders(await sessions.load(undefined), 200))], []);
  const broken = await sessions.load("");
  broken.set("user", "bob");
  assert.deepEqual(await sessions.commitHeaders(broken, 500), [["Vary", "Cookie"], ["Cache-Control", "private"]], "a 5xx saves nothing");
});

test("outside of a request: open, exists, delete, create", async () => {
  const { sessions, store } = sessionsAt();
  const session = await sessions.open();
  session.create();
  const key = session.sessionKey;
  assert.match(key, /^[a-z0-9]{32}$/);
  assert.equal(await sessions.exists(key), false, "until it is saved");
  assert.deepEqual(await session.save(), { oldRecordRemains: false });
  assert.equal(await sessions.exists(key), true);
  assert.ok(![...store.records.keys()].some((name) => name.includes(key)));
  const again = await sessions.open(key);
  again.set("a", 1);
  await again.save();
  assert.equal((await sessions.open(key)).item("a"), 1);
  await sessions.delete(key);
  assert.deepEqual([await sessions.exists(key), await sessions.exists("nonsense")], [false, false]);
  await sessions.delete("nonsense");
  again.set("a", 2);
  await assert.rejects(again.save(), { code: "ES_SESSION_INTERRUPTED", name: "SessionInterruptedError" });
  assert.equal((await sessions.open(key)).sessionKey, key);
});

test("a committed session can only be read, and one that was disposed of cannot be used", async () => {
  const { sessions } = sessionsAt();
  const reads = [
    (session) => session.get("a"), (session) => session.item("a"), (session) => session.has("a"), (session) => session.keys(),
    (session) => session.values(), (session) => session.items(), (session) => [...session], (session) => session.isEmpty(),
    (session) => session.testCookieWorked(), (session) => session.setDefault("a", 1),
  ];
  for (const close of [(s) => sessions.commit(s, new Response()), (s) => sessions.commitHeaders(s, 200), (s) => sessions.commitCookies(s, 200), async (s) => s[Symbol.dispose]()]) {
    const session = await sessions.load("");
    session.set("a", [1]);
    session.get("a");
    await close(session);
    const expected = [[1], [1], true, ["a"], [[1]], [["a", [1]]], [["a", [1]]], false, false, [1]];
    for (const [at, read] of reads.entries()) {
      if (session.sessionKey) assert.deepEqual(read(session), expected[at], String(read));
      else assert.throws(() => read(session), SessionClosedError, String(read));
    }
    for (const call of [
      () => session.set("a", 2), () => session.remove("a"), () => session.delete("a"),
      () => session.pop("a", 0), () => session.setDefault("b", 1), () => session.update({ a: 1 }), () => session.update("a", () => 1),
      () => session.clear(), () => session.cycleKey(), () => session.flash("a", 1),
      () => session.create(), () => session.setTestCookie(), () => session.deleteTestCookie(),
      () => session.setExpiry(1), () => session.getExpiryAge(), () => session.getExpiryDate(), () => session.getExpireAtBrowserClose(),
      () => { session.modified = true; },
    ]) assert.throws(call, SessionClosedError, String(call));
    await assert.rejects(session.save(), closed);
    await assert.rejects(session.flush(), closed);
    await assert.rejects(sessions.commit(session, new Response()), closed);
    session[Symbol.dispose]();
    assert.deepEqual([session.accessed, session.modified], [true, true]);
  }
});

test("while a session is being saved it can be read, not written, and a second operation is refused", async () => {
  const { sessions, store } = sessionsAt();
  const session = await sessions.open();
  session.set("a", 1);
  const saving = session.save();
  const refused = [session.save(), session.flush(), sessions.commit(session, new Response())];
  assert.throws(() => session.set("a", 2), SessionBusyError);
  assert.throws(() => session.delete("a"), SessionBusyError);
  assert.equal(session.get("a"), 1);
  for (const promise of refused) await assert.rejects(promise, { code: "ES_SESSION_BUSY" });
  assert.deepEqual(await saving, { oldRecordRemains: false });
  session.set("a", 2);
  const late = session.save();
  session[Symbol.dispose](); // frees it once the save is through
  await late;
  const again = await sessions.open(session.sessionKey);
  assert.equal(again.get("a"), 2);
});

test("G13, CVE-2026-24894 (FrankenPHP): nothing of one request reaches another, 200 interleaved ones of twenty visitors", async () => {
  const wait = () => new Promise((resolve) => setTimeout(resolve, Math.random() * 5));
  const inner = eventual();
  const slow = Object.fromEntries(["get", "put", "delete", "list"].map((name) => [name, async (...args) => (await wait(), inner[name](...args))]));
  const { sessions } = sessionsAt({ store: slow });
  const visitors = await Promise.all(Array.from({ length: 20 }, async (_, n) => {
    const one = visitor(sessions);
    await one.visit((session) => session.set("name", n));
    return one;
  }));
  await Promise.all(Array.from({ length: 200 }, async (_, n) => {
    const one = { ...visitors[n % 20] };
    const { result } = await one.visit(async (session) => {
      await wait();
      if (n % 3 === 0) session.set("last", n);
      return session.get("name");
    });
    assert.equal(result, n % 20);
  }));
});

test("KV: what each request costs, and the shape of every call", async () => {
  const { kv: namespace, calls, names } = countingKv();
  const { sessions, time } = sessionsAt({ store: kv(namespace) });
  const alice = visitor(sessions);
  await alice.visit((session) => session.get("user"));
  await sessions.load("__Host-sessionid=forged");
  assert.deepEqual(names(), [], "no cookie and a forged one cost nothing");
  await alice.visit((session) => session.set("user", "alice"));
  const [{ args: [key, value, options] }] = calls;
  assert.match(key, /^edge-session:session:[\w-]{32}$/);
  assert.ok(value instanceof Uint8Array);
  assert.deepEqual(options, { expirationTtl: 1_209_600, metadata: { deadline: (time.now + 1_209_600_000) * 1000 } });
  assert.deepEqual(names(), ["put"]);
  await alice.visit((session) => session.get("user"));
  assert.deepEqual(calls[0].args, [key, { type: "arrayBuffer", cacheTtl: 30 }]);
  assert.match(calls[1].args[0], /^edge-session:ended:[\w-]{32}\.0$/);
  assert.deepEqual(names(), ["get", "get"]);
  await alice.visit((session) => session.set("user", "alice"));
  assert.deepEqual(names(), ["get", "get"], "an equal value is not written");
  await alice.visit((session) => session.set("page", 1));
  assert.deepEqual(names(), ["get", "get", "put"]);
  await alice.visit((session) => {
    time.now += 1; // as after I/O of the handler
    session.set("page", 2);
  });
  assert.deepEqual(names(), ["get", "get", "get", "get", "put"]);
  await alice.visit((session) => session.cycleKey());
  assert.deepEqual(names(), ["get", "get", "get", "get", "get", "put", "put"], "the tombstone of another login; the new record, the old key's tombstone");
  await alice.visit((session) => session.cycleKey());
  assert.deepEqual(names(), ["get", "get", "get", "get", "put", "put", "delete"], "a key of a login leaves no record");
  await alice.visit((session) => session.setExpiry(5));
  assert.equal(calls.at(-1).args[2].expirationTtl, 60, "KV's least");
  names();
  time.now += 200_000;
  assert.deepEqual(await sessions.clearExpired(), { removed: 0, complete: true });
  assert.deepEqual(names(), [], "KV expires records itself");
  assert.deepEqual(await sessions.clearExpired({ fullPass: true }), { removed: 1, complete: true });
  assert.deepEqual(names(), ["list", "delete"]);
  alice.cookie = "";
  await alice.visit((session) => session.set("user", "alice"));
  names();
  await alice.visit((session) => session.flush());
  assert.deepEqual(names(), ["get", "get", "put", "put", "delete"], "the tombstones of the key, and of the next one");
});

test("a store that fails: an error at the first access with the store's error as its cause, and the cookie stays", async () => {
  const down = new Error("KV GET failed: 503");
  const counting = countingKv();
  const { sessions } = sessionsAt({ store: kv(counting.kv) });
  const alice = visitor(sessions);
  await alice.visit((session) => session.set("user", "alice"));
  for (const get of [() => { throw down; }, async () => { throw down; }, async () => undefined, async () => "text"]) {
    const failing = countingKv({ get });
    const visiting = { ...visitor(sessionsAt({ store: kv(failing.kv) }).sessions), cookie: alice.cookie };
    const { answer } = await visiting.visit(() => {});
    assert.deepEqual([...answer.headers.keys()], ["content-type"], "an untouched page is served");
    await visiting.visit((session) => {
      for (const call of [() => session.get("user"), () => session.set("a", 1), () => session.keys(), () => session.cycleKey(), () => session.setExpiry(1)]) {
        assert.throws(call, (error) => error instanceof StoreUnavailableError && error.code === "ES_STORE_UNAVAILABLE" && error.cause instanceof Error);
      }
    });
    await assert.rejects(visiting.visit((session) => session.save()), StoreUnavailableError);
    assert.equal(visiting.cookie, alice.cookie);
    assert.equal(failing.names().every((name) => name === "get"), true);
  }
  const broken = countingKv({ put: async () => { throw new Error("KV PUT failed: 429 Too Many Requests"); } });
  const { sessions: unwritable } = sessionsAt({ store: kv(broken.kv) });
  const session = await unwritable.load("");
  session.set("a", 1);
  await assert.rejects(unwritable.commit(session, new Response()), (error) => error.cause.message === "KV PUT failed: 429 Too Many Requests");
  assert.equal(session.get("a"), 1, "what could not be committed is still open");
  session[Symbol.dispose]();
});

test("a custom store: valid replies and conflicts", async () => {
  const store = { ...eventual(), put: async () => false };
  const session = await sessionsAt({ store }).sessions.open();
  await assert.rejects(session.set("a", 1).save(), { code: "ES_KEY_TAKEN", name: "KeyTakenError" });
  const key = await (async () => {
    const other = await sessionsAt().sessions.open();
    other.create();
    return other.sessionKey;
  })();
  for (const value of [undefined, "text", {}, 1]) {
    const broken = await sessionsAt({ store: { ...eventual(), get: async () => value } }).sessions.open(key);
    assert.throws(() => broken.get("a"), { code: "ES_STORE_UNAVAILABLE" });
  }
  const pages = [{ keys: [], cursor: "next" }, { keys: [{ name: "edge-session:session:x", deadline: 1 }, { name: "edge-session:session:y" }] }];
  const asked = [];
  const listing = { ...eventual(), list: async (prefix, cursor) => (asked.push([prefix, cursor]), pages.shift()) };
  assert.deepEqual(await sessionsAt({ store: listing }).sessions.clearExpired(), { removed: 1, complete: true });
  assert.deepEqual(asked, [["edge-session:", undefined], ["edge-session:", "next"]]);
  const fails = async () => { throw new Error("down"); };
  const failing = (...names) => ({ ...eventual(), wait: async () => {}, ...Object.fromEntries(names.map((name) => [name, fails])) });
  await assert.rejects(sessionsAt({ store: failing("list") }).sessions.clearExpired(), { code: "ES_STORE_UNAVAILABLE" });
  await assert.rejects(sessionsAt({ store: failing("put") }).sessions.delete(key), { code: "ES_STORE_UNAVAILABLE" });
  await assert.rejects(sessionsAt({ store: failing("delete"), checkEnded: false }).sessions.delete(key), { code: "ES_STORE_UNAVAILABLE" });
  const undeleting = sessionsAt({ store: failing("delete") });
  const kept = await undeleting.sessions.open();
  await kept.set("a", 1).save();
  await undeleting.sessions.delete(kept.sessionKey);
  assert.deepEqual(kinds(undeleting.store), ["ended", "ended", "ended", "ended", "session"]);
  assert.equal(await undeleting.sessions.exists(kept.sessionKey), false, "a record that could not be deleted is out of reach");
});

test("settings are validated on construction, and errors have the JavaScript names and no secret", () => {
  const store = eventual();
  for (const [options, part] of [
    [{}, "store"],
    [{ store }, "secrets must be an array"],
    [{ store, secrets: [] }, "secrets is missing"],
    [{ store, secrets: [undefined] }, "one of secrets is missing"],
    [{ store, secrets: ["too short"] }, "Each of secrets needs at least 32 bytes; one has 9"],
    [{ store, secrets, cookieAge: 0 }, "cookieAge"],
    [{ store, secrets, cookieAge: 1.5 }, "cookieAge must be a whole number"],
    [{ store, secrets, cookieAge: "60" }, "cookieAge must be a whole number"],
    [{ store, secrets, cookieSecure: "no" }, "cookieSecure must be true or false"],
    [{ store, secrets, cookieSameSite: "Sometimes" }, "cookieSameSite"],
    [{ store, secrets, cookieSameSite: "None", cookieSecure: false }, 'cookieSameSite = "None" needs cookieSecure = true'],
    [{ store, secrets, cookieName: "__Host-sid", cookieDomain: "example.com" }, "allows no cookieDomain"],
    [{ store, secrets, maxRecordBytes: 10 }, "maxRecordBytes"],
    [{ store, secrets, cookieNmae: "x" }, "Unknown setting `cookieNmae`"],
  ]) {
    assert.throws(() => createSessions(options), (error) => {
      assert.equal(error.code, "ES_CONFIG");
      assert.ok(error.message.includes(part), error.message);
      return !error.message.includes("too short") && !/SESSION_(?!SECRET\b)/.test(error.message);
    });
  }
  assert.throws(() => kv(undefined), { code: "ES_CONFIG", name: "ConfigError" });
});

test("every setting takes effect", async () => {
  const { sessions } = sessionsAt({
    secrets: [new TextEncoder().encode("a newer secret, as bytes, of thirty-two"), ...secrets],
    cookieAge: 60, cookieName: "sid", cookieDomain: "example.com", cookiePath: "/app", cookieHttpOnly: false,
    cookieSameSite: "strict", saveEveryRequest: true, absoluteAge: 30, maxRecordBytes: 1024, keyPrefix: "shop",
  });
  const session = await sessions.load("");
  session.set("a", 1);
  const headers = new Headers(await sessions.commitHeaders(session, 200));
  assert.match(headers.get("Set-Cookie"), /^sid-anonymous=.*; Max-Age=30; Domain=example\.com; Path=\/app; Secure; SameSite=Strict$/);
  const login = await sessions.load(cookiesAfter("", headers));
  login.cycleKey();
  const [gives, deletes] = new Headers(await sessions.commitHeaders(login, 200)).getSetCookie();
  assert.match(gives, /^sid=.*; Max-Age=30; Domain=example\.com; Path=\/app; Secure; SameSite=Strict$/);
  assert.match(deletes, /^sid-anonymous=;.*; Max-Age=0; Domain=example\.com; Path=\/app; Secure; SameSite=Strict$/);
  const large = await sessions.load("");
  large.set("a", "x".repeat(1024));
  await assert.rejects(large.save(), { code: "ES_TOO_LARGE", message: /maxRecordBytes allows 1024$/ });
  const close = sessionsAt({ expireAtBrowserClose: true }).sessions;
  assert.equal((await close.open()).getExpireAtBrowserClose(), true);
});

test("entropy can be given, and is 32 bytes", async () => {
  const keyOf = async (entropy) => {
    const session = await sessionsAt({ entropy }).sessions.open();
    session.create();
    return session.sessionKey;
  };
  assert.equal(await keyOf(() => new Uint8Array(32)), await keyOf(() => new Uint8Array(32)));
  assert.notEqual(await keyOf(undefined), await keyOf(undefined));
  await assert.rejects(keyOf(() => new Uint8Array(8)), { code: "ES_ENTROPY" });
});

test("entropy that failed once is called again", async () => {
  let times = 0;
  const { sessions } = sessionsAt({ entropy: () => (times++ ? crypto.getRandomValues(new Uint8Array(32)) : new Uint8Array(0)) });
  await assert.rejects(sessions.load(""), { code: "ES_ENTROPY" });
  assert.equal((await sessions.load("")).isEmpty(), true);
});

test("a session that another `Sessions` commits is stored in the same way", async () => {
  const { store, sessions } = sessionsAt({ saveEveryRequest: true });
  const { sessions: others } = sessionsAt({ store });
  const session = await sessions.open();
  session.create();
  session.set("cart", { apples: 1 });
  session.modified = false;
  await others.commitHeaders(session, 200);
  assert.deepEqual((await sessions.open(session.sessionKey)).get("cart"), { apples: 1 });
});

test("a refused flush keeps the returned objects", async () => {
  const { sessions } = sessionsAt();
  const session = await sessions.open();
  await session.set("cart", [1]).save();
  const cart = session.get("cart");
  const saving = session.save();
  await assert.rejects(session.flush(), { code: "ES_SESSION_BUSY" });
  await saving;
  cart.push(2);
  session.modified = true;
  await session.save();
  assert.deepEqual((await sessions.open(session.sessionKey)).get("cart"), [1, 2]);
});

test("a save that is refused halfway leaves the flag unchanged", async () => {
  const { sessions } = sessionsAt();
  const session = await sessions.open();
  await session.update({ a: [1], b: [1] }).save();
  const again = await sessions.open(session.sessionKey);
  again.get("a").push(2);
  again.get("b").push(1n);
  await assert.rejects(again.save(), { code: "ES_VALUE" });
  assert.equal(again.modified, false);
});

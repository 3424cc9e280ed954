// The protocol on a store that is stale, that refuses writes, or whose session has ended, from JavaScript.

import assert from "node:assert/strict";
import { test } from "node:test";
import { EdgeSessionError, StaleError, SupersededError, UsageError } from "../../dist/node.js";
import { anonymous, eventual, isolate, loggedIn, sessionsAt, visitor, wandering } from "./visitor.mjs";

/** A store whose reads can be made stale. */
function behind() {
  const store = eventual();
  let shown;
  return {
    ...store,
    get: async (key) => (shown ? (shown.get(key)?.value ?? null) : store.get(key)),
    freeze: () => (shown = new Map(store.records)),
    catchUp: () => (shown = undefined),
  };
}

test("each load has an outcome, and reading the outcome is not an access", async () => {
  const site = sessionsAt();
  const { sessions, time, store } = site;
  const alice = visitor(sessions);
  const reason = async (cookie, settings) => (await isolate(site, settings).load(cookie)).loadReason;
  assert.equal(await reason(""), "new");
  assert.equal(await reason(`${loggedIn}=forged`), "malformed");
  assert.equal(await reason(`${anonymous}=forged`), "malformed");
  await alice.visit((session) => session.set("user", "alice"));
  const session = await sessions.load(alice.cookie);
  assert.deepEqual([session.loadReason, session.accessed], ["live", false]);
  session[Symbol.dispose]();
  assert.equal(session.loadReason, "live", "also when it is closed");
  assert.equal(await reason(alice.cookie, { keyPrefix: "shop" }), "other-settings");
  const [[key, record]] = store.records;
  store.records.clear();
  assert.equal(await reason(alice.cookie), "not-yet-visible");
  time.now += 101_000;
  assert.equal(await reason(alice.cookie), "unknown");
  store.records.set(key, { ...record, value: new TextEncoder().encode("{}") });
  assert.equal(await reason(alice.cookie), "corrupt");
  store.records.set(key, { ...record, value: new TextEncoder().encode('{"edge-session":2}') });
  assert.equal(await reason(alice.cookie), "newer-version");
  store.records.set(key, record);
  time.now += 1_209_600_000;
  assert.equal(await reason(alice.cookie), "expired");

  const bob = visitor(sessions);
  await bob.visit((session) => session.set("user", "bob"));
  const before = bob.cookie;
  await bob.visit((session) => session.cycleKey());
  assert.equal(await reason(before), "superseded");
  time.now += 100_000;
  assert.equal(await reason(before), "superseded");
  time.now += 1;
  assert.equal(await reason(before), "revoked");
  assert.equal(await reason(bob.cookie), "live");
  await sessions.delete((await sessions.load(bob.cookie)).sessionKey);
  assert.equal(await reason(bob.cookie), "revoked");
});

test("an isolate reads its own saves and revocations at once, even from a stale store", async () => {
  const store = behind();
  const { sessions } = sessionsAt({ store });
  const alice = visitor(sessions);
  store.freeze();
  await alice.visit((session) => session.update({ theme: "dark", gone: 1 }));
  await alice.visit((session) => {
    session.set("cart", ["apple"]);
    session.remove("gone");
  });
  assert.deepEqual((await alice.visit((session) => [session.loadReason, session.items()])).result, ["live", [["theme", "dark"], ["cart", ["apple"]]]]);
  const before = alice.cookie;
  await alice.visit((session) => session.cycleKey());
  assert.equal((await sessions.load(before)).loadReason, "superseded");
  const login = alice.cookie;
  assert.equal((await sessions.load(login)).loadReason, "live");
  await alice.visit((session) => session.flush());
  for (const cookie of [login, before]) assert.equal((await sessions.load(cookie)).loadReason, "revoked");
});

test("a browser reads its own writes where the store does not show them yet, and writes on top of them", async () => {
  const store = behind();
  const site = sessionsAt({ store });
  const alice = visitor(wandering(site));
  await alice.visit((session) => session.update({ theme: "dark", draft: "kept", gone: 1 }));
  store.freeze();
  await alice.visit((session) => {
    session.set("cart", ["apple"]);
    session.remove("gone");
  });
  const { result } = await alice.visit((session) => [session.loadReason, session.items()]);
  assert.deepEqual(result, ["stale-repaired", [["theme", "dark"], ["draft", "kept"], ["cart", ["apple"]]]]);
  await alice.visit((session) => session.set("page", 2));
  store.catchUp();
  const { result: after } = await alice.visit((session) => [session.loadReason, session.items()]);
  assert.deepEqual(after, ["live", [["theme", "dark"], ["draft", "kept"], ["cart", ["apple"]], ["page", 2]]]);
});

test("foreign saves that a store does not show are not overwritten, unless a setting allows it", async () => {
  const site = sessionsAt({ store: behind() });
  const { store } = site;
  const [alice, other] = [visitor(wandering(site)), visitor(wandering(site))];
  await alice.visit((session) => session.set("theme", "dark"));
  other.cookie = alice.cookie;
  const then = new Map(store.records);
  await other.visit((session) => session.set("cart", ["pear"]));
  await alice.visit((session) => session.set("page", 1)); // on top of what the other saved
  const newest = new Map(store.records);
  store.records.clear();
  for (const [key, record] of then) store.records.set(key, record);
  const refused = alice.visit((session) => {
    assert.equal(session.loadReason, "stale");
    session.set("page", 2);
  });
  await assert.rejects(refused, { code: "ES_STALE" });
  for (const [key, record] of newest) store.records.set(key, record);
  assert.deepEqual((await alice.visit((session) => session.items())).result, [["theme", "dark"], ["cart", ["pear"]], ["page", 1]]);

  for (const [key, record] of then) store.records.set(key, record);
  const daring = { ...visitor(wandering(site, { mergeStale: true })), cookie: alice.cookie };
  await daring.visit((session) => session.set("page", 3));
  assert.deepEqual((await daring.visit((session) => session.items())).result, [["theme", "dark"], ["page", 3]]);
});

test("a session that is not visible yet is empty, is not written, and keeps its cookie", async () => {
  const store = behind();
  const site = sessionsAt({ store });
  const alice = visitor(wandering(site));
  store.freeze();
  await alice.visit((session) => session.set("user", "alice"));
  const { result, answer } = await alice.visit((session) => [session.loadReason, session.get("user"), session.isEmpty()]);
  assert.deepEqual(result, ["not-yet-visible", undefined, false]);
  assert.deepEqual(answer.headers.getSetCookie(), []);
  await assert.rejects(alice.visit((session) => session.set("page", 1)), (error) => error instanceof StaleError && error.code === "ES_STALE");
  store.catchUp();
  assert.equal((await alice.visit((session) => session.get("user"))).result, "alice");
});

test("a refused put is retried after a wait, three times at most, on the current record", async () => {
  const store = eventual();
  const waits = [];
  let refusals = 0;
  const busy = {
    ...store,
    put: async (...args) => {
      if (refusals-- > 0) throw new Error("KV PUT failed: 429 Too Many Requests");
      return store.put(...args);
    },
    wait: async (milliseconds) => {
      waits.push(milliseconds);
      site.time.now += milliseconds;
      await meanwhile?.();
    },
  };
  let meanwhile;
  const site = sessionsAt({ store: busy });
  const alice = visitor(site.sessions);
  await alice.visit((session) => session.set("user", "alice"));
  refusals = 1;
  const other = { ...visitor(isolate({ store, time: site.time })), cookie: alice.cookie };
  meanwhile = () => other.visit((session) => session.set("cart", ["pear"]));
  await alice.visit((session) => session.set("page", 1));
  meanwhile = undefined;
  assert.deepEqual((await alice.visit((session) => session.items())).result, [["user", "alice"], ["cart", ["pear"]], ["page", 1]]);
  const pauses = () => {
    site.time.now += 2_000; // the store takes another write under the key
    return waits.splice(0).filter((milliseconds) => milliseconds >= 1000 && milliseconds < 1256).length;
  };
  assert.equal(pauses(), 1);
  refusals = 3;
  await alice.visit((session) => session.set("page", 2));
  assert.deepEqual([pauses(), (await alice.visit((session) => session.get("page"))).result], [3, 2]);
  refusals = 4;
  await assert.rejects(alice.visit((session) => session.set("page", 3)), { code: "ES_STORE_UNAVAILABLE" });
  assert.deepEqual([pauses(), refusals], [3, 0], "no fifth try");
});

test("a request with the key from before a login reads nothing, saves nothing and sets no cookie; a second login is a login", async () => {
  const events = [];
  const site = sessionsAt({ onEvent: ({ kind }) => void events.push(kind) });
  const alice = visitor(site.sessions);
  await alice.visit((session) => session.set("cart", ["apple"]));
  const before = alice.cookie;
  await alice.visit((session) => {
    session.cycleKey();
    session.set("user", "alice");
  });
  events.length = 0;
  for (const sessions of [site.sessions, isolate(site, { onEvent: ({ kind }) => void events.push(kind) })]) {
    const tab = { ...visitor(sessions), cookie: before };
    const { result, answer } = await tab.visit((session) => [session.loadReason, session.get("cart"), session.keys()]);
    assert.deepEqual([result, answer.headers.getSetCookie()], [["superseded", undefined, []], []]);
    const superseded = (error) => error instanceof SupersededError && error instanceof EdgeSessionError && error.code === "ES_SUPERSEDED" && error.name === "SupersededError";
    await assert.rejects(tab.visit((session) => session.set("draft", 1)), superseded);
    await assert.rejects(tab.visit((session) => session.save()), superseded);
    assert.deepEqual(events.splice(0), ["superseded", "superseded", "refused-superseded", "superseded", "refused-superseded"]);
    const second = await tab.visit((session) => {
      session.cycleKey();
      session.set("user", "alice, again");
      return session.items();
    });
    assert.deepEqual(second.result, [["cart", ["apple"]], ["user", "alice, again"]]);
    assert.deepEqual((await tab.visit((session) => session.get("user"))).result, "alice, again");
    events.length = 0;
  }
  assert.equal((await alice.visit((session) => session.get("user"))).result, "alice", "the first login goes on");
});

test("a logout revokes both of two logins from one anonymous session, and neither response sets a cookie", async () => {
  const site = sessionsAt();
  const [alice, twice] = [visitor(site.sessions), visitor(isolate(site))];
  await alice.visit((session) => session.set("cart", ["apple"]));
  twice.cookie = alice.cookie;
  const login = (session) => (session.cycleKey(), session.set("user", "alice"));
  await Promise.all([alice.visit(login), twice.visit(login)]);
  for (const one of [alice, twice]) assert.deepEqual((await one.visit((session) => session.items())).result, [["cart", ["apple"]], ["user", "alice"]]);
  await alice.visit((session) => session.flush());
  for (const sessions of [site.sessions, isolate(site)]) {
    const { result, answer } = await { ...visitor(sessions), cookie: twice.cookie }.visit((session) => [session.loadReason, session.get("user")]);
    assert.deepEqual([result, answer.headers.getSetCookie()], [["revoked", undefined], []]);
  }
});

test("the commit of a session that was opened by its key is refused: it is another visitor's", async () => {
  const { sessions, store } = sessionsAt();
  const session = await sessions.open();
  await session.set("user", "alice").save();
  const opened = (await sessions.open(session.sessionKey)).set("notice", "sent");
  const before = new Map(store.records);
  for (const commit of [() => sessions.commit(opened, new Response()), () => sessions.commitHeaders(opened, 200)]) {
    await assert.rejects(commit, (error) => error instanceof UsageError && error instanceof EdgeSessionError && error.code === "ES_USAGE" && error.name === "UsageError");
  }
  assert.deepEqual(store.records, before);
  await opened.save();
  assert.equal((await sessions.open(session.sessionKey)).get("notice"), "sent");
});

test("a commit after a save checks whether the session has ended since", async () => {
  const site = sessionsAt();
  const alice = visitor(site.sessions);
  await alice.visit((session) => session.set("user", "alice"));
  for (const sessions of [site.sessions, isolate(site)]) {
    const { sessionKey } = await site.sessions.load(alice.cookie);
    const interrupted = alice.visit(async (session) => {
      await session.set("page", 1).save();
      await sessions.delete(sessionKey);
    });
    await assert.rejects(interrupted, { code: "ES_SESSION_INTERRUPTED", name: "SessionInterruptedError" });
    alice.cookie = "";
    await alice.visit((session) => session.set("user", "alice"));
  }
});

test("clear on a session that has ended keeps its key, and the save is interrupted", async () => {
  const site = sessionsAt();
  const alice = visitor(site.sessions);
  await alice.visit((session) => session.set("user", "alice"));
  const { sessionKey } = await site.sessions.load(alice.cookie);
  await isolate(site).delete(sessionKey);
  for (const sessions of [site.sessions, isolate(site)]) {
    const tab = { ...visitor(sessions), cookie: alice.cookie };
    const cleared = tab.visit((session) => {
      session.clear();
      assert.deepEqual([session.sessionKey, session.isEmpty()], [sessionKey, false]);
    });
    await assert.rejects(cleared, { code: "ES_SESSION_INTERRUPTED" });
  }
});

test("a renewal that is too large does not fail the response; a change that makes the session smaller is saved", async () => {
  const events = [];
  const site = sessionsAt({ cookieAge: 1000 });
  const alice = visitor(site.sessions);
  await alice.visit((session) => session.update({ user: "alice", large: "x".repeat(2_500) }));
  site.time.now += 500_000;
  const onEvent = ({ kind }) => void events.push(kind);
  const full = { ...visitor(isolate(site, { cookieAge: 1000, saveEveryRequest: true, maxRecordBytes: 2_048, onEvent })), cookie: alice.cookie };
  const { result, answer } = await full.visit((session) => session.get("user"));
  assert.deepEqual([result, answer.status, answer.headers.getSetCookie()], ["alice", 200, []]);
  assert.deepEqual(events.splice(0), ["renewal-failed"]);
  await assert.rejects(full.visit((session) => session.set("page", 1)), { code: "ES_TOO_LARGE" });
  await full.visit((session) => session.remove("large"));
  assert.deepEqual((await full.visit((session) => session.items())).result, [["user", "alice"]]);
});

test("events have pseudonyms without a key; a callback that throws has no effect", async (t) => {
  const events = [];
  const { sessions, store } = sessionsAt({ onEvent: (event) => void events.push(event) });
  const alice = visitor(sessions);
  const kinds = () => events.splice(0).map(({ kind }) => kind);
  await alice.visit((session) => session.get("user"));
  assert.deepEqual(kinds(), []);
  await alice.visit((session) => session.set("user", "alice"));
  const [{ session: name }] = events;
  assert.match(name, /^[\w-]{11}$/);
  assert.ok(![...store.records.keys()].some((key) => key.includes(name)));
  assert.deepEqual(kinds(), ["created"]);
  const before = alice.cookie;
  await alice.visit((session) => session.cycleKey());
  assert.deepEqual(kinds(), ["cycled"]);
  await sessions.load(before);
  assert.deepEqual(events.splice(0), [{ kind: "superseded", session: name }]);
  await alice.visit((session) => session.flush());
  assert.deepEqual(kinds(), ["flushed"]);
  await sessions.load(before);
  assert.deepEqual(events.splice(0), [{ kind: "revoked", session: name }]);
  await sessions.load(`${loggedIn}=forged`);
  assert.deepEqual(events.splice(0), [{ kind: "malformed", session: "" }]);

  const logged = t.mock.method(console, "error", () => {});
  const { sessions: hooked } = sessionsAt({ store, onEvent: () => { throw new Error("the counter is down"); } });
  const bob = visitor(hooked);
  await bob.visit((session) => session.set("user", "bob"));
  assert.equal((await bob.visit((session) => session.get("user"))).result, "bob");
  assert.ok(logged.mock.callCount() > 0);
});

test("a text with an invalid signature emits an event of the session that decodes it", async (t) => {
  const events = [];
  const { sessions } = sessionsAt({ onEvent: (event) => void events.push(event) });
  const alice = visitor(sessions);
  await alice.visit((session) => session.set("user", "alice"));
  const [{ session: name }] = events.splice(0);
  const session = await sessions.load(alice.cookie);
  const signed = await session.encode({ user: "alice" });
  assert.deepEqual([await session.decode(signed), events], [{ user: "alice" }, []]);
  for (const text of [`${signed}x`, signed.replace(/^./, "x"), "", "forged", undefined]) {
    assert.deepEqual([await session.decode(text), events.splice(0)], [{}, [{ kind: "bad-signature", session: name }]]);
  }
  assert.equal(session.accessed, false, "it is no access");
  session.set("page", 1);
  const saving = session.save();
  await session.decode("forged");
  await saving;
  assert.deepEqual(events.splice(0), [{ kind: "bad-signature", session: name }], "beside a save, too");
  session[Symbol.dispose]();
  await session.decode("forged");
  assert.deepEqual(events.splice(0), [{ kind: "bad-signature", session: "" }], "a closed session has no name any more");
  const unnamed = await sessions.load("");
  await unnamed.decode("forged");
  assert.deepEqual(events.splice(0), [{ kind: "bad-signature", session: "" }]);
  const logged = t.mock.method(console, "error", () => {});
  const { sessions: hooked } = sessionsAt({ onEvent: () => { throw new Error("the counter is down"); } });
  assert.deepEqual(await (await hooked.load("")).decode("forged"), {});
  assert.equal(logged.mock.callCount(), 1);
});

test("without the second read of a load, a logout still deletes the record", async () => {
  const { sessions, store } = sessionsAt({ checkEnded: false });
  const alice = visitor(sessions);
  await alice.visit((session) => session.set("user", "alice"));
  const cookie = alice.cookie;
  const asked = [];
  const { sessions: counted } = sessionsAt({ checkEnded: false, store: { ...store, get: (key) => (asked.push(key), store.get(key)) } });
  await counted.load(cookie);
  assert.equal(asked.length, 1);
  await alice.visit((session) => session.flush());
  assert.equal((await sessions.load(cookie)).get("user"), undefined);
});

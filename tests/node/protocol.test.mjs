// What the protocol does on a store that is behind, that refuses, or whose session has ended, as JavaScript sees it.

import assert from "node:assert/strict";
import { test } from "node:test";
import { memory, StaleError } from "../../dist/node.js";
import { sessionsAt, visitor } from "./visitor.mjs";

/** A store of which reads can be made to show what was there before. */
function behind() {
  const store = memory();
  let shown;
  return {
    ...store,
    get: async (key) => (shown ? (shown.get(key)?.value ?? null) : store.get(key)),
    freeze: () => (shown = new Map(store.records)),
    catchUp: () => (shown = undefined),
  };
}

test("each load says why the session is what it is, and asking is no access", async () => {
  const { sessions, time, store } = sessionsAt();
  const alice = visitor(sessions);
  const reason = async (cookie) => (await sessions.load(cookie)).loadReason;
  assert.equal(await reason(""), "new");
  assert.equal(await reason("__Host-sessionid=forged"), "malformed");
  await alice.visit((session) => session.set("user", "alice"));
  const session = await sessions.load(alice.cookie);
  assert.deepEqual([session.loadReason, session.accessed], ["live", false]);
  session[Symbol.dispose]();
  assert.throws(() => session.loadReason, { code: "ES_SESSION_CLOSED" });
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
  await sessions.delete(session.sessionKey);
  assert.equal(await reason(alice.cookie), "revoked");
});

test("a browser reads its own writes where the store does not show them yet, and writes on top of them", async () => {
  const store = behind();
  const { sessions } = sessionsAt({ store });
  const alice = visitor(sessions);
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

test("what a store lacks of others' saves is not overwritten, unless a setting says so", async () => {
  const store = behind();
  const { sessions } = sessionsAt({ store });
  const { sessions: merging } = sessionsAt({ store, mergeStale: true });
  const [alice, other] = [visitor(sessions), visitor(sessions)];
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
  const daring = { ...visitor(merging), cookie: alice.cookie };
  await daring.visit((session) => session.set("page", 3));
  assert.deepEqual((await daring.visit((session) => session.items())).result, [["theme", "dark"], ["page", 3]]);
});

test("a session that is not visible yet is empty, is not written, and keeps its cookie", async () => {
  const store = behind();
  const { sessions } = sessionsAt({ store });
  const alice = visitor(sessions);
  store.freeze();
  await alice.visit((session) => session.set("user", "alice"));
  const { result, answer } = await alice.visit((session) => [session.loadReason, session.get("user"), session.isEmpty()]);
  assert.deepEqual(result, ["not-yet-visible", undefined, false]);
  assert.deepEqual(answer.headers.getSetCookie(), []);
  await assert.rejects(alice.visit((session) => session.set("page", 1)), (error) => error instanceof StaleError && error.code === "ES_STALE");
  store.catchUp();
  assert.equal((await alice.visit((session) => session.get("user"))).result, "alice");
});

test("a put that is refused is waited for and made once more, on top of what is there by then", async () => {
  const store = memory();
  const waits = [];
  let refusals = 0;
  const busy = {
    ...store,
    put: async (...args) => {
      if (refusals-- > 0) throw new Error("KV PUT failed: 429 Too Many Requests");
      return store.put(...args);
    },
    wait: async (milliseconds) => void waits.push(milliseconds),
  };
  const { sessions } = sessionsAt({ store: busy });
  const alice = visitor(sessions);
  await alice.visit((session) => session.set("user", "alice"));
  refusals = 1;
  await alice.visit((session) => session.set("page", 1));
  assert.equal(waits.length, 1);
  assert.ok(waits[0] >= 1000 && waits[0] < 1300, `${waits[0]} ms`);
  assert.equal((await alice.visit((session) => session.get("page"))).result, 1);
  refusals = 2;
  await assert.rejects(alice.visit((session) => session.set("page", 2)), { code: "ES_STORE_UNAVAILABLE" });
  assert.equal(waits.length, 2, "no third try");
});

test("events tell what happened, by names that hold no key; a hook that throws breaks nothing", async (t) => {
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
  await alice.visit((session) => session.flush());
  assert.deepEqual(kinds(), ["flushed"]);
  await sessions.load(before);
  assert.deepEqual(events, [{ kind: "revoked", session: name }]);
  await sessions.load("__Host-sessionid=forged");
  assert.deepEqual(events.at(-1), { kind: "malformed", session: "" });

  const logged = t.mock.method(console, "error", () => {});
  const { sessions: hooked } = sessionsAt({ store, onEvent: () => { throw new Error("the counter is down"); } });
  const bob = visitor(hooked);
  await bob.visit((session) => session.set("user", "bob"));
  assert.equal((await bob.visit((session) => session.get("user"))).result, "bob");
  assert.ok(logged.mock.callCount() > 0);
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

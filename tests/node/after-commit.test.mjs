// A session after its commit, while a streamed page is still being made: it can be read as it was committed, and not be changed.

import assert from "node:assert/strict";
import { test } from "node:test";
import { cookieStore, createSessions, memory } from "../../dist/node.js";
import { secrets, sessionsAt, visited, visitor } from "./visitor.mjs";

const DATA = { user: "alice", cart: [{ name: "äpfel\u0000", price: 1.5 }], "a \"key\"": null, "": "empty", deep: { a: [[]] } };

test("a committed session shows what was committed, whether it was changed or only read", async () => {
  const { sessions } = sessionsAt();
  const alice = visitor(sessions);
  const changed = await visited(alice, (session) => session.update(Object.entries(DATA)));
  const read = await visited(alice, (session) => session.has("user"));
  for (const session of [changed, read]) {
    assert.deepEqual(session.keys(), Object.keys(DATA));
    assert.deepEqual(session.items(), Object.entries(DATA));
    assert.deepEqual(session.get("cart"), DATA.cart);
    assert.equal(session.get("cart"), session.get("cart"), "the same object each time");
    assert.deepEqual([session.item("user"), session.get("none", 1), session.has("none"), session.isEmpty()], ["alice", 1, false, false]);
    assert.throws(() => session.item("none"), { code: "ES_KEY_ERROR" });
  }
  assert.deepEqual([changed.loadReason, read.loadReason], ["new", "live"]);
});

test("long values are shown as they were committed, from the record or from this request, on each kind of store", async () => {
  const long = (letter) => ({ text: letter.repeat(5000), list: ["ä", 1] });
  for (const settings of [{}, { seal: true }, { store: memory() }, { store: cookieStore() }, { store: memory(), seal: true }]) {
    const { sessions } = sessionsAt(settings);
    const alice = visitor(sessions);
    const [a, b, c] = ["a", "b", "c"].map((letter) => settings.store?.consistency === "cookie" ? letter.repeat(200) : long(letter));
    const first = await visited(alice, (session) => session.update({ a, b, n: 1 }));
    assert.deepEqual(first.items(), [["a", a], ["b", b], ["n", 1]]);
    const read = await visited(alice, (session) => session.get("n"));
    const changed = await visited(alice, (session) => session.set("b", c).set("n", 2));
    const after = await visited(alice, (session) => session.has("b"));
    assert.deepEqual(read.items(), [["a", a], ["b", b], ["n", 1]]);
    for (const session of [changed, after]) assert.deepEqual(session.items(), [["a", a], ["b", c], ["n", 2]]);
  }
});

test("two requests at once: each shows what it has committed, merged with the other's", async () => {
  const { sessions } = sessionsAt();
  const alice = visitor(sessions);
  const [x, y, z] = ["x", "y", "z"].map((letter) => letter.repeat(300));
  await visited(alice, (session) => session.update({ x, y }));
  const [one, two] = [await sessions.load(alice.cookie), await sessions.load(alice.cookie)];
  one.set("x", z);
  two.set("y", z);
  await sessions.commitHeaders(one, 200);
  await sessions.commitHeaders(two, 200);
  assert.deepEqual([one.items(), two.items()], [[["x", z], ["y", y]], [["x", z], ["y", z]]]);
});

test("an object that was read before the commit is the same one after it", async () => {
  const { sessions } = sessionsAt();
  const session = await sessions.load("");
  const cart = session.set("cart", [1]).get("cart");
  await sessions.commitHeaders(session, 200);
  assert.equal(session.get("cart"), cart);
});

test("a session that was flushed, cleared or refused shows itself as it left the request", async () => {
  const { sessions } = sessionsAt();
  const alice = visitor(sessions);
  await visited(alice, (session) => session.set("a", 1));
  const failed = await visited(alice, (session) => session.set("a", 2), 500);
  assert.equal(failed.get("a"), 2, "which was not saved");
  assert.equal((await visited(alice, (session) => session.has("a"))).get("a"), 1);
  assert.deepEqual((await visited(alice, (session) => session.clear())).keys(), []);
  const ended = await visited(alice, (session) => session.flush());
  assert.deepEqual([ended.keys(), ended.get("a"), ended.isEmpty()], [[], undefined, true]);
});

test("a session that was not used before its commit cannot be read after it: its response has no Vary", async () => {
  const { sessions } = sessionsAt();
  const alice = visitor(sessions);
  await visited(alice, (session) => session.set("a", 1));
  const unused = await visited(alice, () => {});
  assert.throws(() => unused.get("a"), { code: "ES_SESSION_CLOSED", message: /read it once before the response/ });
  assert.throws(() => unused.keys(), { code: "ES_SESSION_CLOSED" });
  assert.equal(unused.loadReason, "live");
});

test("a write after the commit says what to do", async () => {
  const { sessions } = sessionsAt();
  const session = await visited(visitor(sessions), (session) => session.set("a", 1));
  assert.throws(() => session.set("a", 2), { code: "ES_SESSION_CLOSED", message: /await session\.save\(\).*sessions\.open\(session\.sessionKey\)/ });
  const later = await sessions.open(session.sessionKey);
  await later.set("a", 2).save();
  assert.equal(session.get("a"), 1, "the committed session does not change");
  assert.equal((await sessions.open(session.sessionKey)).get("a"), 2);
});

test("a session whose load failed throws the store's error before the commit, and cannot be read after it", async (t) => {
  t.mock.method(console, "error", () => {});
  const { sessions, store } = sessionsAt();
  const alice = visitor(sessions);
  await visited(alice, (session) => session.set("a", 1));
  store.get = async () => { throw new Error("KV GET failed: 500"); };
  const session = await visited(alice, (session) => assert.throws(() => session.get("a"), { code: "ES_STORE_UNAVAILABLE" }), 503);
  assert.throws(() => session.get("a"), { code: "ES_SESSION_CLOSED" });
  assert.equal(session.loadReason, "unavailable");
});

test("a record with a value that is not UTF-8 is committed as before, and cannot be read after the commit", async () => {
  const store = memory();
  const sessions = createSessions({ store, secrets });
  const alice = visitor(sessions);
  await visited(alice, (session) => session.update({ a: "AAAA", b: 1 }));
  const [[key, record]] = store.records;
  const at = Buffer.from(record.value).indexOf("AAAA");
  record.value[at] = 0xff;
  store.records.set(key, record);
  const session = await visited(alice, (session) => assert.equal(session.get("b"), 1));
  assert.throws(() => session.get("b"), { code: "ES_SESSION_CLOSED" });
});

test("a disposed session is closed for reading, a committed one is not, even if it is disposed of afterwards", async () => {
  const { sessions } = sessionsAt();
  const response = await sessions.run("", (session) => {
    session.set("user", "alice");
    const parts = async function* () {
      yield "began ";
      await new Promise((resolve) => setTimeout(resolve, 20));
      yield session.get("user");
    };
    return new Response(ReadableStream.from(parts()).pipeThrough(new TextEncoderStream()));
  });
  assert.equal(await response.text(), "began alice");
  const dropped = await sessions.load("");
  dropped.set("user", "alice");
  dropped[Symbol.dispose]();
  assert.throws(() => dropped.get("user"), { code: "ES_SESSION_CLOSED", message: /disposed of without a commit/ });
});

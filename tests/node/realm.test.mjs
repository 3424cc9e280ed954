// Values of another realm, as in Jest with jsdom, vm contexts and edge sandboxes, are accepted like those of this realm. Values
// that only imitate them are refused.

import assert from "node:assert/strict";
import { test } from "node:test";
import vm from "node:vm";
import { createSessions } from "../../dist/node.js";
import { KvModel } from "../../dist/testing/node.js";
import { eventual, fresh, secrets, sessionsAt, visitor } from "./visitor.mjs";

/** Runs code in another realm, with classes of its own. */
const elsewhere = vm.runInNewContext("(code) => eval(code)", {});
const [array, bytes, buffer, date] = ["(list) => Array.from(list)", "(list) => Uint8Array.from(list)", "(list) => Uint8Array.from(list).buffer", "(time) => new Date(time)"].map(elsewhere);

/** A view into a larger buffer, so that a wrong offset is detected. */
const part = elsewhere("(list) => Uint8Array.from([9, ...list, 9]).subarray(1, -1)");
const view = elsewhere("(list) => new DataView(Uint8Array.from([9, ...list, 9]).buffer, 1, list.length)");

/** A memory store that returns the bytes converted by `turn`. */
function giving(turn) {
  const store = eventual();
  return { ...store, get: async (key) => { const value = await store.get(key); return value && turn([...value]); } };
}

function transferred(buffer) {
  structuredClone(buffer, { transfer: [buffer] });
  return buffer;
}

const feigned = [
  { [Symbol.toStringTag]: "Uint8Array", length: 32, buffer: new ArrayBuffer(32), byteOffset: 0, byteLength: 32, slice: () => new Uint8Array(32) },
  { [Symbol.toStringTag]: "ArrayBuffer", byteLength: 32, slice: () => new ArrayBuffer(32) },
  Object.create(Uint8Array.prototype),
  Object.create(ArrayBuffer.prototype),
  new Proxy(new Uint8Array(32), {}),
  array(new Array(32).fill(7)),
  elsewhere("({})"),
  transferred(new ArrayBuffer(32)),
  ((whole) => (transferred(whole.buffer), whole))(new Uint8Array(32)),
];

test("the values of the tests are of another realm", () => {
  assert.ok([bytes([1]) instanceof Uint8Array, buffer([1]) instanceof ArrayBuffer, date(1) instanceof Date, array([1]) instanceof Array].every((same) => !same));
});

for (const [what, turn] of Object.entries({ "an Uint8Array": bytes, "an ArrayBuffer": buffer, "a part of a buffer": part, "a DataView": view })) {
  test(`a store may give ${what} of another realm`, async () => {
    const alice = visitor(sessionsAt({ store: giving(turn) }).sessions);
    await alice.visit((session) => session.set("user", "alice"));
    assert.equal((await alice.visit((session) => session.get("user"))).result, "alice");
  });

  test(`a secret and entropy may be ${what} of another realm`, async () => {
    const secret = Array.from({ length: 32 }, (_, n) => n);
    const store = eventual();
    const entropy = () => turn(Array.from(crypto.getRandomValues(new Uint8Array(32))));
    const alice = visitor(createSessions({ store, secrets: array([turn(secret)]), entropy }));
    await alice.visit((session) => session.set("user", "alice"));
    const here = { ...visitor(createSessions({ store, secrets: [Uint8Array.from(secret)] })), cookie: alice.cookie };
    assert.equal((await here.visit((session) => session.get("user"))).result, "alice", "and is the same secret here");
  });

  test(`the model of KV takes ${what} of another realm`, async () => {
    const model = new KvModel({ seed: 1 });
    await model.at("AMS").put("key", turn([104, 105]));
    model.failNext("get", { replaced: turn([111, 104]) });
    assert.deepEqual([await model.at("AMS").get("key"), await model.at("AMS").get("key")], ["oh", "hi"]);
  });
}

test("dates, arrays, maps and plain objects of another realm are taken", async () => {
  const session = await fresh();
  session.setExpiry(date(Date.UTC(2031, 0, 1)));
  assert.equal(session.getExpiryDate().getTime(), Date.UTC(2031, 0, 1));
  assert.equal(session.getExpiryAge({ modification: date(Date.UTC(2030, 0, 1)), expiry: date(Date.UTC(2030, 0, 2)) }), 86_400);
  session.setExpiry(elsewhere("({ seconds: 60 })"));
  session.update(elsewhere('new Map([["a", [1]], ["b", { c: null }]])')).update(elsewhere('[["d", 1]]')).update(elsewhere("({ e: 2 })"));
  assert.equal(JSON.stringify(session.items().slice(1)), '[["a",[1]],["b",{"c":null}],["d",1],["e",2]]');
  assert.throws(() => session.set("k", [date(1)]), { code: "ES_VALUE", message: "session.k[0] is a Date; store date.toISOString()" });
});

test("imitations of bytes are refused", async () => {
  for (const value of feigned) {
    const alice = visitor(sessionsAt({ store: giving(() => value) }).sessions);
    await alice.visit((session) => session.set("user", "alice"));
    await assert.rejects(alice.visit((session) => session.get("user")), { code: "ES_STORE_UNAVAILABLE", cause: new Error("the store returned neither bytes nor null") });
    assert.throws(() => createSessions({ store: eventual(), secrets: [value] }), { code: "ES_CONFIG", name: "ConfigError" });
    await assert.rejects(createSessions({ store: eventual(), secrets, entropy: () => value }).load(""), { code: "ES_ENTROPY" });
    await assert.rejects(new KvModel({ seed: 1 }).at("AMS").put("key", value), TypeError);
  }
});

test("imitations of dates and objects whose properties throw are refused", async () => {
  const boom = new Error("boom");
  const thrower = new Proxy({}, new Proxy({}, { get() { throw boom; } })); // on every access
  const session = await fresh();
  for (const value of [
    { [Symbol.toStringTag]: "Date", getTime: () => 1 }, Object.create(Date.prototype), new Proxy(new Date(), {}), elsewhere("new Date(NaN)"), elsewhere("Object.create(Date.prototype)"),
  ]) {
    assert.throws(() => session.setExpiry(value), { code: "ES_VALUE", name: "ValueError" });
    assert.throws(() => session.getExpiryAge({ modification: value }), { code: "ES_VALUE", name: "ValueError" });
  }
  assert.throws(() => session.getExpiryAge({ modification: thrower }), { code: "ES_VALUE", message: "a date must be a valid Date or an ISO string, not an object that cannot be read" });
  assert.throws(() => session.update(thrower), { code: "ES_VALUE", cause: boom });
  assert.throws(() => session.set("k", thrower), { code: "ES_VALUE", cause: boom });
  assert.equal(session.set("works", 1).get("works"), 1);
});

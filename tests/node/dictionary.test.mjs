// Every call on the dictionary, and its effect on the flags.

import assert from "node:assert/strict";
import { test } from "node:test";
import { KeyError, ValueError } from "../../dist/node.js";
import { fresh, sessionsAt } from "./visitor.mjs";

const flags = ({ accessed, modified }) => ({ accessed, modified });
const untouched = { accessed: false, modified: false };
const read = { accessed: true, modified: false };
const written = { accessed: true, modified: true };

/** A session that holds `{ a: 1, cart: ["apple"] }`, with `modified` reset. */
async function filled() {
  const session = await fresh();
  session.update({ a: 1, cart: ["apple"] });
  session.modified = false;
  return session;
}

test("a new session is untouched, empty and without a key", async () => {
  const session = await fresh();
  assert.equal(session.sessionKey, undefined);
  assert.equal(session.isEmpty(), true);
  assert.deepEqual(flags(session), untouched);
});

test("calls that read mark the session accessed, and not modified", async () => {
  for (const [call, expected] of [
    [(s) => s.item("a"), 1],
    [(s) => s.get("a"), 1],
    [(s) => s.get("missing"), undefined],
    [(s) => s.get("missing", 7), 7],
    [(s) => s.has("a"), true],
    [(s) => s.has("missing"), false],
    [(s) => s.keys(), ["a", "cart"]],
    [(s) => s.values(), [1, ["apple"]]],
    [(s) => s.items(), [["a", 1], ["cart", ["apple"]]]],
    [(s) => [...s], [["a", 1], ["cart", ["apple"]]]],
    [(s) => s.setDefault("a", 2), 1],
    [(s) => s.pop("missing", "d"), "d"],
    [(s) => s.pop("missing", undefined), undefined],
    [(s) => s.delete("missing"), false],
    [(s) => s.testCookieWorked(), false],
    [(s) => s.getExpiryAge(), 1_209_600],
    [(s) => s.getExpireAtBrowserClose(), false],
  ]) {
    const session = await filled();
    assert.deepEqual(call(session), expected, String(call));
    assert.deepEqual(flags(session), read, String(call));
  }
  const session = await fresh();
  session.has("a");
  assert.deepEqual(flags(session), read);
});

test("calls that write mark the session modified", async () => {
  for (const [call, result, left] of [
    [(s) => s.set("b", 2).get("b"), 2, { a: 1, cart: ["apple"], b: 2 }],
    [(s) => s.set("a", 1).get("a"), 1, { a: 1, cart: ["apple"] }],
    [(s) => s.remove("a"), undefined, { cart: ["apple"] }],
    [(s) => s.delete("a"), true, { cart: ["apple"] }],
    [(s) => s.pop("a"), 1, { cart: ["apple"] }],
    [(s) => s.pop("cart", 0), ["apple"], { a: 1 }],
    [(s) => s.setDefault("b", [2]), [2], { a: 1, cart: ["apple"], b: [2] }],
    [(s) => s.update({ a: 3, c: 4, d: undefined }).get("c"), 4, { a: 3, cart: ["apple"], c: 4 }],
    [(s) => s.clear(), undefined, {}],
    [(s) => s.setExpiry(60), undefined, { a: 1, cart: ["apple"], _session_expiry: 60 }],
    [(s) => s.setTestCookie(), undefined, { a: 1, cart: ["apple"], testcookie: "worked" }],
    [(s) => s.create(), undefined, { a: 1, cart: ["apple"] }],
    [(s) => s.cycleKey(), undefined, { a: 1, cart: ["apple"] }],
  ]) {
    const session = await filled();
    assert.deepEqual(call(session), result, String(call));
    assert.deepEqual(flags(session), written, String(call));
    assert.deepEqual(Object.fromEntries(session), left, String(call));
  }
});

test("a missing key is a KeyError where Django raises one, and changes nothing", async () => {
  for (const call of [(s) => s.item("x"), (s) => s.remove("x"), (s) => s.pop("x"), (s) => s.deleteTestCookie()]) {
    const session = await filled();
    assert.throws(() => call(session), (error) => error instanceof KeyError && error.code === "ES_KEY_ERROR" && error.name === "KeyError");
    assert.equal(session.modified, false);
  }
});

test("the test cookie: set, seen, deleted", async () => {
  const session = await fresh();
  session.setTestCookie();
  assert.equal(session.testCookieWorked(), true);
  session.deleteTestCookie();
  assert.equal(session.testCookieWorked(), false);
});

test("get returns the same object until its key is set or removed", async () => {
  const session = await filled();
  const cart = session.get("cart");
  assert.equal(session.get("cart"), cart);
  assert.equal(session.item("cart"), cart);
  assert.equal(session.values()[1], cart);
  assert.equal(session.setDefault("cart", []), cart);
  const other = ["pear"];
  session.set("cart", other);
  assert.equal(session.get("cart"), other);
  assert.equal(session.pop("cart"), other);
  assert.equal(session.get("cart"), undefined);
  session.set("cart", 1).set("cart", [2]).clear();
  assert.equal(session.get("cart"), undefined);
});

test("keys keep their order, and a key that is set again its place", async () => {
  const session = await fresh();
  session.set("b", 1).set("10", 2).set("a", 3).set("2", 4).set("b", 5);
  assert.deepEqual(session.items(), [["b", 5], ["10", 2], ["a", 3], ["2", 4]]);
});

test("a key is a text without lone surrogates", async () => {
  const session = await fresh();
  for (const key of [1, null, undefined, Symbol("s"), {}, "\ud800", "a\udc00"]) {
    for (const call of [(k) => session.get(k), (k) => session.set(k, 1), (k) => session.has(k), (k) => session.delete(k), (k) => session.pop(k, 0)]) {
      assert.throws(() => call(key), ValueError);
    }
  }
  assert.deepEqual(flags(session), untouched);
  assert.equal(session.set("😀", 1).get("😀"), 1);
});

test("expiry takes numbers, dates, durations and null", async () => {
  const session = await fresh();
  for (const [expiry, age, atClose] of [
    [300, 300, false],
    [0, 1_209_600, true],
    [-5, -5, false],
    [new Date(Date.UTC(2030, 0, 1, 0, 10)), 600, false],
    [{ seconds: 90 }, 90, false],
    [{ seconds: 1.5 }, 1, false],
    [null, 1_209_600, false],
  ]) {
    session.setExpiry(expiry);
    assert.equal(session.getExpiryAge(), age);
    assert.equal(session.getExpireAtBrowserClose(), atClose);
    assert.equal(session.getExpiryAge({ expiry }), age);
  }
  assert.equal(session.has("_session_expiry"), false);
  const modification = new Date("2031-01-01T00:00:00Z");
  assert.equal(session.getExpiryDate({ modification, expiry: 60 }).toISOString(), "2031-01-01T00:01:00.000Z");
  for (const expiry of [1.5, NaN, Infinity, "60", new Date(NaN), {}, undefined, 2 ** 53, { seconds: "1" }]) {
    assert.throws(() => session.setExpiry(expiry), ValueError);
  }
  assert.throws(() => session.getExpiryDate({ expiry: 2 ** 52 }), ValueError);
  session.set("_session_expiry", { not: "an expiry" });
  assert.throws(() => session.getExpiryAge(), ValueError);
  session.setExpiry(60);
  await session.save();
  assert.equal(session.getExpiryAge(), 60);
});

test("update and encode take plain objects, and pairs in their order", async () => {
  const session = await fresh();
  for (const values of [[1], [["a"]], "ab", null, undefined, "a", 1, new Date()]) {
    assert.throws(() => session.update(values), ValueError);
    await assert.rejects(session.encode(values), ValueError);
  }
  const object = { x: 1 };
  assert.equal(session.update({ object }).get("object"), object);
  session.clear();
  session.update([["b", 1], ["10", 2], ["2", 3], ["b", 4]]).update(new Map([["1", [5]]]));
  assert.deepEqual(session.items(), [["b", 4], ["10", 2], ["2", 3], ["1", [5]]]);
  assert.deepEqual(await session.decode(await session.encode([["b", 1], ["b", 2]])), { b: 2 });
});

test("microseconds and offsets are given and returned as ISO text", async () => {
  const session = await fresh();
  const text = "2030-01-01T02:00:10.000250+02:00";
  session.setExpiry(text);
  assert.equal(session.item("_session_expiry"), text);
  assert.equal(session.getExpiryDate({ iso: true }), text);
  assert.equal(session.getExpiryDate().toISOString(), "2030-01-01T00:00:10.000Z");
  assert.equal(session.getExpiryAge({ modification: "2030-01-01T00:00:09.000251+00:00" }), 0);
  assert.equal(session.getExpiryAge({ modification: "2030-01-01T00:00:09.000250+00:00", expiry: text }), 1);
  for (const expiry of ["", "soon", "2030-01-01", "2030-01-01T00:00:00", new Date(8.64e15), new Date(-1e14)]) {
    assert.throws(() => session.setExpiry(expiry), ValueError);
    assert.throws(() => session.getExpiryAge({ expiry }), ValueError);
  }
});

test("an expiry counts from the time of the call, however old the session is", async () => {
  const { sessions, time } = sessionsAt();
  const session = await sessions.open();
  time.now += 5_000;
  session.setExpiry({ seconds: 10 });
  assert.equal(session.getExpiryDate().getTime(), time.now + 10_000);
  time.now += 4_000;
  assert.equal(session.getExpiryAge(), 6);
});

test("a save stores changes inside of values whether or not the flag is set", async () => {
  const { sessions } = sessionsAt();
  const session = await sessions.open();
  await session.set("cart", ["apple"]).save();
  session.modified = false;
  session.get("cart").push("pear");
  await session.save();
  assert.equal(session.modified, false);
  assert.deepEqual((await sessions.open(session.sessionKey)).get("cart"), ["apple", "pear"]);
});

test("encode and decode are Django's", async () => {
  const session = await fresh({ secrets: ["django-insecure-0123456789abcdefghijklmnopqrstuvwxyz"] });
  for (const data of [{}, { a: 1, "é": ["☃", null] }, { long: "x".repeat(500) }]) {
    const text = await session.encode(data);
    assert.deepEqual(await session.decode(text), data);
    assert.deepEqual(await session.decode(`${text.slice(0, -1)}${text.endsWith("A") ? "B" : "A"}`), {});
  }
  assert.match(await session.encode({ long: "x".repeat(500) }), /^\./);
  assert.deepEqual(await session.decode("nonsense"), {});
  await assert.rejects(session.encode({ a: 1n }), /session\.a is a BigInt/);
  assert.deepEqual(flags(session), untouched);
});

test("a test cookie that was an object is deleted", async () => {
  const session = await fresh();
  session.set("testcookie", { a: 1 });
  session.deleteTestCookie();
  assert.deepEqual([session.get("testcookie"), session.has("testcookie")], [undefined, false]);
});

// Values that JSON represents exactly are stored. The others are refused with their path, and the session stays usable.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import vm from "node:vm";
import { ValueError } from "../../dist/node.js";
import { fresh, sessionsAt } from "./visitor.mjs";

const cycle = { list: [] };
cycle.list.push(cycle);
class Point { x = 1; }
const nested = (depth) => Array.from({ length: depth }).reduce((inner) => [inner], 1);

test("H2, H3: values that JSON cannot represent are refused with their path", async () => {
  for (const [value, message] of [
    [undefined, "session.k is undefined; leave it out"],
    [() => 1, "session.k is a function"],
    [Symbol("s"), "session.k is a symbol"],
    [1n, "session.k is a BigInt"],
    [NaN, "session.k is NaN, which JSON cannot represent"],
    [-Infinity, "session.k is -Infinity, which JSON cannot represent"],
    [new Date(), "session.k is a Date; store date.toISOString()"],
    [new Map(), "session.k is a Map; store an array, as [...value]"],
    [new Set(), "session.k is a Set; store an array, as [...value]"],
    [/x/, "session.k is a RegExp"],
    [new Error("e"), "session.k is an Error"],
    [new Uint8Array(1), "session.k is an Uint8Array; store an array, as [...value]"],
    [new Point(), "session.k is a Point"],
    [new String("s"), "session.k is a String"],
    [Object(1n), "session.k is a BigInt"],
    ["\ud800", "session.k contains a lone surrogate"],
    [{ a: ["ok", "x\udfff"] }, "session.k.a[1] contains a lone surrogate"],
    [{ "\ud800": 1 }, "session.k has a name that contains a lone surrogate"],
    [[{}, { added: new Date() }], "session.k[1].added is a Date; store date.toISOString()"],
    [{ a: { b: [undefined] } }, "session.k.a.b[0] is undefined; leave it out"],
    [{ "a b": [[1n]] }, 'session.k["a b"][0][0] is a BigInt'],
    [cycle, "session.k.list[0] contains itself"],
    [[1, , 3], "session.k[1] is a hole"],
    [{ toJSON() { return 1; } }, "session.k.toJSON is a function"],
    [[Object.create({ toJSON: () => 1 })], "session.k[0] is an Object"],
    [[Object.defineProperty({ a: 1 }, "toJSON", { value: () => 2 })], "session.k[0] has a toJSON method"],
    [Object.assign([1], { toJSON: () => 2 }), "session.k has a toJSON method"],
    [nested(65), `session.k${"[0]".repeat(64)} nests deeper than 64 levels`],
  ]) {
    const session = await fresh();
    assert.throws(() => session.set("k", value), (error) => error instanceof ValueError && error.code === "ES_VALUE" && error.message === message, message);
    assert.throws(() => session.update({ before: 1, k: value ?? 1n }), ValueError);
    assert.deepEqual([session.modified, session.keys()], [false, []], "nothing was set");
    assert.equal(session.set("k", 1).get("k"), 1);
  }
});

test("symbols, hidden properties, and properties of arrays other than items are ignored, as by JSON.stringify", async () => {
  const { sessions } = sessionsAt();
  const session = await sessions.open();
  session.set("object", Object.defineProperty({ a: 1, [Symbol("s")]: 2 }, "hidden", { value: 3 })).set("array", "abc".match(/b/));
  await session.save();
  const again = await sessions.open(session.sessionKey);
  assert.deepEqual([again.get("object"), again.get("array")], [{ a: 1 }, ["b"]]);
});

test("a value that turned inexact after it was set is refused by the save, and nothing is stored", async () => {
  const { sessions, store } = sessionsAt();
  for (const [spoil, message] of [
    [(cart) => (cart.when = new Date()), "session.cart.when is a Date; store date.toISOString()"],
    [(cart) => (cart["\ud800"] = 1), "session.cart has a name that contains a lone surrogate"],
    [(cart) => (cart.text = "\udfff"), "session.cart.text contains a lone surrogate"],
    [(cart) => Object.defineProperty(cart, "toJSON", { value: () => 2 }), "session.cart has a toJSON method"],
  ]) {
    const session = await sessions.open();
    const cart = { a: 1, escaped: "\\ud800" };
    session.set("cart", cart);
    spoil(cart);
    await assert.rejects(session.save(), (error) => error instanceof ValueError && error.message === message, message);
    assert.equal(store.records.size, 0);
  }
});

test("an application that extends Object.prototype reads large values all the same", async () => {
  const { sessions } = sessionsAt();
  const session = await sessions.open();
  const list = Array.from({ length: 100 }, (_, n) => ({ n, big: [n] }));
  session.set("list", list);
  await session.save();
  Object.prototype.extension = { extends: "every object" };
  try {
    const again = await sessions.open(session.sessionKey);
    assert.equal(again.get("list").length, 100);
  } finally {
    delete Object.prototype.extension;
  }
});

test("an application that extends Object.prototype by two objects sets and reads values, which do not nest deep by them", () => {
  // In a program of its own, which can be ended: each extension has both, so that following them takes forever.
  const program = `
    import assert from "node:assert/strict";
    import { createSessions, memory } from ${JSON.stringify(new URL("../../dist/node.js", import.meta.url).href)};
    const sessions = createSessions({ store: memory(), secrets: ["the secret of this program, of 32 bytes"] });
    const session = await sessions.open();
    const list = Array.from({ length: 100 }, (_, n) => ({ n }));
    Object.assign(Object.prototype, { one: {}, two: {} });
    session.set("list", list);
    await session.save();
    assert.throws(() => session.set("deep", JSON.parse('{"a":'.repeat(65) + 1 + "}".repeat(65))), { code: "ES_VALUE", message: /nests deeper than 64 levels/ });
    const again = await sessions.open(session.sessionKey);
    assert.equal(again.get("list").length, 100);
  `;
  const { status, signal, stderr } = spawnSync(process.execPath, ["--input-type=module", "--eval", program], { timeout: 20_000, encoding: "utf8" });
  assert.deepEqual([status, signal], [0, null], stderr);
});

test("the refusal that the documentation shows", async () => {
  const session = await fresh();
  assert.throws(() => session.set("cart", [0, 1, 2, { added: 1n }]), { message: "session.cart[3].added is a BigInt" });
});

test("H4, H5: JSON values are read as they were written, also from the store", async () => {
  const shared = { x: 1 };
  const values = [
    null, true, false, 0, -0, 1.5, -1e-7, 5e-324, Number.MAX_VALUE, 2 ** 53, 2 ** 60, -(2 ** 63), 0.1 + 0.2,
    "", "é☃😀", "\u0000\u001f\u2028\"\\/", "1234567890123456789", "x".repeat(5000), "\\\"12345678901234567890",
    [], {}, [[-0], { a: -0, b: "-0" }], { a: [1, { b: null }] }, [shared, shared], Object.create(null), nested(64),
    JSON.parse('{"__proto__":{"polluted":1},"constructor":1,"prototype":2,"toString":3,"hasOwnProperty":4}'),
    vm.runInNewContext("({ a: [1, { b: 2 }] })"),
  ];
  const { sessions } = sessionsAt();
  const session = await sessions.open();
  values.forEach((value, index) => session.set(`k${index}`, value));
  await session.save();
  const again = await sessions.open(session.sessionKey);
  values.forEach((value, index) => {
    const back = again.get(`k${index}`);
    assert.equal(JSON.stringify(back), JSON.stringify(value));
    assert.equal(Object.is(back, -0), Object.is(value, -0));
  });
  assert.ok(Object.is(again.get("k21")[0][0], -0) && Object.is(again.get("k21")[1].a, -0));
  assert.ok(Object.hasOwn(again.get("k26"), "__proto__"));
  assert.equal({}.polluted, undefined);
});

test("H5: names with a meaning in JavaScript are plain keys of the session", async () => {
  const { sessions } = sessionsAt();
  const session = await sessions.open();
  for (const key of ["__proto__", "constructor", "toString", "hasOwnProperty", ""]) {
    assert.deepEqual([session.has(key), session.get(key)], [false, undefined]);
    session.set(key, { here: key });
  }
  session.update(JSON.parse('{"__proto__":{"updated":1}}'));
  await session.save();
  const again = await sessions.open(session.sessionKey);
  assert.deepEqual(again.get("__proto__"), { updated: 1 });
  assert.deepEqual(again.get("constructor"), { here: "constructor" });
  assert.equal(Object.getPrototypeOf(again.get("")), Object.prototype);
});

test("H4: an integer that Rust stored and JavaScript would round is an error, not another number", async () => {
  const { sessions, store } = sessionsAt();
  const session = await sessions.open();
  session.update({ big: 1, fine: "12345678901234567890", other: 2 });
  await session.save();
  const [[key, record]] = store.records;
  const text = new TextDecoder().decode(record.value).replace('"big":1', '"big":9007199254740993');
  store.records.set(key, { ...record, value: new TextEncoder().encode(text) });
  const again = await sessions.open(session.sessionKey);
  assert.throws(() => again.get("big"), { code: "ES_VALUE", message: "session.big contains an integer that JavaScript cannot represent" });
  assert.deepEqual([again.get("other"), again.get("fine")], [2, "12345678901234567890"]);
  await again.set("other", 3).save();
  assert.match(new TextDecoder().decode(store.records.get(key).value), /9007199254740993/, "unread values are copied");
});

test("H6: getters, proxies and toJSON that throw or call back in: an error, and a session that works", async () => {
  const session = await fresh();
  const boom = new Error("boom");
  const back = { get x() { session.set("inner", 1); throw boom; } };
  assert.throws(() => session.set("k", { a: back }), (error) => error instanceof ValueError && error.cause === boom && error.message === "session.k.a.x could not be read");
  assert.equal(session.get("inner"), 1);
  const proxy = new Proxy({}, { ownKeys() { session.remove("inner"); throw boom; } });
  assert.throws(() => session.set("k", [proxy]), { code: "ES_VALUE", message: "session.k[0] could not be read" });
  assert.equal(session.has("inner"), false);
  const revoked = Proxy.revocable({}, {});
  revoked.revoke();
  assert.throws(() => session.set("k", revoked.proxy), ValueError);
  let times = 0;
  await assert.rejects(session.set("k", { get x() { return times++ ? 1n : 1; } }).save(), { message: "session.k.x is a BigInt" });
  session.remove("k");
  assert.throws(() => session.set("k", { toJSON: () => session.clear() }), ValueError);
  const nesting = { get x() { session.set("other", { y: 1 }); return 2; } };
  assert.deepEqual(session.set("k", nesting).get("other"), { y: 1 });
  assert.deepEqual(session.keys(), ["other", "k"]);
});

test("a value with a very long text and many digits is read", async () => {
  const { sessions } = sessionsAt({ maxRecordBytes: 26_214_400 });
  const session = await sessions.open();
  const long = ["y\"\\".repeat(4_000_000), "12345678901234567"];
  await session.set("long", long).save();
  assert.deepEqual((await sessions.open(session.sessionKey)).get("long"), long);
});

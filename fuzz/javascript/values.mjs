// Values of every kind that JavaScript has, by chance. Each comes with what a session has to do with it: `exact` values come
// back as they are, others are refused, and of `either` both will do, since reading them twice can give different things.

import vm from "node:vm";

const exact = (value) => ({ value, fate: "exact" });
const refused = (value) => ({ value, fate: "refused" });
const either = (value) => ({ value, fate: "either" });

class Point { x = 1; }

/** What was made in another realm, which has an Object and a Date of its own. */
const elsewhere = vm.runInNewContext("({ object: () => ({}), date: new Date(), instance: new (class A {})() })");

/** Names that JavaScript itself knows, that Django does, and those that need care in JSON. */
export const names = ["__proto__", "constructor", "prototype", "toString", "hasOwnProperty", "toJSON", "length", "", "10", "2", "a", "b", "é☃😀", "a b", "\"\\\n\u0000\u2028", "_session_expiry", "testcookie"];

/** As deep as a value may nest. */
const MAX_DEPTH = 64;

export function values(chance) {
  const { below, pick, happens, next } = chance;

  const number = () => {
    const bits = new DataView(new ArrayBuffer(8));
    bits.setUint32(0, below(2 ** 32));
    bits.setUint32(4, below(2 ** 32));
    return pick([0, -0, 1, -1, 0.1 + 0.2, 1e21, 1e-7, 5e-324, Number.MAX_VALUE, 2 ** 53, -(2 ** 53) - 2, 2 ** 63, 2 ** 31, below(1000), next(), bits.getFloat64(0)]);
  };

  /** Text of whole characters: of ASCII, or of all planes. */
  const text = () => {
    const length = pick([0, 1, 3, 20, 127, 128, 129, 300, below(40)]);
    const character = pick([() => pick([..."abc\"\\/\n\u0000 09"]), () => pick([..."é☃😀\u2028\u007f\ufffd"]), () => String(below(10))]);
    return Array.from({ length }, character).join("");
  };

  const loneSurrogate = () => pick(["", "x", "😀"]) + pick(["\ud800", "\udbff", "\udc00", "\udfff", "\udc00\ud800"]) + pick(["", "y"]);

  const cycle = () => {
    const inner = pick([[], {}]);
    const value = happens(0.5) ? [inner] : { a: [inner] };
    if (Array.isArray(inner)) inner.push(value);
    else inner.back = value;
    return value;
  };

  const nested = (depth, inside = 1) => {
    let value = inside;
    for (let level = 0; level < depth; level++) value = happens(0.5) ? [value] : { a: value };
    return value;
  };

  const foreign = () => pick([
    () => undefined, () => Symbol("s"), () => 1n, () => -(2n ** 70n), () => NaN, () => Infinity, () => -Infinity, () => () => 1, () => class {}, () => new Date(), () => new Date(NaN),
    () => new Map([["a", 1]]), () => new Set([1]), () => /x/, () => new Error("e"), () => new Uint8Array(3), () => new ArrayBuffer(2), () => new DataView(new ArrayBuffer(1)), () => new Point(),
    () => new String("s"), () => new Number(1), () => new Boolean(false), () => Object(1n), () => Object(Symbol()), () => Promise.resolve(1), () => new WeakMap(), () => new WeakRef({}),
    () => new Proxy(function f() {}, {}), () => new URL("https://example.com"), () => new Headers(), () => new Response("x"), () => Object.create({ inherited: 1 }), () => Object.create(Array.prototype),
    () => elsewhere.date, () => elsewhere.instance, () => [, 1],
  ])();

  /** What runs code of its own while it is looked at. */
  const alive = () => {
    const thrower = () => { throw pick([new Error("boom"), "boom", null, undefined, 7]); };
    const revoked = Proxy.revocable(pick([{}, []]), {});
    revoked.revoke();
    let times = 0;
    return pick([
      either(Math), // of no class, and without members that could be seen
      either((function () { return arguments; })(1)),
      refused({ get x() { return thrower(); } }),
      refused(new Proxy({}, { ownKeys: thrower })),
      refused(new Proxy([1], { get: thrower })),
      refused(new Proxy({ a: 1 }, { getOwnPropertyDescriptor: thrower })),
      refused(revoked.proxy),
      refused({ toJSON: () => 1 }),
      refused([Object.create({ toJSON() { return {}; } })]),
      either({ get x() { return times++ % 2 ? 1n : 1; } }),
      either({ get x() { return times++ ? foreign() : 1; } }),
      either(new Proxy({ a: 1, b: [2] }, {})),
      either(new Proxy([1, 2], {})),
      either(new Proxy({ a: 1 }, { getPrototypeOf: () => pick([null, Date.prototype]) })),
      either(Object.defineProperty([0], 0, { get: () => (times++ ? Symbol() : 0), enumerable: true })),
      either(new Proxy({}, { ownKeys: () => ["a", "b"], getOwnPropertyDescriptor: () => ({ value: 1, enumerable: true, configurable: true }) })),
    ]);
  };

  const scalar = () => {
    const kind = pick(["null", "boolean", "number", "text", "text", "number"]);
    if (kind === "null") return exact(null);
    if (kind === "boolean") return exact(happens(0.5));
    if (kind === "text") return exact(text());
    const value = number();
    return Number.isFinite(value) ? exact(value) : refused(value);
  };

  const key = () => (happens(0.6) ? pick(names) : text());

  /** An object or an array around other values; its fate is the worst of theirs. */
  const container = (room) => {
    const items = Array.from({ length: below(5) }, () => any(room - 1));
    const fates = items.map(({ fate }) => fate);
    const worst = fates.includes("refused") ? "refused" : fates.includes("either") ? "either" : "exact";
    if (happens(0.5)) return { value: items.map(({ value }) => value), fate: worst };
    const object = happens(0.2) ? Object.create(null) : happens(0.1) ? elsewhere.object() : {};
    for (const { value } of items) {
      Object.defineProperty(object, key(), { value, enumerable: true, writable: true, configurable: true });
    }
    // A key that comes twice takes a value out again, and `toJSON` or `constructor` can make the object another one.
    const sure = Object.keys(object).length === items.length;
    const called = typeof object.toJSON === "function";
    return { value: object, fate: called ? "refused" : worst === "exact" ? "exact" : sure ? worst : "either" };
  };

  const any = (room = 4) => {
    if (room === 0 || happens(0.4)) return scalar();
    if (happens(0.8)) return container(room);
    if (happens(0.3)) return alive();
    if (happens(0.2)) return refused(cycle());
    if (happens(0.2)) return refused(pick([loneSurrogate(), [loneSurrogate()], { [loneSurrogate()]: 1 }]));
    return refused(foreign());
  };

  /** A value of a depth near the limit, or far beyond it. */
  const deep = () => {
    const depth = pick([MAX_DEPTH - 1, MAX_DEPTH, MAX_DEPTH + 1, 127, 128, 2_000, 20_000]);
    return { value: nested(depth), fate: depth <= MAX_DEPTH ? "exact" : "refused" };
  };

  return { any: () => (happens(0.03) ? deep() : any()), exactOnly: () => { for (;;) { const one = any(); if (one.fate === "exact") return one; } }, foreign, text, number, key, loneSurrogate };
}

/** Whether two values are the same for JSON, and -0 is -0. */
export function same(one, other) {
  if (typeof one !== "object" || one === null) return Object.is(one, other);
  if (typeof other !== "object" || other === null || Array.isArray(one) !== Array.isArray(other)) return false;
  if (Array.isArray(one)) return one.length === other.length && one.every((item, at) => same(item, other[at]));
  const names = Object.keys(one);
  return names.length === Object.keys(other).length && names.every((name) => Object.hasOwn(other, name) && same(one[name], other[name]));
}

// Calls on the built package with any JavaScript values: each succeeds or fails with an error of this package, accepted values
// are read as they were written, and the session stays usable.

import assert from "node:assert/strict";
import { inspect } from "node:util";
import { createSessions, EdgeSessionError, kv, memory } from "../../dist/node.js";
import { countingKv } from "../../tests/node/visitor.mjs";
import { names, same, values } from "./values.mjs";

const secrets = ["the fuzz tests' secret, of more than 32 bytes"];

/** An error of this package, and none of its core's. Anything else is what this looks for. */
function known(what, error) {
  if (!(error instanceof EdgeSessionError)) assert.fail(`${what} ended in ${inspect(error)}`);
  assert.match(error.code, /^ES_[A-Z_]+$/);
  if (error.code === "ES_PANIC") assert.fail(`${what}: ${inspect(error.cause)}`);
  return { error };
}

/** The outcome of a call: a value, or a known error. */
function ended(what, call) {
  try {
    return { value: call() };
  } catch (error) {
    return known(what, error);
  }
}

/** As `ended`, of a call that gives a promise. */
async function outcome(what, call) {
  try {
    return { value: await call() };
  } catch (error) {
    return known(what, error);
  }
}

/** Sets, reads and removes by chance, beside a plain map that knows what has to be there. */
export async function setsAndGets(chance) {
  const make = values(chance);
  const sessions = createSessions({ store: memory(), secrets, maxRecordBytes: 26_214_400 });
  let session = await sessions.open();
  const model = new Map();
  for (let step = chance.below(12) + 1; step > 0; step--) {
    const key = chance.pick([make.key(), "a", "b"]);
    if (key === "_session_expiry") continue; // not any value's: see `expiries`
    const { value, fate } = make.any();
    const call = chance.weighted({ set: 5, setDefault: 2, update: 2, pairs: 1, delete: 1, pop: 1, encode: 1, save: 2, badKey: 1, huge: 0.1 });
    if (call === "badKey") {
      const bad = chance.pick([undefined, null, 5, 1n, Symbol("s"), {}, [], make.loneSurrogate()]);
      for (const name of ["set", "get", "has", "delete", "setDefault", "item", "remove", "pop"]) {
        assert.equal(ended(`${name}(${String(bad?.toString?.() ?? bad)})`, () => session[name](bad, 1)).error?.code, "ES_VALUE", name);
      }
    } else if (call === "huge") {
      for (const huge of [new Array(2 ** 32 - 1), { length: 2 ** 53, toJSON() {} }]) assert.equal(ended("set", () => session.set(key, huge)).error?.code, "ES_VALUE");
    } else if (call === "save") {
      const { error } = await outcome("save", () => session.save());
      // Only what runs code of its own can be refused now: it leaves with its key.
      if (error) {
        assert.equal(error.code, "ES_VALUE", error.message);
        for (const [name, entry] of model) if (entry.fate === "either") forget(session, model, name);
        await session.save();
      }
      const id = session.sessionKey;
      session[Symbol.dispose]();
      session = await sessions.open(id);
      for (const [name, entry] of model) check(session, name, entry);
      for (const entry of model.values()) if (entry.fate === "either") Object.assign(entry, { value: undefined, fate: "stored" });
    } else if (call === "delete" || call === "pop") {
      const { error } = ended(call, () => (call === "pop" ? session.pop(key, undefined) : session.delete(key)));
      if (!error) model.delete(key);
    } else if (call === "encode") {
      const { value: signed, error } = await outcome("encode", () => session.encode([[key, value]]));
      if (fate === "refused" && value !== undefined) assert.ok(error, `encode took ${key}`);
      if (fate === "exact") assert.ok(same((await session.decode(signed))[key], value) && Object.hasOwn(await session.decode(signed), key));
    } else {
      if (call === "setDefault" && session.has(key)) continue;
      const bulk = call === "pairs" ? new Map([[key, value]]) : Object.defineProperty({}, key, { value, enumerable: true });
      const { error } = ended(call, () => (call === "set" || call === "setDefault" ? session[call](key, value) : session.update(bulk)));
      const left = value === undefined && (call === "update" || call === "pairs"); // as `Partial` has it
      if (error) assert.ok(fate !== "exact" && error.code === "ES_VALUE", `${call}(${key}): ${error.message}`);
      else assert.ok(left || fate !== "refused", `${call}(${key}) took what JSON does not hold: ${inspect(value, { depth: 9 })}`);
      if (!error && !left) model.set(key, { value, fate });
    }
    assert.deepEqual([...session.keys()].sort(), [...model.keys()].sort());
    for (const [name, entry] of model) if (entry.fate === "exact") check(session, name, entry);
  }
  session[Symbol.dispose]();
  assert.deepEqual(Object.keys({}.__proto__), []);
}

function forget(session, model, name) {
  session.delete(name);
  model.delete(name);
}

function check(session, name, { value, fate }) {
  const read = ended(`get(${name})`, () => session.get(name));
  if (fate !== "exact") return;
  assert.ok(read.error === undefined && same(read.value, value), `${JSON.stringify(name)} did not come back as it was`);
}

const settings = ["cookieAge", "cookieName", "cookieDomain", "cookiePath", "cookieSecure", "cookieHttpOnly", "cookieSameSite", "expireAtBrowserClose", "saveEveryRequest", "absoluteAge", "maxRecordBytes", "keyPrefix", "checkEnded", "mergeStale", "journalBytes", "seal"];
const sensible = {
  cookieAge: [60, 1_209_600], cookieName: ["sid", "__Host-sid"], cookieDomain: ["example.com"], cookiePath: ["/app"], cookieSecure: [true, false], cookieHttpOnly: [true, false],
  cookieSameSite: ["Lax", "None"], expireAtBrowserClose: [true], saveEveryRequest: [true], absoluteAge: [100], maxRecordBytes: [1024], keyPrefix: ["shop"], checkEnded: [true, false], mergeStale: [true, false], journalBytes: [0, 512, 4096], seal: [true, false],
};

/** Options that make sense or not. Where they are taken, a visitor's session works under them. */
export async function options(chance) {
  const make = values(chance);
  const given = { store: memory(), secrets };
  for (let count = chance.below(4); count > 0; count--) {
    const name = chance.happens(0.9) ? chance.pick(settings) : chance.pick([...names, "cookieNmae"]);
    const value = chance.happens(0.5) && sensible[name] ? chance.pick(sensible[name]) : chance.pick([make.any().value, make.number(), make.text(), make.foreign()]);
    Object.defineProperty(given, name, { value, enumerable: true, writable: true, configurable: true });
  }
  if (chance.happens(0.1)) given.secrets = chance.pick([undefined, [], [make.text()], [make.foreign()], make.foreign(), [new Uint8Array(chance.below(64))]]);
  if (chance.happens(0.05)) given.store = make.foreign();
  const { value: sessions, error } = await outcome(`createSessions(${Object.keys(given)})`, () => createSessions(given));
  if (error) return assert.ok(["ES_CONFIG", "ES_VALUE"].includes(error.code), error.message);
  const session = await sessions.load("");
  session.set("user", "alice");
  const { value: headers } = await outcome("commitHeaders", () => sessions.commitHeaders(session, 200));
  assert.doesNotThrow(() => new Headers(headers));
}

/** Untrusted `Cookie` headers, session keys and signed texts, and other values in their place. */
export async function strangers(chance) {
  const make = values(chance);
  const sessions = createSessions({ store: memory(), secrets });
  const [, , [, line]] = await sessions.commitHeaders((await sessions.load("")).set("user", "alice"), 200);
  const cookie = line.split(";")[0];
  const bytes = () => String.fromCharCode(...Array.from({ length: chance.below(80) }, () => chance.below(256)));
  const at = chance.below(cookie.length);
  const header = chance.pick([
    cookie, `${bytes()}; ${cookie}`, `${cookie};${bytes()}`, cookie.slice(0, at), cookie.slice(0, at) + chance.pick([..."Ab_-=%; \""]) + cookie.slice(at + 1),
    bytes(), make.text(), make.loneSurrogate() + cookie, `${cookie}, ${cookie}`, "__Host-sessionid=", "a=;".repeat(chance.below(50_000)), make.foreign(),
  ]);
  const from = chance.pick([header, { headers: { get: () => header } }, make.foreign(), {}, { headers: 5 }]);
  const { value: session } = await outcome("load", () => sessions.load(from));
  if (session) {
    const user = session.get("user");
    assert.ok(user === undefined || user === "alice");
    session[Symbol.dispose]();
  }
  for (const name of ["open", "exists", "delete"]) await outcome(`${name}()`, () => sessions[name](chance.pick([bytes(), make.text(), make.foreign(), 5, {}, null])));
  const open = await sessions.open();
  await outcome("decode", () => open.decode(chance.pick([bytes(), make.text(), make.loneSurrogate(), `${make.text()}:a:b`, make.any().value])));
  await outcome("encode", () => open.encode(make.any().value));
  await outcome("update", () => open.update(make.any().value));
  open[Symbol.dispose]();
}

/** Expiries and what to reckon with. */
export async function expiries(chance) {
  const make = values(chance);
  const clock = chance.pick([undefined, () => make.number(), () => chance.pick([0, -1, 8.64e15, -8.64e15, 253_402_300_800_000, NaN, Infinity])]);
  const sessions = createSessions({ store: memory(), secrets, clock });
  const session = await sessions.open();
  const date = () => chance.pick([new Date(), new Date(NaN), new Date(8.64e15), new Date(-8.64e15), new Date(-62_135_596_800_001), "2030-01-01T00:00:00.000250+02:00", "2030-01-01", make.text(), make.loneSurrogate()]);
  if (chance.happens(0.2)) ended("set", () => session.set("_session_expiry", chance.pick([make.any().value, date(), make.number()])));
  const expiry = () => chance.pick([make.number(), date(), { seconds: make.number() }, null, undefined, { seconds: make.foreign() }, make.foreign()]);
  const reckoning = () => chance.pick([undefined, {}, { modification: date() }, { expiry: expiry() }, { modification: date(), expiry: expiry(), iso: true }, { modification: make.foreign() }, make.foreign()]);
  for (let step = 0; step < 4; step++) {
    const given = expiry();
    const { error } = ended("setExpiry", () => session.setExpiry(given));
    const age = ended("getExpiryAge", () => session.getExpiryAge(reckoning()));
    assert.ok(age.error || Number.isInteger(age.value));
    ended("getExpiryDate", () => session.getExpiryDate(reckoning()));
    ended("getExpireAtBrowserClose", () => session.getExpireAtBrowserClose());
    if (error) assert.equal(error.code, "ES_VALUE");
  }
  const { value: headers } = await outcome("commitHeaders", () => sessions.commitHeaders(session, 200));
  if (headers) assert.doesNotThrow(() => new Headers(headers));
}

/** Stores that answer anything: a session that used one says that the store failed, or holds what the store gave it. */
export async function stores(chance) {
  const make = values(chance);
  const bytes = () => Uint8Array.from({ length: chance.below(60) }, () => chance.below(256));
  const answer = () => chance.pick([
    () => make.any().value, () => undefined, () => null, bytes, () => bytes().buffer, () => new TextEncoder().encode('{"edge-session":1}'), () => ({}), () => ({ keys: 5 }), () => ({ keys: [5] }),
    () => ({ keys: [{ name: 5 }] }), () => ({ keys: [null] }), () => ({ keys: [{ name: "x", deadline: make.any().value }] }), () => ({ keys: [], cursor: make.any().value }), () => ({ keys: make.any().value }),
    () => Promise.reject(make.any().value),
  ])();
  const answers = (inner) => async (...args) => (chance.happens(0.5) ? inner(...args) : answer());
  let asked = 0;
  const limited = (call) => async (...args) => {
    if (asked++ > 50) throw new Error("a list without an end");
    return call(...args);
  };
  const inner = chance.happens(0.3) ? countingKv().kv : memory();
  const wild = Object.fromEntries(["get", "put", "delete", "list"].map((name) => [name, limited(answers(inner[name]))]));
  // No fuzzing waits for a second.
  const wait = answers(async () => {});
  const heard = [];
  const onEvent = (event) => heard.push(event);
  const clock = () => Date.UTC(2030, 0, 1) + chance.below(200_000);
  const sessions = createSessions({ store: { ...("records" in inner ? wild : kv(wild)), wait }, secrets, clock, onEvent, mergeStale: chance.happens(0.5) });
  let cookie = "";
  for (let step = 0; step < 3; step++) {
    const { value: session } = await outcome("load", () => (chance.happens(0.5) ? sessions.load(cookie) : sessions.open(chance.pick([undefined, "cw63c3bmjz7t3r4d6zvomfg9kl3mff8p"]))));
    if (!session) continue;
    ended("get", () => session.get("user"));
    ended("set", () => session.set("user", "alice"));
    await outcome("save", () => session.save());
    if (chance.happens(0.3)) ended("cycleKey", () => session.cycleKey());
    if (chance.happens(0.5)) await outcome("flush", () => session.flush());
    const { value: headers } = await outcome("commit", () => sessions.commitHeaders(session, chance.pick([200, 500, 0, -1, NaN, 1e9, "200", undefined, null])));
    cookie = new Headers(headers).get("Set-Cookie")?.split(";")[0] ?? cookie;
    session[Symbol.dispose]();
  }
  await outcome("exists", () => sessions.exists("cw63c3bmjz7t3r4d6zvomfg9kl3mff8p"));
  await outcome("clearExpired", () => sessions.clearExpired(chance.pick([undefined, {}, { fullPass: true }, { fullPass: make.foreign() }])));
  for (const { kind, session } of heard) assert.ok(/^[a-z-]+$/.test(kind) && typeof session === "string" && !session.includes("cw63c3bm"), inspect({ kind, session }));
}

/** Lengths around the limits of the area through which texts and values cross into the wasm. */
const limits = [0, 1, 255, 256, 257, 1365, 1366, 4095, 4096, 4097, 12_288, 40_000];

/** Texts and values of any length, on sessions that take turns in one area, while the memory of the wasm grows. */
export async function crossings(chance) {
  const text = () => {
    const length = Math.max(0, chance.pick(limits) + chance.below(5) - 2);
    return chance.pick(["a", "é", "☃", "😀"]).repeat(length).slice(0, length).replace(/[\ud800-\udbff]$/, "x");
  };
  const store = memory();
  const extra = { get: (key) => (key.includes(":session:") ? store.get(key) : Promise.resolve(null)) };
  const make = () => createSessions({ store: chance.happens(0.3) ? { ...store, ...extra } : store, secrets, maxRecordBytes: 26_214_400 });
  const groups = [make(), make()];
  const open = [];
  for (let step = 20; step > 0; step--) {
    const place = chance.below(4);
    if (!open[place]) {
      open[place] = { session: await chance.pick(groups).open(), model: new Map() };
      continue;
    }
    const { session, model } = open[place];
    const key = chance.pick(["a", "é", text()]);
    const call = chance.weighted({ set: 5, get: 5, has: 2, delete: 1, save: 2, cookie: 1 });
    if (call === "set") {
      const value = chance.pick([text(), [text()], { [text()]: text() }]);
      session.set(key, value);
      model.set(key, value);
    } else if (call === "delete") {
      assert.equal(session.delete(key), model.delete(key));
    } else if (call === "has") {
      assert.equal(session.has(key), model.has(key));
    } else if (call === "cookie") {
      const stranger = await chance.pick(groups).load(`theme=${text()}; sessionid=${text()}`);
      assert.deepEqual(stranger.keys(), []);
      stranger[Symbol.dispose]();
    } else if (call === "save") {
      await session.save();
      const read = await chance.pick(groups).open(session.sessionKey);
      assert.deepEqual(read.items(), [...model]);
      read[Symbol.dispose]();
    } else {
      assert.deepEqual(session.get(key), model.get(key));
    }
    assert.deepEqual(session.keys(), [...model.keys()]);
  }
  for (const { session } of open.filter(Boolean)) session[Symbol.dispose]();
}

export const rounds = { setsAndGets, crossings, options, strangers, expiries, stores };

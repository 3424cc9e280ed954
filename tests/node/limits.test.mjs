// One limit of depth and one of size for writes and reads, so that every written value can be read.

import assert from "node:assert/strict";
import { test } from "node:test";
import { createSessions, TooLargeError, ValueError } from "../../dist/node.js";
import { eventual, fresh, isolate, secrets, sessionsAt, visitor } from "./visitor.mjs";

const depths = [0, 1, 63, 64, 65, 127, 128, 200_000];
const array = (depth) => JSON.parse("[".repeat(depth) + "1" + "]".repeat(depth));
const object = (depth) => JSON.parse('{"a":'.repeat(depth) + "1" + "}".repeat(depth));
const deep = { code: "ES_VALUE", message: /nests deeper than 64 levels$/ };

test("H1: values of 64 levels are written and deeper ones are refused, by every call", async () => {
  for (const nest of [array, object]) {
    for (const depth of depths) {
      const session = await fresh();
      const value = nest(depth);
      const writes = {
        set: () => session.set("k", value),
        setDefault: () => session.setDefault("k", value),
        update: () => session.update({ k: value }),
        "update with pairs": () => session.update(new Map([["k", value]])),
      };
      for (const [name, write] of Object.entries(writes)) {
        if (depth <= 64) assert.doesNotThrow(write, `${name} ${depth}`);
        else assert.throws(write, deep, `${name} ${depth}`);
        session.clear();
      }
      if (depth <= 64) assert.deepEqual(await session.decode(await session.encode({ k: value })), { k: value });
      else await assert.rejects(session.encode({ k: value }), deep);
    }
  }
});

test("H1: a returned value that is made too deep is refused when it is stored, and the session stays usable", async () => {
  const session = await fresh();
  session.set("k", { a: 1 });
  session.get("k").a = array(64);
  await assert.rejects(session.save(), deep);
  await session.set("k", 1).save();
});

test("H1: foreign records are read to the same depth, and no deeper", async () => {
  for (const open of ["[", '{"a":']) {
    for (const depth of depths) {
      const { sessions, store } = sessionsAt({ maxRecordBytes: 26_214_400 });
      const session = await sessions.open();
      await session.update({ k: 1, other: 2 }).save();
      const [[key, record]] = store.records;
      const close = open === "[" ? "]" : "}";
      // With brackets beside it that add no level.
      const nested = `${open.repeat(depth)}"[[{{"${close.repeat(depth)}`;
      const text = new TextDecoder().decode(record.value).replace('"k":1', () => `"k":${nested}`).replace(/"sizes":\[3,1/, `"sizes":[3,${nested.length}`);
      store.records.set(key, { ...record, value: new TextEncoder().encode(text) });
      const again = await sessions.open(session.sessionKey);
      if (depth <= 64) assert.deepEqual(again.get("k"), JSON.parse(nested), depth);
      else assert.throws(() => again.get("k"), deep, String(depth));
      assert.equal(again.get("other"), 2);
      await again.set("other", 3).save();
      assert.equal((await sessions.open(session.sessionKey)).get("other"), 3);
    }
  }
});

test("H1: a wide value is not a deep one", async () => {
  const session = await fresh({ maxRecordBytes: 1_000_000 });
  const wide = Array.from({ length: 5_000 }, (_, n) => ({ n: [n] }));
  await session.set("k", wide).save();
  session.modified = false;
  assert.deepEqual(session.get("k"), wide);
});

test("H1: the data are as large as the setting allows when they are written, and with their header a kilobyte more when they are read", async () => {
  const store = eventual();
  const sized = (maxRecordBytes) => createSessions({ store, secrets, maxRecordBytes });
  const first = await sized(26_214_400).open();
  await first.set("k", "x".repeat(5_000)).save();
  const [[, { value }]] = store.records;
  const text = new TextDecoder().decode(value);
  const counted = value.length - text.indexOf(',"sizes":'); // what follows the header
  const save = async (limit, act = () => {}) => {
    const session = await sized(limit).open();
    act(session.set("k", "x".repeat(5_000)));
    return session.save();
  };
  await assert.doesNotReject(save(counted));
  const before = store.records.size;
  const tooLarge = (limit) => (error) => error instanceof TooLargeError && error.message.endsWith(`maxRecordBytes allows ${limit}`);
  await assert.rejects(save(counted - 1), tooLarge(counted - 1));
  await assert.rejects(save(counted, (session) => session.set("l", 1)), tooLarge(counted));
  assert.equal(store.records.size, before, "nothing is written or truncated");
  await assert.doesNotReject(save(counted, (session) => (session.setExpiry(60), session.setTestCookie())), "Django's own keys find room");
  const read = async (limit) => {
    const session = await sized(limit).open(first.sessionKey);
    return [session.loadReason, session.get("k")?.length, session.sessionKey];
  };
  const larger = value.length - 1024;
  assert.deepEqual(await read(larger), ["live", 5_000, first.sessionKey]);
  assert.deepEqual(await read(larger - 1), ["other-settings", undefined, undefined], "what is too large is not looked at");
  assert.deepEqual(await read(counted), ["live", 5_000, first.sessionKey], "and stays as it is");
});

test("H1: a session over a lowered limit keeps its cookie and its record, and its visitor is served", async () => {
  const site = sessionsAt({ maxRecordBytes: 10_000, saveEveryRequest: true });
  const alice = visitor(site.sessions);
  await alice.visit((session) => session.update({ large: "x".repeat(8_000), user: "alice" }));
  const { cookie } = alice;
  site.time.now += 200_000_000; // a renewal is due
  const lowered = { ...visitor(isolate(site, { maxRecordBytes: 4_096, saveEveryRequest: true })), cookie };
  const { result, answer } = await lowered.visit((session) => [session.loadReason, session.get("user")]);
  assert.deepEqual([result, answer.status, answer.headers.getSetCookie()], [["other-settings", undefined], 200, []]);
  assert.equal((await alice.visit((session) => session.get("user"))).result, "alice");
});

test("F6: a store that returns 25 MiB gives an anonymous session, quickly", async () => {
  const bytes = new Uint8Array(25 * 1024 * 1024).fill(0x5b);
  const { sessions } = sessionsAt({ store: { ...eventual(), get: async () => bytes } });
  const session = await sessions.open("cw63c3bmjz7t3r4d6zvomfg9kl3mff8p");
  assert.equal(session.get("k"), undefined);
  assert.throws(() => session.item("k"), { code: "ES_KEY_ERROR" });
  assert.throws(() => session.set("k", 1n), ValueError);
});

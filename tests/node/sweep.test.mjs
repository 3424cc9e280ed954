// Runs of clearExpired: each continues where the last one ended. A store that expires records itself is not listed.

import assert from "node:assert/strict";
import { test } from "node:test";
import { KvModel } from "../../dist/testing/node.js";
import { kv } from "../../dist/node.js";
import { sessionsAt, visitor } from "./visitor.mjs";

const [OVER, LIVE] = [1e15, 4e15];

/** A store that lists one key in each page and records its operations; `failing` names the operation that fails. */
function oneByOne(names, members = {}) {
  const asked = [];
  const failing = new Set();
  const note = (what) => {
    asked.push(what);
    if (failing.has(what)) throw new Error("the store fails as the test wants it");
  };
  const store = {
    get: async () => null,
    put: async () => {},
    delete: async (key) => {
      note(`delete ${key}`);
      names.delete(key);
    },
    list: async (prefix, cursor) => {
      note(cursor === undefined ? "list" : `list ${cursor}`);
      const [first, next] = [...names.keys()].filter((name) => cursor === undefined || name >= cursor);
      return { keys: first === undefined ? [] : [{ name: first, deadline: names.get(first) }], cursor: next };
    },
    ...members,
  };
  return { store, failing, asked: () => asked.splice(0), sessions: sessionsAt({ store }).sessions };
}

test("runs continue where the last one ended, until the end of the list", async () => {
  const names = new Map(Array.from({ length: 1500 }, (_, n) => [`edge-session:ended:${String(n).padStart(4, "0")}`, LIVE]));
  for (let n = 0; n < 50; n++) names.set(`edge-session:session:${String(n).padStart(2, "0")}`, OVER);
  const { sessions, asked } = oneByOne(names);
  assert.deepEqual(await sessions.clearExpired(), { removed: 0, complete: false });
  assert.equal(asked().length, 1000);
  assert.deepEqual(await sessions.clearExpired(), { removed: 50, complete: true });
  assert.equal(asked()[0], "list edge-session:ended:1000");
  assert.equal(names.size, 1500);
  assert.deepEqual(await sessions.clearExpired(), { removed: 0, complete: false });
  assert.equal(asked()[0], "list", "after the end of the list it starts over");
});

test("a page that was not finished is listed again by the next run, and a refused cursor starts over", async () => {
  const names = new Map(["a", "b", "c"].map((name) => [name, OVER]));
  const { sessions, asked, failing } = oneByOne(names);
  failing.add("delete b");
  await assert.rejects(sessions.clearExpired(), { code: "ES_STORE_UNAVAILABLE" });
  assert.deepEqual(asked(), ["list", "delete a", "list b", "delete b"]);
  failing.clear();
  failing.add("list b");
  assert.deepEqual(await sessions.clearExpired(), { removed: 2, complete: true });
  assert.deepEqual(asked(), ["list b", "list", "delete b", "list c", "delete c"]);
  failing.add("list");
  await assert.rejects(sessions.clearExpired(), { code: "ES_STORE_UNAVAILABLE", name: "StoreUnavailableError" });
  assert.deepEqual(asked(), ["list"], "without a cursor there is no retry");
});

test("a store that expires records itself is listed for a full pass only", async () => {
  const { sessions, asked } = oneByOne(new Map([["a", OVER]]), { expiresRecords: true });
  for (const options of [undefined, {}, { fullPass: false }, { fullPass: undefined }]) {
    assert.deepEqual(await sessions.clearExpired(options), { removed: 0, complete: true });
  }
  assert.deepEqual(asked(), []);
  assert.deepEqual(await sessions.clearExpired({ fullPass: true }), { removed: 1, complete: true });
  assert.deepEqual(asked(), ["list", "delete a"]);
});

test("a full pass goes on over several runs, too", async () => {
  const { sessions, asked } = oneByOne(new Map(Array.from({ length: 1200 }, (_, n) => [String(n).padStart(4, "0"), LIVE])), { expiresRecords: true });
  assert.deepEqual(await sessions.clearExpired({ fullPass: true }), { removed: 0, complete: false });
  assert.deepEqual(await sessions.clearExpired({ fullPass: true }), { removed: 0, complete: true });
  assert.equal(asked()[1000], "list 1000");
});

test("on KV a run costs nothing, and expired records are removed by KV", async () => {
  const model = new KvModel({ seed: 1 });
  const { sessions } = sessionsAt({ store: kv(model.at("AMS")), cookieAge: 3600, clock: () => model.now() });
  for (let n = 0; n < 20; n++) await visitor(sessions).visit((session) => session.set("n", n));
  assert.equal(model.entries().length, 20);
  const before = model.counts();
  for (let hour = 0; hour < 2; hour++) {
    await model.sleep(3_600_000);
    assert.deepEqual(await sessions.clearExpired(), { removed: 0, complete: true });
  }
  assert.deepEqual(model.counts(), before);
  assert.deepEqual(model.entries(), []);
});

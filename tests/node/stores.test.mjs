// The contract of a store in Node: on memory, on the model of KV, on unstorage, and on stores that break it.

import assert from "node:assert/strict";
import { mkdtemp, mkdir, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { createSessions, kv, memory } from "../../dist/node.js";
import { KvModel, storeContract } from "../../dist/testing/node.js";
import { fromUnstorage } from "../../dist/unstorage/index.js";

/** An unstorage `Storage` in memory: it keeps the very bytes that it gets, and finds keys by whole segments. */
function mapStorage() {
  const items = new Map();
  return {
    items,
    getItemRaw: async (key) => items.get(key) ?? null,
    setItemRaw: async (key, value, { ttl }) => void (assert.ok(ttl > 0), items.set(key, value)),
    removeItem: async (key) => void items.delete(key),
    getKeys: async (base) => [...items.keys()].filter((key) => key.startsWith(base)),
  };
}

/** An unstorage `Storage` in a folder, with a file for each key and a folder for each segment, as its driver `fs` makes them. */
function folderStorage(folder) {
  const path = (key) => join(folder, ...key.split(":"));
  const missing = (error) => (error.code === "ENOENT" ? null : Promise.reject(error));
  return {
    getItemRaw: (key) => readFile(path(key)).catch(missing),
    async setItemRaw(key, value) {
      await mkdir(join(path(key), ".."), { recursive: true });
      await writeFile(path(key), value);
    },
    removeItem: (key) => rm(path(key)).catch(missing),
    async getKeys(base) {
      const entries = await readdir(folder, { recursive: true, withFileTypes: true });
      const keys = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1));
      return keys.map((key) => key.replaceAll("/", ":")).filter((key) => key.startsWith(base));
    },
  };
}

const folder = await mkdtemp(join(tmpdir(), "edge-session-unstorage-"));
after(() => rm(folder, { recursive: true }));
const fails = async () => {
  throw new Error("the database failed");
};
const failing = { getItemRaw: fails, setItemRaw: fails, removeItem: fails, getKeys: fails };
const model = new KvModel({ seed: 1, writeInterval: 0 });

const stores = {
  memory: [memory()],
  "the model of KV": [kv(model.at("AMS")), { settle: () => model.sleep(200_000) }],
  "unstorage in memory": [fromUnstorage(mapStorage()), { failing: fromUnstorage(failing) }],
  "unstorage in files": [fromUnstorage(folderStorage(folder))],
};

for (const [name, [store, options]] of Object.entries(stores)) {
  describe(`the contract of a store: ${name}`, () => {
    for (const { name, run } of storeContract(store, options)) test(name, run);
  });
}

/** The smallest linearizable store. */
function linearizable() {
  const records = new Map();
  const wins = (key, ifGeneration) => ifGeneration === undefined || (records.get(key)?.generation ?? 0) === ifGeneration;
  return {
    consistency: "linearizable",
    records,
    wins,
    get: async (key) => records.get(key)?.value.slice() ?? null,
    async put(key, value, { deadline, generation, ifGeneration }) {
      if (!wins(key, ifGeneration)) return false;
      records.set(key, { value: value.slice(), deadline, generation });
      return true;
    },
    delete: async (key) => void records.delete(key),
    list: async (prefix) => ({
      keys: [...records].filter(([name]) => name.startsWith(prefix)).map(([name, { deadline }]) => ({ name, deadline })),
    }),
    async deleteExpired(prefix, before, limit) {
      const expired = [...records].filter(([name, { deadline }]) => name.startsWith(prefix) && deadline < before).slice(0, limit);
      for (const [name] of expired) records.delete(name);
      return expired.length;
    },
  };
}

/** The smallest store with faults: methods above its own. */
function withFaults(faults) {
  const store = linearizable();
  return { ...store, ...faults(store) };
}

/** The names of the tests that a store fails. */
async function failed(store, options) {
  const outcomes = await Promise.all(storeContract(store, options).map(({ name, run }) => run().then(() => [], () => [name])));
  return outcomes.flat();
}

test("a store that keeps the contract passes it", async () => {
  const failing = { get: fails, put: fails, delete: fails, list: fails, deleteExpired: fails };
  assert.deepEqual(await failed(linearizable(), { failing }), []);
});

const pause = () => new Promise((resolve) => setTimeout(resolve, 1));

const encode = (text) => new TextEncoder().encode(text);
const decode = (bytes) => new TextDecoder().decode(bytes);

/** A list whose keys are changed. */
const listed = (change) => ({ list }) => ({ list: async (...args) => ({ keys: change((await list(...args)).keys) }) });

/** A put whose value or options are changed. */
const put = (change) => (store) => ({
  put(key, value, options) {
    const changed = { value, ...change({ key, value, options, stored: store.records.get(key) }) };
    return store.put(key, changed.value, { ...options, ...changed.options });
  },
});

const unconditional = { ifGeneration: undefined };

/** What a store does that breaks the contract: a part of the name of a test that it has to fail, and its faulty methods. */
const broken = {
  "returns undefined for a missing key": ["a missing key is null", ({ get }) => ({ get: async (key) => (await get(key)) ?? undefined })],
  "returns text": ["every byte", ({ get }) => ({ get: async (key) => decode(await get(key)) })],
  "stores text": ["every byte", put(({ value }) => ({ value: encode(decode(value)) }))],
  "returns null for no bytes": ["no bytes", ({ get }) => ({ get: async (key) => ((await get(key))?.length ? get(key) : null) })],
  "truncates at 60 KB": ["64 KB", put(({ value }) => ({ value: value.subarray(0, 60_000) }))],
  "stores the buffer of a view": ["a view on", put(({ value }) => ({ value: new Uint8Array(value.buffer) }))],
  "keeps the caller's bytes": ["keeps a copy", ({ records }) => ({
    put: async (key, value, options) => void records.set(key, { value, ...options }),
  })],
  "returns its own bytes": ["keeps a copy", ({ records }) => ({ get: async (key) => records.get(key)?.value ?? null })],
  "does not overwrite": ["overwrites", ({ records, put }) => ({ put: async (key, ...rest) => records.has(key) || put(key, ...rest) })],
  "does not delete": ["a deleted key", () => ({ delete: async () => {} })],
  "throws at the deletion of a missing key": ["a missing key is no error", ({ records }) => ({
    delete: async (key) => void (records.delete(key) || (await fails())),
  })],
  "drops values with a short TTL": ["short TTL", ({ put }) => ({
    put: async (key, value, options) => options.ttl < 60 || put(key, value, options),
  })],
  "ignores case": ["byte by byte", ({ get, put }) => ({
    get: (key) => get(key.toLowerCase()),
    put: (key, ...rest) => put(key.toLowerCase(), ...rest),
  })],
  "truncates keys": ["greatest length", ({ get, put }) => ({
    get: (key) => get(key.slice(0, 100)),
    put: (key, ...rest) => put(key.slice(0, 100), ...rest),
  })],
  "lists one key twice": ["each key with the prefix once", listed((keys) => keys.flatMap((key) => [key, key]))],
  "lists the first page only": ["each key with the prefix once", listed((keys) => keys.slice(0, 10))],
  "lists no deadlines": ["each key with the prefix once", listed((keys) => keys.map(({ name }) => ({ name })))],
  "lists other prefixes": ["no key with another prefix", ({ list }) => ({ list: (prefix) => list(prefix.slice(0, 16)) })],
  "ignores conditions": ["ifGeneration n", put(() => ({ options: unconditional }))],
  "takes 0 for any": ["ifGeneration 0", put(({ options }) => ({ options: { ifGeneration: options.ifGeneration || undefined } }))],
  "inserts where nothing is stored": ["does not restore", put(({ stored }) => (stored ? {} : { options: unconditional }))],
  "applies a put with an older generation": ["ifGeneration n", put(({ options, stored }) => {
    const isOlder = options.ifGeneration > 0 && stored?.generation > options.ifGeneration;
    return isOlder ? { options: unconditional } : {};
  })],
  "forgets the generation of an unconditional put": ["sets the generation", put(({ options, stored }) => {
    return options.ifGeneration === undefined && stored ? { options: { generation: stored.generation } } : {};
  })],
  "awaits between comparison and put": ["concurrent puts with ifGeneration 0", ({ wins, put }) => ({
    async put(key, value, options) {
      if (!wins(key, options.ifGeneration)) return false;
      await pause();
      return put(key, value, { ...options, ...unconditional });
    },
  })],
  "returns true at a conflict": ["lose none", ({ put }) => ({ put: async (...args) => void (await put(...args)) })],
  "sweeps other prefixes": ["deleteExpired", ({ deleteExpired }) => ({ deleteExpired: (prefix, ...rest) => deleteExpired("", ...rest) })],
  "sweeps live values": ["deleteExpired", ({ deleteExpired }) => ({
    deleteExpired: (prefix, before, limit) => deleteExpired(prefix, before + 1, limit),
  })],
  "sweeps beyond the limit": ["deleteExpired", ({ deleteExpired }) => ({
    deleteExpired: (prefix, before) => deleteExpired(prefix, before, Infinity),
  })],
};

for (const [what, [name, faults]] of Object.entries(broken)) {
  test(`a store that ${what} fails the contract`, async () => {
    const names = await failed(withFaults(faults));
    assert.ok(names.some((failure) => failure.includes(name)), `it failed ${names.join("; ") || "nothing"}`);
  });
}

test("a store whose failed reads are null fails the contract", async () => {
  const names = await failed(linearizable(), { failing: linearizable() });
  assert.ok(names.includes("a failed get throws"), names.join("; "));
  assert.equal(names.length, 6);
});

test("the contract leaves nothing behind", async () => {
  const store = linearizable();
  for (const { run } of storeContract(store)) await run();
  assert.equal(store.records.size, 0);
});

describe("unstorage", () => {
  test("a list has pages of 100 keys, in order, with their deadlines", async () => {
    const store = fromUnstorage(mapStorage());
    const names = Array.from({ length: 250 }, (_, n) => `edge-session:session:${String(n).padStart(3, "0")}`);
    for (const name of [...names].reverse()) await store.put(name, new Uint8Array(3), { ttl: 60, deadline: 1234.5 });
    const pages = [];
    let cursor;
    do {
      const page = await store.list("edge-session:", cursor);
      pages.push(page.keys);
      ({ cursor } = page);
    } while (cursor);
    assert.deepEqual(pages.map(({ length }) => length), [100, 100, 50]);
    assert.deepEqual(pages.flat(), names.map((name) => ({ name, deadline: 1234.5 })));
  });

  test("sessions are kept in files, and swept after their deadline", async () => {
    let now = Date.now();
    const files = await mkdtemp(join(folder, "sessions-"));
    const secrets = ["a secret of at least thirty-two bytes"];
    const options = { store: fromUnstorage(folderStorage(files)), secrets, clock: () => now, cookieAge: 60 };
    const sessions = createSessions(options);
    const session = await sessions.open();
    session.set("user", "alice");
    await session.save();
    const key = session.sessionKey;
    assert.equal((await createSessions(options).open(key)).get("user"), "alice");
    now += 30 * 86_400_000;
    assert.deepEqual(await sessions.clearExpired(), { removed: 1, complete: true });
  });

  test("a foreign value and a missing storage are errors", async () => {
    const storage = mapStorage();
    storage.items.set("short", new Uint8Array(3)).set("text", "text");
    const message = "the driver returned a value that fromUnstorage did not store";
    for (const key of ["short", "text"]) await assert.rejects(fromUnstorage(storage).get(key), { message });
    assert.throws(() => fromUnstorage(undefined), /fromUnstorage\(storage\) got no storage/);
  });

  test("its driver may expire values by itself", () => {
    assert.equal(fromUnstorage(mapStorage()).expiresRecords, false);
    assert.equal(fromUnstorage(mapStorage(), { expiresRecords: true }).expiresRecords, true);
    assert.equal(fromUnstorage(mapStorage()).consistency, "eventual");
  });
});

describe("memory", () => {
  const options = (changes) => ({ ttl: 60, deadline: 0, generation: 1, ifGeneration: undefined, ...changes });
  const value = new Uint8Array(3);

  test("a value expires after its TTL, by the store's clock, and counts as none then", async () => {
    let now = 1_000_000;
    const store = memory({ now: () => now });
    await store.put("a", value, options());
    await store.put("b", value, options());
    now += 59_999;
    assert.notEqual(await store.get("a"), null);
    assert.equal(await store.put("a", value, options({ ifGeneration: 0 })), false);
    now += 1;
    assert.equal(await store.get("a"), null);
    assert.equal(await store.put("b", value, options({ ifGeneration: 1 })), false);
    assert.equal(await store.put("b", value, options({ ifGeneration: 0 })), true);
    assert.deepEqual([...store.records.keys()], ["b"]);
    assert.equal(store.now(), now);
  });

  test("a full store drops expired values first, then those with the oldest write", async () => {
    let now = 0;
    const store = memory({ maxRecords: 3, now: () => now });
    const keys = () => [...store.records.keys()].join("");
    await store.put("a", value, options({ ttl: 600 }));
    await store.put("b", value, options({ ttl: 10 }));
    await store.put("c", value, options({ ttl: 600 }));
    await store.put("a", value, options({ ttl: 600, generation: 2 }));
    assert.equal(keys(), "bca", "an overwritten value takes no room");
    now += 9_000;
    await store.put("d", value, options({ ttl: 600 }));
    assert.equal(keys(), "cad");
    await store.put("c", value, options({ ttl: 20, generation: 2 }));
    await store.put("e", value, options({ ttl: 600 }));
    assert.equal(keys(), "dce");
    now += 20_000;
    await store.put("f", value, options({ ttl: 600 }));
    assert.equal(keys(), "def", "c has expired");
    await store.put("g", value, options({ ttl: 600 }));
    assert.equal(keys(), "efg");
  });

  test("by default, there is room for 10,000 values", async () => {
    const store = memory();
    for (let n = 0; n < 30_000; n++) await store.put(`key-${n}`, value, options({ ttl: 3600 }));
    assert.equal(store.records.size, 10_000);
    assert.equal(await store.get("key-19999"), null);
    assert.notEqual(await store.get("key-20000"), null);
  });

  test("a limit that is none is refused", () => {
    for (const maxRecords of [0, -1, 1.5, NaN, Infinity, "10", null]) {
      assert.throws(() => memory({ maxRecords }), { code: "ES_CONFIG", message: "memory({ maxRecords }) must be a whole number above 0" });
    }
  });
});

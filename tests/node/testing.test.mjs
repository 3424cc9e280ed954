// The model of KV that `edge-session/testing` exports: plain reads and writes, and sessions on it.

import assert from "node:assert/strict";
import { test } from "node:test";
import { createSessions, kv, withSessions } from "../../dist/node.js";
import { cookieFor, KvModel } from "../../dist/testing/node.js";
import { cookiesAfter, secrets, sessionsAt } from "./visitor.mjs";

/** No operation is slow, and each write is visible at once at its location. */
const plain = { slow: 0, locallyInvisible: 0 };
const failure = (status) => ({ name: "Error", message: new RegExp(`^KV [A-Z]+ failed: ${status}`) });
const seeds = (count) => Array.from({ length: count }, (_, seed) => seed);

test("a location responds from its cache for the cacheTtl", async () => {
  const model = new KvModel({ ...plain, maxPropagation: 0 });
  const [here, there] = [model.at("AMS"), model.at("SFO")];
  await here.put("key", "one");
  const read = () => there.get("key", { cacheTtl: 30 });
  assert.equal(await read(), "one");
  await model.sleep(10_000);
  await here.put("key", "two");
  assert.equal(await here.get("key"), "two", "its own write is in its cache");
  await model.sleep(18_000);
  assert.equal(await read(), "one");
  await model.sleep(3_000);
  assert.equal(await read(), "two");
});

test("a read without a cacheTtl is cached for a minute, as KV's are, and one with a longer one for longer", async () => {
  const model = new KvModel({ ...plain, maxPropagation: 0 });
  const [here, there, further] = ["AMS", "SFO", "SIN"].map((location) => model.at(location));
  await here.put("key", "one");
  await Promise.all([there.get("key"), further.get("key", { cacheTtl: 600 })]);
  await model.sleep(2_000);
  await here.put("key", "two");
  await model.sleep(56_000);
  assert.equal(await there.get("key"), "one");
  await model.sleep(3_000);
  assert.equal(await there.get("key"), "two");
  assert.equal(await further.get("key", { cacheTtl: 600 }), "one");
  assert.equal(await further.get("key"), "two", "a shorter one looks again");
});

test("with a cacheTtl of 0 in its options, a model caches nothing", async () => {
  const model = new KvModel({ ...plain, maxPropagation: 0, cacheTtl: 0 });
  assert.equal(await model.at("SFO").get("key", { cacheTtl: 30 }), null);
  await model.at("AMS").put("key", "one");
  assert.equal(await model.at("SFO").get("key", { cacheTtl: 30 }), "one");
});

test("a miss is cached as well", async () => {
  const model = new KvModel({ ...plain, maxPropagation: 0, cacheTtl: 30_000 });
  assert.equal(await model.at("SFO").get("key"), null);
  await model.at("AMS").put("key", "one");
  await model.sleep(25_000);
  assert.equal(await model.at("SFO").get("key"), null);
  await model.sleep(6_000);
  assert.equal(await model.at("SFO").get("key"), "one");
});

test("a write reaches every location within the longest propagation, and some late", async () => {
  let late = 0;
  for (const seed of seeds(200)) {
    const model = new KvModel({ ...plain, seed, cacheTtl: 0 });
    await model.at("AMS").put("key", "one");
    await model.sleep(50_000);
    if ((await model.at("SFO").get("key")) === null) late++;
    await model.sleep(10_000);
    assert.equal(await model.at("SFO").get("key"), "one");
  }
  assert.ok(late > 5 && late < 50, `${late} of 200 took longer than 50 s`);
});

test("some writes are not visible at once at their location", async () => {
  let unseen = 0;
  for (const seed of seeds(300)) {
    const here = new KvModel({ seed }).at("AMS");
    await here.put("key", "one");
    if ((await here.get("key")) === null) unseen++;
  }
  assert.ok(unseen > 10 && unseen < 60, `${unseen} of 300`);
});

test("nothing older is read once the staleness bound has passed", async () => {
  assert.equal(new KvModel().stalenessBound, 130_000);
  for (const seed of seeds(100)) {
    const model = new KvModel({ seed, slow: 0.3 });
    const [here, there] = [model.at("AMS"), model.at("SFO")];
    await here.put("key", "old");
    await model.sleep(140_000);
    const reads = seeds(20).map(async (turn) => {
      await model.sleep(turn * 5_000);
      await there.get("key");
    });
    await model.sleep(20_000);
    await here.put("key", "new");
    await model.sleep(model.stalenessBound);
    assert.equal(await there.get("key"), "new", `seed ${seed}`);
    await Promise.all(reads);
  }
});

test("a key takes one write a second", async () => {
  const model = new KvModel(plain);
  const here = model.at("AMS");
  await here.put("key", "one");
  await assert.rejects(here.put("key", "two"), { name: "Error", message: "KV PUT failed: 429 Too Many Requests" });
  await here.put("another key", "");
  await here.delete("key");
  assert.equal(await here.get("key"), null, "a delete is not counted");
  model.changeOptions({ limitsDeletes: true });
  await model.sleep(1_000);
  await here.put("key", "three");
  await assert.rejects(here.delete("key"), failure(429));
});

test("operations that KV refuses are refused", async () => {
  const model = new KvModel(plain);
  const here = model.at("AMS");
  for (const [key, status] of [["", 400], [".", 400], ["..", 400], ["k".repeat(513), 414]]) {
    await assert.rejects(here.get(key), failure(status));
    await assert.rejects(here.put(key, ""), failure(status));
    await assert.rejects(here.delete(key), failure(status));
  }
  await assert.rejects(here.get("key", { cacheTtl: 29 }), failure(400));
  await assert.rejects(here.put("key", "", { expirationTtl: 59 }), failure(400));
  await assert.rejects(here.put("key", "", { expiration: model.now() / 1000 + 59 }), failure(400));
  await assert.rejects(here.put("key", new Uint8Array(25 * 1024 * 1024 + 1)), failure(413));
  await assert.rejects(here.put("key", "", { metadata: "x".repeat(1023) }), failure(413));
  await assert.rejects(here.list({ limit: 1001 }), failure(400));
  await assert.rejects(here.put("key", 1), TypeError);
  await assert.rejects(here.get(["key"]), TypeError);
  await assert.rejects(here.get("key", "stream"), TypeError);
  await assert.rejects(here.get("key", { type: "toString" }), TypeError);
  await here.put("k".repeat(512), "", { metadata: "x".repeat(1022), expirationTtl: 60 });
});

test("an invocation has a thousand operations", async () => {
  const here = new KvModel({ latency: [0, 0], slow: 0 }).at("AMS");
  const invocation = here.invocation();
  for (let operation = 0; operation < 1000; operation++) await invocation.get("key");
  await assert.rejects(invocation.put("key", ""), /^Error: Too many API requests by single worker invocation/);
  await here.invocation().get("key");
  await here.get("key");
});

test("values come in the forms that a Worker asks for, with their metadata", async () => {
  const here = new KvModel(plain).at("AMS");
  const bytes = new TextEncoder().encode('"{"é":[1]}"'.slice(1, -1));
  await here.put("view", new Uint8Array([0, ...bytes, 0]).subarray(1, -1), { metadata: { by: ["me", "ü"] } });
  await here.put("buffer", bytes.buffer.slice(0, bytes.length));
  for (const key of ["view", "buffer"]) {
    assert.equal(await here.get(key), '{"é":[1]}');
    assert.equal(await here.get(key, {}), '{"é":[1]}');
    assert.deepEqual(await here.get(key, "json"), { é: [1] });
    const buffer = await here.get(key, { type: "arrayBuffer" });
    assert.ok(buffer instanceof ArrayBuffer);
    assert.deepEqual(new Uint8Array(buffer), bytes);
  }
  assert.deepEqual(await here.getWithMetadata("view", "json"), { value: { é: [1] }, metadata: { by: ["me", "ü"] }, cacheStatus: null });
  assert.deepEqual(await here.getWithMetadata("buffer", { type: "text" }), { value: '{"é":[1]}', metadata: null, cacheStatus: null });
  assert.deepEqual(await here.getWithMetadata("none"), { value: null, metadata: null, cacheStatus: null });
  await here.put("text", "no JSON");
  await assert.rejects(here.get("text", "json"), SyntaxError);
  await here.put("empty", "");
  assert.deepEqual([await here.get("empty"), (await here.get("empty", "arrayBuffer")).byteLength], ["", 0]);
});

test("a value expires after its time to live, even in a cache, and one without an expiration stays", async () => {
  const model = new KvModel({ ...plain, start: new Date("2031-02-03T00:00:00Z") });
  const here = model.at("AMS");
  const ends = Date.UTC(2031, 1, 3) / 1000 + 100;
  await here.put("a", "", { expirationTtl: 60 });
  await here.put("b", "", { expiration: ends });
  await here.put("c", "");
  const { keys } = await here.list();
  assert.deepEqual(keys.map(({ name }) => name), ["a", "b", "c"]);
  assert.ok(Math.abs(keys[1].expiration - ends) <= 1);
  assert.ok(!("expiration" in keys[2]));
  await model.sleep(61_000);
  assert.deepEqual([await here.get("a"), await here.get("b"), await here.get("c")], [null, "", ""]);
  await model.sleep(40_000);
  assert.deepEqual(model.entries().map(([key]) => key), ["c"]);
});

test("a list comes in pages, with metadata, and an empty one is not the end", async () => {
  const model = new KvModel({ ...plain, pageSize: 2 });
  const here = model.at("AMS");
  for (const key of ["a:1", "b:1", "b:2", "b:3", "c:1"]) await here.put(key, "", { metadata: { key } });
  model.failNext("list", "emptyPage");
  const [names, pages] = [[], []];
  let cursor = null;
  do {
    const page = await here.list({ prefix: "b:", cursor });
    for (const { name, metadata } of page.keys) names.push(name) && assert.deepEqual(metadata, { key: name });
    pages.push(page.keys.length);
    assert.equal(page.list_complete, page.cursor === undefined);
    cursor = page.cursor;
  } while (cursor);
  assert.deepEqual([names, pages], [["b:1", "b:2", "b:3"], [0, 2, 1]]);
  assert.equal((await here.list({ limit: 1 })).keys.length, 1);
});

test("a put that failed may have been applied", async () => {
  const model = new KvModel(plain);
  const here = model.at("AMS");
  model.failNext("put", { appliedButFailed: 500 });
  await assert.rejects(here.put("key", "one"), { message: "KV PUT failed: 500 Internal Server Error" });
  assert.equal(await here.get("key"), "one");
  await model.sleep(1_000);
  model.failNext("put", { status: 500 });
  await assert.rejects(here.put("key", "two"), failure(500));
  assert.equal(await here.get("key"), "one");
});

test("a late put overwrites a later one, although no code waits for it", async () => {
  const model = new KvModel(plain);
  const here = model.at("AMS");
  const stored = () => model.entries().map(([, value]) => new TextDecoder().decode(value));
  model.failNext("put", { late: 10_000 });
  await assert.rejects(here.put("key", "late"), failure(500));
  await here.put("key", "later");
  assert.deepEqual(stored(), ["later"]);
  const before = model.now();
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.equal(model.now(), before, "time passes only during waits");
  await model.sleep(11_000);
  assert.deepEqual(stored(), ["late"]);
});

test("every fault of a read has its effect", async () => {
  const model = new KvModel(plain);
  const here = model.at("AMS");
  await here.put("other", "other value");
  for (const value of ["older", "old", "new"]) {
    await here.put("key", value, { expirationTtl: 60 });
    await model.sleep(2_000);
  }
  const read = (fault) => {
    model.failNext("get", fault);
    return here.get("key");
  };
  assert.equal(await read("missing"), null);
  assert.equal(await read({ stale: 1 }), "old");
  assert.equal(await read({ stale: 2 }), "older");
  assert.equal(await read({ truncated: 1 }), "n");
  assert.equal(await read({ flippedBit: 8 }), "ndw");
  assert.equal(await read({ replaced: "ü" }), "ü");
  assert.equal(await read({ replaced: new Uint8Array([65]) }), "A");
  assert.equal(await read({ ofKey: "other" }), "other value");
  for (const status of [414, 500, 503]) await assert.rejects(read({ status }), failure(status));
  assert.equal(await here.get("key"), "new", "none of it stays");
  const before = model.now();
  await read({ slow: 7_000 });
  assert.equal(model.now() - before, 7_000);
  const hung = read("hang").then(() => "answered");
  assert.equal(await Promise.race([hung, model.sleep(30_000).then(() => "not answered")]), "not answered");
  await model.sleep(60_000);
  assert.equal(await here.get("key"), null);
  assert.equal(await read("expired"), "new");
});

test("a callback decides about each operation after the planned faults", async () => {
  const model = new KvModel(plain);
  const asked = [];
  model.onOperation((operation) => {
    asked.push(operation);
    return operation.location === "SFO" ? { status: 503 } : undefined;
  });
  await model.at("AMS").put("key", "one");
  await assert.rejects(model.at("SFO").get("key"), failure(503));
  await assert.rejects(model.at("SFO").list({ prefix: "k" }), failure(503));
  model.failNext("delete", { status: 500 });
  await assert.rejects(model.at("AMS").delete("key"), failure(500));
  const kinds = asked.map(({ kind, location, key }) => [kind, location, key]);
  assert.deepEqual(kinds, [["put", "AMS", "key"], ["get", "SFO", "key"], ["list", "SFO", "k"]]);
  assert.equal(asked[0].at, Date.UTC(2030, 0, 1));
  assert.ok(asked[1].at > asked[0].at);
  model.onOperation(() => {
    throw new RangeError("of the hook");
  });
  await assert.rejects(model.at("AMS").get("key"), RangeError);
  model.onOperation(undefined);
  assert.equal(await model.at("AMS").get("key"), "one");
  assert.deepEqual(model.counts(), { gets: 2, puts: 1, deletes: 1, lists: 1 });
});

test("in an outage only caches respond", async () => {
  const model = new KvModel(plain);
  const [here, there] = [model.at("AMS"), model.at("SFO")];
  await here.put("key", "one");
  model.setOutage(true);
  assert.equal(await here.get("key"), "one");
  await assert.rejects(there.get("key"), { message: "KV GET failed: 503 Service Unavailable" });
  await model.sleep(2_000);
  await assert.rejects(here.put("key", "two"), failure(503));
  model.setOutage(false);
  await here.put("key", "three");
});

test("invalid options and faults are errors", () => {
  const model = new KvModel();
  const refused = (options, message) => assert.throws(() => new KvModel(options), { name: "TypeError", message });
  refused({ sead: 1 }, /^Unknown option `sead`/);
  refused({ slow: 1.5 }, /^slow must be a probability/);
  refused({ seed: -1 }, /^seed must be/);
  refused({ cacheTtl: Infinity }, /^cacheTtl must be a number/);
  refused({ latency: 5 }, /^latency must be the minimum and the maximum/);
  refused({ latency: [5, 1] }, /^latency must be/);
  refused({ limitsDeletes: 1 }, /^limitsDeletes must be true or false/);
  assert.throws(() => model.changeOptions({ seed: 1 }), /^TypeError: The option `seed` cannot be changed/);
  for (const fault of ["status", {}, { hang: true }, { status: "429" }, { status: 429, slow: 1 }, { toString: 1 }, null]) {
    assert.throws(() => model.failNext("get", fault), TypeError, JSON.stringify(fault));
  }
  assert.throws(() => model.failNext("head", "hang"), TypeError);
});

/** Many operations at once, as a log. */
async function history(seed) {
  const model = new KvModel({ seed, hostile: true, hanging: 0 });
  const log = [];
  await Promise.all(seeds(20).map(async (task) => {
    const here = model.at(["AMS", "SFO", "SIN"][task % 3]);
    for (let round = 0; round < 10; round++) {
      const key = `key ${(task + round) % 4}`;
      const put = await here.put(key, `${task} ${round}`).then(() => "put", ({ message }) => message);
      const got = await here.get(key).catch(({ message }) => message);
      log.push(`${model.now()} ${task} ${round} ${put} ${got}`);
      await model.sleep(700);
    }
  }));
  return { log, counts: model.counts() };
}

test("a seed repeats its history, and random faults happen until they are stopped", async () => {
  const [one, again, other] = [await history(1), await history(1), await history(2)];
  assert.deepEqual(one, again);
  assert.notDeepEqual(one, other);
  assert.equal(one.log.length, 200);
  assert.deepEqual(one.counts, { gets: 200, puts: 200, deletes: 0, lists: 0 });
  const failures = (log) => log.filter((line) => line.includes("failed: 500")).length;
  assert.ok(failures([...one.log, ...other.log]) > 0);
  const model = new KvModel({ failingReads: 1 });
  await assert.rejects(model.at("AMS").get("key"), failure(500));
  model.stopFaults();
  assert.equal(await model.at("AMS").get("key"), null);
});

test("at no latency nothing waits for time", async () => {
  const model = new KvModel({ latency: [0, 0], slow: 0, locallyInvisible: 0 });
  const here = model.at("AMS");
  await here.put("key", "one");
  assert.equal(await here.get("key"), "one");
  assert.equal(model.now(), Date.UTC(2030, 0, 1));
});

test("requests run side by side, in virtual time: three of a minute take one", async () => {
  const model = new KvModel();
  const began = performance.now();
  const ended = await Promise.all([60_000, 60_001, 59_999].map(async (time, place) => {
    await model.sleep(time);
    return [place, model.now() - Date.UTC(2030, 0, 1)];
  }));
  assert.deepEqual(ended, [[0, 60_000], [1, 60_001], [2, 59_999]]);
  assert.ok(performance.now() - began < 5_000);
});

/** An ordinary Worker, without code for the model. */
const worker = withSessions((env) => ({ store: kv(env.SESSIONS), secrets }), {
  async fetch(request, _env, _context, session) {
    const { pathname } = new URL(request.url);
    if (pathname === "/login") {
      session.cycleKey();
      session.set("user", "alice");
    } else if (pathname === "/logout") {
      await session.flush();
    } else if (pathname === "/theme") {
      session.set("theme", "dark");
    }
    return new Response(pathname === "/" ? session.get("user", "nobody") : "done");
  },
});

/** A browser whose requests arrive at different locations. */
function browser(model) {
  const env = (location) => (environments[location] ??= { SESSIONS: model.at(location) });
  const environments = {};
  return {
    cookie: "",
    async go(location, path) {
      const request = new Request(`https://example.com${path}`, { headers: { Cookie: this.cookie } });
      const response = await worker.fetch(request, env(location));
      this.cookie = cookiesAfter(this.cookie, response.headers);
      return response.ok ? response.text() : response.status;
    },
  };
}

test("a whole visit: a login here, a page there, a logout, and the bound", async () => {
  for (const seed of seeds(40)) {
    const model = new KvModel({ seed });
    const alice = browser(model);
    assert.equal(await alice.go("AMS", "/login"), "done");
    assert.equal(model.counts().puts, 1);
    assert.ok(model.entries().every(([key]) => /^edge-session:session:[\w-]+$/.test(key)));
    await model.sleep(100_000);
    assert.equal(await alice.go("SFO", "/"), "alice", `seed ${seed}`);

    const thief = Object.assign(browser(model), { cookie: alice.cookie });
    assert.equal(await alice.go("AMS", "/logout"), "done");
    assert.equal(alice.cookie, "");
    await model.sleep(100_000);
    for (const location of ["AMS", "SFO", "SIN"]) assert.equal(await thief.go(location, "/"), "nobody", `seed ${seed}, ${location}`);
  }
});

test("some locations go on serving a session for a while after its logout: the model shows it", async () => {
  let served = 0;
  for (const seed of seeds(40)) {
    const model = new KvModel({ seed });
    const alice = browser(model);
    await alice.go("AMS", "/login");
    await model.sleep(100_000);
    await alice.go("SFO", "/");
    const thief = Object.assign(browser(model), { cookie: alice.cookie });
    await alice.go("AMS", "/logout");
    if ((await thief.go("SFO", "/")) === "alice") served++;
  }
  assert.ok(served > 10, `${served} of 40`);
});

test("kv() on a model uses the waits and the clock of the model", async () => {
  const model = new KvModel({ ...plain, latency: [10, 10] });
  const here = model.at("AMS");
  const sessions = createSessions({ store: kv(here), secrets, cookieAge: 3600 });
  const session = await sessions.load(null);
  session.set("user", "alice");
  assert.equal(session.getExpiryDate().getTime(), model.now() + 3_600_000);
  model.failNext("put", { status: 429 });
  const [before, began] = [model.now(), performance.now()];
  const headers = new Headers(await sessions.commitHeaders(session, 200));
  assert.ok(model.now() - before >= 1_000, "the second put came a second later");
  assert.ok(performance.now() - began < 900, "in a fraction of that in real time");
  assert.equal(model.counts().puts, 2);
  const reason = async (of) => (await of.load(headers.get("Set-Cookie").split(";")[0])).loadReason;
  await model.sleep(3_590_000);
  assert.equal(await reason(sessions), "live");
  const ahead = createSessions({ store: kv(here), secrets, cookieAge: 3600, clock: () => model.now() + 20_000 });
  assert.equal(await reason(ahead), "expired", "a clock of one's own comes first");
  await model.sleep(11_000);
  assert.notEqual(await reason(sessions), "live");
});

test("a KV outage makes 503s, and the cookie stays", async () => {
  const model = new KvModel(plain);
  const alice = browser(model);
  await alice.go("AMS", "/login");
  const { cookie } = alice;
  model.setOutage(true);
  const log = console.error;
  console.error = () => {};
  try {
    assert.equal(await alice.go("SFO", "/"), 503);
  } finally {
    console.error = log;
  }
  assert.equal(alice.cookie, cookie);
  model.setOutage(false);
  assert.equal(await alice.go("AMS", "/"), "alice");
});

test("a browser at changing locations on a faulty KV stays logged in, and reads its own writes or gets an outcome", async () => {
  let [read, reported] = [0, 0];
  const log = console.error;
  console.error = () => {};
  try {
    for (const seed of seeds(30)) {
      const model = new KvModel({ seed, hostile: true, hanging: 0 });
      const alice = browser(model);
      if ((await alice.go("AMS", "/login")) !== "done") continue;
      for (const location of ["AMS", "SFO", "AMS", "SIN"]) {
        const answer = await alice.go(location, "/");
        if (answer === "alice") read++;
        else reported++;
        if (answer !== "alice" && answer !== "nobody") assert.equal(answer, 503);
        assert.notEqual(alice.cookie, "", `seed ${seed}`);
        await alice.go(location, "/theme");
        await model.sleep(20_000);
      }
      model.stopFaults();
      await model.sleep(model.stalenessBound);
      assert.equal(await alice.go("GRU", "/"), "alice", `seed ${seed}`);
    }
  } finally {
    console.error = log;
  }
  assert.ok(read > reported * 3, `${read} read, ${reported} reported`);
});

test("cookieFor gives the cookie of a visitor who is logged in", async () => {
  const { sessions } = sessionsAt();
  const cookie = await cookieFor(sessions, { user: "alice", cart: [1] });
  assert.match(cookie, /^__Host-sessionid=[^;]+$/);
  const session = await sessions.load(cookie);
  assert.deepEqual([session.items(), session.loadReason], [[["user", "alice"], ["cart", [1]]], "live"]);
});

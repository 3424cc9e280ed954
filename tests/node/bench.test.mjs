// The measured cycle of the benchmark, without its clock.

import assert from "node:assert/strict";
import { test } from "node:test";
import edgeSession from "../bench/contenders/edge-session.mjs";
import edgeSessionLater from "../bench/contenders/edge-session-later.mjs";
import edgeSessionMemory from "../bench/contenders/edge-session-memory.mjs";
import floor from "../bench/contenders/floor.mjs";
import floorAnonymous from "../bench/contenders/floor-anonymous.mjs";
import { effects } from "../bench/effects.mjs";
import { namespace } from "../bench/kv.mjs";
import { judged, standing } from "../bench/report.mjs";
import { data, modes, Visitor } from "../bench/visit.mjs";

const sizes = [200, 2048, 16_384, 131_072];

test("the sessions have their nominal sizes, most of the bytes in one field", () => {
  for (const bytes of sizes) {
    const session = data(bytes);
    assert.equal(JSON.stringify(session).length, bytes);
    assert.ok(JSON.stringify(session.cart).length > bytes / 2);
  }
});

const own = {
  floor,
  "floor-anonymous": floorAnonymous,
  "edge-session": edgeSession,
  "edge-session-later": edgeSessionLater,
  "edge-session-memory": edgeSessionMemory,
};

for (const [name, contender] of Object.entries(own)) {
  test(`${name}: each visit reads what the one before it wrote`, async () => {
    for (const mode of Object.values(modes)) {
      for (const bytes of mode.sizes ?? sizes) {
        const visitor = new Visitor(contender(), mode, bytes);
        await visitor.arrive();
        await visitor.visit(3);
        await visitor.leave();
      }
    }
  });

  test(`${name}: a visit that only reads writes nothing and sets no cookie`, async () => {
    for (const mode of ["read", "anonymous"]) {
      const { puts, cookies } = await effects(contender, modes[mode]);
      assert.deepEqual({ puts, cookies }, { puts: 0, cookies: 0 }, mode);
    }
  });
}

test("the cookie of the later contender carries nothing of earlier visits", async () => {
  const lengths = async ({ fill, visit }) => {
    let [cookie] = (await fill("", data(200))).split(";");
    const found = [];
    for (const field of ["visits", "locale", "visits"]) {
      [cookie] = (await visit(cookie, field, (_user, value) => (field === "visits" ? value + 1 : "de-DE"))).split(";");
      found.push(cookie.length);
    }
    return found;
  };
  const [within, later] = [await lengths(edgeSession()), await lengths(edgeSessionLater())];
  assert.equal(later[2], later[0]);
  assert.ok(within[2] > within[0]);
});

test("without KV, a session is only in memory", async () => {
  const { fill, read } = edgeSessionMemory();
  const [cookie] = (await fill("", data(200))).split(";");
  await assert.rejects(edgeSessionMemory().read(cookie, "visits", (user) => user.id), TypeError);
  await read(cookie, "visits", (user) => assert.equal(user.id, 48151));
});

test("a contender that loses writes or does nothing is detected", async () => {
  const forgetful = { ...floor(), visit: async (_cookie, field, turn) => void turn(data(200).user, data(200)[field]) };
  const idle = { ...floor(), visit: async () => undefined, read: async () => undefined, anonymous: async () => undefined };
  for (const mode of Object.values(modes)) {
    for (const contender of mode.next ? [forgetful, idle] : [idle]) {
      const visitor = new Visitor(contender, mode, 200);
      await visitor.arrive();
      await assert.rejects(visitor.visit(2));
    }
  }
  const { fill, visit, read } = floor();
  const partial = { visit, read, fill: (cookie, session) => fill(cookie, { ...session, locale: undefined }) };
  const visitor = new Visitor(partial, modes.small, 200);
  await visitor.arrive();
  await visitor.visit(2);
  await assert.rejects(visitor.leave(), { message: "locale is not what it was at first" });
});

test("an anonymous visitor that has a session is detected", async () => {
  const visitor = new Visitor({ anonymous: async (_cookie, look) => look(data(200).user) }, modes.anonymous, 200);
  await assert.rejects(visitor.visit(1), { message: "a visitor without a session has a user" });
});

test("the namespace returns text and bytes as they were put", async () => {
  const kv = namespace();
  assert.equal(await kv.get("a"), null);
  await kv.put("a", '{"n":1}');
  assert.deepEqual([await kv.get("a"), await kv.get("a", "json")], ['{"n":1}', { n: 1 }]);
  const bytes = new Uint8Array([1, 2, 3]);
  for (const value of [bytes, bytes.buffer]) {
    await kv.put("a", value);
    assert.equal(await kv.get("a", { type: "arrayBuffer" }), bytes.buffer);
  }
  await kv.put("a", bytes.subarray(1));
  assert.deepEqual([...new Uint8Array(await kv.get("a", "arrayBuffer"))], [2, 3]);
  await kv.delete("a");
  assert.equal(await kv.get("a"), null);
});

test("figures: medians, ratios inside a round, goals", () => {
  const cell = { runtime: "workerd", mode: "small", bytes: 200 };
  const results = judged([
    { ...cell, contender: "floor", times: [1, 2, 10] },
    { ...cell, contender: "edge-session", times: [5, 8, 20] },
    { ...cell, contender: "astro", times: [10, 4, 30] },
    { ...cell, contender: "edge-session-memory", times: [5, 8, 20] },
  ]);
  const [base, ours, , onMemory] = results;
  assert.deepEqual([base.microseconds.median, base.timesFloor], [2, 1]);
  assert.deepEqual(ours.microseconds, { median: 8, min: 5, max: 20, rounds: [5, 8, 20] });
  assert.deepEqual([ours.timesFloor, ours.goal], [4, { most: 7.5, met: true }]);
  assert.equal(ours.timesPeers.astro, 2 / 3);
  assert.deepEqual(Object.keys(onMemory).filter((key) => ["goal", "timesPeers"].includes(key)), []);
  assert.deepEqual(standing(results), [{ runtime: "workerd", isFastest: true, slower: [] }]);
});

test("a peer that is faster in one cell is named", () => {
  const times = { floor: [1], "edge-session": [3], astro: [2], "react-router": [4] };
  const cell = { runtime: "workerd", mode: "read", bytes: 2048 };
  const results = judged(Object.entries(times).map(([contender, times]) => ({ ...cell, contender, times })));
  assert.deepEqual(results[1].goal, { most: 1, met: false });
  const slower = [{ mode: "read", bytes: 2048, peer: "astro", ratio: 1.5 }];
  assert.deepEqual(standing(results), [{ runtime: "workerd", isFastest: false, slower }]);
});

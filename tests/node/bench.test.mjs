// The measured cycle of the benchmark, without its clock.

import assert from "node:assert/strict";
import { test } from "node:test";
import edgeSession from "../bench/contenders/edge-session.mjs";
import floor from "../bench/contenders/floor.mjs";
import { namespace } from "../bench/kv.mjs";
import { judged } from "../bench/report.mjs";
import { data, modes, Visitor } from "../bench/visit.mjs";

const sizes = [200, 2048, 16_384, 131_072];

test("the sessions have their nominal sizes, most of the bytes in one field", () => {
  for (const bytes of sizes) {
    const session = data(bytes);
    assert.equal(JSON.stringify(session).length, bytes);
    assert.ok(JSON.stringify(session.cart).length > bytes / 2);
  }
});

for (const [name, contender] of Object.entries({ floor, "edge-session": edgeSession })) {
  test(`${name}: each visit reads what the one before it wrote`, async () => {
    for (const mode of Object.values(modes)) {
      for (const bytes of sizes) {
        const visitor = new Visitor(contender(), mode, bytes);
        await visitor.arrive();
        await visitor.visit(3);
        await visitor.leave();
      }
    }
  });
}

test("a contender that loses writes or does nothing is detected", async () => {
  const forgetful = { ...floor(), visit: async (_cookie, field, turn) => void turn(data(200).user, data(200)[field]) };
  const idle = { ...floor(), visit: async () => undefined };
  for (const mode of Object.values(modes)) {
    for (const contender of [forgetful, idle]) {
      const visitor = new Visitor(contender, mode, 200);
      await visitor.arrive();
      await assert.rejects(visitor.visit(2));
    }
  }
  const { fill, visit } = floor();
  const visitor = new Visitor({ visit, fill: (cookie, session) => fill(cookie, { ...session, locale: undefined }) }, modes.small, 200);
  await visitor.arrive();
  await visitor.visit(2);
  await assert.rejects(visitor.leave(), { message: "locale is not what it was at first" });
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
  const [base, ours] = judged([
    { ...cell, contender: "floor", times: [1, 2, 10] },
    { ...cell, contender: "edge-session", times: [5, 8, 20] },
    { ...cell, contender: "astro", times: [10, 4, 30] },
  ]);
  assert.deepEqual([base.microseconds.median, base.timesFloor], [2, 1]);
  assert.deepEqual(ours.microseconds, { median: 8, min: 5, max: 20, rounds: [5, 8, 20] });
  assert.deepEqual([ours.timesFloor, ours.goal.met], [4, true]);
  assert.equal(ours.timesPeers.astro, 2 / 3);
});

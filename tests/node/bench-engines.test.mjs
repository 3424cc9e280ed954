// The arithmetic of `npm run bench:engines`, without its Worker.

import assert from "node:assert/strict";
import { test } from "node:test";
import { billOf, costOf, described, engines, prices, summary } from "../bench/engines.mjs";

/** A number of dollars, to a millionth of a cent. */
const near = (actual, expected) => assert.ok(Math.abs(actual - expected) < 1e-8, `${actual} instead of ${expected}`);

test("a million requests cost what the prices say", () => {
  const million = (operations, engine) => 1e6 * costOf(operations, prices[engine]);
  near(million({}, "kv"), 0);
  near(million({ reads: 2 }, "kv"), 1);
  near(million({ reads: 4, writes: 1, deletes: 1 }, "kv"), 12);
  near(million({ statements: 2, rowsRead: 2, rowsWritten: 2 }, "d1"), 2.002); // statements are not billed
  near(million({ requests: 1, rowsRead: 1 }, "durable_object"), 0.15 + 0.001 + 0.02 * 0.128 * 12.5);
});

test("a day has 900,000 requests without a session, 90,000 that read and 10,000 that save", () => {
  const operations = { anonymous: {}, read: { reads: 2 }, save: { reads: 4, writes: 1 }, renew: { reads: 4, writes: 1 } };
  const { day, renewing } = billOf({ operations }, prices.kv);
  near(day, 0.09 * 1 + 0.01 * 7);
  near(renewing, 0.1 * 7);
  const { renew: _, ...others } = operations;
  assert.equal(billOf({ operations: others }, prices.kv).renewing, undefined);
  near(billOf({ operations: { ...operations, anonymous: { reads: 1 } } }, prices.kv).day, day + 0.45);
  assert.deepEqual(billOf({ operations }, undefined), { day: 0, renewing: 0 });
});

test("times are ratios to KV inside a round; operations do not depend on the size", () => {
  const operations = { anonymous: {}, read: { reads: 1 }, save: { reads: 1, writes: 1 } };
  const sizes = [200, 16_384];
  const cells = engines.flatMap(({ name }) => sizes.map((bytes) => ({ name, bytes })));
  const counted = cells.map(({ name, bytes }) => ({ engine: name, bytes, operations, savedBytes: bytes, cookieBytes: 50 }));
  const timed = cells.map(({ name, bytes }) => ({ contender: name, bytes, times: name === "d1" ? [2, 9, 6] : [4, 6, 2] }));
  const results = summary(counted, timed);
  assert.deepEqual(results.map(({ engine }) => engine), engines.map(({ name }) => name));
  const [kv, , d1] = results;
  assert.deepEqual([kv.timesKv, d1.timesKv], [{ 200: 1, 16384: 1 }, { 200: 1.5, 16384: 1.5 }]);
  assert.deepEqual([d1.microseconds[200], d1.savedBytes, d1.cookieBytes[200]], [6, { 200: 200, 16384: 16_384 }, 50]);
  assert.equal(summary(counted)[0].timesKv, undefined);
  const other = counted.map((result, index) => (index === 1 ? { ...result, operations: {} } : result));
  assert.throws(() => summary(other, timed), { message: "kv has other operations at 16384 B" });
});

test("operations are printed as words", () => {
  assert.equal(described({ rowsRead: 1, requests: 2, rowsWritten: 0 }), "2 requests, 1 row read");
  assert.equal(described({}), "nothing");
  assert.equal(described(undefined), "–");
});

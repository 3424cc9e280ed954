// The contract of a store, for each store inside workerd.

import { applyD1Migrations } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { beforeAll, describe, expect, test } from "vitest";
import { storeContract } from "../../../dist/testing/workerd.js";
import { d1, durableObjects, kv, memory } from "../../../dist/workerd.js";

beforeAll(() => applyD1Migrations(env.SESSION_DB, env.MIGRATIONS));

/** A binding whose method `name` returns what fails at each call. */
const fails = async () => {
  throw new Error("the database failed");
};
const failingKv = { get: fails, put: fails, delete: fails, list: fails };
const failingObjects = { idFromName: (name) => name, get: () => ({ read: fails, write: fails, remove: fails }) };

const stores = {
  kv: [kv(env.SESSIONS), { failing: kv(failingKv) }],
  durableObjects: [durableObjects(env.SESSION_OBJECTS), { lists: false, failing: durableObjects(failingObjects) }],
  d1: [d1(env.SESSION_DB), { failing: d1(env.EMPTY_DB) }],
  memory: [memory()],
};

for (const [name, [store, options]] of Object.entries(stores)) {
  describe(name, () => {
    for (const { name, run } of storeContract(store, options)) test(name, run);
  });
}

test("the contract of a linearizable store has tests that an eventual one has not", () => {
  const count = (store, options) => storeContract(store, options).length;
  expect(count(d1(env.SESSION_DB))).toBeGreaterThan(count(kv(env.SESSIONS)) + 6);
  expect(count(d1(env.SESSION_DB), { lists: false })).toBe(count(d1(env.SESSION_DB)) - 2);
});

// The calls of another Worker through a service binding: each method of the entry's class, by RPC.

import { expect, test } from "vitest";
import App, * as entry from "../../worker/build/index.js";

// I9
test("the Worker can be called by its two events alone, and its entry module exports the class of the Durable Objects beside it", () => {
  expect(Object.getOwnPropertyNames(App.prototype).sort()).toEqual(["constructor", "fetch", "scheduled"]);
  expect(Object.keys(entry).sort()).toEqual(["SessionObject", "default"]);
  expect(Object.getOwnPropertyNames(entry.SessionObject.prototype).sort()).toEqual(["alarm", "constructor", "list", "read", "remove", "write"]);
});

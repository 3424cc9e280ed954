// The package in Node writes the same bytes as the crate in tests/native/golden_history.rs.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import * as edgeSession from "../../dist/node.js";
import { replay } from "./golden-history.mjs";

const history = JSON.parse(readFileSync(new URL("../data/golden-history.json", import.meta.url), "utf8"));

test("I10: a history has the same bytes on every platform", async () => {
  const replayed = await replay(edgeSession, history);
  assert.equal(replayed.length, 10);
  replayed.forEach((request, number) => assert.deepEqual(request, { headers: history.requests[number].headers, stored: history.requests[number].stored }, `request ${number}`));
});

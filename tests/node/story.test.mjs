// The package in Node comes to the same bytes as the crate, for which tests/native/story.rs tells the same.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import * as edgeSession from "../../dist/node.js";
import { replay } from "./story.mjs";

const story = JSON.parse(readFileSync(new URL("../data/story.json", import.meta.url), "utf8"));

test("I10: a story comes to the same bytes on every platform", async () => {
  const told = await replay(edgeSession, story);
  assert.equal(told.length, 10);
  told.forEach((request, number) => assert.deepEqual(request, { headers: story.requests[number].headers, stored: story.requests[number].stored }, `request ${number}`));
});

// The examples in the documentation of sessions that change what is inside a value, word for word, run twice.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { sessionsAt, visitor } from "./visitor.mjs";

const documentation = readFileSync(new URL("../../npm/src/types.ts", import.meta.url), "utf8");
const AsyncFunction = (async () => {}).constructor;

/** The code of the example in the last comment before `declaration`. */
function example(declaration) {
  const [before] = documentation.split(declaration);
  const [, code] = before.slice(before.lastIndexOf("/**")).match(/@example\n(.*?)\s*\*\/\s*$/s);
  return code.replaceAll(/^\s*\* /gm, "");
}

test("the first example of a session stores what it shows, with a cart and without one", async () => {
  const code = example("export interface Session<");
  assert.match(code, /sessions\.load\(request\)/);
  const handler = new AsyncFunction("sessions", "request", code);
  const { sessions } = sessionsAt();
  const alice = visitor(sessions);
  for (const cart of [["apple"], ["apple", "apple"]]) {
    const answer = await handler(sessions, new Request("https://example.com/", { headers: { Cookie: alice.cookie } }));
    assert.equal(await answer.text(), "Added");
    [alice.cookie] = answer.headers.get("Set-Cookie").split(";");
    assert.deepEqual((await alice.visit((session) => session.get("cart"))).result, cart);
  }
});

test("the example of setDefault stores what it shows, with a cart and without one", async () => {
  const code = example("setDefault<K");
  const handler = new Function("session", code);
  const alice = visitor(sessionsAt().sessions);
  for (const cart of [["apple"], ["apple", "apple"]]) {
    await alice.visit(handler);
    assert.deepEqual((await alice.visit((session) => session.get("cart"))).result, cart);
  }
});

test("the example of modified stores what it shows", async () => {
  const code = example("  modified: boolean;");
  const alice = visitor(sessionsAt().sessions);
  await alice.visit((session) => session.set("cart", ["apple"]));
  await alice.visit(new Function("session", code));
  assert.deepEqual((await alice.visit((session) => session.get("cart"))).result, ["apple", "pear"]);
});

// Sealed records: what the store gets, with both protocols.

import assert from "node:assert/strict";
import { test } from "node:test";
import { memory } from "../../dist/node.js";
import { eventual, sessionsAt, visitor } from "./visitor.mjs";

for (const [name, newStore] of [["KV's protocol", eventual], ["the protocol of linearizable stores", memory]]) {
  test(`with ${name}, the store gets the deadline and a sealed text`, async () => {
    const { sessions, store } = sessionsAt({ store: newStore(), seal: true });
    const someone = visitor(sessions);
    await someone.visit((session) => session.set("user", "alice"));
    await someone.visit((session) => session.cycleKey());
    await someone.visit((session) => session.set("cart", ["apple"]));
    assert.deepEqual((await someone.visit((session) => [session.get("user"), session.get("cart")])).result, ["alice", ["apple"]]);
    const texts = [...store.records].filter(([key]) => key.includes(":session:")).map(([, { value }]) => new TextDecoder().decode(value));
    assert.ok(texts.length > 0);
    for (const text of texts) {
      assert.deepEqual(Object.keys(JSON.parse(text)), ["edge-session", "deadline", "sealed"]);
      assert.doesNotMatch(text, /alice|apple/);
    }
    const plain = visitor(sessionsAt({ store }).sessions);
    plain.cookie = someone.cookie;
    assert.equal((await plain.visit((session) => session.get("user"))).result, undefined);
  });
}

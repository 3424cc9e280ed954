// The linearizable stores of the Rust crate in two isolates, which share no memory: one object or row, and its conditions.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { serve } from "./serve.mjs";

const script = `
export { SessionObject } from "./app/index.js";
export { default } from "./pages/index.js";
`;

let server;
before(async () => {
  server = await serve(script, { isolates: 2, engines: true });
});
after(() => server?.stop());

for (const engine of ["durable_object", "d1"]) {
  /** Calls an operation of the store in one of the isolates. */
  async function call(isolate, operation, body) {
    const response = await fetch(new URL(`/stores/${engine}/${operation}`, server.urls[isolate]), { method: "POST", body: JSON.stringify(body) });
    const text = await response.text();
    assert.equal(response.status, 200, text);
    return JSON.parse(text);
  }
  const put = (isolate, key, value, generation, ifGeneration) => call(isolate, "put", [[key, value, (Date.now() + 3_600_000) * 1000, generation, ifGeneration]]);

  test(`${engine}: of 20 writers in two isolates one wins, and both read its value at once`, async () => {
    for (let round = 0; round < 10; round += 1) {
      const key = `edge-session:session:round-${round}`;
      const outcomes = await Promise.all(Array.from({ length: 20 }, (_, n) => put(n % 2, key, [n], 1, 0)));
      assert.equal(outcomes.filter(Boolean).length, 1);
      for (const isolate of [0, 1]) assert.deepEqual(await call(isolate, "read", [key]), [[outcomes.indexOf(true)]]);
    }
  });

  test(`${engine}: 20 writers in two isolates that compare and set are all kept`, async () => {
    const key = "edge-session:session:log";
    await put(0, key, [], 1, 0);
    const append = async (n) => {
      for (;;) {
        const [value] = await call(n % 2, "read", [key]);
        if (await put(n % 2, key, [...value, n], value.length + 2, value.length + 1)) return;
      }
    };
    await Promise.all(Array.from({ length: 20 }, (_, n) => append(n)));
    const [value] = await call(1, "read", [key]);
    assert.deepEqual([...value].sort((a, b) => a - b), Array.from({ length: 20 }, (_, n) => n));
  });

  test(`${engine}: after a deletion in one isolate a conditional put in the other one is refused`, async () => {
    const key = "edge-session:session:ended";
    assert.equal(await put(0, key, [1], 1, 0), true);
    await call(1, "delete", key);
    assert.equal(await put(0, key, [2], 2, 1), false);
    assert.deepEqual(await call(0, "read", [key]), [null]);
  });
}

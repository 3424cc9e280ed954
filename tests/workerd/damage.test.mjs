// Damaged values in KV: cut at every byte, with every bit flipped, of another key, or a dictionary of
// another program. None of them causes an error or opens another visitor's session, and the value stays in KV.

import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import App from "../../worker/build/index.js";
import { faultyKv, flipped, truncated } from "./faulty-kv.mjs";
import PackageWorker from "./package-worker.mjs";
import { memoryKv, visitor } from "./worker.mjs";

beforeAll(() => {
  for (const level of ["log", "error"]) vi.spyOn(console, level).mockImplementation(() => {});
});
afterAll(() => vi.restoreAllMocks());

/** A visitor with a session, and the key and the bytes of its record. Each request has an isolate of its own. */
async function alice(Worker) {
  const namespace = memoryKv();
  const faulty = faultyKv(namespace);
  const one = visitor({ get SESSIONS() { return { ...faulty.kv }; } }, Worker);
  await one.put("/session/data/user", "alice");
  await one.put("/session/data/cart", [1, { "é": null }]);
  const [[key, values]] = faulty.puts;
  const bytes = new Uint8Array(values.at(-1));
  return { one, faulty, namespace, key, bytes };
}

for (const [implementation, Worker] of Object.entries({ "the Rust Worker": App, "the package": PackageWorker })) {
  describe(implementation, () => {
    // F10
    test("a record that was cut anywhere is an anonymous session, and stays as it is", async () => {
      const { one, faulty, namespace, key, bytes } = await alice(Worker);
      const [data, cookie] = [await one.data(), one.cookie];
      expect(data).toEqual({ user: "alice", cart: [1, { "é": null }] });
      for (let length = 0; length < bytes.length; length += 1) {
        faulty.plan("get record", truncated(length));
        one.cookie = cookie;
        const { status, json } = await one.get("/session");
        expect([status, json.data, json.isNew, one.cookie], `cut to ${length} bytes`).toEqual([200, {}, true, undefined]);
        expect(faulty.steps()).toEqual(["get record", "get tombstone"]);
      }
      expect(new Uint8Array(await namespace.get(key))).toEqual(bytes);
    });

    // F10
    test("a record with any bit flipped is an anonymous session, one with other data, or one whose value is reported as damaged", async () => {
      const { one, faulty, namespace, key, bytes } = await alice(Worker);
      const cookie = one.cookie;
      const seen = { anonymous: 0, opened: 0, damaged: 0 };
      for (let bit = 0; bit < bytes.length * 8; bit += 1) {
        faulty.plan("get record", flipped(bit));
        one.cookie = cookie;
        const answered = await one.get("/session").catch((error) => ({ json: { error } }));
        const { status, json: { data, error } } = answered;
        if (error) {
          expect([error.code, error.message], `bit ${bit}`).toEqual(["ES_VALUE", expect.stringMatching(/^session\.\w+ is (corrupt in the store|not JSON that can be kept: [^"]*)$/)]);
          seen.damaged += 1;
        } else {
          expect(status, `bit ${bit}`).toBe(200);
          seen[Object.keys(data).length === 0 ? "anonymous" : "opened"] += 1;
        }
      }
      for (const [what, count] of Object.entries(seen)) expect(count, what).toBeGreaterThan(0);
      expect(new Uint8Array(await namespace.get(key))).toEqual(bytes);
    });

    test("a damaged value can be set anew, and its session ended", async () => {
      for (const [request, then] of [[["PUT", "/session/data/user", '"bob"'], { user: "bob", cart: [1, { "é": null }] }], [["POST", "/session/flush"], {}]]) {
        const { one, namespace, key, bytes } = await alice(Worker);
        const text = new TextDecoder().decode(bytes);
        await namespace.put(key, new TextEncoder().encode(text.replace('"alice"', '"al"ce"')), { expirationTtl: 600 });
        expect((await one.request(...request)).status).toBe(204);
        expect(await one.data()).toEqual(then);
      }
    });
  });
}

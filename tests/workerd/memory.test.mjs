// The package's WebAssembly memory inside workerd: it never shrinks, so that after a warm-up it has to be constant.

import { env } from "cloudflare:workers";
import { expect, test } from "vitest";
import wasm from "../../dist/shared.js";
import { createSessions, kv, memory, withSessions } from "../../dist/workerd.js";
import { secret } from "./worker.mjs";

const linear = Object.values(wasm.initSync()).find((part) => part instanceof WebAssembly.Memory);
const bytes = () => linear.buffer.byteLength;
const cart = Array.from({ length: 5 }, (_, n) => ({ name: `item ${n}`, count: n }));

/** Returns by how many bytes the WebAssembly memory grew while `work` ran `times` times after a warm-up. */
async function growth(work, times) {
  for (let n = 0; n < 500; n++) await work();
  const before = bytes();
  for (let n = 0; n < times; n++) await work();
  return bytes() - before;
}

/** Requests of a visitor with a session, to a Worker around `handler`. */
async function requests(store, handler) {
  const options = { store, secrets: [secret] };
  const sessions = createSessions(options);
  const session = await sessions.load("");
  session.set("cart", cart);
  const Cookie = new Headers(await sessions.commitHeaders(session, 200)).get("Set-Cookie").split(";")[0];
  const request = new Request("https://example.com/", { headers: { Cookie } });
  const worker = withSessions(options, { fetch: (request, env, context, session) => handler(session) });
  return () => worker.fetch(request);
}

const counts = (session) => {
  session.set("visits", session.get("visits", 0) + 1);
  return new Response();
};
const throws = (session) => {
  session.set("cart", [...session.get("cart"), "one more"]);
  throw new Error("boom");
};

test("100,000 committed sessions leak no memory", async () => {
  expect(await growth(await requests(memory(), counts), 100_000)).toBe(0);
});

test("100,000 sessions whose handler threw leak no memory", async () => {
  const request = await requests(memory(), throws);
  expect(await growth(() => request().then(() => expect.unreachable(), () => {}), 100_000)).toBe(0);
});

test("sessions in the real KV leak no memory", async () => {
  expect(await growth(await requests(kv(env.SESSIONS), counts), 1000)).toBe(0);
}, 120_000);

import { env } from "cloudflare:workers";
import { createSessions, KeyError, kv } from "edge-session";
import { expect, test } from "vitest";

const sessions = createSessions<{ cart: string[]; user: string }>({
  store: kv(env.SESSIONS),
  secrets: ["a secret of at least thirty-two bytes"],
});

test("a session is kept in KV until the visitor logs out", async () => {
  using session = await sessions.load(null);
  session.setDefault("cart", []).push("apple");
  session.modified = true;
  const headers = new Headers(await sessions.commitHeaders(session, 200));
  expect((await env.SESSIONS.list()).keys).toHaveLength(1);

  using again = await sessions.load(headers.get("Set-Cookie")?.split(";")[0]);
  expect(again.item("cart")).toEqual(["apple"]);
  expect(() => again.item("user")).toThrow(KeyError);
  await again.flush();
  const left = (await env.SESSIONS.list()).keys.map(({ name }) => name.split(":")[1]);
  expect(left).toEqual(["ended", "ended"]); // the tombstones of the key and of its next rotation
});

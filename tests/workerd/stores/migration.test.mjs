// A migration from KV inside workerd, to each linearizable store of the platform.

import { applyD1Migrations } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { beforeAll, expect, test } from "vitest";
import { createSessions, d1, durableObjects, kv, migrate } from "../../../dist/workerd.js";

const secrets = ["the stores' tests' secret, of more than 32 bytes"];
const stores = { durable_object: () => durableObjects(env.SESSION_OBJECTS), d1: () => d1(env.SESSION_DB) };

beforeAll(() => applyD1Migrations(env.SESSION_DB, env.MIGRATIONS));

/** One request of a browser with these cookies: the result of the handler, and the cookies afterwards. */
async function visit(sessions, cookies, handler) {
  const session = await sessions.load([...cookies].map((pair) => pair.join("=")).join("; "));
  const result = await handler(session);
  const after = new Map(cookies);
  for (const line of (await sessions.commit(session, new Response())).headers.getSetCookie()) {
    const [name, value] = line.split(";")[0].split("=");
    if (/Max-Age=0/.test(line)) after.delete(name);
    else after.set(name, value);
  }
  return { result, cookies: after };
}

for (const [engine, store] of Object.entries(stores)) {
  for (const seal of [false, true]) {
    for (const logins of [0, 1, 2]) {
      test(`to ${engine}, after ${logins} logins, seal: ${seal}: the session moves with its first save, and a logout ends every cookie`, async () => {
        const from = kv(env.SESSIONS);
        const before = createSessions({ store: from, secrets, seal });
        const during = createSessions({ store: migrate({ from, to: store() }), secrets, seal });
        const after = createSessions({ store: store(), secrets, seal });
        const user = (session) => session.get("user");
        let { cookies } = await visit(before, new Map(), (session) => session.set("user", "alice"));
        for (let login = 0; login < logins; login += 1) ({ cookies } = await visit(before, cookies, (session) => session.cycleKey()));
        const old = cookies;
        expect((await visit(during, cookies, user)).result).toBe("alice");
        expect((await visit(after, cookies, user)).result, "reading moves nothing").toBe(undefined);
        ({ cookies } = await visit(during, cookies, (session) => session.set("cart", "apple")));
        expect((await visit(after, cookies, (session) => [session.get("user"), session.get("cart")])).result).toEqual(["alice", "apple"]);
        ({ cookies } = await visit(during, cookies, (session) => session.cycleKey()));
        const moved = cookies;
        expect((await visit(during, cookies, user)).result).toBe("alice");
        expect((await visit(during, old, user)).result, "the old key opens nothing").toBe(undefined);
        ({ cookies } = await visit(during, cookies, (session) => session.flush()));
        expect([...cookies]).toEqual([]);
        for (const left of [old, moved]) expect((await visit(during, left, user)).result).toBe(undefined);
      });
    }
  }
}

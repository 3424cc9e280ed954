// React Router's sessions in KV: the id signed, the session as JSON text. A page that only reads does not commit.

import { createWorkersKVSessionStorage } from "@react-router/cloudflare";
import { namespace } from "../kv.mjs";

export default function reactRouter(kv = namespace()) {
  const { getSession, commitSession, destroySession } = createWorkersKVSessionStorage({
    kv,
    cookie: {
      name: "__session",
      secrets: ["the benchmark's secret, of more than 32 bytes"],
      maxAge: 1_209_600,
      path: "/",
      secure: true,
      httpOnly: true,
      sameSite: "lax",
    },
  });
  return {
    async fill(cookie, data) {
      const session = await getSession(cookie);
      for (const [key, value] of Object.entries(data)) session.set(key, value);
      return commitSession(session);
    },
    async visit(cookie, field, turn) {
      const session = await getSession(cookie);
      session.set(field, turn(session.get("user"), session.get(field)));
      return commitSession(session);
    },
    async read(cookie, field, look) {
      const session = await getSession(cookie);
      look(session.get("user"), session.get(field));
    },
    async anonymous(cookie, look) {
      look((await getSession(cookie)).get("user"));
    },
    /** There is no call for a new id. */
    async login(cookie, user) {
      const session = await getSession(cookie);
      session.set("user", user);
      return commitSession(session);
    },
    logout: async (cookie) => destroySession(await getSession(cookie)),
    /** Moves the expiry: a commit without a change. */
    renew: async (cookie) => commitSession(await getSession(cookie)),
  };
}

// React Router's sessions in KV: the id signed, the session as JSON text.

import { createWorkersKVSessionStorage } from "@react-router/cloudflare";
import { namespace } from "../kv.mjs";

export default function reactRouter() {
  const { getSession, commitSession } = createWorkersKVSessionStorage({
    kv: namespace(),
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
  };
}

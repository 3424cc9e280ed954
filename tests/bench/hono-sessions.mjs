// hono-sessions with the plain id in the cookie, which is its fastest way, and the store for KV that its users write.

import { sessionMiddleware } from "hono-sessions";

const age = 1_209_600;

export function honoSessions(kv) {
  const put = (id, session) => kv.put(id, JSON.stringify(session), { expirationTtl: age });
  return sessionMiddleware({
    store: {
      getSessionById: (id) => kv.get(id, "json"),
      createSession: put,
      persistSessionData: put,
      deleteSession: (id) => kv.delete(id),
    },
    expireAfterSeconds: age,
    cookieOptions: { path: "/", secure: true, httpOnly: true, sameSite: "Lax" },
  });
}

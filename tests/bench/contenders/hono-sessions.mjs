// hono-sessions with the plain id in the cookie, which is its fastest way, and the store for KV that its users write.

import { Hono } from "hono";
import { sessionMiddleware } from "hono-sessions";
import { namespace } from "../kv.mjs";
import { honoVisit } from "../shell.mjs";

const age = 1_209_600;

export default function honoSessions(kv = namespace()) {
  const put = (id, session) => kv.put(id, JSON.stringify(session), { expirationTtl: age });
  const app = new Hono();
  app.use(sessionMiddleware({
    store: {
      getSessionById: (id) => kv.get(id, "json"),
      createSession: put,
      persistSessionData: put,
      deleteSession: (id) => kv.delete(id),
    },
    expireAfterSeconds: age,
    cookieOptions: { path: "/", secure: true, httpOnly: true, sameSite: "Lax" },
  }));
  app.get("/", (context) => {
    context.env.change(context.get("session"));
    return context.body(null);
  });
  const visit = honoVisit(app);
  return {
    fill(cookie, data) {
      return visit(cookie, (session) => {
        for (const [key, value] of Object.entries(data)) session.set(key, value);
      });
    },
    visit: (cookie, field, turn) => visit(cookie, (session) => session.set(field, turn(session.get("user"), session.get(field)))),
    read: (cookie, field, look) => visit(cookie, (session) => look(session.get("user"), session.get(field))),
    anonymous: (cookie, look) => visit(cookie, (session) => look(session.get("user"))),
  };
}

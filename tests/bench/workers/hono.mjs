// A Worker with Hono and hono-sessions, with the plain id in the cookie.

import { Hono } from "hono";
import { sessionMiddleware } from "hono-sessions";

const age = 1_209_600;

function sessions(kv) {
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

let middleware;
const app = new Hono();
app.use((context, next) => (middleware ??= sessions(context.env.SESSIONS))(context, next));
app.get("/", (context) => {
  const session = context.get("session");
  const visits = (session.get("visits") ?? 0) + 1;
  session.set("visits", visits);
  return context.json({ visits });
});

export default app;

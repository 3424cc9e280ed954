// A Worker with Hono and hono-sessions.

import { Hono } from "hono";
import { honoSessions } from "../hono-sessions.mjs";

let middleware;
const app = new Hono();
app.use((context, next) => (middleware ??= honoSessions(context.env.SESSIONS))(context, next));
app.get("/", (context) => {
  const session = context.get("session");
  const visits = (session.get("visits") ?? 0) + 1;
  session.set("visits", visits);
  return context.json({ visits });
});

export default app;

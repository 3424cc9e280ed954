// Hono with hono-sessions.

import { Hono } from "hono";
import { honoSessions } from "../hono-sessions.mjs";
import { namespace } from "../kv.mjs";
import { honoVisit } from "../shell.mjs";

export default function contender(kv = namespace()) {
  const app = new Hono();
  app.use(honoSessions(kv));
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

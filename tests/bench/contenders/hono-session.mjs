// @hono/session with the id in an encrypted cookie and its example's storage in KV. It reads within `update`: a `get` before
// it would read and decrypt a second time.

import { useSession, useSessionStorage } from "@hono/session";
import { Hono } from "hono";
import { namespace } from "../kv.mjs";
import { honoVisit } from "../shell.mjs";

const age = 1_209_600;

export default function honoSession() {
  const kv = namespace();
  const app = new Hono();
  app.use(
    useSessionStorage({
      get: (id) => kv.get(id, "json"),
      set: (id, session) => kv.put(id, JSON.stringify(session), { expirationTtl: age }),
      delete: (id) => kv.delete(id),
    }),
    useSession({ secret: "the benchmark's secret, of more than 32 bytes", duration: { absolute: age } }),
  );
  app.get("/", async (context) => {
    await context.var.session.update(context.env.change);
    return context.body(null);
  });
  const visit = honoVisit(app);
  return {
    fill: (cookie, data) => visit(cookie, () => data),
    visit: (cookie, field, turn) => visit(cookie, (session) => ({ ...session, [field]: turn(session.user, session[field]) })),
  };
}

// @hono/session with the id in an encrypted cookie and its example's storage in KV. A visit that writes reads within `update`: a
// `get` before it would read and decrypt a second time.

import { useSession, useSessionStorage } from "@hono/session";
import { Hono } from "hono";
import { namespace } from "../kv.mjs";
import { honoVisit } from "../shell.mjs";

const age = 1_209_600;

export default function honoSession(kv = namespace()) {
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
    await context.env.change(context.var.session);
    return context.body(null);
  });
  const visit = honoVisit(app);
  return {
    fill: (cookie, data) => visit(cookie, (session) => session.update(() => data)),
    visit(cookie, field, turn) {
      return visit(cookie, (session) => session.update((data) => ({ ...data, [field]: turn(data.user, data[field]) })));
    },
    read(cookie, field, look) {
      return visit(cookie, async (session) => {
        const data = await session.get();
        look(data.user, data[field]);
      });
    },
    anonymous: (cookie, look) => visit(cookie, async (session) => look((await session.get())?.user)),
  };
}

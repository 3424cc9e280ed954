import { kv, type KvNamespace } from "edge-session";
import { session, type SessionVariables } from "edge-session/hono";
import { Hono } from "hono";
import { setCookie } from "hono/cookie";

type Data = { visits: number; user: string };
type Env = { SESSIONS: KvNamespace; SESSION_SECRET: string };

const app = new Hono<{ Bindings: Env; Variables: SessionVariables<Data> }>();

app.use(session<Data, Env>((env) => ({ store: kv(env.SESSIONS), secrets: [env.SESSION_SECRET] })));

app.get("/", (c) => {
  const { session } = c.var;
  session.set("visits", session.get("visits", 0) + 1);
  return c.text(`Visit number ${session.get("visits")}`);
});

app.post("/login", (c) => {
  c.var.session.cycleKey(); // a new key, which no one can know from before the login
  c.var.session.set("user", "alice");
  setCookie(c, "name", "alice"); // for the pages' own scripts
  return c.text("Welcome");
});

app.post("/logout", async (c) => {
  await c.var.session.flush();
  return c.text("Goodbye");
});

export default app;

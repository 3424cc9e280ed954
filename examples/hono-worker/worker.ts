import { createSessions, kv, type KvNamespace, type Session, type Sessions } from "edge-session";
import { Hono } from "hono";
import { setCookie } from "hono/cookie";
import { createMiddleware } from "hono/factory";

type Data = { visits: number; user: string };
type Env = {
  Bindings: { SESSIONS: KvNamespace; SESSION_SECRET: string };
  Variables: { session: Session<Data> };
};

let sessions: Sessions<Data> | undefined;

/** Gives each request its session as `c.var.session`, and commits it with the response. */
const withSession = createMiddleware<Env>(async (c, next) => {
  sessions ??= createSessions<Data>({ store: kv(c.env.SESSIONS), secrets: [c.env.SESSION_SECRET] });
  using session = await sessions.load(c.req.raw);
  c.set("session", session);
  await next();
  const response = await sessions.commit(session, c.res);
  c.res = undefined; // or Hono would put the headers of the old response over those of the new one
  c.res = response;
});

const app = new Hono<Env>();

app.use(withSession);

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

import { createSessions } from "edge-session";
import { Elysia } from "elysia";
import { home, logIn, options, parts } from "../pages.mjs";

const sessions = createSessions(options);
const sessionOf = new WeakMap();

const app = new Elysia()
  .wrap((handle) => (request) => sessions.run(request, (session) => (sessionOf.set(request, session), handle(request))))
  .derive(({ request }) => ({ session: sessionOf.get(request) }));

app.get("/", ({ session }) => home(session));

app.get("/login", ({ cookie, redirect, session }) => {
  logIn(session);
  cookie.seen.value = "1";
  return redirect("/", 303);
});

app.get("/logout", async ({ redirect, session }) => {
  await session.flush();
  return redirect("/", 303);
});

app.get("/boom", ({ session }) => {
  session.set("message", "boom");
  throw new Error("boom");
});

app.get("/stream", async function* ({ session }) {
  session.has("user"); // or a shared cache could keep the page
  yield* parts(session);
});

app.listen({ port: process.env.PORT, hostname: process.env.HOST });

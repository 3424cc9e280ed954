import { plugin as webSockets } from "crossws/server";
import type { Session } from "edge-session";
import { session } from "edge-session/h3";
import { defineWebSocketHandler, H3, HTTPError, HTTPResponse, iterable, redirect, serve, setCookie, toResponse } from "h3";
import { home, logIn, options, parts } from "../pages.mjs";

type Data = { visits: number; user: string; message: string; essay: string };

declare module "h3" {
  interface H3EventContext {
    session: Session<Data>;
  }
}

const app = new H3();

app.use(session<Data>(options, toResponse));

app.get("/", ({ context }) => home(context.session));

app.get("/login", (event) => {
  logIn(event.context.session);
  setCookie(event, "seen", "1");
  return redirect("/", 303);
});

app.get("/logout", async ({ context }) => {
  await context.session.flush();
  return redirect("/", 303);
});

app.get("/boom", ({ context }) => {
  context.session.set("message", "boom");
  throw new Error("boom");
});

app.get("/stream", ({ context }) => {
  context.session.has("user"); // or a shared cache could keep the page
  return iterable(parts(context.session));
});

app.get("/refused", ({ context }) => {
  context.session.set("message", "refused");
  throw new HTTPError({ status: 403, message: "not you" });
});

app.get("/headers", (event) => {
  event.context.session.has("user");
  event.res.headers.set("Vary", "Accept");
  return new HTTPResponse("headers", { headers: { "Cache-Control": "public, max-age=60" } });
});

app.get("/large", ({ context }) => {
  context.session.set("essay", "x".repeat(70_000));
  return "saved";
});

app.get(
  "/socket",
  defineWebSocketHandler(({ context }) => {
    const user = context.session.get("user", "-");
    return { open: (peer) => void peer.send(`user=${user}`) };
  }),
);

serve(app, { port: Number(process.env.PORT), hostname: process.env.HOST!, plugins: [webSockets({})] });

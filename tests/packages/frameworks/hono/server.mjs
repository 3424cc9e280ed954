import { session } from "edge-session/hono";
import { Hono } from "hono";
import { setCookie } from "hono/cookie";
import { streamText } from "hono/streaming";
import { home, logIn, options, parts } from "../pages.mjs";

const app = new Hono();

app.use(session(options));

app.get("/", (c) => c.text(home(c.var.session)));

app.get("/login", (c) => {
  logIn(c.var.session);
  setCookie(c, "seen", "1");
  return c.redirect("/", 303);
});

app.get("/logout", async (c) => {
  await c.var.session.flush();
  return c.redirect("/", 303);
});

app.get("/boom", (c) => {
  c.var.session.set("message", "boom");
  throw new Error("boom");
});

app.get("/stream", (c) => {
  c.var.session.has("user"); // or a shared cache could keep the page
  return streamText(c, async (stream) => {
    for await (const part of parts(c.var.session)) await stream.write(part);
  });
});

export default app; // `bun` and `deno serve` serve it

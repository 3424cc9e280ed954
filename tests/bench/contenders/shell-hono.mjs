// No session: the cost of a Hono application that reads a cookie, and sets it in a visit that writes.

import { Hono } from "hono";
import { getCookie, setCookie } from "hono/cookie";
import { honoVisit } from "../shell.mjs";

export default function shell() {
  const app = new Hono();
  app.get("/", (context) => {
    context.env.change(context, getCookie(context, "sid"));
    return context.body(null);
  });
  const visit = honoVisit(app);
  const options = { path: "/", secure: true, httpOnly: true, sameSite: "Lax" };
  const write = (cookie) => visit(cookie, (context, id = "1") => setCookie(context, "sid", id, options));
  const read = (cookie) => visit(cookie, () => {});
  return { shell: true, fill: write, visit: write, read, anonymous: read };
}

// No session: the cost of a Hono application that sets a cookie.

import { Hono } from "hono";
import { getCookie, setCookie } from "hono/cookie";
import { cookieHeader, request } from "../shell.mjs";

export default function shell() {
  const app = new Hono();
  app.get("/", (context) => {
    setCookie(context, "sid", getCookie(context, "sid") ?? "1", { path: "/", secure: true, httpOnly: true, sameSite: "Lax" });
    return context.body(null);
  });
  return {
    shell: true,
    async fill(cookie) {
      return this.visit(cookie);
    },
    async visit(cookie) {
      return cookieHeader((await app.fetch(request(cookie))).headers);
    },
  };
}

// The Worker that browsers reach. It asks the other ones through service bindings.

import { kv, withSessions, type KvNamespace } from "edge-session";

type Data = { user: string; visits: number };
type Env = {
  SESSIONS: KvNamespace;
  SESSION_SECRET: string;
  ACCOUNT: { fetch(request: Request): Promise<Response> };
  BLOG: { fetch(request: Request): Promise<Response> };
  ORDERS: { of(user: string): Promise<string[]> };
};

const site = withSessions<Data, Env>((env) => ({ store: kv(env.SESSIONS), secrets: [env.SESSION_SECRET] }), {
  async fetch(request, env, context, session) {
    session.update("visits", (visits = 0) => visits + 1);
    const user = session.get("user");
    const orders = user ? await env.ORDERS.of(user) : []; // the value, not the session
    return new Response(`Visit number ${session.get("visits")} of ${user ?? "a stranger"}: ${orders.join(", ") || "no orders"}`);
  },
});

export default {
  fetch(request: Request, env: Env): Response | Promise<Response> {
    const [, part] = new URL(request.url).pathname.split("/");
    if (part === "account") return env.ACCOUNT.fetch(request); // before a session is loaded here
    if (part === "blog") return env.BLOG.fetch(request);
    return site.fetch(request, env);
  },
};

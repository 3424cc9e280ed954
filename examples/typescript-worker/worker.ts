import { kv, withSessions, type KvNamespace } from "edge-session";

type Data = { visits: number; user: string };
type Env = { SESSIONS: KvNamespace; SESSION_SECRET: string };

export default withSessions<Data, Env>((env) => ({ store: kv(env.SESSIONS), secrets: [env.SESSION_SECRET] }), {
  async fetch(request, env, context, session) {
    const { pathname } = new URL(request.url);
    switch (`${request.method} ${pathname}`) {
      case "POST /login":
        session.cycleKey(); // a new key, which no one can know from before the login
        session.set("user", "alice");
        return new Response("Welcome");
      case "POST /logout":
        await session.flush();
        return new Response("Goodbye");
      default:
        session.set("visits", session.get("visits", 0) + 1);
        return new Response(`Visit number ${session.get("visits")}`);
    }
  },
});

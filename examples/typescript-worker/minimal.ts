import { kv, withSessions, type KvNamespace } from "edge-session";

type Env = { SESSIONS: KvNamespace; SESSION_SECRET: string };

export default withSessions<{ visits: number }, Env>((env) => ({ store: kv(env.SESSIONS), secrets: [env.SESSION_SECRET] }), {
  async fetch(request, env, context, session) {
    const visits = session.get("visits", 0) + 1;
    session.set("visits", visits);
    return new Response(`Visit number ${visits}`);
  },
});

// A Worker that a bundler other than wrangler's builds.

import { kv, withSessions } from "edge-session";

export default withSessions((env) => ({ store: kv(env.SESSIONS), secrets: [env.SESSION_SECRET] }), {
  fetch(request, env, context, session) {
    session.set("visits", session.get("visits", 0) + 1);
    return new Response(`visits=${session.get("visits")}`);
  },
});

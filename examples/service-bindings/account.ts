// A Worker with the same sessions as the site, and two entrypoints for other Workers.

import { WorkerEntrypoint } from "cloudflare:workers";
import { kv, sessionsFor, withSessions, type KvNamespace } from "edge-session";

type Data = { user: string; visits: number };
type Env = { SESSIONS: KvNamespace; SESSION_SECRET: string };

const options = (env: Env) => ({ store: kv(env.SESSIONS), secrets: [env.SESSION_SECRET] });
const sessionsOf = sessionsFor<Data, Env>(options);

export default withSessions<Data, Env>(options, {
  async fetch(request, env, context, session) {
    switch (`${request.method} ${new URL(request.url).pathname}`) {
      case "POST /account/login":
        session.cycleKey(); // a new key, which no one can know from before the login
        session.set("user", "alice");
        return new Response(null, { status: 303, headers: { Location: "/" } });
      case "POST /account/logout":
        await session.flush();
        return new Response(null, { status: 303, headers: { Location: "/" } });
      default:
        return new Response(`The account of ${session.get("user", "a stranger")}, after ${session.get("visits", 0)} visits`);
    }
  },
});

/** Needs no session: its caller says whose orders it wants. */
export class Orders extends WorkerEntrypoint<Env> {
  of(user: string): string[] {
    return [`a book for ${user}`, `a pen for ${user}`];
  }
}

/** For Workers without the KV namespace and the secret: says who a visitor is. */
export class Visitors extends WorkerEntrypoint<Env> {
  async userOf(cookie: string | null): Promise<string | undefined> {
    using session = await sessionsOf(this.env).load(cookie);
    return session.get("user");
  }
}

import { kv, type KvNamespace, type Session } from "edge-session";
import { session } from "edge-session/nuxt";
import { options } from "../../../pages.mjs";

type Data = { visits: number; user: string; message: string; essay: string };
type Env = { SESSIONS: KvNamespace } | undefined; // undefined on Node

declare module "h3" {
  interface H3EventContext {
    session: Session<Data>;
  }
}

export default defineNitroPlugin(session<Data, Env>((env) => (env ? { ...options, store: kv(env.SESSIONS) } : options)));

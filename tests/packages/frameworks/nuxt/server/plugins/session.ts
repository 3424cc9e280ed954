import { kv, type KvNamespace } from "edge-session";
import { session } from "edge-session/nuxt";
import type { Data } from "#shared/session";
import { options } from "../../../pages.mjs";

type Env = { SESSIONS: KvNamespace } | undefined; // undefined on Node

export default defineNitroPlugin(session<Data, Env>((env) => (env ? { ...options, store: kv(env.SESSIONS) } : options)));

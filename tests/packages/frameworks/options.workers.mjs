// The options of the sessions of the projects in workerd: in KV, or, with OUTAGE=1, in a KV that fails.

import { env } from "cloudflare:workers";
import { kv } from "edge-session";

const fail = async () => {
  throw new Error("KV failed: 500 Internal Server Error");
};

const down = { get: fail, getWithMetadata: fail, put: fail, delete: fail, list: fail };

/** The options for the bindings of a Worker. */
export const optionsOf = (env) => ({ store: kv(env.OUTAGE ? down : env.SESSIONS), secrets: [env.SESSION_SECRET] });

export const options = optionsOf(env);

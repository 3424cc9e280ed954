// The options of the sessions of the projects in workerd: in KV, or, with OUTAGE=1, in a KV that fails. They are read when the sessions are
// created: a build has no bindings.

import { env } from "cloudflare:workers";
import { kv } from "edge-session";

const fail = async () => {
  throw new Error("KV failed: 500 Internal Server Error");
};

const down = { get: fail, getWithMetadata: fail, put: fail, delete: fail, list: fail };

export const options = {
  get store() {
    return kv(env.OUTAGE ? down : env.SESSIONS);
  },
  get secrets() {
    return [env.SESSION_SECRET];
  },
};

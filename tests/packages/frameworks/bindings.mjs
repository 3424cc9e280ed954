import { kv } from "edge-session";

const fail = async () => {
  throw new Error("KV failed: 500 Internal Server Error");
};

const down = { get: fail, getWithMetadata: fail, put: fail, delete: fail, list: fail };

/** The options of the sessions for the bindings of a Worker: in KV, or, with OUTAGE=1, in a KV that fails. */
export const optionsOf = (env) => ({ store: kv(env.OUTAGE ? down : env.SESSIONS), secrets: [env.SESSION_SECRET] });

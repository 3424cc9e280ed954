// One `Sessions` for each environment.

import type { SessionOptions } from "./options.js";
import { createSessions, type Sessions } from "./sessions.js";
import type { SessionData } from "./types.js";

declare global {
  namespace Cloudflare {
    /** The bindings of a Worker, which `wrangler types` declares. */
    interface Env {}
  }
}

/**
 * Returns a function that returns the `Sessions` of an environment: for a Worker, whose bindings are not known before its first request. They
 * are created once for each environment. A `Sessions` is returned as it is.
 *
 * @example
 * const sessionsOf = sessionsFor<{ visits: number }, Env>((env) => ({ store: kv(env.SESSIONS), secrets: [env.SESSION_SECRET] }));
 * const sessions = sessionsOf(env); // in a handler
 */
export function sessionsFor<Data extends SessionData<Data> = Record<string, unknown>, Env = Cloudflare.Env>(
  options: SessionOptions | Sessions<Data> | ((env: Env) => SessionOptions),
): (env: Env) => Sessions<Data> {
  if (isSessions<Data>(options)) return () => options;
  const optionsOf = typeof options === "function" ? options : () => options;
  const created = new WeakMap<object, Sessions<Data>>();
  const noEnvironment = {};
  return (env) => {
    const key = typeof env === "object" && env !== null ? env : noEnvironment;
    const sessions = created.get(key) ?? createSessions<Data>(optionsOf(env));
    created.set(key, sessions);
    return sessions;
  };
}

/** Returns whether the argument is a `Sessions` already. */
function isSessions<Data extends object>(options: object): options is Sessions<Data> {
  return "commitHeaders" in options;
}

// One `Sessions` for each environment.

import type { SessionOptions } from "./options.js";
import { createSessions, type Sessions } from "./sessions.js";

/**
 * Returns a function that returns the `Sessions` of an environment: for a Worker, whose bindings are not known before its first request. They
 * are created once for each environment.
 *
 * @example
 * const sessionsOf = sessionsFor<{ visits: number }, Env>((env) => ({ store: kv(env.SESSIONS), secrets: [env.SESSION_SECRET] }));
 * const sessions = sessionsOf(env); // in a handler
 */
export function sessionsFor<Data extends object = Record<string, unknown>, Env = unknown>(
  options: SessionOptions | ((env: Env) => SessionOptions),
): (env: Env) => Sessions<Data> {
  const created = new WeakMap<object, Sessions<Data>>();
  const noEnvironment = {};
  return (env) => {
    const key = typeof env === "object" && env !== null ? env : noEnvironment;
    const sessions = created.get(key) ?? createSessions<Data>(typeof options === "function" ? options(env) : options);
    created.set(key, sessions);
    return sessions;
  };
}

// A Worker around a handler: runs it with the session of each request, and clears expired sessions on a cron trigger.

import type { SessionOptions } from "./options.js";
import { sessionsFor } from "./sessions-for.js";
import type { Sessions } from "./sessions.js";
import type { Session, SessionData } from "./types.js";

/**
 * A handler that receives the session of its request, and the `Sessions` of its store, for the calls on other sessions. `Context` is the type
 * of the platform's third argument.
 */
export interface SessionHandler<Data extends object, Env, Context = WorkerContext> {
  fetch(request: Request, env: Env, context: Context, session: Session<Data>, sessions: Sessions<Data>): Response | Promise<Response>;
}

/** The part of the platform's `ExecutionContext` that most handlers use. */
export interface WorkerContext {
  waitUntil(promise: Promise<unknown>): void;
  passThroughOnException(): void;
}

/** The default export of a Worker. */
export interface SessionsWorker<Env, Context = WorkerContext> {
  fetch(request: Request, env: Env, context?: Context): Promise<Response>;
  /** Runs `clearExpired`. Called by a cron trigger. */
  scheduled(controller: unknown, env: Env, context?: Context): Promise<void>;
}

/**
 * Creates a Worker that loads the session of each request, calls a handler with it, and commits it with the handler's response.
 *
 * If the session cannot be read or saved, the Worker responds with 503, 400, 409 or 413, unless the handler catches the error. Other errors
 * of the handler are rethrown. A response that cannot be sent throws a `ValueError`. In each of these cases nothing is saved, and the cookie
 * is kept.
 *
 * `Env` is by default the one that `wrangler types` declares.
 *
 * @example
 * export default withSessions<{ visits: number }, Env>((env) => ({ store: kv(env.SESSIONS), secrets: [env.SESSION_SECRET] }), {
 *   async fetch(request, env, context, session) {
 *     session.set("visits", session.get("visits", 0) + 1);
 *     return new Response(`Visit number ${session.get("visits")}`);
 *   },
 * });
 */
export function withSessions<Data extends SessionData<Data> = Record<string, unknown>, Env = Cloudflare.Env, Context = WorkerContext>(
  options: SessionOptions | ((env: Env) => SessionOptions),
  handler: SessionHandler<Data, Env, Context>,
): SessionsWorker<Env, Context> {
  const sessionsOf = sessionsFor<Data, Env>(options);
  return {
    async fetch(request, env, context) {
      const sessions = sessionsOf(env);
      return sessions.run(request, (session) => handler.fetch(request, env, context as Context, session, sessions));
    },
    async scheduled(_controller, env) {
      await sessionsOf(env).clearExpired();
    },
  };
}

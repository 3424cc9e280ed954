// A Worker around a handler: loads and commits the session of each request, and clears expired sessions on a cron trigger.

import { EdgeSessionError } from "./errors.js";
import { mergeHeaders } from "./headers.js";
import type { SessionOptions } from "./options.js";
import { createSessions, type Sessions } from "./sessions.js";
import type { Session } from "./types.js";

/** The statuses of the errors that correct code can meet. */
const STATUS = new Map<string, number>([
  ["ES_STORE_UNAVAILABLE", 503],
  ["ES_SESSION_INTERRUPTED", 400],
  ["ES_STALE", 409],
  ["ES_SUPERSEDED", 409],
  ["ES_TOO_LARGE", 413],
]);

/**
 * A handler that receives the session of its request, and the `Sessions` of its store, for the calls on other sessions. `Context` is the type
 * of the platform's third argument.
 */
export interface SessionHandler<Data extends object, Env, Context = unknown> {
  fetch(request: Request, env: Env, context: Context, session: Session<Data>, sessions: Sessions<Data>): Response | Promise<Response>;
}

/** The default export of a Worker. */
export interface SessionsWorker<Env, Context = unknown> {
  fetch(request: Request, env: Env, context: Context): Promise<Response>;
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
 * @example
 * export default withSessions<{ visits: number }, Env>((env) => ({ store: kv(env.SESSIONS), secrets: [env.SESSION_SECRET] }), {
 *   async fetch(request, env, context, session) {
 *     session.set("visits", session.get("visits", 0) + 1);
 *     return new Response(`Visit number ${session.get("visits")}`);
 *   },
 * });
 */
export function withSessions<Data extends object = Record<string, unknown>, Env = unknown, Context = unknown>(
  options: SessionOptions | ((env: Env) => SessionOptions),
  handler: SessionHandler<Data, Env, Context>,
): SessionsWorker<Env, Context> {
  const sessionsOf = memoised((env: Env) => createSessions<Data>(typeof options === "function" ? options(env) : options));
  return {
    async fetch(request, env, context) {
      const sessions = sessionsOf(env);
      const session = await sessions.load(request);
      try {
        return await respond(sessions, session, () => handler.fetch(request, env, context, session, sessions));
      } finally {
        session[Symbol.dispose](); // not `using`, which not all browsers of 2025 support
      }
    },
    async scheduled(_controller, env) {
      await sessionsOf(env).clearExpired();
    },
  };
}

/** Creates one value for each environment. */
function memoised<Env, T>(make: (env: Env) => T): (env: Env) => T {
  const created = new WeakMap<object, T>();
  const noEnvironment = {};
  return (env) => {
    const key = typeof env === "object" && env !== null ? env : noEnvironment;
    const value = created.get(key) ?? make(env);
    created.set(key, value);
    return value;
  };
}

/** Returns the handler's response with the headers of its session, or the response to an error. */
async function respond<Data extends object>(
  sessions: Sessions<Data>,
  session: Session<Data>,
  handle: () => Response | Promise<Response>,
): Promise<Response> {
  let response;
  try {
    response = await handle();
  } catch (error) {
    const response = errorResponse(error);
    // Nothing is saved if the handler failed. A commit with the status of the response, such as 409, would save.
    for (const [name, value] of await sessions.commitHeaders(session, 500)) response.headers.append(name, value);
    return response;
  }
  try {
    return await sessions.commit(session, response);
  } catch (error) {
    const response = errorResponse(error);
    mergeHeaders(response.headers, []);
    return response;
  }
}

/**
 * Returns `{"error":{"code","message"}}` with the status of the error. Rethrows an error without a status. Logs the store's own error, which
 * contains no key, token or data.
 */
function errorResponse(error: unknown): Response {
  const status = error instanceof EdgeSessionError ? STATUS.get(error.code) : undefined;
  if (!(error instanceof EdgeSessionError) || status === undefined) throw error;
  console.error(`edge-session: ${error.code}: ${error.message}`, error.cause ?? "");
  return Response.json({ error: { code: error.code, message: error.message } }, { status });
}

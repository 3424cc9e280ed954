// A whole Worker around a handler: each request with its session, and the cron that clears what has expired.

import { EdgeSessionError } from "./errors.js";
import { mergeHeaders } from "./headers.js";
import type { Session } from "./session.js";
import { createSessions, type SessionOptions, type Sessions } from "./sessions.js";

/** The statuses of the errors with which a save can fail although the code is right. */
const STATUS = new Map<string, number>([
  ["ES_STORE_UNAVAILABLE", 503],
  ["ES_SESSION_INTERRUPTED", 400],
  ["ES_STALE", 409],
  ["ES_SUPERSEDED", 409],
  ["ES_TOO_LARGE", 413],
]);

/** A handler that gets its request's session. `Context` is what the platform gives as the third argument. */
export interface SessionHandler<Data extends object, Env, Context = unknown> {
  fetch(request: Request, env: Env, context: Context, session: Session<Data>): Response | Promise<Response>;
}

/** What a Worker exports. */
export interface SessionsWorker<Env, Context = unknown> {
  fetch(request: Request, env: Env, context: Context): Promise<Response>;
  /** Runs `clearExpired`; for a cron trigger. */
  scheduled(controller: unknown, env: Env, context?: Context): Promise<void>;
}

/**
 * Runs a handler with the request's session and commits what it answers: the whole of it in one call.
 *
 * A session that was used but could not be read, and a save or commit that fails, are answered with 503, 400, 409 or 413, unless the
 * handler catches the error. Other errors that the handler throws are thrown on, and a response that cannot be sent is a `ValueError`.
 * The commit saves nothing then, and the cookie stays.
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
        return await committed(sessions, session, () => handler.fetch(request, env, context, session));
      } finally {
        session[Symbol.dispose](); // not `using`, which browsers of 2025 do not all know
      }
    },
    async scheduled(_controller, env) {
      await sessionsOf(env).clearExpired();
    },
  };
}

/** One set of sessions for each environment. */
function memoised<Env, T>(make: (env: Env) => T): (env: Env) => T {
  const made = new WeakMap<object, T>();
  const nowhere = {};
  return (env) => {
    const key = typeof env === "object" && env !== null ? env : nowhere;
    const sessions = made.get(key) ?? make(env);
    made.set(key, sessions);
    return sessions;
  };
}

/** The handler's response with its session's headers, or the answer to an error. */
async function committed<Data extends object>(
  sessions: Sessions<Data>,
  session: Session<Data>,
  handle: () => Response | Promise<Response>,
): Promise<Response> {
  let response;
  try {
    response = await handle();
  } catch (error) {
    const answer = failure(error);
    // A handler that failed saves nothing, whatever the status of the answer.
    for (const [name, value] of await sessions.commitHeaders(session, 500)) answer.headers.append(name, value);
    return answer;
  }
  try {
    return await sessions.commit(session, response);
  } catch (error) {
    const answer = failure(error);
    mergeHeaders(answer.headers, undefined);
    return answer;
  }
}

/**
 * `{"error":{"code","message"}}` with the error's status; an error without one is thrown on. What the store said goes into the log; it
 * holds neither a key, a token nor data.
 */
function failure(error: unknown): Response {
  const status = error instanceof EdgeSessionError ? STATUS.get(error.code) : undefined;
  if (!(error instanceof EdgeSessionError) || status === undefined) throw error;
  console.error(`edge-session: ${error.code}: ${error.message}`, error.cause ?? "");
  return Response.json({ error: { code: error.code, message: error.message } }, { status });
}

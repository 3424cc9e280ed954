// The public API of `edge-session/sveltekit`: a `handle` hook for SvelteKit.

import { sessionsFor } from "edge-session";
import type { RunOptions, SessionOptions } from "../options.js";
import type { Sessions } from "../sessions.js";
import type { Session, SessionData } from "../types.js";

/** What the hook adds to `event.locals`: `App.Locals` extends it. */
export interface SessionLocals<Data extends object = Record<string, unknown>> {
  session: Session<Data>;
}

/** The part of SvelteKit's event that the hook uses. */
export interface SvelteKitEvent {
  readonly locals: object;
  readonly platform?: unknown;
  readonly request: Request;
}

/** The hook. It can be part of a `sequence`. */
export type SessionHandle = <Event extends SvelteKitEvent>(input: {
  event: Event;
  resolve(event: Event): Response | Promise<Response>;
}) => Promise<Response>;

/**
 * Returns a `handle` hook that loads the session of each request as `event.locals.session`, and commits it with the response. `options` are those
 * of `createSessions`, or its `Sessions`, or a function that returns the options for the bindings of a Worker, `event.platform.env`.
 *
 * A response with a status of 500 or more saves nothing. If the store fails, SvelteKit's error page has the status 503. If the session cannot be
 * saved, the response is that of `onError`, by default in JSON, with the status 503, 400, 409 or 413. A promise that `load` returns can read the
 * session after the headers were sent, if the session was used before.
 *
 * @example
 * // src/hooks.server.ts
 * declare global {
 *   namespace App {
 *     interface Locals extends SessionLocals<Data> {}
 *   }
 * }
 *
 * export const handle = session<Data, Env>((env) => ({ store: kv(env.SESSIONS), secrets: [env.SESSION_SECRET] }));
 */
export function session<Data extends SessionData<Data> = Record<string, unknown>, Env = Cloudflare.Env>(
  options: SessionOptions | Sessions<Data> | ((env: Env) => SessionOptions),
  runOptions?: RunOptions,
): SessionHandle {
  const sessionsOf = sessionsFor<Data, Env>(options);
  const known = new WeakSet<Request>();
  return async ({ event, resolve }) => {
    if (known.has(event.request)) return resolve(event);
    known.add(event.request);
    const { env } = (event.platform ?? {}) as { env?: Env };
    const handle = (session: Session<Data>): Response | Promise<Response> => {
      Object.assign(event.locals, { session });
      return resolve(event);
    };
    return sessionsOf(env as Env).run(event.request, handle, runOptions);
  };
}

// The public API of `edge-session/h3`: a middleware for h3 2 and Nitro 3.

import { sessionsFor } from "edge-session";
import type { RunOptions, SessionOptions } from "../options.js";
import type { Sessions } from "../sessions.js";
import type { SessionData } from "../types.js";

/** The part of h3's event that the middleware uses. */
export interface H3SessionEvent {
  readonly req: { readonly headers: Headers; readonly runtime?: { readonly cloudflare?: { readonly env?: unknown } | undefined } | undefined };
  readonly res: { readonly headers: Headers };
  readonly context: object;
  readonly app?: { readonly config: object } | undefined;
}

/** The function `toResponse` of h3, or of `nitro/h3`, which turns the result of a handler into a response. */
export type ToResponse = (value: unknown, event: never, config?: never) => Response | Promise<Response>;

/** A middleware of h3. */
export type SessionMiddleware = (event: H3SessionEvent, next: () => unknown) => unknown;

/** The events that have a session. */
const known = new WeakSet<H3SessionEvent>();

/**
 * Returns a middleware that loads the session of each request as `event.context.session`, and commits it with the response. `options` are those
 * of `createSessions`, or its `Sessions`, or a function that returns the options for the bindings of a Worker. `toResponse` is that of h3; in
 * Nitro, that of `nitro/h3`.
 *
 * The session is committed with the response to a thrown `HTTPError` as well. A response with a status of 500 or more saves nothing. If the session
 * cannot be read, its first use throws an error with the status 503, which h3 answers. If it cannot be saved, the response is that of `onError`, by
 * default in JSON, with the status 503, 400, 409 or 413.
 *
 * @example
 * import { H3, toResponse } from "h3";
 *
 * declare module "h3" {
 *   interface H3EventContext {
 *     session: Session<Data>;
 *   }
 * }
 *
 * const app = new H3().use(session<Data>({ store: memory(), secrets: [process.env.SESSION_SECRET!] }, toResponse));
 * app.get("/", ({ context }) => `Hello ${context.session.get("user", "stranger")}`);
 */
export function session<Data extends SessionData<Data> = Record<string, unknown>, Env = Cloudflare.Env>(
  options: SessionOptions | Sessions<Data> | ((env: Env) => SessionOptions),
  toResponse: ToResponse,
  runOptions?: RunOptions,
): SessionMiddleware {
  const sessionsOf = sessionsFor<Data, Env>(options);
  return async (event, next) => {
    if (known.has(event)) return next();
    known.add(event);
    const sessions = sessionsOf(event.req.runtime?.cloudflare?.env as Env);
    const response = await sessions.run(event.req, (session) => {
      Object.assign(event.context, { session });
      const result = (async () => next())(); // with its errors, which h3 turns into responses
      return toResponse(result, event as never, { ...event.app?.config, onResponse: undefined } as never); // h3 calls the hook later
    }, runOptions);
    // The response has these headers. The h3 of Nitro 3.0 would merge them again: over `Vary`, and each cookie a second time.
    for (const name of [...event.res.headers.keys()]) event.res.headers.delete(name);
    return response;
  };
}

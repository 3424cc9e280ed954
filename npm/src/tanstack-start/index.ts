// The public API of `edge-session/tanstack-start`: a server entry for TanStack Start.

import { type EdgeSessionError, sessionsFor } from "edge-session";
import type { RunOptions, SessionOptions } from "../options.js";
import type { Sessions } from "../sessions.js";
import type { Session, SessionData } from "../types.js";

/** The part of Start's server entry that is used. */
export interface StartHandler {
  fetch(request: Request, options: never): Response | Promise<Response>;
}

/** A server entry, for Start's `createServerEntry`. */
export interface SessionServerEntry {
  fetch(request: Request, options?: { context?: object }): Promise<Response>;
}

/** The context that each request gets: the `requestContext` of the server in Start's `Register`. */
export interface SessionContext<Data extends object = Record<string, unknown>> {
  session: Session<Data>;
}

/**
 * Returns a server entry that loads the session of each request, calls Start's handler with it as `context.session`, and commits it with the
 * response: in `src/server.ts`, the default export of `createServerEntry`. Middleware, server functions and server routes have the session in
 * their `context`, all of them the same. `options` are those of `createSessions`, or its `Sessions`, or a function that returns the options and
 * is called at the first request.
 *
 * It runs around Start, and not as a middleware in it: Start applies `setResponseHeader` to the response of the middleware, and would replace
 * `Vary` and `Cache-Control` there.
 *
 * A response with a status of 500 or more saves nothing. If the session cannot be read, its first use throws, and the response is Start's error
 * page with the status 503. If it cannot be saved, the response is that of `onError`, by default a text with the code and the message, with the
 * status 503, 400, 409 or 413: a server function that the browser called then throws. It would return a response in JSON as its result.
 *
 * @example
 * // src/server.ts
 * import handler, { createServerEntry } from "@tanstack/react-start/server-entry";
 *
 * declare module "@tanstack/react-start" {
 *   interface Register {
 *     server: { requestContext: SessionContext<Data> };
 *   }
 * }
 *
 * export default createServerEntry(withSession<Data>(handler, { store: kv(env.SESSIONS), secrets: [env.SESSION_SECRET] }));
 */
export function withSession<Data extends SessionData<Data> = Record<string, unknown>>(
  handler: StartHandler,
  options: SessionOptions | Sessions<Data> | (() => SessionOptions),
  { onError = toText }: RunOptions = {},
): SessionServerEntry {
  const sessionsOf = sessionsFor<Data, undefined>(options);
  return {
    fetch: (request, requestOptions) =>
      sessionsOf(undefined).run(
        request,
        (session) => handler.fetch(request, { ...requestOptions, context: { ...requestOptions?.context, session } } as never),
        { onError },
      ),
  };
}

function toText({ code, message, status }: EdgeSessionError): Response {
  return new Response(`${code}: ${message}`, { status: status ?? 500 });
}

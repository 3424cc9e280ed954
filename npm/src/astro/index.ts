// The public API of `edge-session/astro`: a middleware for Astro.

import { sessionsFor } from "edge-session";
import type { RunOptions, SessionOptions } from "../options.js";
import type { Sessions } from "../sessions.js";
import type { Session, SessionData } from "../types.js";

/** What the middleware adds to `Astro.locals`: `App.Locals` extends it. */
export interface SessionLocals<Data extends object = Record<string, unknown>> {
  session: Session<Data>;
}

/** The part of Astro's context that the middleware uses. */
export interface AstroContext {
  readonly isPrerendered: boolean;
  readonly locals: object;
  readonly request: Request;
}

/** The `locals` of the pages that are being rendered. `Astro.rewrite` passes them to the middleware again, with a copy of the request. */
const rendering = new WeakSet<object>();

/**
 * Returns a middleware that loads the session of each request as `locals.session`, and commits it with the page. A page that is prerendered has
 * no session: at build time there is no visitor. `options` are those of `createSessions`, or its `Sessions`, or a function that returns the
 * options, which is called at the first request.
 *
 * A page with a status of 500 or more saves nothing. If the session cannot be read or saved, the response is that of `onError`, by default in
 * JSON, with the status 503, 400, 409 or 413. A component that is streamed can read the session, if the page used it before. A page and the one that
 * it is rewritten to have the same session. The page `500.astro` has the session as it was before the request that failed.
 *
 * @example
 * // src/middleware.ts
 * declare global {
 *   namespace App {
 *     interface Locals extends SessionLocals<Data> {}
 *   }
 * }
 *
 * export const onRequest = session<Data>({ store: kv(env.SESSIONS), secrets: [env.SESSION_SECRET] });
 */
export function session<Data extends SessionData<Data> = Record<string, unknown>>(
  options: SessionOptions | Sessions<Data> | (() => SessionOptions),
  runOptions?: RunOptions,
): (context: AstroContext, next: () => Promise<Response>) => Promise<Response> {
  const sessionsOf = sessionsFor<Data, undefined>(options);
  return async ({ isPrerendered, locals, request }, next) => {
    if (isPrerendered || rendering.has(locals)) return next();
    rendering.add(locals);
    const handle = (session: Session<Data>): Promise<Response> => {
      Object.assign(locals, { session });
      return next();
    };
    try {
      return await sessionsOf(undefined).run(request, handle, runOptions);
    } finally {
      rendering.delete(locals); // a page for the error 404 or 500 has a session of its own
    }
  };
}

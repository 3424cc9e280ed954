// The public API of `edge-session/hono`: a middleware for Hono.

import { EdgeSessionError, sessionsFor } from "edge-session";
import type { SessionOptions } from "../options.js";
import type { Sessions } from "../sessions.js";
import type { Session, SessionData } from "../types.js";

/** The variable of the middleware: the `Variables` of `new Hono<{ Variables: SessionVariables<Data> }>()`. */
export interface SessionVariables<Data extends object = Record<string, unknown>> {
  session: Session<Data>;
}

/** The part of Hono's context that the middleware uses. */
export interface HonoContext<Data extends object> {
  env: unknown;
  error: Error | undefined;
  req: { raw: Request };
  res: Response;
  set(name: "session", session: Session<Data>): void;
}

/** The requests that have a session. */
const known = new WeakSet<Request>();

/**
 * Returns a middleware that loads the session of each request as `c.var.session`, and commits it with the response. `options` are those of
 * `createSessions`, or its `Sessions`, or a function that returns the options for the bindings of a Worker.
 *
 * If the session cannot be read or saved, the response has the status of the error, 503, 400, 409 or 413, unless a handler or `app.onError`
 * makes another one. Neither such a response nor one with a status of 500 or more saves anything. A session is committed before its response is
 * streamed: the stream can read it, if it was used before.
 *
 * @example
 * const app = new Hono<{ Bindings: Env; Variables: SessionVariables<Data> }>();
 * app.use(session<Data, Env>((env) => ({ store: kv(env.SESSIONS), secrets: [env.SESSION_SECRET] })));
 * app.get("/", (c) => c.text(`Visit number ${c.var.session.get("visits", 0)}`));
 */
export function session<Data extends SessionData<Data> = Record<string, unknown>, Env = Cloudflare.Env>(
  options: SessionOptions | Sessions<Data> | ((env: Env) => SessionOptions),
): (context: HonoContext<Data>, next: () => Promise<void>) => Promise<void> {
  const sessionsOf = sessionsFor<Data, Env>(options);
  return async (context, next) => {
    if (known.has(context.req.raw)) return next();
    known.add(context.req.raw);
    const handle = async (session: Session<Data>): Promise<Response> => {
      context.set("session", session);
      await next();
      // Hono has already made a response of it, by `app.onError` or with the status 500.
      if (context.error instanceof EdgeSessionError && context.error.status !== undefined) throw context.error;
      return context.res;
    };
    const onError = (error: EdgeSessionError): Response | undefined =>
      error === context.error && context.res.status !== 500 ? context.res : undefined;
    const response = await sessionsOf(context.env as Env).run(context.req.raw, handle, { onError });
    // Or Hono would put the headers of the old response over those of the new one.
    (context as { res: Response | undefined }).res = undefined;
    context.res = response;
  };
}

// The public API of `edge-session/react-router`: a middleware for React Router, and sessions with the interface of its `SessionStorage`.

import { sessionsFor, UsageError } from "edge-session";
import type { RunOptions, SessionOptions } from "../options.js";
import type { Sessions } from "../sessions.js";
import type { Session, SessionData } from "../types.js";

export { createEdgeSessionStorage } from "./session-storage.js";
export type { EdgeSessionStorage, StorageSession } from "./session-storage.js";

/** The part of React Router's `RouterContextProvider` that the middleware uses. Its keys are compared by identity, so any object can be one. */
export interface RouterContext {
  get<Value>(key: { defaultValue?: Value }): Value;
  set(key: object, value: never): void;
}

/** A middleware of a route, as in `export const middleware = [sessionMiddleware]`. */
export type SessionMiddleware = (args: { request: Request; context: RouterContext }, next: () => Promise<Response>) => Promise<Response>;

/** Options of `createSessionMiddleware`. */
export interface SessionMiddlewareOptions<Env> extends RunOptions {
  /** Returns the environment of a request, for options that are a function of it. */
  env?: ((context: RouterContext) => Env) | undefined;
}

/** The value that the middleware puts into the context of a request. */
interface Entry<Data extends object> {
  request: Request;
  session: Session<Data>;
}

/**
 * Returns a middleware for the root route, and the function that returns the session of a request from its `context`. The middleware loads the
 * session once for each request, and commits it with the response. `options` are those of `createSessions`, or its `Sessions`, or a function
 * that returns the options: it is called at the first request, with the result of `env` for the context of that request.
 *
 * A response with a status of 500 or more saves nothing. If the session cannot be read, its first use throws, and the error page of React Router
 * has the status 503. If it cannot be saved, the response is that of `onError`, by default in JSON, with the status 503, 400, 409 or 413.
 *
 * `getSession` throws a `UsageError` if no matched route has the middleware. The middleware throws one if two requests have the same context.
 *
 * @example
 * // app/session.ts
 * export const [sessionMiddleware, getSession] = createSessionMiddleware<Data>({ store: kv(env.SESSIONS), secrets: [env.SESSION_SECRET] });
 *
 * // app/root.tsx
 * export const middleware = [sessionMiddleware];
 *
 * // a route
 * export const loader = ({ context }: Route.LoaderArgs) => ({ user: getSession(context).get("user", "") });
 */
export function createSessionMiddleware<Data extends SessionData<Data> = Record<string, unknown>, Env = Cloudflare.Env>(
  options: SessionOptions | Sessions<Data> | ((env: Env) => SessionOptions),
  { env, ...runOptions }: SessionMiddlewareOptions<Env> = {},
): [sessionMiddleware: SessionMiddleware, getSession: (context: Pick<RouterContext, "get">) => Session<Data>] {
  const sessionsOf = sessionsFor<Data, Env>(options);
  const key: { defaultValue?: Entry<Data> | null } = { defaultValue: null }; // without a default value, `get` throws

  const sessionMiddleware: SessionMiddleware = async ({ request, context }, next) => {
    const entry = context.get(key);
    if (entry?.request === request) return next();
    if (entry) throw new UsageError("two requests have one context: getLoadContext has to return a new RouterContextProvider for each request");
    const sessions = sessionsOf(env?.(context) as Env);
    return sessions.run(request, (session) => {
      context.set(key, { request, session } as never);
      return next();
    }, runOptions);
  };

  const getSession = (context: Pick<RouterContext, "get">): Session<Data> => {
    const entry = context.get(key);
    if (!entry) throw new UsageError("this request has no session: export `middleware = [sessionMiddleware]` from the root route");
    return entry.session;
  };

  return [sessionMiddleware, getSession];
}

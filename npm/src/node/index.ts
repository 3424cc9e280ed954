// The public API of `edge-session/node`: a middleware for Express and other servers on `node:http`, and a store for express-session.

import { sessionsFor } from "edge-session";
import type { RunOptions, SessionOptions } from "../options.js";
import type { Sessions } from "../sessions.js";
import type { Session, SessionData } from "../types.js";
import { HeldResponse } from "./held-response.js";

export { expressSessionStore } from "./express-session-store.js";
export type { ExpressSessionStoreOptions } from "./express-session-store.js";

/** The property of the request that the middleware sets. */
export interface SessionRequest<Data extends object = Record<string, unknown>> {
  session: Session<Data>;
}

/** The part of `IncomingMessage` that the middleware reads. */
export interface NodeRequest {
  headers: { cookie?: string | undefined };
}

/** The part of `ServerResponse` that the middleware uses. */
export interface NodeResponse {
  statusCode: number;
  readonly headersSent: boolean;
  getHeaders(): object;
  setHeader(name: string, value: string | readonly string[]): unknown;
  appendHeader(name: string, value: string | readonly string[]): unknown;
  removeHeader(name: string): void;
  writeHead(status: number, ...rest: never[]): unknown;
  write(chunk: never, ...rest: never[]): boolean;
  end(...rest: never[]): unknown;
  flushHeaders(): void;
  once(event: "close", listener: () => void): unknown;
  emit(event: "drain"): boolean;
  destroy(error?: Error): unknown;
}

/** A middleware of Express, connect and `node:http`. */
export type SessionMiddleware = <Result>(request: NodeRequest, response: NodeResponse, next: (error?: unknown) => Result) => Promise<Result>;

/** The requests that have a session. */
const known = new WeakSet<NodeRequest>();

/**
 * Returns a middleware that loads the session of each request as `request.session`, and commits it before the headers of the response are sent:
 * what the handler sends is held back until then. A stream can read the session until its end, if it was used before the first part. `options`
 * are those of `createSessions`, or its `Sessions`.
 *
 * A response with a status of 500 or more saves nothing, nor does a response whose client has disconnected. If the session cannot be saved, the
 * response is replaced by that of `onError`, by default one with the status of the error, 503, 400, 409 or 413. The headers from before this
 * middleware stay. Another error is passed to `next`. If the session cannot be read, its first use in the handler throws.
 *
 * @example
 * declare module "express-serve-static-core" {
 *   interface Request {
 *     session: Session<Data>;
 *   }
 * }
 *
 * app.use(session<Data>({ store: memory(), secrets: [process.env.SESSION_SECRET!] }));
 * app.get("/", (request, response) => {
 *   request.session.set("visits", request.session.get("visits", 0) + 1);
 *   response.send(`Visit number ${request.session.get("visits")}`);
 * });
 *
 * @example
 * const withSession = session<Data>({ store: memory(), secrets: [process.env.SESSION_SECRET!] });
 * createServer((request, response) => withSession(request, response, (error) => (error ? fail(error) : handle(request, response))));
 */
export function session<Data extends SessionData<Data> = Record<string, unknown>>(
  options: SessionOptions | Sessions<Data>,
  { onError }: RunOptions = {},
): SessionMiddleware {
  const sessions = sessionsFor<Data, undefined>(options)(undefined);
  return async (request, response, next) => {
    if (known.has(request)) return next();
    known.add(request);
    const held = new HeldResponse(response);
    let loaded!: () => void;
    const loading = new Promise<void>((resolve) => (loaded = resolve));
    const handle = (session: Session<Data>): Promise<Response> => {
      (request as Partial<SessionRequest<Data>>).session = session;
      loaded();
      return held.begun;
    };
    let failed = false;
    const failing: RunOptions["onError"] = (error) => ((failed = true), onError?.(error));
    const ended = sessions
      .run(request.headers.cookie, handle, { onError: failing })
      .then((answer) => (failed ? held.replace(answer) : held.release(answer)))
      .then(() => undefined, (error: unknown) => held.abandon(error));
    const error = await Promise.race([loading, ended]);
    if (error !== undefined) return next(error);
    ended
      .then((error) => error !== undefined && next(error))
      .catch((error: unknown) => {
        console.error("edge-session:", error); // no caller awaits it
        response.destroy();
      });
    return next();
  };
}

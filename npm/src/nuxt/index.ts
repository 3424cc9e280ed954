// The public API of `edge-session/nuxt`: a plugin for the server of Nuxt 4, which is Nitro 2 with h3 1.

import { sessionsFor, UsageError } from "edge-session";
import { type NodeRequest, type NodeResponse, session as middlewareOf, type SessionRequest } from "../node/index.js";
import type { RunOptions, SessionOptions } from "../options.js";
import type { Sessions } from "../sessions.js";
import type { Session, SessionData } from "../types.js";

/** The part of a request that the plugin reads. */
export interface NuxtRequest extends NodeRequest {
  readonly url?: string | undefined;
  /** Only a request that Nitro makes itself has it. If it is made with the event of another one, this is the context of that event. */
  readonly __unenv__?: NuxtSessionContext | undefined;
}

/** The part of the context of an event that the plugin uses. */
export interface NuxtSessionContext {
  readonly session?: unknown;
  /** Nitro sets it in a route with `cache`, `swr` or `isr`. */
  readonly cache?: unknown;
}

/** The part of h3's event that the plugin uses. */
export interface NuxtSessionEvent {
  readonly node: { readonly req: NuxtRequest; readonly res: NodeResponse };
  readonly context: NuxtSessionContext;
}

/** The part of Nitro that the plugin uses. */
export interface NuxtServer {
  readonly h3App: {
    handler(event: NuxtSessionEvent): unknown;
    readonly options: {
      onRequest?(event: NuxtSessionEvent): unknown;
      onError?(error: Error, event: NuxtSessionEvent): unknown;
    };
  };
}

/** A plugin of Nitro. */
export type NuxtSessionPlugin = (nitro: NuxtServer) => void;

/**
 * Returns a plugin of Nitro that loads the session of each request as `event.context.session`, and commits it before the headers of the response
 * are sent. `options` are those of `createSessions`, or its `Sessions`, or a function that returns the options for the bindings of a Worker. The
 * function is called at the first request.
 *
 * A response with a status of 500 or more saves nothing. If the session cannot be read, its first use throws an error with the status 503, of
 * which Nuxt makes an error page. If it cannot be saved, the response is that of `onError`, by default in JSON, with the status 503, 400, 409 or
 * 413. A request that a page makes to its own server, with `useFetch`, has the session of the page. In a route with `cache`, `swr` or `isr`, whose
 * response Nitro keeps for all visitors, `event.context.session` throws a `UsageError`.
 *
 * @example
 * // server/plugins/session.ts
 * declare module "h3" {
 *   interface H3EventContext {
 *     session: Session<Data>;
 *   }
 * }
 *
 * export default defineNitroPlugin(session<Data>(() => ({ store: memory(), secrets: [process.env.SESSION_SECRET!] })));
 */
export function session<Data extends SessionData<Data> = Record<string, unknown>, Env = Cloudflare.Env>(
  options: SessionOptions | Sessions<Data> | ((env: Env) => SessionOptions),
  runOptions?: RunOptions,
): NuxtSessionPlugin {
  const sessionsOf = sessionsFor<Data, Env>(options);
  return ({ h3App }) => {
    const { handler } = h3App;
    const { onRequest, onError } = h3App.options;
    /** Returns the session of an event. */
    const readers = new WeakMap<NuxtSessionEvent, () => unknown>();
    /** The commits of responses in memory, which wait for the end of the handler or of the error page. */
    const commits = new WeakMap<NuxtSessionEvent, () => Promise<void>>();
    const commit = async (event: NuxtSessionEvent): Promise<void> => {
      const pending = commits.get(event);
      commits.delete(event);
      await pending?.();
    };
    /** The error pages of commits that failed. */
    const pages = new WeakMap<NuxtSessionEvent, unknown>();
    const fail = (cause: unknown, event: NuxtSessionEvent): unknown => {
      event.node.res.statusCode = 500; // h3 sets it before it calls `onError`
      const page = onError?.(Object.assign(new Error("the session was not saved", { cause }), { statusCode: 500, unhandled: true }), event);
      pages.set(event, page);
      return page;
    };

    h3App.handler = async (event) => {
      const { req, res } = event.node;
      const outer = req.__unenv__;
      if (outer && "session" in outer) {
        readers.set(event, () => outer.session);
        return handler(event);
      }
      const sessions = sessionsOf((globalThis as { __env__?: unknown }).__env__ as Env);
      if (!("__unenv__" in req)) {
        let started = false;
        return middlewareOf(sessions, runOptions)(req, res, (error) => {
          if (started) return fail(error, event);
          if (error !== undefined) throw error;
          started = true;
          readers.set(event, () => (req as Partial<SessionRequest<Data>>).session);
          return handler(event);
        });
      }
      const session = await sessions.load(req.headers.cookie);
      readers.set(event, () => session);
      commits.set(event, () => commitInMemory(sessions, session, event, runOptions));
      const result = await handler(event);
      await commit(event);
      return result;
    };

    h3App.options.onRequest = async (event) => {
      await onRequest?.(event);
      const read = readers.get(event);
      const get = (): unknown => {
        if (event.context.cache) throw new UsageError("a route with `cache`, `swr` or `isr` has one response for all visitors, and so no session");
        return read?.();
      };
      Object.defineProperty(event.context, "session", { configurable: true, enumerable: true, get });
    };

    h3App.options.onError = async (error, event) => {
      if (pages.has(event)) {
        event.node.res.statusCode = 500; // since the response was taken back, h3 has looked for another handler, and found none
        return pages.get(event);
      }
      await onError?.(error, event);
      await commit(event).catch((error: unknown) => fail(error, event));
    };
  };
}

/** Commits the session of a response that Nitro keeps in memory. Throws an error without a status, after which the response can be made again. */
async function commitInMemory<Data extends object>(
  sessions: Sessions<Data>,
  session: Session<Data>,
  event: NuxtSessionEvent,
  { onError }: RunOptions = {},
): Promise<void> {
  const { req, res } = event.node;
  // Nuxt makes the page of an error with such a request, which has a session of its own.
  const isErrorPage = /\/__nuxt_error(\?|$)/.test(req.url ?? "");
  const status = isErrorPage || res.statusCode >= 500 ? 500 : 200; // the exact status can be one that a Response refuses
  const headers = new Headers();
  for (const [name, value] of Object.entries(res.getHeaders())) for (const line of [value].flat()) headers.append(name, String(line));
  let failed = false;
  const failing: RunOptions["onError"] = (error) => ((failed = true), onError?.(error));
  let answer;
  try {
    answer = await sessions.run(session, () => new Response(null, { status, headers }), { onError: failing });
  } catch (error) {
    Object.assign(res, { _data: undefined, headersSent: false, writableEnded: false });
    Object.assign(event, { _handled: false });
    throw error;
  }
  for (const name of Object.keys(res.getHeaders())) res.removeHeader(name);
  for (const [name, value] of answer.headers) res.appendHeader(name, value);
  if (failed) Object.assign(res, { _data: await answer.text(), statusCode: answer.status, statusMessage: "" });
}

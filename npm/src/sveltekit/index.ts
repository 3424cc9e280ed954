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
  readonly isDataRequest?: boolean;
  readonly isRemoteRequest?: boolean;
  readonly locals: object;
  readonly platform?: unknown;
  readonly request: Request;
}

/** The requests that have a session. */
const known = new WeakSet<Request>();

/** The hook. It can be part of a `sequence`. */
export type SessionHandle = <Event extends SvelteKitEvent>(input: {
  event: Event;
  resolve(event: Event): Response | Promise<Response>;
}) => Promise<Response>;

/**
 * Returns a `handle` hook that loads the session of each request as `event.locals.session`, and commits it with the response. `options` are those
 * of `createSessions`, or its `Sessions`, or a function that returns the options. It is called at the first request, with the bindings of a Worker
 * if the adapter passes them as `event.platform.env`.
 *
 * A response with a status of 500 or more saves nothing, nor does an error of 500 or more that SvelteKit reports to its script in the browser with
 * the status 200. If the store fails, SvelteKit's error page has the status 503. If the session cannot be saved, the response is that of `onError`, by
 * default in JSON, with the status 503, 400, 409 or 413. A promise that `load` returns can read the session after the headers were sent, if the
 * session was used before.
 *
 * @example
 * // src/hooks.server.ts
 * import { env } from "cloudflare:workers";
 *
 * declare global {
 *   namespace App {
 *     interface Locals extends SessionLocals<Data> {}
 *   }
 * }
 *
 * export const handle = session<Data>(() => ({ store: kv(env.SESSIONS), secrets: [env.SESSION_SECRET] }));
 */
export function session<Data extends SessionData<Data> = Record<string, unknown>, Env = Cloudflare.Env>(
  options: SessionOptions | Sessions<Data> | ((env: Env) => SessionOptions),
  runOptions?: RunOptions,
): SessionHandle {
  const sessionsOf = sessionsFor<Data, Env>(options);
  return async ({ event, resolve }) => {
    if (known.has(event.request)) return resolve(event);
    known.add(event.request);
    const { env } = (event.platform ?? {}) as { env?: Env };
    let failed: Response | undefined;
    const handle = async (session: Session<Data>): Promise<Response> => {
      Object.assign(event.locals, { session });
      const response = await resolve(event);
      const isForScript = event.isDataRequest || event.isRemoteRequest;
      if (!isForScript || response.status !== 200 || !session.accessed || !(await reportsFailure(response))) return response;
      failed = response;
      return new Response(response.body, { status: 500, headers: response.headers }); // so that nothing is saved
    };
    const response = await sessionsOf(env as Env).run(event.request, handle, runOptions);
    return failed ? new Response(response.body, { status: failed.status, headers: response.headers }) : response;
  };
}

/** The error of a `load` function or a remote function, in the JSON for SvelteKit's script in the browser. */
interface ReportedError {
  type: "error";
  error?: { status?: number };
}

/** The types of the JSON that SvelteKit's script reads. The JSON is the first line; promises that are streamed follow it. */
const JSON_TYPES = ["application/json", "text/sveltekit-data"];

/** Returns whether a response to SvelteKit's script reports an error of 500 or more. */
async function reportsFailure(response: Response): Promise<boolean> {
  const isJson = JSON_TYPES.includes(response.headers.get("Content-Type") ?? ""); // unlike the stream of query.live
  const body = isJson ? response.clone().body : null;
  const line = body ? await firstLine(body) : "";
  if (!line.includes('"type":"error"')) return false;
  const result = JSON.parse(line) as ReportedError | { nodes: (ReportedError | { type: "data" | "skip" } | null)[] };
  const parts = "nodes" in result ? result.nodes : [result];
  return parts.some((part) => part?.type === "error" && (part.error?.status ?? 500) >= 500);
}

async function firstLine(body: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<string> {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  while (!text.includes("\n")) {
    const { done, value } = await reader.read();
    if (done) break;
    text += value;
  }
  reader.cancel().catch(() => {}); // not awaited: it waits for the original response
  return text.split("\n", 1)[0]!;
}

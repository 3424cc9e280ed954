// One request with its session, from the load to the response.

import { EdgeSessionError } from "./errors.js";
import { mergeHeaders } from "./headers.js";
import type { RunOptions } from "./options.js";
import { isResponse } from "./response.js";
import { StoredSession } from "./session.js";
import type { Session } from "./types.js";

/** The calls of `Sessions` that end a request. */
interface Committing<Data extends object> {
  commit(session: Session<Data>, response: Response): Promise<Response>;
  commitHeaders(session: Session<Data>, status: number, headers: Headers): Promise<[name: string, value: string][]>;
}

/** Runs a handler with a loaded session, and returns its response with the headers of the session, or the response to an error. */
export async function respond<Data extends object>(
  sessions: Committing<Data>,
  session: StoredSession<Data>,
  handler: (session: Session<Data>) => Response | Promise<Response>,
  onError: RunOptions["onError"],
): Promise<Response> {
  let response;
  try {
    response = await returned(handler, session);
  } catch (error) {
    const response = await errorResponse(error, onError);
    // Nothing is saved if the handler failed. A commit with the status of the response, such as 409, would save.
    await sessions.commitHeaders(session, 500, response.headers);
    return response;
  }
  try {
    const committed = await sessions.commit(session, response);
    const outage = committed.status === 500 ? StoredSession.outage(session) : undefined;
    return outage?.status ? new Response(committed.body, { status: outage.status, headers: committed.headers }) : committed;
  } catch (error) {
    const response = await errorResponse(error, onError);
    mergeHeaders(response.headers, []);
    return response;
  }
}

/** Returns the response that a handler returns or throws: some frameworks throw redirects. */
async function returned<Data extends object>(
  handler: (session: Session<Data>) => Response | Promise<Response>,
  session: Session<Data>,
): Promise<Response> {
  try {
    return await handler(session);
  } catch (error) {
    if (isResponse(error)) return error;
    throw error;
  }
}

/**
 * Returns the response to an error, with headers that can be changed. Rethrows an error without a status. Logs the store's own error, which
 * contains no key, token or data.
 */
async function errorResponse(error: unknown, onError: RunOptions["onError"]): Promise<Response> {
  if (!(error instanceof EdgeSessionError) || error.status === undefined) throw error;
  console.error(`edge-session: ${error.code}: ${error.message}`, error.cause ?? "");
  const response = (await onError?.(error)) ?? toJson(error);
  return new Response(response.body, response);
}

function toJson({ code, message, status }: EdgeSessionError): Response {
  return Response.json({ error: { code, message } }, { status: status ?? 500, headers: { "Cache-Control": "no-store" } });
}

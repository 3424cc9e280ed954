// One request with its session, from the load to the response.

import { EdgeSessionError } from "./errors.js";
import { mergeHeaders } from "./headers.js";
import { isResponse } from "./response.js";
import type { Session } from "./types.js";

/** The calls of `Sessions` that end a request. */
interface Committing<Data extends object> {
  commit(session: Session<Data>, response: Response): Promise<Response>;
  commitHeaders(session: Session<Data>, status: number): Promise<[name: string, value: string][]>;
}

/** Runs a handler with a loaded session, and returns its response with the headers of the session, or the response to an error. */
export async function respond<Data extends object>(
  sessions: Committing<Data>,
  session: Session<Data>,
  handler: (session: Session<Data>) => Response | Promise<Response>,
): Promise<Response> {
  let response;
  try {
    response = await returned(handler, session);
  } catch (error) {
    const response = errorResponse(error);
    // Nothing is saved if the handler failed. A commit with the status of the response, such as 409, would save.
    for (const [name, value] of await sessions.commitHeaders(session, 500)) response.headers.append(name, value);
    return response;
  }
  try {
    return await sessions.commit(session, response);
  } catch (error) {
    const response = errorResponse(error);
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
 * Returns `{"error":{"code","message"}}` with the status of the error. Rethrows an error without a status. Logs the store's own error, which
 * contains no key, token or data.
 */
function errorResponse(error: unknown): Response {
  if (!(error instanceof EdgeSessionError) || error.status === undefined) throw error;
  console.error(`edge-session: ${error.code}: ${error.message}`, error.cause ?? "");
  return Response.json({ error: { code: error.code, message: error.message } }, { status: error.status });
}

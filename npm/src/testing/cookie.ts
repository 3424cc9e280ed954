// The cookie of a visitor, for a test that begins with a session.

import type { Session } from "../types.js";

/** The calls of `Sessions` that `cookieFor` uses. */
export interface SessionsUnderTest<Data extends object> {
  load(from: string): Promise<Session<Data>>;
  commitHeaders(session: Session<Data>, status: number): Promise<[name: string, value: string][]>;
}

/**
 * Stores a session with these data, and returns the `Cookie` header of its visitor. The visitor has logged in: the session got a new key by
 * `cycleKey`.
 *
 * @example
 * const response = await app.request("/", { headers: { Cookie: await cookieFor(sessions, { user: "alice" }) } });
 */
export async function cookieFor<Data extends object>(sessions: SessionsUnderTest<Data>, data: Partial<Data>): Promise<string> {
  const session = await sessions.load("");
  session.cycleKey();
  session.update(data);
  const headers = await sessions.commitHeaders(session, 200);
  const cookies = headers.filter(([name]) => name === "Set-Cookie").map(([, line]) => line.split(";")[0]!);
  return cookies.filter((pair) => !pair.endsWith("=")).join("; "); // without those that the response deletes
}

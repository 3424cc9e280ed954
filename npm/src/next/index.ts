// The public API of `edge-session/next`: sessions in the App Router of Next.js.

import { sessionsFor, UsageError } from "edge-session";
import type { SessionOptions } from "../options.js";
import type { SessionCookieOptions } from "../session-cookie.js";
import type { Sessions } from "../sessions.js";
import type { ReadonlySession, Session, SessionData } from "../types.js";

/** The part of the result of Next's `cookies()` that is used. Next has one for each request, and another while a page is rendered. */
export interface NextCookies {
  getAll(): { name: string; value: string }[];
  set(name: string, value: string, options: SessionCookieOptions): unknown;
  delete(name: string): unknown;
}

/** The two functions of `createNextSession`. */
export interface NextSession<Data extends object> {
  /**
   * Returns the session of the request, to read: in a server component, a route handler, a server function or `generateMetadata`. All calls in
   * one render share one load. A write throws a `UsageError`, since a server component sends no cookies. During `withSession`, it is the
   * session of `withSession`, with what was written.
   *
   * @example
   * const session = await getSession();
   * return <p>Hello {session.get("user", "visitor")}</p>;
   */
  getSession(): Promise<ReadonlySession<Data>>;

  /**
   * Wraps a route handler or a server function, which gets the session in front of its other arguments. Saves the session and sets its cookie
   * when it returns, and also when it throws `redirect()`, `notFound()`, `forbidden()` or `unauthorized()`. Another error, and a response with a
   * status of 500 or more, save nothing.
   *
   * If the session cannot be read or saved, a route handler responds with 503, 400, 409 or 413, and a server function throws the error, unless it
   * catches it. A wrapped function that is called by another one gets the session of that one, which saves it when it ends.
   *
   * Throws a `UsageError` where Next sets no cookies: in a server component and in `after`.
   *
   * @example
   * export const POST = withSession(async (session, request: Request) => {
   *   session.set("user", await userOf(request));
   *   redirect("/");
   * });
   */
  withSession<Parameters extends unknown[], Result>(
    handler: (session: Session<Data>, ...parameters: Parameters) => Result | Promise<Result>,
  ): (...parameters: Parameters) => Promise<Result>;
}

/** The calls that change a session or its cookie. */
const WRITES = [
  ..."set remove delete pop setDefault update flash flashed clear flush save".split(" "),
  ..."cycleKey create bindUser setTestCookie deleteTestCookie setExpiry".split(" "),
];

/**
 * Creates the functions that the pages, route handlers and server functions of a project import. `cookies` is the function of `next/headers`.
 * `options` are those of `createSessions`, or its `Sessions`, or a function that returns the options. The function is called at the first use, so
 * that `next build` needs no secret.
 *
 * @example
 * import { cookies } from "next/headers";
 *
 * const options = () => ({ store, secrets: [process.env.SESSION_SECRET!] });
 * export const { getSession, withSession } = createNextSession<{ user: string }>(options, cookies);
 */
export function createNextSession<Data extends SessionData<Data> = Record<string, unknown>>(
  options: SessionOptions | Sessions<Data> | (() => SessionOptions),
  cookies: () => Promise<NextCookies>,
): NextSession<Data> {
  const sessionsOf = sessionsFor<Data, undefined>(options);
  const load = (jar: NextCookies): Promise<Session<Data>> => sessionsOf(undefined).load(cookieHeader(jar));
  // By the cookies of the request, so that no other request can get them.
  const reading = new WeakMap<NextCookies, Promise<ReadonlySession<Data>>>();
  const writing = new WeakMap<NextCookies, Promise<Session<Data>>>();

  return {
    async getSession() {
      const jar = await cookies();
      const known = writing.get(jar) ?? reading.get(jar);
      if (known) return known;
      const loaded = load(jar).then(toReadonly);
      reading.set(jar, loaded);
      return loaded;
    },

    withSession: <Parameters extends unknown[], Result>(
      handler: (session: Session<Data>, ...parameters: Parameters) => Result | Promise<Result>,
    ) => async (...parameters: Parameters): Promise<Result> => {
      const jar = await cookies();
      const outer = writing.get(jar);
      if (outer) return handler(await outer, ...parameters);
      // Where cookies cannot be set, both are the same function, which throws. A throw after the save would be too late.
      if (jar.set === jar.delete) {
        throw new UsageError("withSession needs a route handler or a server function: no other code can set cookies; read with getSession");
      }
      const sessions = sessionsOf(undefined);
      const loading = load(jar);
      writing.set(jar, loading); // before the load ends: of two calls at once, the second shares the session
      try {
        const session = await loading;
        const run = async (): Promise<Result> => handler(session, ...parameters);
        const [request] = parameters;
        try {
          // No argument of a server function can be a request.
          if (request instanceof Request) return (await respond(sessions, session, request, run)) as Result;
          return await act(sessions, session, jar, run);
        } finally {
          session[Symbol.dispose](); // or a write after a failure would be lost without an error
        }
      } finally {
        writing.delete(jar);
        reading.delete(jar); // or a later `getSession` would return the session of before
      }
    },
  };
}

/** Next has decoded the values: without an encoding, a part of one could pass for a cookie of its own. */
function cookieHeader(jar: NextCookies): string {
  return jar.getAll().map(({ name, value }) => `${name}=${encodeURIComponent(value)}`).join("; ");
}

function toReadonly<Data extends object>(session: Session<Data>): ReadonlySession<Data> {
  const refuse = (): never => {
    throw new UsageError("the session of getSession cannot be changed; change it in a route handler or a server function, with withSession");
  };
  for (const name of WRITES) Object.defineProperty(session, name, { value: refuse });
  return Object.defineProperty(session, "modified", { get: () => false, set: refuse });
}

/** Runs a server function. */
async function act<Data extends object, Result>(
  sessions: Sessions<Data>,
  session: Session<Data>,
  jar: NextCookies,
  run: () => Promise<Result>,
): Promise<Result> {
  const commit = async (status: number): Promise<void> => {
    for (const { name, value, options } of await sessions.commitCookies(session, status)) jar.set(name, value, options);
  };
  let result;
  try {
    result = await run();
  } catch (error) {
    await commit(navigationOf(error)?.status ?? 500);
    throw error;
  }
  await commit(200);
  return result;
}

/** Runs a route handler. The headers of the session go into its response: Next would send no cookies with `notFound()`. */
function respond<Data extends object>(
  sessions: Sessions<Data>,
  session: Session<Data>,
  request: Request,
  run: () => Promise<unknown>,
): Promise<Response> {
  return sessions.run(session, async () => {
    try {
      return (await run()) as Response;
    } catch (error) {
      const response = navigation(error, request);
      if (response) return response;
      throw error;
    }
  });
}

/** Returns the response to a thrown `redirect()` or `notFound()`, as Next does, or undefined for another error. */
function navigation(error: unknown, { method, headers }: Request): Response | undefined {
  const thrown = navigationOf(error);
  if (thrown?.location === undefined) return thrown && new Response(null, thrown);
  // The browser must not send a form again.
  const isForm = method === "POST" && /^(application\/x-www-form-urlencoded|multipart\/form-data)/.test(headers.get("Content-Type") ?? "");
  return new Response(null, { status: isForm ? 303 : thrown.status, headers: { Location: thrown.location } });
}

/** Reads the digest that Next, and vinext, give the errors of their navigation functions. */
function navigationOf(error: unknown): { status: number; location?: string } | undefined {
  const digest = (error as { digest?: unknown } | null | undefined)?.digest;
  const [code, ...parts] = typeof digest === "string" ? digest.split(";") : [];
  if (code === "NEXT_REDIRECT") {
    if (parts.at(-1) === "") return { status: Number(parts.at(-2)), location: parts.slice(1, -2).join(";") };
    const [, location = "", status = 307] = parts; // of vinext
    return { status: Number(status), location: decodeURIComponent(location) };
  }
  if (code === "NEXT_HTTP_ERROR_FALLBACK") return { status: Number(parts[0]) };
  return undefined;
}

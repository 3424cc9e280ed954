// What TypeScript accepts and what it refuses of the functions for Next.js, in a project without Next.

import { createSessions, memory, type ReadonlySession } from "edge-session";
import { createNextSession, type NextCookies } from "edge-session/next";

interface Data {
  visits: number;
}

declare const cookies: () => Promise<NextCookies>;
const options = { store: memory(), secrets: [] };

export const { getSession, withSession } = createNextSession<Data>(options, cookies);
createNextSession<Data>(() => options, cookies);
createNextSession<Data>(createSessions<Data>(options), cookies);
// @ts-expect-error: no secrets
createNextSession<Data>({ store: memory() }, cookies);
// @ts-expect-error: the cookies of one request
createNextSession<Data>(options, await cookies());

const session: ReadonlySession<Data> = await getSession();
export const visits: number | undefined = session.get("visits");
// @ts-expect-error: read-only
session.set("visits", 1);
// @ts-expect-error: read-only
session.modified = true;

export const GET: (request: Request, context: { params: Promise<object> }) => Promise<Response> = withSession(() => new Response());
export const redirects: (form: FormData) => Promise<never> = withSession((session, form: FormData): never => {
  throw session.set("visits", form.getAll("visit").length);
});
export const count: (step: number) => Promise<number> = withSession(async (session, step: number) => session.get("visits", 0) + step);
// @ts-expect-error: not a number
await count("1");
// @ts-expect-error: not a number
withSession((session) => session.set("visits", "1"));

// What TypeScript accepts and what it refuses, in strict mode, as a user's program: `tsc` has to agree with each line.

import {
  createSessions,
  EdgeSessionError,
  type ErrorCode,
  kv,
  type KvNamespace,
  memory,
  type Session,
  type WorkerContext,
  withSessions,
} from "edge-session";

interface Item {
  name: string;
  count: number;
}
interface Data {
  user: string;
  cart: Item[];
  theme?: "dark" | "light";
}
interface Env {
  SESSIONS: KvNamespace;
  SESSION_SECRET: string;
}

/** Compiles where both types are the same. */
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const same = <A, B>(_: Same<A, B>): void => {};

const sessions = createSessions<Data>({ store: memory(), secrets: ["a secret of at least thirty-two bytes"] });

export async function calls(session: Session<Data>): Promise<void> {
  const user = session.get("user");
  same<typeof user, string | undefined>(true);
  const item = session.item("cart");
  same<typeof item, Item[]>(true);
  const fallback = session.get("user", "nobody");
  same<typeof fallback, string>(true);
  const other = session.get("user", null);
  same<typeof other, string | null>(true);
  const theme = session.item("theme");
  same<typeof theme, "dark" | "light">(true);
  const popped = session.pop("cart", undefined);
  same<typeof popped, Item[] | undefined>(true);
  session.setDefault("cart", []).push({ name: "apple", count: 1 });
  session.get("cart", []).push({ name: "pear", count: 1 });
  session.set("user", "alice").set("cart", []).update({ theme: "dark" });
  for (const [key, value] of session) {
    same<typeof key, "user" | "cart" | "theme">(true);
    same<typeof value, string | Item[] | "dark" | "light" | undefined>(true);
  }
  // @ts-expect-error: no such key
  session.get("usr");
  // @ts-expect-error: another type
  session.set("user", 1);
  // @ts-expect-error: another type inside
  session.update({ cart: [{ name: 1, count: 1 }] });
  // @ts-expect-error: not a value of it
  session.set("theme", "blue");
  // @ts-expect-error: read only
  session.accessed = true;
  // @ts-expect-error: not an expiry
  session.setExpiry(true);
  // @ts-expect-error: a pair with another type
  session.update([["user", []]]);
  session.update([["user", "alice"], ["cart", []]]).setExpiry("2030-01-01T00:00:00.000250+02:00");
  const [date, text] = [session.getExpiryDate(), session.getExpiryDate({ iso: true })];
  same<typeof date, Date>(true);
  same<typeof text, string>(true);
  session.modified = true;
  session.setExpiry({ seconds: 60 });
  const { oldRecordRemains } = await session.save();
  same<typeof oldRecordRemains, boolean>(true);
}

export async function around(request: Request): Promise<Response> {
  using session = await sessions.load(request);
  await calls(session);
  const key = session.sessionKey;
  same<typeof key, string | undefined>(true);
  const headers = await sessions.commitHeaders(await sessions.load("a=b"), 200);
  return sessions.commit(session, new Response(null, { headers }));
}

// @ts-expect-error: without secrets
createSessions({ store: memory() });
// @ts-expect-error: a slip of the pen
createSessions({ store: memory(), secrets: [], cookieNmae: "sid" });
createSessions({ store: memory(), secrets: [], cookieSameSite: "strict" });
// @ts-expect-error: it is not one of the attribute's values
createSessions({ store: memory(), secrets: [], cookieSameSite: "sometimes" });

export async function sweep(): Promise<boolean> {
  const { removed, complete } = await sessions.clearExpired();
  same<typeof removed, number>(true);
  // @ts-expect-error: no such option
  await sessions.clearExpired({ full: true });
  return complete || (await sessions.clearExpired({ fullPass: true })).complete;
}

/** Without types of one's own, values are unknown. */
export async function untyped(): Promise<void> {
  const session = await createSessions({ store: memory(), secrets: [] }).open();
  session.set("anything", 1);
  const value = session.get("anything");
  same<typeof value, unknown>(true);
}

export default withSessions<Data, Env>((env) => ({ store: kv(env.SESSIONS), secrets: [env.SESSION_SECRET] }), {
  async fetch(request, env, context, session) {
    same<typeof env, Env>(true);
    same<typeof context, WorkerContext>(true);
    same<typeof session, Session<Data>>(true);
    return new Response(session.get("user", request.url));
  },
});

export function code(error: unknown): ErrorCode | undefined {
  return error instanceof EdgeSessionError ? error.code : undefined;
}

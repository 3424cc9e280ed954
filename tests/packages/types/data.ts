// The types of session data, and functions that take a session of any application: `tsc` has to agree with each line, from TypeScript 5.2.

import { createSessions, kv, memory, type ReadonlySession, type Session, type SessionData, sessionsFor, withSessions } from "edge-session";

interface Tree {
  name: string;
  children: Tree[];
}
interface Data {
  visits: number;
  user?: string;
  readonly tags: readonly string[];
  tree: Tree;
  size: "small" | "large" | null;
  rest: Record<string, number>;
  pair: [number, string];
  anything: unknown;
  nested: { a?: { b: number }[] } | undefined;
}

const options = { store: memory(), secrets: ["a secret of at least thirty-two bytes"] };
export const sessions = createSessions<Data>(options);
export const others = [
  createSessions(options),
  createSessions<{ visits: number }>(options),
  createSessions<Record<string, unknown>>(options),
  createSessions<{ [key: string]: string | number }>(options),
  sessionsFor<Data>(options)({} as Cloudflare.Env),
];
export const generic = <D extends SessionData<D>>(): unknown => createSessions<D>(options);

class Money {
  constructor(readonly amount: number) {}
  add(): number {
    return this.amount;
  }
}
// @ts-expect-error: JSON has no dates
createSessions<{ at: Date }>(options);
// @ts-expect-error: inside of an array neither
createSessions<{ list: { at: Date }[] }>(options);
// @ts-expect-error: JSON has no maps
createSessions<{ map: Map<string, number> }>(options);
// @ts-expect-error: JSON has no big integers
createSessions<{ big?: bigint }>(options);
// @ts-expect-error: JSON has no methods
createSessions<{ money: Money }>(options);
// @ts-expect-error: JSON has no bytes
sessionsFor<{ bytes: Uint8Array }>(options);
// @ts-expect-error: nor has a Worker's session
withSessions<{ at: Date }>(options, { fetch: () => new Response() });

function greeting(session: ReadonlySession<{ user?: string }>): string {
  return session.get("user", "visitor");
}
function names(session: ReadonlySession): string[] {
  return session.keys();
}
function anyOf(session: ReadonlySession<object>): boolean {
  return session.isEmpty();
}
function modifies(session: Session): void {
  session.modified = true;
}
function forgets<D extends { user?: string }>(session: Session<D>): void {
  session.delete("user");
}
export function passes(session: Session<Data>): void {
  greeting(session);
  names(session);
  anyOf(session);
  modifies(session);
  forgets(session);
  // @ts-expect-error: it only reads
  ((only: ReadonlySession<Data>) => only.set("visits", 1))(session);
  session.update("visits", (visits = 0) => visits + 1).flash("user", "alice");
  const shown: string = session.flashed("user", "");
  void shown;
  // @ts-expect-error: the value has another type
  session.update("visits", () => "one");
}

// The bindings that `wrangler types` declares.
declare global {
  namespace Cloudflare {
    interface Env {
      SESSIONS: Parameters<typeof kv>[0];
      SESSION_SECRET: string;
    }
  }
}
export default withSessions<Data>((env) => ({ store: kv(env.SESSIONS), secrets: [env.SESSION_SECRET] }), {
  fetch(request, env, context, session) {
    context.waitUntil(Promise.resolve(env.SESSION_SECRET));
    return new Response(`${request.url} ${session.get("visits", 0)}`);
  },
});

// Carries out what the core's machines ask for, one operation after the other. It decides nothing.

import { type CoreSession, End, Fact, Figure, Next } from "#core";
import { bytesIn } from "./realm.js";
import type { Store } from "./store.js";

/**
 * Carries out one operation of `core`. Gives the reply to it, as a call of the core that tells what comes next. `keys` are those
 * that were read last, which the core does not tell again.
 */
export async function carryOut(store: Store, core: CoreSession, next: Next, keys: string[]): Promise<() => Next> {
  if (next === Next.Read) {
    const told = core.keysToRead();
    if (told) keys.splice(0, keys.length, ...told.split(" "));
    const values = (await Promise.all(keys.map((key) => store.get(key)))).map(bytesOf);
    return () => values.reduce((_, bytes) => core.wasRead(bytes), next as Next);
  }
  const key = core.key() ?? keys[0] ?? "";
  switch (next) {
    case Next.Wait: {
      const milliseconds = core.figure(Figure.Wait);
      await (store.wait?.(milliseconds) ?? new Promise((resolve) => setTimeout(resolve, milliseconds)));
      return () => core.ended(End.Waited);
    }
    case Next.Put: {
      const options = { ttl: core.figure(Figure.Ttl), deadline: core.figure(Figure.Deadline), ifAbsent: core.is(Fact.IfAbsent) };
      const put = await store.put(key, core.value(), options);
      return () => core.ended(put === false ? End.Conflict : End.Written);
    }
    case Next.Delete:
      await store.delete(key);
      return () => core.ended(End.Written);
    default: {
      const { keys, cursor } = await store.list(key, core.cursor());
      // Looked at here, where what is wrong with it is a store that fails.
      const entries = keys.map(({ name, deadline }) => [text(name), Number.isFinite(deadline) ? deadline : undefined] as const);
      const from = cursor ? text(cursor) : undefined;
      return () => {
        for (const [name, deadline] of entries) core.entry(name, deadline);
        return core.wasListed(from);
      };
    }
  }
}

/** The bytes that a store gave; undefined for null. Anything else is a store that fails, not one that holds nothing. */
function bytesOf(value: unknown): Uint8Array | undefined {
  if (value === null) return undefined;
  const bytes = bytesIn(value);
  if (bytes === undefined) throw new Error("the store answered with neither bytes nor null");
  return bytes;
}

function text(value: unknown): string {
  if (typeof value === "string") return value;
  throw new Error("the store listed something that is no text");
}

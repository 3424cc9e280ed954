// Carries out what the core's machines ask for, one operation after the other. It decides nothing.

import { type CoreSession, Next } from "#core";
import type { Store } from "./store.js";
import { typed } from "./typed.js";

/** Runs the machine that `start` starts to its end. What it ends with, an error too, the core has. */
export async function drive(store: Store, core: CoreSession, start: () => Next): Promise<void> {
  let next = typed(start);
  while (next !== Next.Done) next = typed(await carryOut(store, core, next));
}

/** Carries out one operation. Gives the reply, which is not the store's to fail at. */
async function carryOut(store: Store, core: CoreSession, next: Next): Promise<() => Next> {
  const key = core.key();
  try {
    switch (next) {
      case Next.Read: {
        const bytes = bytesOf(await store.get(key));
        return () => core.wasRead(bytes);
      }
      case Next.Put: {
        const value = core.value() ?? new Uint8Array();
        const put = await store.put(key, value, { ttl: core.ttl(), deadline: core.deadline(), ifAbsent: core.ifAbsent() });
        return () => (put === false ? core.hadConflict() : core.wasWritten());
      }
      case Next.Delete:
        await store.delete(key);
        return () => core.wasWritten();
      default: {
        const { keys, cursor } = await store.list(key, core.cursor());
        return () => {
          for (const { name, deadline } of keys) core.entry(name, deadline);
          return core.wasListed(cursor);
        };
      }
    }
  } catch (error) {
    return () => core.hasFailed(error, error instanceof Error ? error.message : String(error));
  }
}

/** The bytes that a store gave; undefined for null. Anything else is a store that fails, not one that holds nothing. */
function bytesOf(value: unknown): Uint8Array | undefined {
  if (value === null) return undefined;
  if (value instanceof Uint8Array) return value;
  if (value instanceof ArrayBuffer) return new Uint8Array(value);
  throw new Error("the store answered with neither bytes nor null");
}

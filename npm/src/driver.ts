// Performs the I/O that the core requests, one request at a time. The core makes all decisions.

import { type CoreSession, IoRequest, IoResult, Word } from "#core";
import type { Area } from "./area.js";
import { bytesIn } from "./realm.js";
import type { Store, StorePage } from "./store.js";

/**
 * Performs one I/O request of `core`. Returns what the store returns.
 *
 * @param lastReadKeys The keys of the last read, which the core does not repeat. Updated by each read.
 */
export function performIo(store: Store, core: CoreSession, area: Area, request: number, lastReadKeys: string[]): unknown {
  if (request === IoRequest.Wait) {
    const milliseconds = area.word(Word.Duration);
    return store.wait?.(milliseconds) ?? new Promise((resolve) => setTimeout(resolve, milliseconds));
  }
  const text = area.text(); // at once: other sessions use the same area
  if (request === IoRequest.Read) {
    if (text !== "") lastReadKeys.splice(0, lastReadKeys.length, ...text.split(" "));
    const [record, tombstone] = lastReadKeys;
    if (lastReadKeys.length === 2) return Promise.all([store.get(record!), store.get(tombstone!)]);
    return Promise.all(lastReadKeys.map((key) => store.get(key)));
  }
  const key = text || lastReadKeys[0] || "";
  switch (request) {
    case IoRequest.Put: {
      const [generation, condition] = [area.word(Word.Generation), area.word(Word.IfGeneration)];
      const ifGeneration = condition < 0 ? undefined : condition;
      return store.put(key, area.value(), { ttl: area.word(Word.Duration), deadline: area.word(Word.Deadline), generation, ifGeneration });
    }
    case IoRequest.Delete:
      return store.delete(key);
    default:
      return store.list(key, core.cursor());
  }
}

/** The checked result of one I/O request. */
type Reply = (Uint8Array | undefined)[] | CheckedPage | IoResult;

interface CheckedPage {
  readonly entries: readonly (readonly [name: string, deadline: number | undefined])[];
  readonly cursor: string | undefined;
}

/** Checks what the store returned for a request. An error counts as a failure of the store. */
export function checkResult(request: number, result: unknown): Reply {
  switch (request) {
    case IoRequest.Read:
      return (result as unknown[]).map(checkBytes);
    case IoRequest.Wait:
      return IoResult.Waited;
    case IoRequest.Put:
      return result === false ? IoResult.Conflict : IoResult.Written;
    case IoRequest.Delete:
      return IoResult.Written;
    default: {
      const { keys, cursor } = result as StorePage;
      const entries = keys.map(({ name, deadline }) => [checkString(name), Number.isFinite(deadline) ? deadline : undefined] as const);
      return { entries, cursor: cursor ? checkString(cursor) : undefined };
    }
  }
}

/** Returns whether a store refused a call because of its load, as a Durable Object does. */
export function isOverloaded(error: unknown): boolean {
  try {
    return (error as { overloaded?: unknown } | undefined)?.overloaded === true;
  } catch {
    return false;
  }
}

/** Reports a checked result to the core. Returns the next request. */
export function completeIo(core: CoreSession, area: Area, reply: Reply, now: number): number {
  if (typeof reply === "number") return core.complete(reply, now);
  if (Array.isArray(reply)) {
    area.writeValues(reply);
    return core.completeRead(now);
  }
  for (const [name, deadline] of reply.entries) core.addListEntry(name, deadline);
  return core.completeList(reply.cursor, now);
}

/** Returns the bytes of a stored value; undefined for null. Any other value is a failure of the store, not a missing entry. */
function checkBytes(value: unknown): Uint8Array | undefined {
  if (value === null) return undefined;
  const bytes = bytesIn(value);
  if (bytes === undefined) throw new Error("the store returned neither bytes nor null");
  return bytes;
}

function checkString(value: unknown): string {
  if (typeof value === "string") return value;
  throw new Error("the store listed a key or cursor that is not a string");
}

// Performs the I/O that the core requests, one request at a time. The core makes all decisions.

import { type CoreSession, Flag, IoRequest, IoResult, Quantity } from "#core";
import { bytesIn } from "./realm.js";
import type { Store } from "./store.js";

/**
 * Performs one I/O request of `core`. Returns a function that reports the result to the core, and returns the next request.
 *
 * @param lastReadKeys The keys of the last read, which the core does not repeat. Updated by each read.
 */
export async function performIo(store: Store, core: CoreSession, request: IoRequest, lastReadKeys: string[]): Promise<() => IoRequest> {
  if (request === IoRequest.Read) {
    const changed = core.changedReadKeys();
    if (changed) lastReadKeys.splice(0, lastReadKeys.length, ...changed.split(" "));
    const values = (await Promise.all(lastReadKeys.map((key) => store.get(key)))).map(checkBytes);
    return () => values.reduce((_, bytes) => core.completeRead(bytes), request as IoRequest);
  }
  const key = core.key() ?? lastReadKeys[0] ?? "";
  switch (request) {
    case IoRequest.Wait: {
      const milliseconds = core.quantity(Quantity.Wait);
      await (store.wait?.(milliseconds) ?? new Promise((resolve) => setTimeout(resolve, milliseconds)));
      return () => core.complete(IoResult.Waited);
    }
    case IoRequest.Put: {
      const options = { ttl: core.quantity(Quantity.Ttl), deadline: core.quantity(Quantity.Deadline), ifAbsent: core.flag(Flag.IfAbsent) };
      const written = await store.put(key, core.takeValue(), options);
      return () => core.complete(written === false ? IoResult.Conflict : IoResult.Written);
    }
    case IoRequest.Delete:
      await store.delete(key);
      return () => core.complete(IoResult.Written);
    default: {
      const { keys, cursor } = await store.list(key, core.cursor());
      // Checked here, where an error counts as a failure of the store.
      const entries = keys.map(({ name, deadline }) => [checkString(name), Number.isFinite(deadline) ? deadline : undefined] as const);
      const nextCursor = cursor ? checkString(cursor) : undefined;
      return () => {
        for (const [name, deadline] of entries) core.addListEntry(name, deadline);
        return core.completeList(nextCursor);
      };
    }
  }
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

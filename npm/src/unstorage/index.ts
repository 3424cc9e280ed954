// The public API of `edge-session/unstorage`: a store in any storage of the package unstorage.

import { bytesIn } from "../realm.js";
import type { Store } from "../store.js";

/** The part of an unstorage `Storage` that `fromUnstorage` uses. */
export interface UnstorageStorage {
  getItemRaw(key: string): Promise<unknown>;
  setItemRaw(key: string, value: unknown, options: { ttl: number }): Promise<void>;
  removeItem(key: string): Promise<void>;
  getKeys(base: string): Promise<string[]>;
}

/** Options of `fromUnstorage`. */
export interface UnstorageOptions {
  /** True if the driver deletes values after their `ttl`, as those of Redis and KV do. `clearExpired` then does nothing. Default false. */
  expiresRecords?: boolean | undefined;
}

/** The bytes before each value: its deadline, which drivers do not keep. */
const HEADER = 8;

/** The number of keys on a page of a list, which reads each value. */
const PAGE = 100;

/**
 * Returns a store in a storage of unstorage: Redis, files, S3 and others. It is eventually consistent, whatever the driver: unstorage has
 * no conditional writes. Each stored value is the deadline, as a 64-bit float, and the record. Throws a `TypeError` if `storage` is none.
 *
 * @example
 * import { createStorage } from "unstorage";
 * import redis from "unstorage/drivers/redis";
 *
 * const storage = createStorage({ driver: redis({ url: "redis://localhost:6379" }) });
 * const sessions = createSessions({ store: fromUnstorage(storage, { expiresRecords: true }), secrets: [process.env.SESSION_SECRET] });
 */
export function fromUnstorage(storage: UnstorageStorage, { expiresRecords = false }: UnstorageOptions = {}): Store {
  if (typeof storage?.getItemRaw !== "function") {
    throw new TypeError("fromUnstorage(storage) got no storage: pass createStorage({ driver })");
  }

  /** Returns a stored value. The drivers return null or undefined for a missing one. */
  async function read(key: string): Promise<{ deadline: number; record: Uint8Array } | undefined> {
    const value = await storage.getItemRaw(key);
    if (value === null || value === undefined) return undefined;
    const bytes = bytesIn(value);
    if (bytes === undefined || bytes.length < HEADER) throw new Error("the driver returned a value that fromUnstorage did not store");
    return { deadline: new DataView(bytes.buffer, bytes.byteOffset).getFloat64(0), record: bytes.slice(HEADER) };
  }

  return {
    consistency: "eventual",
    expiresRecords,
    async get(key) {
      return (await read(key))?.record ?? null;
    },
    async put(key, record, { ttl, deadline }) {
      const bytes = new Uint8Array(HEADER + record.length);
      new DataView(bytes.buffer).setFloat64(0, deadline);
      bytes.set(record, HEADER);
      await storage.setItemRaw(key, bytes, { ttl });
    },
    async delete(key) {
      await storage.removeItem(key);
    },
    async list(prefix, cursor = "") {
      // unstorage finds keys by whole segments, which end with a colon.
      const all = await storage.getKeys(prefix.slice(0, prefix.lastIndexOf(":") + 1));
      const rest = all.filter((name) => name.startsWith(prefix) && name > cursor).sort();
      const names = rest.slice(0, PAGE);
      const keys = await Promise.all(names.map(async (name) => ({ name, deadline: (await read(name))?.deadline })));
      return { keys, cursor: rest.length > PAGE ? names.at(-1) : undefined };
    },
  };
}

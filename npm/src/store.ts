// The interface of a store, and two stores: Workers KV and memory.

import { ConfigError } from "./errors.js";

/** Options of a put. */
export interface PutOptions {
  /** The seconds for which the store must keep the value. It may keep it for longer. */
  ttl: number;
  /** The deadline of the record, in microseconds of Unix time. `list` returns it. */
  deadline: number;
  /** The generation of the value: a whole number that is larger than that of the value which it replaces. A linearizable store keeps it. */
  generation: number;
  /**
   * The generation that the stored value must have; 0 if there must be none; undefined for any. An eventually consistent store, such as KV,
   * may ignore it.
   */
  ifGeneration: number | undefined;
}

/** One page of a list of keys. */
export interface StorePage {
  keys: { name: string; deadline?: number | undefined }[];
  /** The start of the next page; undefined on the last page. */
  cursor?: string | undefined;
}

/**
 * A key-value store for session records: `kv`, `memory` or your own. A failed call must throw. In particular, a failed read must not return
 * null, which means that there is no value. An error with `overloaded: true` is not tried again. A record carries its own deadline, so a store may keep it for longer than its `ttl`.
 *
 * @example
 * const nowhere: Store = {
 *   get: async () => null,
 *   put: async () => {},
 *   delete: async () => {},
 *   list: async () => ({ keys: [] }),
 * };
 */
export interface Store {
  /** Returns the bytes under a key, or null if there are none. */
  get(key: string): Promise<Uint8Array | ArrayBuffer | null>;
  /** Stores bytes under a key. Returns false, and stores nothing, if the stored value has another generation than `ifGeneration`. */
  put(key: string, value: Uint8Array, options: PutOptions): Promise<boolean | void>;
  /** Deletes the value under a key, if there is one. */
  delete(key: string): Promise<void>;
  /**
   * Returns one page of the keys that begin with `prefix`, in any stable order. A store that cannot list all keys must list those of a user's
   * sessions: `prefix` is then the part of a key up to its last colon.
   */
  list(prefix: string, cursor: string | undefined): Promise<StorePage>;
  /**
   * What the store guarantees. `linearizable`: a read returns the last write, and a put applies if and only if the stored value has the
   * generation `ifGeneration`. A logout then takes effect at once, and no acknowledged write is lost. `migrating` and
   * `cookie`: the stores of `migrate` and `cookieStore`. Default `eventual`.
   */
  readonly consistency?: "eventual" | "linearizable" | "migrating" | "cookie";
  /** True if the store deletes values itself after their `ttl`. `clearExpired` then does nothing. Default false. */
  readonly expiresRecords?: boolean;
  /**
   * Deletes at most `limit` values with a prefix whose deadline is before `before`, in microseconds of Unix time. Returns their number: less
   * than `limit` if none is left. For `clearExpired`, which lists the keys of a store without this method.
   */
  deleteExpired?(prefix: string, before: number, limit: number): Promise<number>;
  /** Waits before a retry. Default: `setTimeout`. */
  wait?(milliseconds: number): Promise<void>;
  /** Returns the time of the store, in milliseconds of Unix time: the default of the option `clock`. Default: `Date.now`. */
  now?(): number;
}

/** The storage key of an entry in the list of a user's sessions, or the prefix of such keys: the list's own part, and the id. */
export const ENTRY = /^(.*:user:[\w-]{32}):([\w-]*)$/s;

/** The part of a Workers KV namespace that `kv` uses. */
export interface KvNamespace {
  get(key: string, options: { type: "arrayBuffer"; cacheTtl?: number }): Promise<ArrayBuffer | null>;
  put(key: string, value: Uint8Array, options: { expirationTtl?: number; metadata?: unknown }): Promise<void>;
  delete(key: string): Promise<void>;
  list(options: { prefix?: string; cursor?: string | null }): Promise<KvPage>;
  /** The virtual time of a namespace of `edge-session/testing`. Sessions in that namespace use it. */
  readonly time?: { now(): number; wait(milliseconds: number): Promise<void> };
}

/** The part of a page of keys that `kv` uses. */
export interface KvPage {
  keys: { name: string; metadata?: unknown }[];
  list_complete: boolean;
  cursor?: string;
}

/** The seconds for which a location may answer a read from its cache: the minimum of KV. */
const CACHE_TTL = 30;

/** The limits of KV for a TTL, in seconds. The record carries its own deadline; the TTL is only garbage collection. */
const MIN_TTL = 60;
const MAX_TTL = 2 ** 31 - 1;

/** One store for each namespace, so that all calls of `kv` share the isolate's memory of its writes. */
const stores = new WeakMap<KvNamespace, Store>();

/**
 * Returns a store in a Workers KV namespace. The same namespace returns the same store. The Rust crate uses the same format: a session that
 * was saved by one can be loaded by the other.
 *
 * @example
 * const sessions = createSessions({ store: kv(env.SESSIONS), secrets: [env.SESSION_SECRET] });
 */
export function kv(namespace: KvNamespace): Store {
  if (typeof namespace?.get !== "function") {
    throw new ConfigError("kv(namespace) got no KV namespace: add its binding under kv_namespaces in the configuration of wrangler");
  }
  const known = stores.get(namespace);
  if (known) return known;
  const store = storeOf(namespace);
  stores.set(namespace, store);
  return store;
}

function storeOf(namespace: KvNamespace): Store {
  const { time } = namespace;
  return {
    expiresRecords: true,
    // Must be an object: on a service binding, every name is a function.
    ...(typeof time === "object" && { now: () => time.now(), wait: (milliseconds: number) => time.wait(milliseconds) }),
    get(key) {
      return namespace.get(key, { type: "arrayBuffer", cacheTtl: CACHE_TTL });
    },
    async put(key, value, { ttl, deadline }) {
      await namespace.put(key, value, { expirationTtl: Math.min(Math.max(ttl, MIN_TTL), MAX_TTL), metadata: { deadline } });
    },
    async delete(key) {
      await namespace.delete(key);
    },
    async list(prefix, cursor) {
      const page = await namespace.list({ prefix, cursor: cursor ?? null });
      const keys = page.keys.map(({ name, metadata }) => ({ name, deadline: deadlineIn(metadata) }));
      return { keys, cursor: page.list_complete ? undefined : page.cursor || undefined };
    },
  };
}

function deadlineIn(metadata: unknown): number | undefined {
  const deadline = typeof metadata === "object" && metadata !== null && "deadline" in metadata ? metadata.deadline : undefined;
  return typeof deadline === "number" ? deadline : undefined;
}

/** A value of a store in memory. */
export interface MemoryRecord {
  value: Uint8Array;
  /** The deadline in microseconds of Unix time. */
  deadline: number;
  generation: number;
  /** The end of the `ttl`, in milliseconds of the store's clock. Without it, the value does not expire. */
  expires?: number | undefined;
}

/** A store in memory with access to its records. */
export interface MemoryStore extends Store {
  /** The records by storage key, from the oldest write to the newest. An expired one stays until its key is used or the store is full. */
  readonly records: Map<string, MemoryRecord>;
}

/** Options of `memory`. */
export interface MemoryOptions {
  /** The maximum number of values. A full store drops the expired ones first, then the oldest. Default 10,000. */
  maxRecords?: number | undefined;
  /** Returns the time in milliseconds of Unix time, for tests. It is also the default of the option `clock`. Default: `Date.now`. */
  now?: (() => number) | undefined;
}

/**
 * Returns a new store in memory, for tests and for a single process. It is linearizable, bounded, and returns no value after its `ttl`.
 * Throws a `ConfigError` if `maxRecords` is not a whole number above 0.
 *
 * @example
 * const sessions = createSessions({ store: memory(), secrets: ["a secret of at least thirty-two bytes"] });
 */
export function memory({ maxRecords = 10_000, now = () => Date.now() }: MemoryOptions = {}): MemoryStore {
  if (!Number.isSafeInteger(maxRecords) || maxRecords < 1) throw new ConfigError("memory({ maxRecords }) must be a whole number above 0");
  const records: MemoryStore["records"] = new Map();
  /** No value expires before this time, in milliseconds: a full store looks for expired values only after it. */
  let earliest = Infinity;

  function live(key: string): MemoryRecord | undefined {
    const record = records.get(key);
    if (!record || !hasExpired(record, now())) return record;
    records.delete(key);
    return undefined;
  }

  function makeRoom(): void {
    const time = now();
    if (time >= earliest) {
      earliest = Infinity;
      for (const [key, record] of records) {
        if (hasExpired(record, time)) records.delete(key);
        else earliest = Math.min(earliest, record.expires ?? Infinity);
      }
    }
    for (const key of records.keys()) {
      if (records.size < maxRecords) break;
      records.delete(key);
    }
  }

  return {
    records,
    consistency: "linearizable",
    now,
    async get(key) {
      return live(key)?.value.slice() ?? null;
    },
    async put(key, value, { ttl, deadline, generation, ifGeneration }) {
      if (ifGeneration !== undefined && (live(key)?.generation ?? 0) !== ifGeneration) return false;
      records.delete(key); // so that the key becomes the newest
      if (records.size >= maxRecords) makeRoom();
      const expires = now() + ttl * 1000;
      records.set(key, { value: value.slice(), deadline, generation, expires });
      earliest = Math.min(earliest, expires);
      return true;
    },
    async delete(key) {
      records.delete(key);
    },
    async list(prefix) {
      const found = [...records].filter(([name]) => name.startsWith(prefix));
      return { keys: found.map(([name, { deadline }]) => ({ name, deadline })) };
    },
  };
}

function hasExpired({ expires = Infinity }: MemoryRecord, time: number): boolean {
  return expires <= time;
}

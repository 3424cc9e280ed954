// Where sessions are kept: what a store has to be, Workers KV as one, and one in memory.

import { ConfigError } from "./errors.js";

/** What a record is put with. */
export interface PutOptions {
  /** Seconds, from now, that the store must keep it; it may keep it longer. */
  ttl: number;
  /** When the record is over, in microseconds of Unix time; a list has to tell it again. */
  deadline: number;
  /** Put only where nothing stands. A store without compare-and-set, such as KV, puts anyway. */
  ifAbsent: boolean;
}

/** One page of a list of keys. */
export interface StorePage {
  keys: { name: string; deadline?: number | undefined }[];
  /** From where the list goes on; undefined at its end. */
  cursor?: string | undefined;
}

/**
 * A place where records live: yours, `kv` or `memory`. A call that fails throws; a failed read is never a missing value.
 * Whether a record has expired is judged by the session: a store may keep it for longer, never for less.
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
  /** The bytes under a key, or null. */
  get(key: string): Promise<Uint8Array | ArrayBuffer | null>;
  /** Puts bytes under a key; false where `ifAbsent` did not hold. */
  put(key: string, value: Uint8Array, options: PutOptions): Promise<boolean | void>;
  /** Removes what is under a key, if there is something. */
  delete(key: string): Promise<void>;
  /** One page of the keys that begin with `prefix`, in any order that stays. */
  list(prefix: string, cursor: string | undefined): Promise<StorePage>;
  /** Whether the store removes values by itself once their `ttl` has passed: `clearExpired` then lists nothing. Default: it does not. */
  readonly expiresRecords?: boolean;
  /** Waits before something that failed is tried once more. Default: `setTimeout`. */
  wait?(milliseconds: number): Promise<void>;
  /** The time there, in milliseconds of Unix time, where it is not the platform's: the default of the option `clock`. */
  now?(): number;
}

/** What `kv` uses of a Workers KV namespace. */
export interface KvNamespace {
  get(key: string, options: { type: "arrayBuffer"; cacheTtl?: number }): Promise<ArrayBuffer | null>;
  put(key: string, value: Uint8Array, options: { expirationTtl?: number; metadata?: unknown }): Promise<void>;
  delete(key: string): Promise<void>;
  list(options: { prefix?: string; cursor?: string | null }): Promise<KvPage>;
  /** A time of its own, such as those of `edge-session/testing` have: sessions in it live by that. */
  readonly time?: { now(): number; wait(milliseconds: number): Promise<void> };
}

/** What `kv` reads of a page that a namespace lists. */
export interface KvPage {
  keys: { name: string; metadata?: unknown }[];
  list_complete: boolean;
  cursor?: string;
}

/** How long a location may answer from its cache, in seconds: the least that KV takes. */
const CACHE_TTL = 30;

/** The shortest and the longest life that KV gives a value, in seconds. When a record is over, it says itself. */
const MIN_TTL = 60;
const MAX_TTL = 2 ** 31 - 1;

/** The store of each namespace: what an isolate remembers of its writes belongs to the binding, whoever calls `kv`. */
const stores = new WeakMap<KvNamespace, Store>();

/**
 * Keeps records in a Workers KV namespace, as the Rust Worker does: a session written by one opens in the other. The same
 * namespace gives the same store.
 *
 * @example
 * const sessions = createSessions({ store: kv(env.SESSIONS), secrets: [env.SESSION_SECRET] });
 */
export function kv(namespace: KvNamespace): Store {
  if (typeof namespace?.get !== "function") {
    throw new ConfigError("kv(namespace) got no KV namespace: add its binding under [[kv_namespaces]] in wrangler.toml");
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
    // An object: of a service binding, any name is a function.
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

/** A store in memory that shows what it holds. */
export interface MemoryStore extends Store {
  /** The records, by their storage keys. */
  readonly records: Map<string, { value: Uint8Array; deadline: number }>;
}

/**
 * Keeps records in memory, for tests and for trying things out. What has expired stays until `clearExpired`.
 *
 * @example
 * const sessions = createSessions({ store: memory(), secrets: ["a secret of at least thirty-two bytes"] });
 */
export function memory(): MemoryStore {
  const records: MemoryStore["records"] = new Map();
  return {
    records,
    async get(key) {
      return records.get(key)?.value.slice() ?? null;
    },
    async put(key, value, { deadline, ifAbsent }) {
      if (ifAbsent && records.has(key)) return false;
      records.set(key, { value: value.slice(), deadline });
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

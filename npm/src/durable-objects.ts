// A store in Durable Objects: one object for each storage key.

import { ConfigError } from "./errors.js";
import { bytesIn } from "./realm.js";
import { ENTRY, type Store } from "./store.js";

/** The part of a namespace of `SessionObject`s that `durableObjects` uses. */
export interface SessionObjectNamespace {
  idFromName(name: string): unknown;
  get(id: unknown, options?: { locationHint?: string }): SessionObjectStub;
  jurisdiction(jurisdiction: string): SessionObjectNamespace;
}

/** The methods of a `SessionObject`, called from a Worker. */
export interface SessionObjectStub {
  read(entry?: string): Promise<ArrayBuffer | null>;
  write(value: Uint8Array, deadline: number, generation: number, ifGeneration: number | undefined, entry?: string): Promise<boolean>;
  remove(entry?: string): Promise<void>;
  list(): Promise<[entry: string, deadline: number][]>;
}

/** Options of `durableObjects`. */
export interface DurableObjectsOptions {
  /** The jurisdiction in which all objects run and are stored, such as `eu`. Objects of another jurisdiction are other objects. */
  jurisdiction?: string | undefined;
  /** The region in which an object is placed at its first call, such as `weur`. Default: near the first request of the session. */
  locationHint?: string | undefined;
}

/** One store for each namespace and its options, as of `kv`. */
const stores = new WeakMap<SessionObjectNamespace, Map<string, Store>>();

/**
 * Returns a store with one Durable Object of the class `SessionObject` for each record. The same namespace and options return the same
 * store.
 *
 * It is linearizable: a read returns the last write, and of concurrent conditional puts one applies. Each object deletes itself at the
 * deadline of its record. The entries of a user's sessions are together in one object; `list` returns those, and no other keys, since a
 * namespace cannot list its objects. Throws a `ConfigError` if `namespace` is no namespace of Durable Objects. Each call rejects with one if
 * they have another class.
 *
 * @example
 * export { SessionObject } from "edge-session/durable-object";
 * const sessions = createSessions({ store: durableObjects(env.SESSION_OBJECTS), secrets: [env.SESSION_SECRET] });
 */
export function durableObjects(namespace: SessionObjectNamespace, options: DurableObjectsOptions = {}): Store {
  if (typeof namespace?.idFromName !== "function") {
    throw new ConfigError(
      "durableObjects(namespace) got no Durable Object namespace: add its binding under durable_objects.bindings in the configuration of wrangler",
    );
  }
  const known = stores.get(namespace) ?? new Map<string, Store>();
  stores.set(namespace, known);
  const name = JSON.stringify([options.jurisdiction, options.locationHint]);
  const store = known.get(name) ?? storeOf(namespace, options);
  known.set(name, store);
  return store;
}

function storeOf(namespace: SessionObjectNamespace, { jurisdiction, locationHint }: DurableObjectsOptions): Store {
  const objects = jurisdiction === undefined ? namespace : namespace.jurisdiction(jurisdiction);
  const placed = locationHint === undefined ? undefined : { locationHint };

  /** Calls an object. Repeats a call once, with a new stub, if the platform says that it may succeed then. */
  async function call<T>(name: string, method: (object: SessionObjectStub) => Promise<T>): Promise<{ result: T; repeated: boolean }> {
    const attempt = () => method(objects.get(objects.idFromName(name), placed));
    try {
      return { result: await attempt(), repeated: false };
    } catch (error) {
      if (!isMarked(error, "retryable") || isMarked(error, "overloaded")) throw explained(error);
    }
    try {
      return { result: await attempt(), repeated: true };
    } catch (error) {
      throw explained(error);
    }
  }

  async function read(key: string): Promise<ArrayBuffer | null> {
    const [name, entry] = placeOf(key);
    return (await call(name, (object) => object.read(entry))).result;
  }

  return {
    consistency: "linearizable",
    expiresRecords: true,
    get: read,
    async put(key, value, { deadline, generation, ifGeneration }) {
      const bytes = value.slice(); // a view on a larger buffer would be sent with all of it
      const [name, entry] = placeOf(key);
      const { result, repeated } = await call(name, (object) => object.write(bytes, deadline, generation, ifGeneration, entry));
      // The first call may have stored the value although it failed.
      return result || (repeated && areEqual(bytes, await read(key)));
    },
    async delete(key) {
      const [name, entry] = placeOf(key);
      await call(name, (object) => object.remove(entry));
    },
    async list(prefix) {
      const [name, entry] = placeOf(prefix);
      if (entry === undefined) return { keys: [] };
      const { result } = await call(name, (object) => object.list());
      return { keys: result.map(([id, deadline]) => ({ name: `${name}:${id}`, deadline })) };
    },
  };
}

/** Returns the name of the object that contains a key, and for an entry of a user its id in there. */
function placeOf(key: string): [name: string, entry: string | undefined] {
  const [, name, entry] = ENTRY.exec(key) ?? [];
  return name === undefined ? [key, undefined] : [name, entry];
}

function isMarked(error: unknown, mark: "retryable" | "overloaded"): boolean {
  return typeof error === "object" && error !== null && mark in error && Boolean(error[mark as keyof typeof error]);
}

/** Converts the exception of a class without the methods into an error of the configuration. */
function explained(error: unknown): unknown {
  if (!/does not (implement|support RPC)/.test(String(error))) return error;
  const message = "the Durable Object namespace has another class: set its class_name to SessionObject in the configuration of wrangler";
  return new ConfigError(message, { cause: error });
}

function areEqual(bytes: Uint8Array, stored: ArrayBuffer | null): boolean {
  const other = bytesIn(stored);
  return other?.length === bytes.length && bytes.every((byte, index) => other[index] === byte);
}

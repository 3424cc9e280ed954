// The migration of sessions from one store to another.

import { ConfigError } from "./errors.js";
import { ENTRY, type Store } from "./store.js";

/** The mark of a cursor of the old store. */
const OLD = "old store ";

/** The stores of a migration. */
export interface MigrateOptions {
  /** The store that has the sessions now: an eventually consistent one, such as `kv(env.SESSIONS)`. */
  from: Store;
  /** The store that takes them over: a linearizable one, such as `durableObjects(env.SESSION_OBJECTS)` or `d1(env.SESSION_DB)`. */
  to: Store;
}

/**
 * Returns a store that takes the sessions of one store over into another one, such as from Workers KV to Durable Objects. No visitor is logged
 * out.
 *
 * A session that the new store does not have is read from the old one, and its next save goes to the new one. A logout takes effect at
 * once, for sessions of both. The old store is no longer written to, except that records of ended sessions are deleted. Once the last
 * session of the old store has expired, use the new store alone. Throws a `ConfigError` if the stores have other consistencies.
 *
 * @example
 * const sessions = createSessions({
 *   store: migrate({ from: kv(env.SESSIONS), to: durableObjects(env.SESSION_OBJECTS) }),
 *   secrets: [env.SESSION_SECRET],
 * });
 */
export function migrate({ from, to }: MigrateOptions): Store {
  if (typeof from?.get !== "function" || typeof to?.get !== "function") {
    throw new ConfigError("migrate needs two stores: { from: kv(env.SESSIONS), to: durableObjects(env.SESSION_OBJECTS) }");
  }
  if ((from.consistency ?? "eventual") !== "eventual" || to.consistency !== "linearizable") {
    throw new ConfigError("migrate takes the sessions of an eventually consistent store, such as kv, over into a linearizable one");
  }
  const storeOf = (key: string): Store => (isNew(key) ? to : from);
  const store: Store = {
    consistency: "migrating",
    expiresRecords: to.expiresRecords ?? false,
    get: async (key) => (await storeOf(key).get(key)) ?? (ENTRY.test(key) ? from.get(key) : null),
    put: (key, value, options) => storeOf(key).put(key, value, options),
    async delete(key) {
      if (ENTRY.test(key)) await from.delete(key);
      await storeOf(key).delete(key);
    },
    async list(prefix, cursor) {
      // The entries of a user in the old store follow those in the new one. The mark alone is the beginning.
      const isOld = cursor?.startsWith(OLD);
      const page = await (isOld ? from.list(prefix, cursor!.slice(OLD.length) || undefined) : to.list(prefix, cursor));
      if (isOld) return { keys: page.keys, cursor: page.cursor && OLD + page.cursor };
      return { keys: page.keys, cursor: page.cursor || (ENTRY.test(prefix) ? OLD : undefined) };
    },
  };
  if (to.deleteExpired) store.deleteExpired = (prefix, before, limit) => to.deleteExpired!(prefix, before, limit);
  if (to.wait) store.wait = (milliseconds) => to.wait!(milliseconds);
  if (to.now) store.now = () => to.now!();
  return store;
}

/** Returns whether this is the storage key of a record on a linearizable store, or of an entry of a user. */
function isNew(key: string): boolean {
  return key.endsWith(".anonymous") || key.endsWith(".login") || ENTRY.test(key);
}

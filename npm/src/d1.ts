// A store in a D1 database: one row for each record.

import { ConfigError } from "./errors.js";
import type { Store } from "./store.js";

/** The part of a D1 database that `d1` uses. */
export interface D1Database {
  withSession(constraint: "first-primary"): { prepare(query: string): D1Statement };
}

/** The part of a statement that `d1` uses. */
export interface D1Statement {
  bind(...values: unknown[]): D1Statement;
  run<Row = Record<string, unknown>>(): Promise<{ results: Row[]; meta: { changes: number } }>;
}

/** The number of keys on a page of a list. */
const PAGE = 1000;

/** The character after all others: a prefix followed by it is greater than each key with the prefix. */
const LAST = "\u{10ffff}";

const INSERT = "INSERT INTO edge_session (key, value, deadline, generation) VALUES (?1, ?2, ?3, ?4) ON CONFLICT (key) DO ";

/** One store for each database, as of `kv`. */
const stores = new WeakMap<D1Database, Store>();

/**
 * Returns a store in the table `edge_session` of a D1 database. The same database returns the same store. The Rust crate uses the same
 * table.
 *
 * It is linearizable: each statement runs at the primary, and a conditional put is one statement, which changes a row or none.
 * `clearExpired` deletes expired rows by the index of the deadlines. The folder `migrations` of the package creates the table: name it
 * as `migrations_dir` in wrangler.toml, and run `wrangler d1 migrations apply`. Throws a `ConfigError` if `database` is no D1 database.
 * Each call rejects with one if the table is missing.
 *
 * @example
 * const sessions = createSessions({ store: d1(env.SESSION_DB), secrets: [env.SESSION_SECRET] });
 */
export function d1(database: D1Database): Store {
  if (typeof database?.withSession !== "function") {
    throw new ConfigError("d1(database) got no D1 database: add its binding under d1_databases in the configuration of wrangler");
  }
  const store = stores.get(database) ?? storeOf(database);
  stores.set(database, store);
  return store;
}

function storeOf(database: D1Database): Store {
  /** Runs a statement at the primary: only the first one of such a session is certain to run there. */
  async function run<Row>(query: string, ...values: unknown[]): Promise<{ results: Row[]; meta: { changes: number } }> {
    try {
      return await database.withSession("first-primary").prepare(query).bind(...values).run<Row>();
    } catch (cause) {
      if (!/no such table/.test(String(cause))) throw cause;
      const message =
        "the D1 database has no table edge_session: run `npx wrangler d1 migrations apply <name of the binding>` with the "
        + "migrations_dir node_modules/edge-session/migrations in the configuration of wrangler (--remote for the deployed one)";
      throw new ConfigError(message, { cause });
    }
  }

  return {
    consistency: "linearizable",
    async get(key) {
      const { results } = await run<{ value: number[] | ArrayBuffer }>("SELECT value FROM edge_session WHERE key = ?1", key);
      const value = results[0]?.value;
      if (value === undefined) return null;
      return Array.isArray(value) ? Uint8Array.from(value) : value; // D1 returns a BLOB as an array of numbers
    },
    async put(key, value, { deadline, generation, ifGeneration }) {
      const values = [key, value, deadline, generation];
      if (ifGeneration === undefined) {
        const assignments = "value = excluded.value, deadline = excluded.deadline, generation = excluded.generation";
        await run(`${INSERT}UPDATE SET ${assignments}`, ...values);
        return true;
      }
      const update = "UPDATE edge_session SET value = ?2, deadline = ?3, generation = ?4 WHERE key = ?1 AND generation = ?5";
      const { meta } = await (ifGeneration === 0 ? run(`${INSERT}NOTHING`, ...values) : run(update, ...values, ifGeneration));
      return meta.changes > 0;
    },
    async delete(key) {
      await run("DELETE FROM edge_session WHERE key = ?1", key);
    },
    async list(prefix, cursor) {
      const query = "SELECT key, deadline FROM edge_session WHERE key >= ?1 AND key < ?2 ORDER BY key LIMIT ?3";
      const { results } = await run<{ key: string; deadline: number }>(query, cursor ?? prefix, prefix + LAST, PAGE + 1);
      const keys = results.slice(0, PAGE).map(({ key, deadline }) => ({ name: key, deadline }));
      return { keys, cursor: results[PAGE]?.key };
    },
    async deleteExpired(prefix, before, limit) {
      // The plus signs keep the rows from being found by their key instead of by the index of the deadlines.
      const expired =
        "SELECT key FROM edge_session WHERE deadline < ?1 AND +key >= ?2 AND +key < ?3 ORDER BY deadline LIMIT ?4";
      const { meta } = await run(`DELETE FROM edge_session WHERE key IN (${expired})`, before, prefix, prefix + LAST, limit);
      return meta.changes;
    },
  };
}

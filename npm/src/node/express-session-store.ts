// The sessions of the package express-session, in a store of this package.

import { ConfigError, StoreUnavailableError } from "edge-session";
import { bytesIn } from "../realm.js";
import type { Store } from "../store.js";

/** Options of `expressSessionStore`. */
export interface ExpressSessionStoreOptions {
  /** The first part of the storage keys. `clearExpired` of `Sessions` with the same `keyPrefix` deletes expired records. Default `edge-session`. */
  keyPrefix?: string | undefined;
  /** The seconds for which a session is kept whose cookie has no `maxAge`. Default 86400, a day. */
  ttl?: number | undefined;
}

/** The part of the data of express-session that the store reads. */
interface ExpressSessionData {
  cookie: { expires?: Date | string | false | null };
}

/** What is stored: the session, and its end in microseconds of Unix time. */
interface ExpressSessionRecord {
  deadline: number;
  session: ExpressSessionData;
}

type Callback<T> = (error?: unknown, result?: T) => void;

/** The calls of express-session. */
interface ExpressSessionCalls {
  get(id: string, callback: Callback<ExpressSessionData | null>): void;
  set(id: string, session: ExpressSessionData, callback?: Callback<void>): void;
  touch(id: string, session: ExpressSessionData, callback?: Callback<void>): void;
  destroy(id: string, callback?: Callback<void>): void;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** The last generation of this process. */
let generation = 0;

/**
 * Returns a store for the package express-session that keeps its sessions in a store of this package: the first step of a migration. `Base` is
 * express-session's own class `Store`. Throws a `ConfigError` if `store` keeps no records of its own, as `cookieStore` and `migrate`.
 *
 * The session id is stored as its SHA-256. The data are not encrypted. express-session stays as it is: parallel requests of a visitor
 * overwrite each other's changes, and on an eventually consistent store, such as `kv`, a session can be read as it was before its last save,
 * also after a logout. If the store fails, the request fails with a `StoreUnavailableError`, which has the status 503.
 *
 * @example
 * import expressSession from "express-session";
 *
 * app.use(expressSession({
 *   store: expressSessionStore(expressSession.Store, fromUnstorage(storage)),
 *   secret: process.env.SESSION_SECRET!,
 *   resave: false,
 *   saveUninitialized: false,
 * }));
 */
export function expressSessionStore<Base extends object>(
  Base: abstract new () => Base,
  store: Store,
  { keyPrefix = "edge-session", ttl = 86_400 }: ExpressSessionStoreOptions = {},
): Base {
  if (typeof Base !== "function") throw new ConfigError("expressSessionStore(Store, store) needs the Store of express-session first");
  if (typeof store?.get !== "function" || store.consistency === "cookie" || store.consistency === "migrating") {
    throw new ConfigError("expressSessionStore(Store, store) needs a store with records: kv, d1, durableObjects, memory or fromUnstorage");
  }
  const now = (): number => store.now?.() ?? Date.now();

  async function read(key: string): Promise<ExpressSessionRecord | undefined> {
    const bytes = await reached(store.get(key));
    if (bytes === null) return undefined;
    const record = JSON.parse(decoder.decode(bytesIn(bytes))) as ExpressSessionRecord;
    return record.deadline > now() * 1000 ? record : undefined; // a store may keep a record for longer
  }

  async function write(key: string, session: ExpressSessionData): Promise<void> {
    const { expires } = session.cookie;
    const remaining = expires ? (Number(new Date(expires)) - now()) / 1000 : ttl;
    if (remaining <= 0) return reached(store.delete(key));
    const record: ExpressSessionRecord = { deadline: (now() + Math.ceil(remaining * 1000)) * 1000, session };
    generation = Math.max(generation + 1, now());
    const options = { ttl: Math.ceil(remaining), deadline: record.deadline, generation, ifGeneration: undefined };
    await reached(store.put(key, encoder.encode(JSON.stringify(record)), options));
  }

  /** Runs a call with the storage key of a session id, and passes the result to a callback. */
  function run<T>(id: string, call: (key: string) => Promise<T>, callback?: Callback<T>): void {
    hashOf(id)
      .then((hash) => call(`${keyPrefix}:express:${hash}`))
      .then((result) => callback?.(null, result), (error: unknown) => callback?.(error));
  }

  const calls: ExpressSessionCalls = {
    get: (id, callback) => run(id, async (key) => (await read(key))?.session ?? null, callback),
    set: (id, session, callback) => run(id, (key) => write(key, session), callback),
    destroy: (id, callback) => run(id, (key) => reached(store.delete(key)), callback),
    touch(id, { cookie }, callback) {
      const renew = async (key: string): Promise<void> => {
        const record = await read(key); // it can have been changed, or destroyed, by another request
        if (record) await write(key, { ...record.session, cookie });
      };
      run(id, renew, callback);
    },
  };
  return Object.assign(new (Base as new () => Base)(), calls);
}

/** Converts a failure of the store into an error with the status 503. */
async function reached<T>(call: Promise<T>): Promise<T> {
  try {
    return await call;
  } catch (cause) {
    if (cause instanceof ConfigError) throw cause;
    throw new StoreUnavailableError("the session store could not be reached; try again", { cause });
  }
}

/** Returns the SHA-256 of a text as base64url. */
async function hashOf(text: string): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", encoder.encode(text)));
  return btoa(String.fromCharCode(...digest)).replaceAll("+", "-").replaceAll("/", "_").replace("=", "");
}

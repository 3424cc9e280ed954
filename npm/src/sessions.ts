// Loads and commits sessions of one store with one set of settings.

import { CoreConsistency, CoreMemory, type CoreSession, CoreSettings, Flag, OperationKind } from "#core";
import { Area } from "./area.js";
import { callCore } from "./core-errors.js";
import { ConfigError, EntropyError, StoreUnavailableError, ValueError } from "./errors.js";
import { mergeHeaders, newHeaders } from "./headers.js";
import { bytesIn } from "./realm.js";
import { toMutable } from "./response.js";
import { type SessionContext, StoredSession } from "./session.js";
import type { Store } from "./store.js";
import type { Session, SessionEvent } from "./types.js";
import { describe } from "./value.js";
import { instance, recover } from "./wasm-instance.js";

/**
 * The settings of sessions and their cookie: Django's settings in camelCase. `createSessions` validates them.
 *
 * @example
 * const options: SessionOptions = { store: kv(env.SESSIONS), secrets: [env.SESSION_SECRET], cookieAge: 86_400 };
 */
export interface SessionOptions {
  /** The store of the records: `kv(namespace)`, `memory()`, or your own. */
  store: Store;
  /** Secrets of at least 32 bytes each. The first one signs, all of them verify. To rotate, add a new one in front of the old ones. */
  secrets: readonly (string | Uint8Array)[];
  /** The lifetime of a session after its last save, in seconds. Default 1 209 600 (14 days). */
  cookieAge?: number | undefined;
  /** Default `__Host-sessionid`; `__Secure-sessionid` with a domain or a path; `sessionid` if the cookie is not Secure. */
  cookieName?: string | undefined;
  /** A domain whose subdomains also receive the cookie. Default: this host only. */
  cookieDomain?: string | undefined;
  /** Default `/`. */
  cookiePath?: string | undefined;
  /** Default true. Chromium and Firefox also accept such a cookie on `http://localhost`, Safari does not. */
  cookieSecure?: boolean | undefined;
  /** Default true: scripts of the page cannot read the cookie. */
  cookieHttpOnly?: boolean | undefined;
  /** Default `Lax`. */
  cookieSameSite?: "Strict" | "Lax" | "None" | undefined;
  /** True to let the cookie end when the browser closes, unless the session has its own expiry. Default false. */
  expireAtBrowserClose?: boolean | undefined;
  /** True to renew the session with each request, not only when it changed. Default false. */
  saveEveryRequest?: boolean | undefined;
  /** The maximum lifetime of a session in seconds, even if it is saved. Default 34 560 000 (400 days). */
  absoluteAge?: number | undefined;
  /** The maximum size of a record, in bytes. Default 65 536. */
  maxRecordBytes?: number | undefined;
  /** The prefix of all keys in the store. Default `edge-session`. */
  keyPrefix?: string | undefined;
  /**
   * True if a load also checks whether the session was revoked. Default true. False saves one read per request, but a logout then only
   * deletes the record: a slow request can restore it, and caches can still return it.
   */
  checkEnded?: boolean | undefined;
  /**
   * True to save even if the store does not show a recent save of this browser from another location, which can then be overwritten.
   * Default false: such a save throws a `StaleError`.
   */
  mergeStale?: boolean | undefined;
  /**
   * The largest journal in the cookie, in bytes: the recent writes that repair a stale record. From 0 to 4096. Default 1024. A save that
   * writes more is not carried.
   */
  journalBytes?: number | undefined;
  /**
   * True to encrypt the records in the store, with a key from the secret and the session key. Who reads the store then reads no session, and who
   * writes it can neither change one nor put it under another key. Switching it on or off ends all sessions. Default false.
   */
  seal?: boolean | undefined;
  /** Callback invoked for every session event, for logs and counters. An error that it throws is logged and ignored. */
  onEvent?: ((event: SessionEvent) => void) | undefined;
  /** Returns the time in milliseconds of Unix time, for tests. Default: that of the store, or `Date.now`. */
  clock?: (() => number) | undefined;
  /** Returns 32 unpredictable bytes for each session, for reproducible tests. Default: the platform's random source. */
  entropy?: (() => Uint8Array) | undefined;
}

/** The argument of `load`: a request, its `Cookie` header, or null or undefined if it has none. */
export type CookieSource = { readonly headers: { get(name: string): string | null } } | string | null | undefined;

/** Options of `clearExpired`. */
export interface ClearExpiredOptions {
  /**
   * True to list the records even if the store deletes expired values itself, as Workers KV does: for records that were written without
   * an expiration. KV bills each page of the list. Default false.
   */
  fullPass?: boolean | undefined;
}

/** The result of `clearExpired`. */
export interface SweepOutcome {
  /** The number of removed records. */
  removed: number;
  /** True if the run reached the end of the list. Otherwise the next run continues there. */
  complete: boolean;
}

/**
 * Loads and commits the sessions of one store.
 *
 * @example
 * const session = await sessions.load(request);
 * session.set("visits", session.get("visits", 0) + 1);
 * return sessions.commit(session, new Response("Hello"));
 */
export interface Sessions<Data extends object = Record<string, unknown>> {
  /**
   * Loads the session of a request. Without a valid session cookie the store is not read. A failed read throws on the first use of the
   * session, not here.
   *
   * Call it once per request and pass the session on: each call returns a separate session. For a visitor without a session, two of them
   * would be saved as two sessions, and the browser would keep the last cookie.
   *
   * A commit frees the memory of the session. Without a commit, `using` or `Symbol.dispose` frees it, or else the garbage collector, which
   * runs between turns of the event loop.
   *
   * @example
   * using session = await sessions.load(request.headers.get("Cookie"));
   */
  load(from: CookieSource): Promise<Session<Data>>;

  /**
   * Saves the session if it changed and the status is below 500, as Django's middleware does. Returns the response with `Set-Cookie`,
   * `Vary` and `Cache-Control`, and closes the session. After an error the session stays open, and the response can still be used.
   *
   * Throws a `ValueError` before anything is saved if the response cannot be sent: if its body was read or is locked, if it is
   * `Response.error()`, or if it is not a response. To read or cache the response as well, use `response.clone()`.
   *
   * @example
   * return sessions.commit(session, new Response("Hello"));
   */
  commit(session: Session<Data>, response: Response): Promise<Response>;

  /**
   * Commits the session like `commit`, but returns only the headers, for a response that is created later. The result can be passed to
   * `Headers` and `Response`.
   *
   * @example
   * const headers = await sessions.commitHeaders(session, 200);
   * return new Response("Hello", { headers });
   */
  commitHeaders(session: Session<Data>, status: number): Promise<[name: string, value: string][]>;

  /**
   * Loads the session of a session key outside of a request, or creates a new one. An unknown key is discarded on first access.
   *
   * Save it with `save`. A commit throws a `UsageError`, since its cookie would give the session to another visitor. On Workers KV, a
   * request that does not see the save yet can overwrite it: see `save`.
   *
   * @example
   * const session = await sessions.open(key);
   * session.set("notice", "Your order was sent");
   * await session.save();
   */
  open(key?: string): Promise<Session<Data>>;

  /**
   * Returns whether a session key has a live session.
   *
   * @example
   * await sessions.exists(key); // false
   */
  exists(key: string): Promise<boolean>;

  /**
   * Revokes the session of a session key, including the keys that have replaced it since, and deletes its record.
   *
   * @example
   * await sessions.delete(key);
   */
  delete(key: string): Promise<void>;

  /**
   * Deletes records whose deadline passed more than two minutes ago, with at most 1000 store operations per run. The next run continues
   * where this one ended. A store with an index of the deadlines, such as `d1`, deletes at most 1000 records per run, in one operation. Does
   * nothing if the store deletes expired values itself, as `kv` does. Django: `clear_expired`.
   *
   * @example
   * const { removed, complete } = await sessions.clearExpired();
   */
  clearExpired(options?: ClearExpiredOptions): Promise<SweepOutcome>;
}

/**
 * Creates the sessions of one store with one set of settings. Throws a `ConfigError` if a setting is invalid.
 *
 * @example
 * const sessions = createSessions<{ user: string; visits: number }>({
 *   store: kv(env.SESSIONS),
 *   secrets: [env.SESSION_SECRET],
 * });
 */
export function createSessions<Data extends object = Record<string, unknown>>(options: SessionOptions): Sessions<Data> {
  return new StoredSessions<Data>(options);
}

class StoredSessions<Data extends object> implements Sessions<Data> {
  readonly #entropy: (() => Uint8Array) | undefined;
  readonly #newContext: () => SessionContext;
  readonly #keyPrefix: string;
  #context: SessionContext;
  #instance: number;
  /** The number of sessions for which the core has random bytes. */
  #seeds = 0;
  /** The start of the next `clearExpired` in the store's list. */
  #sweepCursor: string | undefined;
  /** Core objects of closed sessions, for reuse: creating one costs more than all other calls of a session. */
  #pool: CoreSession[] = [];

  constructor({ store, secrets, clock = () => store.now?.() ?? Date.now(), entropy, onEvent, ...settings }: SessionOptions) {
    if (typeof store?.get !== "function") throw new ConfigError("store is missing: pass kv(env.SESSIONS) or memory()");
    if (!Object.hasOwn(CONSISTENCY, store.consistency ?? "eventual")) {
      throw new ConfigError('the consistency of a store must be "eventual" or "linearizable"');
    }
    this.#entropy = entropy;
    const recycle = (core: CoreSession): void => {
      core.close();
      if (this.#pool.length < MAX_POOL) this.#pool.push(core);
      else core.free();
    };
    this.#keyPrefix = settings.keyPrefix ?? "edge-session";
    // Copied: they are needed again after a trap, and the caller can have changed its own.
    const [parts, json] = [secretsOf(secrets), jsonOf(settings)];
    this.#newContext = () => {
      const settings = parseSettings(parts, json, CONSISTENCY[store.consistency ?? "eventual"]);
      return { store, memory: memoryOf(store), clock, settings, area: new Area(settings), onEvent, recycle };
    };
    recover();
    [this.#instance, this.#context] = [instance, this.#newContext()];
  }

  load(from: CookieSource): Promise<Session<Data>> {
    return settled(() => {
      const header: unknown = typeof from === "object" && from ? typeof from.headers?.get === "function" && from.headers.get("Cookie") : from;
      const text = textOf(header) ?? "";
      return StoredSession.load(this.#newSession(), text);
    });
  }

  async open(key?: string): Promise<StoredSession<Data>> {
    const session = this.#sessionOfKey(key);
    await StoredSession.run(session, OperationKind.Load, nothing);
    return session;
  }

  commit(session: Session<Data>, response: Response): Promise<Response> {
    return settled(() => {
      const copy = toMutable(response); // first: nothing is saved if it cannot be sent
      return this.#commit(session, copy.status, (setCookies) => {
        if (!setCookies) return response;
        mergeHeaders(copy.headers, setCookies);
        return copy;
      });
    });
  }

  commitHeaders(session: Session<Data>, status: number): Promise<[name: string, value: string][]> {
    return settled(() => this.#commit(session, status, (setCookies) => (setCookies ? newHeaders(setCookies) : [])));
  }

  async exists(key: string): Promise<boolean> {
    return this.#withTemporarySession(key, OperationKind.Load, (core) => !core.isNew());
  }

  async delete(key: string): Promise<void> {
    await this.#withTemporarySession(key, OperationKind.Delete, nothing);
  }

  async clearExpired({ fullPass }: ClearExpiredOptions = {}): Promise<SweepOutcome> {
    const { store, clock } = this.#context;
    if (store.expiresRecords && !fullPass) return { removed: 0, complete: true };
    const now = clock();
    if (store.deleteExpired) return this.#deleteExpired(now);
    let keepCursor = nothing;
    const session = this.#newSession((core) => {
      core.initFromKey(this.#context.settings, undefined, now);
      core.setSweepCursor(this.#sweepCursor);
      keepCursor = () => void (this.#sweepCursor = core.cursor());
    });
    try {
      return await StoredSession.run(session, OperationKind.Sweep, (core) => ({ removed: core.removed(), complete: (core.flags() & Flag.Complete) !== 0 }));
    } finally {
      if (this.#instance === instance) keepCursor(); // also after a run that failed
      session[Symbol.dispose]();
    }
  }

  /** A run on a store with an index of the deadlines: one call. */
  async #deleteExpired(now: number): Promise<SweepOutcome> {
    try {
      const removed = await this.#context.store.deleteExpired!(`${this.#keyPrefix}:`, (now - SWEEP_MARGIN) * 1000, SWEEP_LIMIT);
      return { removed, complete: removed < SWEEP_LIMIT };
    } catch (cause) {
      if (cause instanceof ConfigError) throw cause;
      throw new StoreUnavailableError("the session store could not be reached; try again", { cause });
    }
  }

  #sessionOfKey(key: string | undefined): StoredSession<Data> {
    const text = textOf(key);
    const now = this.#context.clock();
    return this.#newSession((core) => core.initFromKey(this.#context.settings, text, now));
  }

  #newSession(init: (core: CoreSession) => void = nothing): StoredSession<Data> {
    recover();
    if (this.#instance !== instance) this.#reset();
    if (this.#seeds === 0) this.#drawEntropy();
    this.#seeds--;
    const core = callCore(() => {
      const core = this.#pool.pop() ?? this.#context.settings.session(this.#context.memory);
      init(core);
      return core;
    });
    return new StoredSession(this.#context, core);
  }

  #reset(): void {
    [this.#instance, this.#context, this.#pool, this.#seeds] = [instance, this.#newContext(), [], 0];
  }

  /** Passes random bytes for several sessions to the core; those of `entropy` for one session. */
  #drawEntropy(): void {
    const bytes = bytesIn(this.#entropy ? this.#entropy() : drawRandom());
    const seeds = this.#entropy ? 1 : SESSIONS_PER_DRAW;
    if (bytes?.length !== seeds * SEED) throw new EntropyError("entropy must return 32 random bytes");
    callCore(() => this.#context.settings.seed(bytes));
    random.fill(0);
    this.#seeds = seeds;
  }

  /** Runs one operation on a session that is not passed to the caller. */
  async #withTemporarySession<T>(key: string | undefined, kind: OperationKind, end: (core: CoreSession) => T): Promise<T> {
    const session = this.#sessionOfKey(key);
    try {
      return await StoredSession.run(session, kind, end);
    } finally {
      session[Symbol.dispose]();
    }
  }

  /** Commits a session, returns the result of `respond`, and closes the session. */
  #commit<T>(session: Session<Data>, status: number, respond: (setCookies: string[] | undefined) => T): Promise<T> {
    if (!(session instanceof StoredSession)) throw new ValueError("commit takes a session from load or open");
    const code = Number(status); // converted here, so that the core does not call the user's code
    return StoredSession.commit(session, code, respond);
  }
}

const nothing = (): void => {};

/** As an async function, which rejects instead of throwing, but without a promise of its own. */
function settled<T>(call: () => Promise<T>): Promise<T> {
  try {
    return call();
  } catch (error) {
    return Promise.reject(error as Error);
  }
}

/** The isolate memory of each store, and the instance of the wasm that it belongs to. */
const memories = new WeakMap<Store, { memory: CoreMemory; instance: number }>();

/** Returns the memory that all sessions of a store share in this isolate. */
function memoryOf(store: Store): CoreMemory {
  const known = memories.get(store);
  if (known?.instance === instance) return known.memory;
  const memory = callCore(() => new CoreMemory());
  memories.set(store, { memory, instance });
  return memory;
}

/** How long a record has been expired before it is swept, in milliseconds, and the most records of one run, as in the core. */
const SWEEP_MARGIN = 120_000;
const SWEEP_LIMIT = 1000;

/** The number of random bytes that a session takes. */
const SEED = 32;

/** The number of sessions for which one call draws random bytes. */
const SESSIONS_PER_DRAW = 64;

/** The maximum number of core objects that are kept for reuse. */
const MAX_POOL = 64;

/** Holds random bytes on their way into the wasm only. */
const random = new Uint8Array(SESSIONS_PER_DRAW * SEED);

function drawRandom(): Uint8Array {
  try {
    return crypto.getRandomValues(random);
  } catch (cause) {
    throw new EntropyError("the platform returned no random bytes", { cause });
  }
}

/** Checks that a header or a key is a string, null or undefined. */
function textOf(value: unknown): string | undefined {
  if (typeof (value ?? "") !== "string") throw new ValueError(`expected a request, a string or nothing, not ${describe(value)}`);
  return (value ?? undefined) as string | undefined;
}

function jsonOf(settings: object): string {
  try {
    return String(JSON.stringify(settings, replacer)); // a `toJSON` can make it undefined
  } catch (cause) {
    throw new ConfigError("a setting could not be read", { cause });
  }
}

function secretsOf(secrets: SessionOptions["secrets"]): Uint8Array[] {
  if (!Array.isArray(secrets)) throw new ConfigError("secrets must be an array of strings, such as [env.SESSION_SECRET]");
  return secrets.map(bytesOf);
}

const CONSISTENCY = {
  eventual: CoreConsistency.Eventual,
  linearizable: CoreConsistency.Linearizable,
  migrating: CoreConsistency.Migrating,
  cookie: CoreConsistency.Cookie,
};

function parseSettings(parts: Uint8Array[], settings: string, consistency: CoreConsistency): CoreSettings {
  const sizes = Uint32Array.from(parts, ({ length }) => length);
  const all = new Uint8Array(sizes.reduce((sum, size) => sum + size, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return callCore(() => new CoreSettings(all, sizes, settings, consistency));
}

function bytesOf(secret: unknown): Uint8Array {
  if (typeof secret === "string") return new TextEncoder().encode(secret);
  const bytes = bytesIn(secret);
  if (bytes) return bytes.slice();
  throw new ConfigError(
    "one of secrets is missing: set it with `wrangler secret put SESSION_SECRET` to at least 32 random bytes (locally, in .dev.vars)",
  );
}

/** Converts values that JSON would omit or change to strings, which the core rejects. Omits null. */
function replacer(_name: string, value: unknown): unknown {
  if (value === null) return undefined;
  return ["string", "boolean", "object", "undefined"].includes(typeof value) || Number.isFinite(value) ? value : String(value);
}

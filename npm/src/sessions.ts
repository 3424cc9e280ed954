// Loads and commits sessions of one store with one set of settings.

import { CoreMemory, type CoreSession, Flag, OperationKind, UserCallKind } from "#core";
import { Area } from "./area.js";
import { callCore } from "./core-errors.js";
import { ConfigError, EntropyError, StoreUnavailableError, ValueError } from "./errors.js";
import { checkMutable, mergeHeaders, newHeaders } from "./headers.js";
import type { RunOptions, SessionOptions } from "./options.js";
import { bytesIn } from "./realm.js";
import { isResponse, toMutable } from "./response.js";
import { respond } from "./run.js";
import { type SessionCookie, toCookie } from "./session-cookie.js";
import { type SessionContext, StoredSession } from "./session.js";
import { CONSISTENCY, jsonOf, parseSettings, secretsOf } from "./settings.js";
import { registerPublic } from "./stack-trace.js";
import type { Store } from "./store.js";
import type { Session, SessionData, UserSession } from "./types.js";
import { checkText, userOutcome } from "./user-sessions.js";
import { describe } from "./value.js";
import { instance, recover } from "./wasm-instance.js";

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
   * `Headers` and `Response`. `status` is the status of that response.
   *
   * With `headers`, those of a response that belongs to this request only, `Vary`, `Cache-Control` and `Set-Cookie` are merged into them, and all
   * of them are returned. Throws a `ValueError` before anything is saved if they cannot be changed.
   *
   * @example
   * const headers = await sessions.commitHeaders(session, 200);
   * return new Response("Hello", { headers });
   */
  commitHeaders(session: Session<Data>, status: number, headers?: Headers): Promise<[name: string, value: string][]>;

  /**
   * Commits the session like `commit`, but returns only the cookies, for frameworks with a `cookies.set(name, value, options)`. There is none if
   * the response sets no cookie. A login can have two: it also deletes the cookie of an anonymous session. The value of a cookie to delete is
   * empty, and its `maxAge` is 0.
   *
   * A response that depends on the session must not be stored by shared caches: set `Cache-Control: private` and `Vary: Cookie` on it, unless
   * your framework does so.
   *
   * @example
   * for (const { name, value, options } of await sessions.commitCookies(session, 200)) cookies.set(name, value, options);
   */
  commitCookies(session: Session<Data>, status: number): Promise<SessionCookie[]>;

  /**
   * Runs a handler with the session of a request: loads it, commits it with the response, and frees it. Returns the response. Takes a session
   * that is loaded already, too.
   *
   * A response that the handler throws, as some frameworks throw redirects, counts as returned. If the session cannot be read or saved, the
   * response has the status of the error, 503, 400, 409 or 413, unless the handler catches it: `onError` creates it, by default in JSON. If the
   * handler returns a response with the status 500 after a failure of the store, as a framework with error pages does, the status becomes 503.
   * Other errors of the handler are rethrown, and nothing is saved.
   *
   * @example
   * return sessions.run(request, async (session) => {
   *   session.set("visits", session.get("visits", 0) + 1);
   *   return new Response("Hello");
   * });
   */
  run(
    request: CookieSource | Session<Data>,
    handler: (session: Session<Data>) => Response | Promise<Response>,
    options?: RunOptions,
  ): Promise<Response>;

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
   * Lists the sessions that are bound to a user by `bindUser`, the last visit first. `current` is the session of this request, not committed
   * yet, which is marked.
   *
   * A session leaves the list when it ends, by a logout or by its expiry; `cycleKey` keeps it there. On Workers KV, a session that began or
   * ended at another location appears or disappears after the delay with which a logout takes effect; on a linearizable store at once.
   *
   * @example
   * for (const { id, label, lastSeenAt, current } of await sessions.list("alice", session)) console.log(id, label, lastSeenAt, current);
   */
  list(user: string, current?: Session<Data>): Promise<UserSession[]>;

  /**
   * Ends a session of a user by its public id: signs out one device. Returns whether the user has such a session. The id of another user's
   * session is treated as an unknown one.
   *
   * @example
   * if (!(await sessions.revoke("alice", id))) return new Response("There is no such session", { status: 404 });
   */
  revoke(user: string, id: string): Promise<boolean>;

  /**
   * Ends all other sessions of the session's user: signs out all other devices. Returns their number. Throws a `UsageError` if the session is
   * not bound to a user.
   *
   * @example
   * await sessions.revokeOthers(session); // after a change of the password
   */
  revokeOthers(session: Session<Data>): Promise<number>;

  /**
   * Ends all sessions of a user. Returns their number. After an error some may have ended: a second call ends the others.
   *
   * @example
   * await sessions.revokeAll("alice"); // when the account is closed
   */
  revokeAll(user: string): Promise<number>;

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
export function createSessions<Data extends SessionData<Data> = Record<string, unknown>>(options: SessionOptions): Sessions<Data> {
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

  constructor(options: SessionOptions) {
    if (typeof options !== "object" || options === null) {
      throw new ConfigError("createSessions needs options: { store: kv(env.SESSIONS), secrets: [env.SESSION_SECRET] }");
    }
    const { store, secrets, clock = () => store.now?.() ?? Date.now(), entropy, onEvent, trackChanges, ...settings } = options;
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
    const unsavedChanges = trackChanges ? "save" : trackChanges === undefined && inDevelopment() ? "report" : "ignore";
    this.#keyPrefix = settings.keyPrefix ?? "edge-session";
    // Copied: they are needed again after a trap, and the caller can have changed its own.
    const [parts, json] = [secretsOf(secrets), jsonOf(settings)];
    this.#newContext = () => {
      const settings = parseSettings(parts, json, CONSISTENCY[store.consistency ?? "eventual"]);
      return { store, memory: memoryOf(store), clock, settings, area: new Area(settings), onEvent, unsavedChanges, recycle };
    };
    recover();
    [this.#instance, this.#context] = [instance, this.#newContext()];
  }

  load(from: CookieSource): Promise<Session<Data>> {
    return settled(() => {
      const header: unknown = typeof from === "object" && typeof from?.headers?.get === "function" ? from.headers.get("Cookie") : from;
      const text = textOf(header, "load takes a Request or the text of its Cookie header (in Node: request.headers.cookie)") ?? "";
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
      if (isResponse(session)) throw new ValueError("commit takes the session first, then the response");
      const copy = toMutable(response); // first: nothing is saved if it cannot be sent
      return this.#commit(session, copy.status, (setCookies, clearsSiteData) => {
        if (!setCookies) return response;
        mergeHeaders(copy.headers, setCookies, clearsSiteData);
        return copy;
      });
    });
  }

  commitHeaders(session: Session<Data>, status: number, headers?: Headers): Promise<[name: string, value: string][]> {
    return settled(() => {
      if (headers === undefined) return this.#commit(session, status, (setCookies, clears) => (setCookies ? newHeaders(setCookies, clears) : []));
      checkMutable(headers); // first: nothing is saved if they cannot be changed
      return this.#commit(session, status, (setCookies, clearsSiteData) => {
        if (setCookies) mergeHeaders(headers, setCookies, clearsSiteData);
        return [...headers];
      });
    });
  }

  commitCookies(session: Session<Data>, status: number): Promise<SessionCookie[]> {
    return settled(() => this.#commit(session, status, (setCookies = []) => setCookies.map(toCookie)));
  }

  async run(
    request: CookieSource | Session<Data>,
    handler: (session: Session<Data>) => Response | Promise<Response>,
    { onError }: RunOptions = {},
  ): Promise<Response> {
    const session = request instanceof StoredSession ? request : ((await this.load(request as CookieSource)) as StoredSession<Data>);
    try {
      return await respond(this, session, handler, onError);
    } finally {
      session[Symbol.dispose](); // not `using`, which not all browsers of 2025 support
    }
  }

  async exists(key: string): Promise<boolean> {
    return this.#withTemporarySession(key, OperationKind.Load, (core) => !core.isNew());
  }

  async delete(key: string): Promise<void> {
    await this.#withTemporarySession(key, OperationKind.Delete, nothing);
  }

  async list(user: string, current?: Session<Data>): Promise<UserSession[]> {
    checkText("a user's id", user);
    const id = current === undefined ? "" : StoredSession.idOf(storedSession("list", current), user);
    return (await this.#userCall(UserCallKind.List, user, id)).sessions;
  }

  async revoke(user: string, id: string): Promise<boolean> {
    checkText("the id of a session", id);
    return (await this.#userCall(UserCallKind.Revoke, user, id)).revoked > 0;
  }

  async revokeOthers(session: Session<Data>): Promise<number> {
    return (await StoredSession.start(storedSession("revokeOthers", session), (core, now) => core.startRevokeOthers(now), userOutcome)).revoked;
  }

  async revokeAll(user: string): Promise<number> {
    return (await this.#userCall(UserCallKind.RevokeAll, user, "")).revoked;
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
    const text = textOf(key, "a session key is a string");
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

  async #userCall(kind: UserCallKind, user: string, id: string): Promise<ReturnType<typeof userOutcome>> {
    checkText("a user's id", user);
    const session = this.#sessionOfKey(undefined);
    try {
      return await StoredSession.start(session, (core, now) => core.startUserCall(kind, user, id, now), userOutcome);
    } finally {
      session[Symbol.dispose]();
    }
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
  #commit<T>(session: Session<Data>, status: number, respond: (setCookies: string[] | undefined, clearsSiteData: boolean) => T): Promise<T> {
    const code = Number(status); // converted here, so that the core does not call the user's code
    if (!(code >= 100)) throw new ValueError(`a commit needs the status of the response, not ${describe(status)}`);
    return StoredSession.commit(storedSession("commit", session), code, respond);
  }
}

registerPublic(StoredSessions, createSessions);

/** Returns the session, whatever the types say of it. */
function storedSession<Data extends object>(call: string, session: unknown): StoredSession<Data> {
  if (session instanceof StoredSession) return session;
  throw new ValueError(`${call} takes a session from load or open`);
}

const nothing = (): void => {};

/** Returns whether the program runs under a development server. Bundlers replace the expression by a text. */
function inDevelopment(): boolean {
  if ("Deno" in globalThis) return false; // it would ask for a permission
  try {
    return process.env.NODE_ENV === "development";
  } catch {
    return false; // a platform without `process`
  }
}

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
function textOf(value: unknown, expected: string): string | undefined {
  if (typeof (value ?? "") !== "string") throw new ValueError(`${expected}, not ${describe(value)}`);
  return (value ?? undefined) as string | undefined;
}

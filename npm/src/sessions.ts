// Sessions of one store under one set of settings: around a request, and outside of one.

import { CoreMemory, type CoreSession, CoreSettings, Fact, Figure, Run } from "#core";
import { ConfigError, EntropyError, ValueError } from "./errors.js";
import { mergeHeaders, newHeaders } from "./headers.js";
import { type Home, OpenSession } from "./open-session.js";
import { bytesIn } from "./realm.js";
import { mutable } from "./response.js";
import type { Session, SessionEvent } from "./session.js";
import type { Store } from "./store.js";
import { instance, recover, typed } from "./typed.js";
import { kind } from "./value.js";

/**
 * How sessions behave and how their cookie travels: Django's settings, by names in camelCase. They are checked once, each
 * alone and all together.
 *
 * @example
 * const options: SessionOptions = { store: kv(env.SESSIONS), secrets: [env.SESSION_SECRET], cookieAge: 86_400 };
 */
export interface SessionOptions {
  /** Where the records live: `kv(namespace)`, `memory()`, or your own. */
  store: Store;
  /** Each of at least 32 bytes. The first one signs, all of them verify: a new one goes in front of the old ones. */
  secrets: readonly (string | Uint8Array)[];
  /** The default life of a session, in seconds. Default 1 209 600 (14 days). */
  cookieAge?: number | undefined;
  /** Default `__Host-sessionid`; `__Secure-sessionid` with a domain or a path, `sessionid` where the cookie is not Secure. */
  cookieName?: string | undefined;
  /** Also send the cookie to the subdomains of this domain. Default: this host only. */
  cookieDomain?: string | undefined;
  /** Default `/`. */
  cookiePath?: string | undefined;
  /** Default true. Chromium and Firefox take such a cookie on `http://localhost` as well, Safari does not. */
  cookieSecure?: boolean | undefined;
  /** Default true: scripts in the page do not see the cookie. */
  cookieHttpOnly?: boolean | undefined;
  /** Default `Lax`. */
  cookieSameSite?: "Strict" | "Lax" | "None" | undefined;
  /** Cookies without an end, for sessions without an expiry of their own. Default false. */
  expireAtBrowserClose?: boolean | undefined;
  /** Renew the session with each request, not only when it changed. Default false. */
  saveEveryRequest?: boolean | undefined;
  /** Seconds after which a session ends whatever is saved. Default 34 560 000 (400 days). */
  absoluteAge?: number | undefined;
  /** The largest record that is written or read. Default 65 536. */
  maxRecordBytes?: number | undefined;
  /** What every key in the store begins with. Default `edge-session`. */
  keyPrefix?: string | undefined;
  /**
   * Whether a load also reads if the session was ended. Default true. False saves a read a request; a logout then only deletes
   * the record, which a slow request can bring back, and a cached one goes on being served.
   */
  checkEnded?: boolean | undefined;
  /**
   * Whether a save is made on top of a record that lacks what this browser saved a moment ago, elsewhere, and may overwrite
   * it. Default false: it throws a `StaleError`.
   */
  mergeStale?: boolean | undefined;
  /** Callback invoked for every session event, for logs and counters. What it throws is logged, and breaks nothing. */
  onEvent?: ((event: SessionEvent) => void) | undefined;
  /** The time, in milliseconds of Unix time, to test what time does. Default: the store's own, else `Date.now`. */
  clock?: (() => number) | undefined;
  /** 32 unpredictable bytes a session, to repeat what happened. Default: the platform's. */
  entropy?: (() => Uint8Array) | undefined;
}

/** What `load` takes: a request, the text of its `Cookie` header, or nothing where it has none. */
export type CookieSource = { readonly headers: { get(name: string): string | null } } | string | null | undefined;

/** Options of `clearExpired`. */
export interface ClearExpiredOptions {
  /**
   * Whether to list the records even if the store expires them itself, as Workers KV does: for namespaces in which something put them
   * without an expiration. On KV each page that is listed is billed. Default false.
   */
  fullPass?: boolean | undefined;
}

/** What a run of `clearExpired` did. */
export interface Swept {
  /** How many records it removed. */
  removed: number;
  /** Whether it reached the end of the list. If not, the next run continues where this one ended. */
  complete: boolean;
}

/**
 * Loads and commits sessions of one store.
 *
 * @example
 * const session = await sessions.load(request);
 * session.set("visits", session.get("visits", 0) + 1);
 * return sessions.commit(session, new Response("Hello"));
 */
export interface Sessions<Data extends object = Record<string, unknown>> {
  /**
   * The session of a request. Without a session cookie, or with one that does not verify, nothing is read. What the read
   * brings, a failure too, is kept until the session is first used.
   *
   * Call it once per request and pass the session on: each call returns a session of its own. Of a visitor without a session, two loaded
   * sessions are stored as two, and the browser keeps the cookie that comes last.
   *
   * A commit frees the session's memory. One that is not committed is freed by `using` or `Symbol.dispose`, else by the
   * collector, which gets to it between turns of the event loop.
   *
   * @example
   * using session = await sessions.load(request.headers.get("Cookie"));
   */
  load(from: CookieSource): Promise<Session<Data>>;

  /**
   * Saves the session where Django's middleware saves it, and gives the response its `Set-Cookie`, `Vary` and
   * `Cache-Control`. The session is closed then. If it fails, nothing is closed, and the response is still yours.
   *
   * A response that cannot be sent is refused with a `ValueError` before anything is saved: one whose body was read or is locked,
   * `Response.error()`, and a value that is not a response. To read or cache the response as well, take `response.clone()`.
   *
   * @example
   * return sessions.commit(session, new Response("Hello"));
   */
  commit(session: Session<Data>, response: Response): Promise<Response>;

  /**
   * As `commit`: the headers alone, for those who build the response elsewhere. Names and values in pairs, which `Headers`
   * and `Response` take.
   *
   * @example
   * const headers = await sessions.commitHeaders(session, 200);
   * return new Response("Hello", { headers });
   */
  commitHeaders(session: Session<Data>, status: number): Promise<[name: string, value: string][]>;

  /**
   * Outside of a request: the session under a session key, or a new one. An unknown key is discarded on first access.
   *
   * Store changes with `save`: a commit throws a `UsageError`, since its cookie would hand another visitor's session out. What is saved
   * here can be overwritten on Workers KV by a request that does not see it yet, see `save`.
   *
   * @example
   * const session = await sessions.open(key);
   * session.set("notice", "Your order was sent");
   * await session.save();
   */
  open(key?: string): Promise<Session<Data>>;

  /**
   * Whether there is a live session under a session key.
   *
   * @example
   * await sessions.exists(key); // false
   */
  exists(key: string): Promise<boolean>;

  /**
   * Ends the session of a session key, also under keys that rotations have made of it since, and deletes its record.
   *
   * @example
   * await sessions.delete(key);
   */
  delete(key: string): Promise<void>;

  /**
   * Django's `clear_expired`: deletes the records that are over, as many as one run may (1000 store operations). The next run of these
   * sessions continues where this one ended. Where the store expires records itself, as `kv` does, it lists nothing and costs nothing.
   *
   * @example
   * const { removed, complete } = await sessions.clearExpired();
   */
  clearExpired(options?: ClearExpiredOptions): Promise<Swept>;
}

/**
 * Sessions of one store under one set of settings. Throws a `ConfigError` where settings contradict one another.
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
  readonly #newHome: () => Home;
  #home: Home;
  #instance: number;
  /** For how many sessions the core has randomness. */
  #seeds = 0;
  /** Where the next `clearExpired` begins in the store's list. */
  #sweepCursor: string | undefined;
  /** The core's objects of closed sessions: making one anew costs more than all that it does. */
  #closed: CoreSession[] = [];

  constructor({ store, secrets, clock = () => store.now?.() ?? Date.now(), entropy, onEvent, ...settings }: SessionOptions) {
    if (typeof store?.get !== "function") throw new ConfigError("store is missing: give kv(env.SESSIONS) or memory()");
    this.#entropy = entropy;
    const close = (core: CoreSession): void => {
      core.close();
      if (this.#closed.length < MOST_KEPT) this.#closed.push(core);
      else core.free();
    };
    // Read once, and copied: after a trap they are needed again, whatever became of the caller's.
    const [parts, json] = [secretsOf(secrets), jsonOf(settings)];
    this.#newHome = () => ({ store, memory: memoryOf(store), clock, settings: checked(parts, json), onEvent, close });
    recover();
    [this.#instance, this.#home] = [instance, this.#newHome()];
  }

  async load(from: CookieSource): Promise<Session<Data>> {
    const header: unknown = typeof from === "object" && from ? typeof from.headers?.get === "function" && from.headers.get("Cookie") : from;
    const text = textOf(header) ?? "";
    const now = this.#home.clock();
    const session = this.#begin((core) => core.arrive(this.#home.settings, text, now));
    await session.run(Run.Load, nothing);
    return session;
  }

  async open(key?: string): Promise<OpenSession<Data>> {
    const session = this.#named(key);
    await session.run(Run.Load, nothing);
    return session;
  }

  async commit(session: Session<Data>, response: Response): Promise<Response> {
    const answer = mutable(response); // first: what cannot be sent saves nothing
    return this.#commit(session, answer.status, (core) => {
      if (!core.is(Fact.Speaks)) return response;
      mergeHeaders(answer.headers, core.setCookies());
      return answer;
    });
  }

  commitHeaders(session: Session<Data>, status: number): Promise<[name: string, value: string][]> {
    return this.#commit(session, status, (core) => (core.is(Fact.Speaks) ? newHeaders(core.setCookies()) : []));
  }

  async exists(key: string): Promise<boolean> {
    return this.#briefly(key, Run.Load, (core) => !core.isNew());
  }

  async delete(key: string): Promise<void> {
    await this.#briefly(key, Run.Delete, nothing);
  }

  async clearExpired({ fullPass }: ClearExpiredOptions = {}): Promise<Swept> {
    if (this.#home.store.expiresRecords && !fullPass) return { removed: 0, complete: true };
    const now = this.#home.clock();
    let keepCursor = nothing;
    const session = this.#begin((core) => {
      core.open(this.#home.settings, undefined, now);
      core.resume(this.#sweepCursor);
      keepCursor = () => void (this.#sweepCursor = core.cursor());
    });
    try {
      return await session.run(Run.Sweep, (core) => ({ removed: core.figure(Figure.Removed), complete: core.is(Fact.Complete) }));
    } finally {
      if (this.#instance === instance) keepCursor(); // of a run that failed, too
      session[Symbol.dispose]();
    }
  }

  #named(key: string | undefined): OpenSession<Data> {
    const text = textOf(key);
    const now = this.#home.clock();
    return this.#begin((core) => core.open(this.#home.settings, text, now));
  }

  #begin(become: (core: CoreSession) => void): OpenSession<Data> {
    recover();
    if (this.#instance !== instance) this.#startAnew();
    if (this.#seeds === 0) this.#draw();
    this.#seeds--;
    const core = typed(() => {
      const core = this.#closed.pop() ?? this.#home.settings.session(this.#home.memory);
      become(core);
      return core;
    });
    return new OpenSession(this.#home, core);
  }

  #startAnew(): void {
    [this.#instance, this.#home, this.#closed, this.#seeds] = [instance, this.#newHome(), [], 0];
  }

  /** Has the core remember randomness for some sessions ahead; from `entropy`, for one at a time. */
  #draw(): void {
    const bytes = bytesIn(this.#entropy ? this.#entropy() : randomBytes());
    const seeds = this.#entropy ? 1 : SESSIONS_A_DRAW;
    if (bytes?.length !== seeds * SEED) throw new EntropyError("entropy must give 32 random bytes");
    typed(() => this.#home.settings.seed(bytes));
    this.#seeds = seeds;
  }

  /** Runs one machine on a session that nobody gets to see. */
  async #briefly<T>(key: string | undefined, run: Run, end: (core: CoreSession) => T): Promise<T> {
    const session = this.#named(key);
    try {
      return await session.run(run, end);
    } finally {
      session[Symbol.dispose]();
    }
  }

  /** Commits a session, gives what `answer` makes of it, and closes it. */
  async #commit<T>(session: Session<Data>, status: number, answer: (core: CoreSession) => T): Promise<T> {
    if (!(session instanceof OpenSession)) throw new ValueError("commit takes a session that load or open gave");
    const code = Number(status); // a number before it crosses: the core calls nothing of the user's
    session.keepChanges(false);
    const close = (core: CoreSession) => {
      const answered = answer(core);
      session[Symbol.dispose]();
      return answered;
    };
    return session.run(Run.Commit, close, code);
  }
}

const nothing = (): void => {};

/** The isolate memory of each store, and the instance of the wasm that it lives in. */
const memories = new WeakMap<Store, { memory: CoreMemory; instance: number }>();

/** The memory that all sessions of a store share in this isolate. */
function memoryOf(store: Store): CoreMemory {
  const known = memories.get(store);
  if (known?.instance === instance) return known.memory;
  const memory = typed(() => new CoreMemory());
  memories.set(store, { memory, instance });
  return memory;
}

/** Bytes of randomness that a session is made with. */
const SEED = 32;

/** So many sessions draw their randomness in one call. */
const SESSIONS_A_DRAW = 64;

/** So many of the core's objects wait for the next session. */
const MOST_KEPT = 64;

function randomBytes(): Uint8Array {
  try {
    return crypto.getRandomValues(new Uint8Array(SESSIONS_A_DRAW * SEED));
  } catch (cause) {
    throw new EntropyError("the platform gave no random bytes; no session can be made", { cause });
  }
}

/** A header or a key, if there is one. */
function textOf(value: unknown): string | undefined {
  if (typeof (value ?? "") !== "string") throw new ValueError(`a request, a text or nothing was expected, not ${kind(value)}`);
  return (value ?? undefined) as string | undefined;
}

function jsonOf(settings: object): string {
  try {
    return String(JSON.stringify(settings, plain)); // which a toJSON could make undefined
  } catch (cause) {
    throw new ConfigError("a setting could not be read", { cause });
  }
}

function secretsOf(secrets: SessionOptions["secrets"]): Uint8Array[] {
  if (!Array.isArray(secrets)) throw new ConfigError("secrets must be an array of texts, such as [env.SESSION_SECRET]");
  return secrets.map(bytesOf);
}

function checked(parts: Uint8Array[], settings: string): CoreSettings {
  const sizes = Uint32Array.from(parts, ({ length }) => length);
  const all = new Uint8Array(sizes.reduce((sum, size) => sum + size, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return typed(() => new CoreSettings(all, sizes, settings));
}

function bytesOf(secret: unknown): Uint8Array {
  if (typeof secret === "string") return new TextEncoder().encode(secret);
  const bytes = bytesIn(secret);
  if (bytes) return bytes.slice();
  throw new ConfigError(
    "one of secrets is missing: set it with `wrangler secret put SESSION_SECRET` to at least 32 random bytes (locally, in .dev.vars)",
  );
}

/** What JSON would drop or change becomes a text, for the core to refuse; null counts as left out. */
function plain(_name: string, value: unknown): unknown {
  if (value === null) return undefined;
  return ["string", "boolean", "object", "undefined"].includes(typeof value) || Number.isFinite(value) ? value : String(value);
}

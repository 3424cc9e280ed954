// What a session is for those who use it: Django's `SessionBase`, with types.

/// <reference lib="esnext.disposable" preserve="true" />

/** The keys of a session's data. */
export type SessionKeyOf<Data> = keyof Data & string;

/** The value under a key that is there. */
export type SessionValueOf<Data, K extends SessionKeyOf<Data>> = Exclude<Data[K], undefined>;

/** Keys and values in their order. */
export type SessionEntries<Data> = Iterable<{ [K in SessionKeyOf<Data>]: readonly [key: K, value: Data[K]] }[SessionKeyOf<Data>]>;

/**
 * A session's own end: a number of seconds after each save, a fixed date, a time after the call, or null for what the
 * settings say. 0 means a cookie that ends with the browser.
 *
 * A `Date` has milliseconds. An ISO text with an offset, as Python's `isoformat` writes it, carries microseconds, and keeps
 * its offset.
 *
 * @example
 * session.setExpiry(3600); // an hour after each save
 * session.setExpiry(new Date("2030-01-01")); // at new year
 * session.setExpiry("2030-01-01T00:00:00.000250+02:00"); // to the microsecond
 * session.setExpiry({ seconds: 600 }); // in ten minutes, whatever is saved
 * session.setExpiry(0); // when the browser closes
 * session.setExpiry(null); // as the settings say
 */
export type Expiry = number | Date | string | { seconds: number } | null;

/** What to reckon with in `getExpiryAge` and `getExpiryDate`; without it: from now, the session's own expiry. */
export interface ExpiryOptions {
  /** The moment from which seconds count: a `Date`, or an ISO text with an offset. Default: now. */
  modification?: Date | string | undefined;
  /** The expiry to judge instead of the session's own. */
  expiry?: Expiry | undefined;
}

/**
 * The outcome of loading a session. docs/concepts/consistency.md has a table of what each one means for reads, saves and the cookie.
 *
 * * `new`: the request brought no session cookie. `live`: the record contains every save that the browser knows of.
 * * `stale-repaired`: the store showed an older record; what this browser saved since was put back from its cookie.
 * * `stale`: the record lacks a save that the browser knows of. It can be read; a save throws a `StaleError`, unless the store shows the
 *   missing save by then or `mergeStale` is set.
 * * `not-yet-visible`: the store does not show a record that was saved less than 100 seconds ago, elsewhere. The session reads as empty;
 *   a save throws a `StaleError`, unless the store shows the record by then.
 * * `lost`: another save has overwritten a save of this browser. The session can be read and saved.
 * * `superseded`: a concurrent request changed the key less than 100 seconds ago, as a login does. The session reads as empty;
 *   `cycleKey` is allowed, and every other save throws a `SupersededError`.
 * * `expired`, `unknown` (nothing is stored), `revoked` (logged out, or the key was rotated over 100 seconds ago), `malformed` (the cookie
 *   does not verify, or two live sessions share its name), `corrupt`, `newer-version`, `other-settings` (another `keyPrefix`, or a record
 *   over `maxRecordBytes`): the session reads as empty, and a save creates a new one.
 * * `unavailable`: the store did not answer. Every use of the session throws a `StoreUnavailableError`.
 */
export type LoadReason =
  | "new"
  | "live"
  | "stale-repaired"
  | "stale"
  | "not-yet-visible"
  | "lost"
  | "expired"
  | "unknown"
  | "revoked"
  | "superseded"
  | "other-settings"
  | "malformed"
  | "corrupt"
  | "newer-version"
  | "unavailable";

/**
 * Something that happened to a session, for logs and counters. No event holds a key, a token or data.
 *
 * @example
 * createSessions({ store, secrets, onEvent: ({ kind, session }) => console.log(kind, session) });
 */
export interface SessionEvent {
  /**
   * The outcome of a load, unless it is `new` or `live`, or of a save, a login or a logout:
   *
   * * `created`, `cycled`, `flushed`: a session was stored, stored under a new key, ended.
   * * `merged`: a save found a newer record, and was made on top of it.
   * * `diverged`: the store holds a record that was written without a save of this isolate, from outside of a request for example.
   *   What this isolate wrote was put back.
   * * `merged-stale`: a save was made on top of a record that lacks a save which the browser knows of: with `mergeStale`, or by a
   *   second login.
   * * `refused-stale`, `refused-superseded`, `interrupted`: a save was refused with a `StaleError`, a `SupersededError`, a
   *   `SessionInterruptedError`.
   * * `retried`: the store refused a put, which is repeated after a second.
   * * `store-failed`: a save or a logout failed for good. Later requests of the browser finish the logout.
   * * `renewal-failed`: an automatic renewal failed. The session keeps its deadline.
   * * `old-key-remains`: after `cycleKey` the old key could not be revoked.
   * * `journal-cut`: the cookie had no room for all recent saves.
   * * `bad-signature`: none of the secrets signed a text that was given to `decode`.
   */
  kind:
    | Exclude<LoadReason, "new" | "live">
    | "created"
    | "cycled"
    | "flushed"
    | "merged"
    | "merged-stale"
    | "refused-stale"
    | "interrupted"
    | "retried"
    | "store-failed"
    | "renewal-failed"
    | "old-key-remains"
    | "journal-cut"
    | "refused-superseded"
    | "diverged"
    | "bad-signature";
  /** A keyed hash of the session key, the same for all events of one key; from it neither the key nor its place in the store follows. Empty where there is no key. */
  session: string;
}

/** The result of a save. */
export interface Saved {
  /**
   * After `cycleKey`: whether the old key could not be revoked, even at a second try. Until its record expires, the old cookie can still
   * open the session as it was.
   */
  oldRecordRemains: boolean;
}

/**
 * One visitor's session during one request. `get` hands out the same object until its key is set or removed.
 *
 * It is *unloaded* until its first use; only then can a call throw a `StoreUnavailableError`. Reading is no activity: a
 * session that was only read is not written. Once committed it is closed, and its memory is free. One that is loaded by
 * hand and never committed is freed by `using`, by `Symbol.dispose`, or by the collector.
 *
 * @example
 * const session = await sessions.load(request);
 * session.setDefault("cart", []).push("apple");
 * session.modified = true;
 * return sessions.commit(session, new Response("Added"));
 */
export interface Session<Data extends object = Record<string, unknown>> extends Iterable<[SessionKeyOf<Data>, Data[SessionKeyOf<Data>]]> {
  /**
   * Django's `session_key`: undefined for a session that was never saved.
   *
   * @example
   * const session = await sessions.open(key);
   * session.sessionKey === key; // as long as nobody found out that it is unknown
   */
  readonly sessionKey: string | undefined;

  /**
   * The outcome of loading. Does not count as access.
   *
   * @example
   * if (session.loadReason === "revoked") return Response.redirect("/login");
   */
  readonly loadReason: LoadReason;

  /** Whether the data were read or written; readable after the commit too. */
  readonly accessed: boolean;

  /**
   * Whether the data were written. Set to true it stores what was changed inside of values; set to false nothing is saved.
   *
   * @example
   * session.item("cart").push("pear");
   * session.modified = true;
   */
  modified: boolean;

  /**
   * `session[key]`.
   *
   * @example
   * const user = session.item("user"); // throws a KeyError where there is none
   */
  item<K extends SessionKeyOf<Data>>(key: K): SessionValueOf<Data, K>;

  /**
   * The value under a key: `fallback`, or undefined, where there is none. The fallback is not stored; `setDefault` stores it.
   *
   * @example
   * const visits = session.get("visits", 0);
   */
  get<K extends SessionKeyOf<Data>>(key: K): SessionValueOf<Data, K> | undefined;
  get<K extends SessionKeyOf<Data>>(key: K, fallback: SessionValueOf<Data, K>): SessionValueOf<Data, K>;
  get<K extends SessionKeyOf<Data>, F>(key: K, fallback: F): SessionValueOf<Data, K> | F;

  /**
   * `session[key] = value`. What JSON does not hold exactly is refused with a `ValueError` that names its path.
   *
   * @example
   * session.set("user", "alice").set("visits", 1);
   */
  set<K extends SessionKeyOf<Data>>(key: K, value: SessionValueOf<Data, K>): this;

  /**
   * `del session[key]`.
   *
   * @example
   * session.remove("user"); // throws a KeyError where there is none
   */
  remove(key: SessionKeyOf<Data>): void;

  /**
   * Removes a key, as a `Map` does: whether it was there.
   *
   * @example
   * if (session.delete("user")) console.log("logged out");
   */
  delete(key: SessionKeyOf<Data>): boolean;

  /**
   * `key in session`.
   *
   * @example
   * if (!session.has("user")) return Response.redirect("/login");
   */
  has(key: SessionKeyOf<Data>): boolean;

  /**
   * Takes a value out: `fallback` where there is none, and a KeyError without one.
   *
   * @example
   * const message = session.pop("message", undefined);
   */
  pop<K extends SessionKeyOf<Data>>(key: K): SessionValueOf<Data, K>;
  pop<K extends SessionKeyOf<Data>, F>(key: K, fallback: F): SessionValueOf<Data, K> | F;

  /**
   * The value under a key, which is `value` from now on if there was none.
   *
   * @example
   * session.setDefault("cart", []).push("apple");
   * session.modified = true; // stores what was changed inside, also where there was a cart
   */
  setDefault<K extends SessionKeyOf<Data>>(key: K, value: SessionValueOf<Data, K>): SessionValueOf<Data, K>;

  /**
   * Sets many keys, or none if one of the values is refused: those of an object, or pairs, as of a `Map`. Pairs keep their
   * order, where a plain object puts keys such as "10" first.
   *
   * @example
   * session.update({ user: "alice", visits: 1 });
   * session.update([["b", 1], ["10", 2]]);
   */
  update(values: Partial<Data> | SessionEntries<Data>): this;

  /**
   * The keys, in insertion order.
   *
   * @example
   * session.keys(); // ["user", "visits"]
   */
  keys(): SessionKeyOf<Data>[];

  /**
   * The values, in the order of their keys.
   *
   * @example
   * session.values(); // ["alice", 1]
   */
  values(): Data[SessionKeyOf<Data>][];

  /**
   * Keys and values. Iterating over the session gives the same.
   *
   * @example
   * for (const [key, value] of session) console.log(key, value);
   */
  items(): [SessionKeyOf<Data>, Data[SessionKeyOf<Data>]][];

  /**
   * Removes all data; the session and its key stay.
   *
   * @example
   * session.clear();
   */
  clear(): void;

  /**
   * Django's `is_empty`: no key and no data.
   *
   * @example
   * if (session.isEmpty()) console.log("a visitor without a session");
   */
  isEmpty(): boolean;

  /**
   * Django's `flush`, for a logout: ends every key of the session at once, and deletes data and record, so that a forgotten commit leaves
   * no login behind. Throws a `StoreUnavailableError` if a tombstone could not be put. The commit then replaces the cookie by a token that
   * opens no session, and the browser's later requests finish the logout.
   *
   * @example
   * await session.flush();
   */
  flush(): Promise<void>;

  /**
   * Saves now, rather than with the commit.
   *
   * It also stores a session that `open` gave, outside of a request. Such a save is merged with those of the same isolate. On Workers KV,
   * a request at another location that does not see it yet can overwrite it. The event `diverged` reports that only if this isolate loads
   * the session again within 130 seconds.
   *
   * @example
   * await session.save();
   */
  save(): Promise<Saved>;

  /**
   * Django's `cycle_key`, for a login: the same data under a new key, at once; the next save or commit stores them there
   * and ends the old key.
   *
   * @example
   * session.cycleKey();
   * session.set("user", "alice");
   */
  cycleKey(): void;

  /**
   * Django's `create`: a new key at once, and a record under it with the next save or commit.
   *
   * @example
   * session.create();
   */
  create(): void;

  /**
   * Django's `set_test_cookie`: a value that shows, in a later request, that the browser sends cookies back.
   *
   * @example
   * session.setTestCookie(); // in one request
   */
  setTestCookie(): void;

  /**
   * Django's `test_cookie_worked`.
   *
   * @example
   * if (session.testCookieWorked()) session.deleteTestCookie(); // in the next request
   */
  testCookieWorked(): boolean;

  /**
   * Django's `delete_test_cookie`: a KeyError where none was set.
   *
   * @example
   * session.deleteTestCookie();
   */
  deleteTestCookie(): void;

  /**
   * Django's `set_expiry`.
   *
   * @example
   * session.setExpiry({ seconds: 600 });
   */
  setExpiry(expiry: Expiry): void;

  /**
   * Django's `get_expiry_age`: seconds from the modification to the end, rounded down.
   *
   * @example
   * session.getExpiryAge({ expiry: 60 }); // 60
   */
  getExpiryAge(options?: ExpiryOptions): number;

  /**
   * Django's `get_expiry_date`: the moment of the end. A `Date` cuts it at milliseconds; with `iso` it is the text that
   * Python's `isoformat` writes, with microseconds and offset.
   *
   * @example
   * session.getExpiryDate().getTime();
   * session.getExpiryDate({ iso: true }); // "2030-01-01T00:00:00.000250+02:00"
   */
  getExpiryDate(options: ExpiryOptions & { iso: true }): string;
  getExpiryDate(options?: ExpiryOptions): Date;

  /**
   * Django's `get_expire_at_browser_close`.
   *
   * @example
   * session.setExpiry(0);
   * session.getExpireAtBrowserClose(); // true
   */
  getExpireAtBrowserClose(): boolean;

  /**
   * Django's `encode`: the data as Django's own engines store them, signed with the first secret. A promise, since the
   * platform's own zlib packs them.
   *
   * @example
   * const text = await session.encode({ user: "alice" });
   */
  encode(data: Partial<Data> | SessionEntries<Data>): Promise<string>;

  /**
   * Django's `decode`: what `encode` signed. A text that none of the secrets signed gives nothing, and the event `bad-signature`.
   *
   * @example
   * const { user } = await session.decode(text);
   */
  decode(text: string): Promise<Partial<Data>>;

  /**
   * Frees a session that will not be committed. A second call does nothing.
   *
   * @example
   * using session = await sessions.load(request);
   */
  [Symbol.dispose](): void;
}

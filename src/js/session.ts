// What a session is for those who use it: Django's `SessionBase`, with types.

/// <reference lib="esnext.disposable" preserve="true" />

/** The keys of a session's data. */
export type Key<Data> = keyof Data & string;

/** The value under a key that is there. */
export type Value<Data, K extends Key<Data>> = Exclude<Data[K], undefined>;

/** Keys and values in their order. */
export type Pairs<Data> = Iterable<{ [K in Key<Data>]: readonly [key: K, value: Data[K]] }[Key<Data>]>;

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
 * What the load of a session came to:
 *
 * * `new`: the request named no session. `live`: a record, as new as the browser knows of or newer.
 * * `stale-repaired`: the store showed an older record; what this browser saved since was put back from its cookie.
 * * `stale`: it lacks what this browser knows of. It can be read; a save throws a `StaleError` unless `mergeStale` is set.
 * * `not-yet-visible`: nothing is visible yet of what was saved a moment ago, elsewhere. Empty, and nothing can be saved.
 * * `lost`: a save of this browser is in no record any more; another one overwrote it.
 * * `superseded`: a concurrent request changed the key less than 100 seconds ago, as a login does. The session reads as empty;
 *   `cycleKey` is allowed, and every other save throws a `SupersededError`.
 * * `expired`, `unknown` (nothing is stored), `revoked` (logged out, or the key was cycled), `malformed` (the cookie does not
 *   verify), `corrupt`, `newer-version`, `other-settings` (another `keyPrefix`, or a record over `maxRecordBytes`): no session.
 *   `unavailable`: the store did not answer.
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

/** Something that happened to a session, for logs and counters. */
export interface SessionEvent {
  /** A load's reason, unless it is `new` or `live`; or what a save, a login or a logout came to. */
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

/** What a save came to. */
export interface Saved {
  /**
   * After `cycleKey`: the old key could not be ended, even at a second try. Until it expires, the old
   * cookie still opens the session as it was.
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
export interface Session<Data extends object = Record<string, unknown>> extends Iterable<[Key<Data>, Data[Key<Data>]]> {
  /**
   * Django's `session_key`: undefined for a session that was never saved.
   *
   * @example
   * const session = await sessions.open(key);
   * session.sessionKey === key; // as long as nobody found out that it is unknown
   */
  readonly sessionKey: string | undefined;

  /**
   * Why this session is what it is. Asking is no access.
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
  item<K extends Key<Data>>(key: K): Value<Data, K>;

  /**
   * The value under a key: `fallback`, or undefined, where there is none. The fallback is not stored; `setDefault` stores it.
   *
   * @example
   * const visits = session.get("visits", 0);
   */
  get<K extends Key<Data>>(key: K): Value<Data, K> | undefined;
  get<K extends Key<Data>>(key: K, fallback: Value<Data, K>): Value<Data, K>;
  get<K extends Key<Data>, F>(key: K, fallback: F): Value<Data, K> | F;

  /**
   * `session[key] = value`. What JSON does not hold exactly is refused with a `ValueError` that names its path.
   *
   * @example
   * session.set("user", "alice").set("visits", 1);
   */
  set<K extends Key<Data>>(key: K, value: Value<Data, K>): this;

  /**
   * `del session[key]`.
   *
   * @example
   * session.remove("user"); // throws a KeyError where there is none
   */
  remove(key: Key<Data>): void;

  /**
   * Removes a key, as a `Map` does: whether it was there.
   *
   * @example
   * if (session.delete("user")) console.log("logged out");
   */
  delete(key: Key<Data>): boolean;

  /**
   * `key in session`.
   *
   * @example
   * if (!session.has("user")) return Response.redirect("/login");
   */
  has(key: Key<Data>): boolean;

  /**
   * Takes a value out: `fallback` where there is none, and a KeyError without one.
   *
   * @example
   * const message = session.pop("message", undefined);
   */
  pop<K extends Key<Data>>(key: K): Value<Data, K>;
  pop<K extends Key<Data>, F>(key: K, fallback: F): Value<Data, K> | F;

  /**
   * The value under a key, which is `value` from now on if there was none.
   *
   * @example
   * session.setDefault("cart", []).push("apple");
   * session.modified = true; // stores what was changed inside, also where there was a cart
   */
  setDefault<K extends Key<Data>>(key: K, value: Value<Data, K>): Value<Data, K>;

  /**
   * Sets many keys, or none if one of the values is refused: those of an object, or pairs, as of a `Map`. Pairs keep their
   * order, where a plain object puts keys such as "10" first.
   *
   * @example
   * session.update({ user: "alice", visits: 1 });
   * session.update([["b", 1], ["10", 2]]);
   */
  update(values: Partial<Data> | Pairs<Data>): this;

  /**
   * The keys, in insertion order.
   *
   * @example
   * session.keys(); // ["user", "visits"]
   */
  keys(): Key<Data>[];

  /**
   * The values, in the order of their keys.
   *
   * @example
   * session.values(); // ["alice", 1]
   */
  values(): Data[Key<Data>][];

  /**
   * Keys and values. Iterating over the session gives the same.
   *
   * @example
   * for (const [key, value] of session) console.log(key, value);
   */
  items(): [Key<Data>, Data[Key<Data>]][];

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
   * Django's `flush`, for a logout: deletes data and record at once, so that a forgotten commit leaves nobody logged in.
   *
   * @example
   * await session.flush();
   */
  flush(): Promise<void>;

  /**
   * Saves now, rather than with the commit.
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
  encode(data: Partial<Data> | Pairs<Data>): Promise<string>;

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

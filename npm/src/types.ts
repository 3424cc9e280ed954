// The interface of a session, and the types that its methods use.

/// <reference lib="esnext.disposable" preserve="true" />

/**
 * The constraint of the type of the data: an interface or a type whose values JSON can represent. A `Date`, `Map`, `Set`, `bigint`, method or
 * buffer in it is an error of the compiler.
 *
 * @example
 * interface Data {
 *   user: string;
 *   lastSeen: string; // a Date has to be stored as text
 * }
 * const sessions = createSessions<Data>(options);
 */
export type SessionData<Data> = object & { [Key in keyof Data]: JsonValue<Data[Key]> };

/** The type itself, or a text with the problem if JSON cannot represent its values. */
type JsonValue<Value> = unknown extends Value
  ? Value
  : Value extends string | number | boolean | null | undefined
    ? Value
    : Value extends Date
      ? "JSON has no Date: store date.toISOString()"
      : Value extends ReadonlyMap<never, unknown> | ReadonlySet<never>
        ? "JSON has no Map and no Set: store [...value]"
        : Value extends bigint | symbol | ((...parameters: never[]) => unknown) | ArrayBuffer | ArrayBufferView
          ? "JSON has no value of this type"
          : { [Key in keyof Value]: JsonValue<Value[Key]> };

/** The keys of the session data. */
export type SessionKeyOf<Data> = keyof Data & string;

/** The type of a value that is present. */
export type SessionValueOf<Data, K extends SessionKeyOf<Data>> = Exclude<Data[K], undefined>;

/** Keys and values in insertion order, such as a `Map`. */
export type SessionEntries<Data> = Iterable<{ [K in SessionKeyOf<Data>]: readonly [key: K, value: Data[K]] }[SessionKeyOf<Data>]>;

/**
 * The expiry of one session: a number of seconds after each save, a fixed date, `{ seconds }` after the call, or null for the default of
 * the settings. 0 means a cookie that the browser deletes when it closes.
 *
 * An ISO string needs an offset. It keeps the offset and microseconds, where a `Date` has milliseconds.
 *
 * @example
 * session.setExpiry(3600); // an hour after each save
 * session.setExpiry(new Date("2030-01-01")); // at the new year
 * session.setExpiry("2030-01-01T00:00:00.000250+02:00"); // with microseconds
 * session.setExpiry({ seconds: 600 }); // in ten minutes, even if the session is saved meanwhile
 * session.setExpiry(0); // when the browser closes
 * session.setExpiry(null); // the default of the settings
 */
export type Expiry = number | Date | string | { seconds: number } | null;

/** Options of `getExpiryAge` and `getExpiryDate`. */
export interface ExpiryOptions {
  /** The time of the last save, from which an expiry in seconds counts: a `Date`, or an ISO string with an offset. Default: now. */
  modification?: Date | string | undefined;
  /** The expiry to use. Default: that of the session. */
  expiry?: Expiry | undefined;
}

/**
 * The outcome of loading a session. docs/concepts/consistency.md has a table of their consequences for reads, saves and the cookie.
 *
 * * `new`: the request had no session cookie. `live`: the record contains every save that the browser knows of.
 * * `stale-repaired`: the store returned an older record. The later saves of this browser were restored from its cookie.
 * * `stale`: the record lacks a save that the browser knows of. It can be read. A save throws a `StaleError`, unless the
 *   missing save has become visible or `mergeStale` is set.
 * * `not-yet-visible`: a record that was saved elsewhere less than 100 seconds ago is not visible yet. The session reads as empty. A save
 *   throws a `StaleError`, unless the record has become visible.
 * * `lost`: another save has overwritten a save of this browser. The session can be read and saved.
 * * `superseded`: a concurrent request changed the session key less than 100 seconds ago, as a login does. The session reads as
 *   empty. A save throws a `SupersededError`, except after `cycleKey`.
 * * `expired`, `unknown` (there is no record), `revoked` (logged out, or the key was replaced over 100 seconds ago), `malformed` (the
 *   cookie is invalid, or two cookies of its name open live sessions), `corrupt`, `newer-version`, `other-settings` (another `keyPrefix`,
 *   or a record over `maxRecordBytes`): the session reads as empty, and a save creates a new one.
 * * `unavailable`: the store failed. Every use of the session throws a `StoreUnavailableError`.
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
 * An event of a session, for logs and counters. It contains no key, token or data.
 *
 * @example
 * createSessions({ store, secrets, onEvent: ({ kind, session }) => console.log(kind, session) });
 */
export interface SessionEvent {
  /**
   * The outcome of a load, unless it is `new` or `live`, or of a save, a login or a logout:
   *
   * * `created`, `cycled`, `flushed`: a session was created, stored under a new key, or ended.
   * * `merged`: a save found a newer record and applied its changes to it.
   * * `diverged`: the store has a record that lacks a save of this isolate, for example one written outside of a request. The save of
   *   this isolate was restored.
   * * `merged-stale`: a save was applied to a record that lacks another save of this browser: with `mergeStale`, or by a second login.
   * * `refused-stale`, `refused-superseded`, `interrupted`: a save was rejected with a `StaleError`, a `SupersededError` or a
   *   `SessionInterruptedError`.
   * * `retried`: the store rejected a put. It is retried after a second.
   * * `store-failed`: a save or a logout failed after its retry. Later requests of the browser finish the logout.
   * * `renewal-failed`: an automatic renewal failed. The session keeps its deadline.
   * * `old-key-remains`: the old key could not be revoked after `cycleKey`.
   * * `journal-cut`: the cookie had no room for all recent saves.
   * * `bad-signature`: none of the secrets signed a text that was passed to `decode`.
   * * `unsaved-change`: in development, an object was changed in place without `modified`, and was not saved.
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
    | "bad-signature"
    | "unsaved-change";
  /** A keyed hash of the session key, the same for all events of one key. It does not reveal the key. Empty without a key. */
  session: string;
}

/** One of a user's sessions. */
export interface UserSession {
  /** The public id of the session, for `revoke`. It is random, opens nothing, and stays the same when the session key changes. */
  id: string;
  /** True for the session of this request. */
  current: boolean;
  /** The time of the login. */
  createdAt: Date;
  /** The time of the last visit, up to an hour old. */
  lastSeenAt: Date;
  /** The label that `bindUser` got. */
  label: string | undefined;
}

/** The result of a save. */
export interface SaveOutcome {
  /** True if the old key could not be revoked after `cycleKey`. The old cookie then opens the old session until its record expires. */
  oldRecordRemains: boolean;
}

/**
 * The part of a session that reads: for functions that take the session of any application with some keys. It stays readable after the
 * commit, if the session was used before.
 *
 * @example
 * function greeting(session: ReadonlySession<{ user?: string }>): string {
 *   return `Hello ${session.get("user", "visitor")}`;
 * }
 */
export interface ReadonlySession<out Data extends object = Record<string, unknown>> extends Iterable<[string, unknown]> {
  /**
   * The session key, a secret that opens the session; undefined for a session that was never saved. Django: `session_key`.
   *
   * @example
   * const session = await sessions.open(key);
   * session.sessionKey === key; // until the first access, if the key is unknown
   */
  readonly sessionKey: string | undefined;

  /**
   * The outcome of the load. Does not count as an access.
   *
   * @example
   * if (["revoked", "unknown", "expired"].includes(session.loadReason)) return Response.redirect("/login");
   */
  readonly loadReason: LoadReason;

  /** True if the data were read or written. Also readable after the commit. */
  readonly accessed: boolean;

  /** True if the data were written. */
  readonly modified: boolean;

  /**
   * Returns the value under a key. Throws a `KeyError` if there is none. Django: `session[key]`.
   *
   * @example
   * const user = session.item("user"); // throws a KeyError if there is none
   */
  item<K extends SessionKeyOf<Data>>(key: K): SessionValueOf<Data, K>;

  /**
   * Returns the value under a key, or `fallback` if there is none. The fallback is not stored: `setDefault` stores it.
   *
   * @example
   * const visits = session.get("visits", 0);
   */
  get<K extends SessionKeyOf<Data>>(key: K): SessionValueOf<Data, K> | undefined;
  get<K extends SessionKeyOf<Data>>(key: K, fallback: SessionValueOf<Data, K>): SessionValueOf<Data, K>;
  get<K extends SessionKeyOf<Data>, F>(key: K, fallback: F): SessionValueOf<Data, K> | F;

  /**
   * Returns whether a key is present.
   *
   * @example
   * if (!session.has("user")) return Response.redirect("/login");
   */
  has(key: SessionKeyOf<Data>): boolean;

  /**
   * Returns the keys in insertion order.
   *
   * @example
   * session.keys(); // ["user", "visits"]
   */
  keys(): string[];

  /**
   * Returns the values in the order of their keys.
   *
   * @example
   * session.values(); // ["alice", 1]
   */
  values(): unknown[];

  /**
   * Returns the keys and values. Iteration over the session yields the same.
   *
   * @example
   * for (const [key, value] of session) console.log(key, value);
   */
  items(): [string, unknown][];

  /**
   * Returns true if there is neither a session key nor data. Django: `is_empty`.
   *
   * @example
   * if (session.isEmpty()) console.log("a visitor without a session");
   */
  isEmpty(): boolean;
}

/**
 * One visitor's session during one request. `get` returns the same object until its key is set or removed.
 *
 * A failed load throws on first access, not in `load`: each call can throw a `StoreUnavailableError`. Reading does not extend the lifetime
 * of a session: one that was only read is not saved. A commit closes the session and frees its memory; what `ReadonlySession` has stays readable
 * if the session was used before the commit. A session that is never committed is freed by `using`, `Symbol.dispose` or the garbage collector.
 *
 * @example
 * const session = await sessions.load(request);
 * session.setDefault("cart", []).push("apple");
 * session.modified = true;
 * return sessions.commit(session, new Response("Added"));
 */
export interface Session<Data extends object = Record<string, unknown>> extends ReadonlySession<Data> {
  /**
   * True if the data were written: the commit then saves them. Set it to true after a change inside of a value. Set it to false to save
   * nothing.
   *
   * @example
   * session.item("cart").push("pear");
   * session.modified = true;
   */
  modified: boolean;

  /**
   * Sets a key. Throws a `ValueError` with the path of a value that JSON cannot represent exactly. Django: `session[key] = value`.
   *
   * @example
   * session.set("user", "alice").set("visits", 1);
   */
  set<K extends SessionKeyOf<Data>>(key: K, value: SessionValueOf<Data, K>): this;

  /**
   * Removes a key. Throws a `KeyError` if it is not present. Django: `del session[key]`.
   *
   * @example
   * session.remove("user"); // throws a KeyError if there is none
   */
  remove(key: SessionKeyOf<Data>): void;

  /**
   * Removes a key. Returns whether it was present, as `Map.delete` does.
   *
   * @example
   * if (session.delete("user")) console.log("logged out");
   */
  delete(key: SessionKeyOf<Data>): boolean;

  /**
   * Removes a key and returns its value, or `fallback` if there is none. Throws a `KeyError` if there is no fallback either.
   *
   * @example
   * const message = session.pop("message", undefined);
   */
  pop<K extends SessionKeyOf<Data>>(key: K): SessionValueOf<Data, K>;
  pop<K extends SessionKeyOf<Data>, F>(key: K, fallback: F): SessionValueOf<Data, K> | F;

  /**
   * Returns the value under a key, after setting it to `value` if there is none.
   *
   * @example
   * session.setDefault("cart", []).push("apple");
   * session.modified = true; // also saves the change of a cart that existed
   */
  setDefault<K extends SessionKeyOf<Data>>(key: K, value: SessionValueOf<Data, K>): SessionValueOf<Data, K>;

  /**
   * Sets several keys, from an object or from pairs. Sets none if one of the values is invalid. Pairs keep their order; JavaScript moves
   * keys such as "10" to the front of an object.
   *
   * @example
   * session.update({ user: "alice", visits: 1 });
   * session.update([["b", 1], ["10", 2]]);
   */
  update(values: Partial<Data> | SessionEntries<Data>): this;

  /**
   * Sets a key to what `change` returns for its value, which is undefined if there is none. `change` can also change an object and return it.
   *
   * @example
   * session.update("visits", (visits = 0) => visits + 1);
   * session.update("cart", (cart = []) => [...cart, "apple"]);
   */
  update<K extends SessionKeyOf<Data>>(
    key: K,
    change: (value: SessionValueOf<Data, K> | undefined) => SessionValueOf<Data, K>,
  ): this;

  /**
   * Sets a value for a later request, such as a message before a redirect. `flashed` returns it in the next request that asks for it, and in no
   * other. The data under the key itself are independent of it.
   *
   * @example
   * session.flash("message", "Saved");
   */
  flash<K extends SessionKeyOf<Data>>(key: K, value: SessionValueOf<Data, K>): this;

  /**
   * Returns a value that an earlier request set with `flash`, or `fallback` if there is none. The commit of this request removes it, unless the
   * response has a status of 500 or more.
   *
   * @example
   * const message = session.flashed("message", "");
   */
  flashed<K extends SessionKeyOf<Data>>(key: K): SessionValueOf<Data, K> | undefined;
  flashed<K extends SessionKeyOf<Data>>(key: K, fallback: SessionValueOf<Data, K>): SessionValueOf<Data, K>;
  flashed<K extends SessionKeyOf<Data>, F>(key: K, fallback: F): SessionValueOf<Data, K> | F;

  /**
   * Returns the keys in insertion order.
   *
   * @example
   * session.keys(); // ["user", "visits"]
   */
  keys(): SessionKeyOf<Data>[];

  /**
   * Returns the values in the order of their keys.
   *
   * @example
   * session.values(); // ["alice", 1]
   */
  values(): Data[SessionKeyOf<Data>][];

  /**
   * Returns the keys and values. Iteration over the session yields the same.
   *
   * @example
   * for (const [key, value] of session) console.log(key, value);
   */
  items(): [SessionKeyOf<Data>, Data[SessionKeyOf<Data>]][];

  /**
   * Removes all data. Keeps the session and its key.
   *
   * @example
   * session.clear();
   */
  clear(): void;

  /**
   * Logs out: revokes every key of the session and deletes its data, at once and not only with the commit. Django: `flush`.
   *
   * Throws a `StoreUnavailableError` if the keys could not be revoked. The commit then replaces the cookie by one that opens no
   * session, and later requests of the browser finish the logout.
   *
   * @example
   * await session.flush();
   */
  flush(): Promise<void>;

  /**
   * Saves the session now, not only with the commit.
   *
   * It is also the way to save a session that `open` returned, outside of a request. Such a save is merged with the other saves of this
   * isolate. On Workers KV, a request at another location that does not see it yet can overwrite it. The event `diverged` reports this only
   * if this isolate loads the session again within 130 seconds.
   *
   * @example
   * await session.save();
   */
  save(): Promise<SaveOutcome>;

  /**
   * Replaces the session key and keeps the data: call it at a login, against session fixation. The next save or commit stores the data
   * under the new key and revokes the old one. Django: `cycle_key`.
   *
   * @example
   * session.cycleKey();
   * session.set("user", "alice");
   */
  cycleKey(): void;

  /**
   * Binds the session to a user, at a login: `sessions.list(user)` then returns it, and `sessions.revoke` ends it. The next save or commit puts
   * the entry in the user's list.
   *
   * `user` is your own id of the user, of 1 to 256 bytes. The store contains only a keyed hash of it. `label` is shown to the user, such as the
   * name of the browser: at most 256 bytes. The session also gets a new key, as by `cycleKey`, unless it got one in this request or is bound to
   * this user. If it is bound to another user, it leaves that user's list. Throws a `UsageError` if the session is stored in its cookie.
   *
   * @example
   * session.bindUser(user.id, { label: "Firefox on Linux" });
   */
  bindUser(user: string, options?: { label?: string | undefined }): void;

  /**
   * Assigns a new session key at once. The next save or commit creates a record under it. Django: `create`.
   *
   * @example
   * session.create();
   */
  create(): void;

  /**
   * Sets a value by which a later request can test whether the browser accepts cookies. Django: `set_test_cookie`.
   *
   * @example
   * session.setTestCookie(); // in one request
   */
  setTestCookie(): void;

  /**
   * Returns true if the browser sent the session of `setTestCookie` back. Django: `test_cookie_worked`.
   *
   * @example
   * if (session.testCookieWorked()) session.deleteTestCookie(); // in the next request
   */
  testCookieWorked(): boolean;

  /**
   * Removes the value of `setTestCookie`. Throws a `KeyError` if there is none. Django: `delete_test_cookie`.
   *
   * @example
   * session.deleteTestCookie();
   */
  deleteTestCookie(): void;

  /**
   * Sets the expiry of this session. Django: `set_expiry`.
   *
   * @example
   * session.setExpiry({ seconds: 600 });
   */
  setExpiry(expiry: Expiry): void;

  /**
   * Returns the seconds until the session expires, rounded down. Django: `get_expiry_age`.
   *
   * @example
   * session.getExpiryAge({ expiry: 60 }); // 60
   */
  getExpiryAge(options?: ExpiryOptions): number;

  /**
   * Returns the date at which the session expires: a `Date`, or with `iso` an ISO string, which keeps microseconds and the offset. Django:
   * `get_expiry_date`.
   *
   * @example
   * session.getExpiryDate().getTime();
   * session.getExpiryDate({ iso: true }); // "2030-01-01T00:00:00.000250+02:00"
   */
  getExpiryDate(options: ExpiryOptions & { iso: true }): string;
  getExpiryDate(options?: ExpiryOptions): Date;

  /**
   * Returns true if the cookie ends when the browser closes. Django: `get_expire_at_browser_close`.
   *
   * @example
   * session.setExpiry(0);
   * session.getExpireAtBrowserClose(); // true
   */
  getExpireAtBrowserClose(): boolean;

  /**
   * Encodes data as Django stores them: as JSON, compressed, and signed with the first secret. Django: `encode`.
   *
   * @example
   * const text = await session.encode({ user: "alice" });
   */
  encode(data: Partial<Data> | SessionEntries<Data>): Promise<string>;

  /**
   * Decodes a text of `encode`. Returns no data if none of the secrets signed it, and reports the event `bad-signature`. Django: `decode`.
   *
   * @example
   * const { user } = await session.decode(text);
   */
  decode(text: string): Promise<Partial<Data>>;

  /**
   * Returns what `JSON.stringify` and `console.log` show of a session: neither its key nor a value. The keys of the data are missing if they were
   * not read yet.
   *
   * @example
   * console.log(session); // Session { loadReason: 'live', accessed: true, modified: false, keys: [ 'user' ] }
   */
  toJSON(): { loadReason: LoadReason | undefined; accessed: boolean; modified: boolean; keys: string[] | undefined };

  /**
   * Closes a session without saving it, and frees its memory. A second call does nothing.
   *
   * @example
   * using session = await sessions.load(request);
   */
  [Symbol.dispose](): void;

  [Symbol.iterator](): Iterator<[SessionKeyOf<Data>, Data[SessionKeyOf<Data>]]>;
}

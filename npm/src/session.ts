// A loaded session: an object of the core, and the values that callers hold references to.

import { type CoreMemory, type CoreSession, type CoreSettings, Flag, IoRequest, IoResult, OperationKind, ReportedEvent, Word } from "#core";
import type { Area } from "./area.js";
import { CommittedData } from "./committed-data.js";
import { toPublicError } from "./core-errors.js";
import { checkResult, completeIo, isOverloaded, performIo } from "./driver.js";
import { definedEntries, toJsonObject } from "./entries.js";
import { PanicError, SessionBusyError, SessionClosedError, StoreUnavailableError, ValueError } from "./errors.js";
import { decodeDate, encodeExpiry, encodeExpiryOptions } from "./expiry.js";
import { decode, encode } from "./signing.js";
import { registerPublic } from "./stack-trace.js";
import type { Store } from "./store.js";
import type {
  Expiry,
  ExpiryOptions,
  LoadReason,
  SaveOutcome,
  Session,
  SessionEntries,
  SessionEvent,
  SessionKeyOf,
  SessionValueOf,
} from "./types.js";
import { checkText } from "./user-sessions.js";
import { checkKey, checkValue, decodeText, describe, fromJson, isObject, missing, toJson } from "./value.js";
import { instance } from "./wasm-instance.js";

/** The key in the data under which the core stores the session's own expiry. */
const EXPIRY_KEY = "_session_expiry";

const NONE: never[] = [];

/** In front of the key of a value for the next request. */
const FLASH_PREFIX = "_flash_";

/** The key and the value of Django's test cookie. */
const TEST_COOKIE = "testcookie";
const WORKED = "worked";

const COMMITTED =
  "the session was committed with its response: save before the response with `await session.save()`, or later with `sessions.open(session.sessionKey)`";
const UNUSED = "the session was committed before its first use, so the response has no `Vary: Cookie`: read it once before the response";

/** The dependencies that the sessions of one store share. */
export interface SessionContext {
  readonly store: Store;
  readonly memory: CoreMemory;
  readonly clock: () => number;
  readonly settings: CoreSettings;
  readonly area: Area;
  readonly onEvent: ((event: SessionEvent) => void) | undefined;
  /** What happens to an object that was changed in place without `modified`. */
  readonly unsavedChanges: "ignore" | "report" | "save";
  /** Takes the core's object of a closed session back, for reuse. */
  readonly recycle: (core: CoreSession) => void;
}

/** What stays readable after a session was closed. */
interface Snapshot {
  readonly sessionKey: string | undefined;
  /** Bits of `Flag`. */
  readonly flags: number;
  readonly loadReason: LoadReason;
  readonly committed: boolean;
  /** The data, if the session was accessed before its commit. */
  readonly data: CommittedData | undefined;
}

export class StoredSession<Data extends object> implements Session<Data> {
  readonly #context: SessionContext;
  readonly #instance = instance;
  #core: CoreSession | undefined;
  #busy = false;
  /** The values of the last read: a record in it contains the long texts that did not change. */
  #lastRead: readonly (Uint8Array | undefined)[] = NONE;
  /** The storage keys of the last read, which the core does not repeat. */
  readonly #lastReadKeys: string[] = [];
  /** The last error of the store: the `cause` of a `StoreUnavailableError`. */
  #storeError: unknown;
  /**
   * The objects that callers hold references to, by key: those that were read or set. `text` is the JSON text in the core, if the core
   * has it.
   */
  #objects: Map<string, { value: object; text: string | undefined }> | undefined;
  #snapshot: Snapshot | undefined;
  /** The values that earlier requests flashed and this one has read, and undefined for those that it has flashed itself. */
  #flashed: Map<string, unknown> | undefined;
  /** The last error of a failed load or save that a caller got. */
  #outage: StoreUnavailableError | undefined;

  constructor(context: SessionContext, core: CoreSession) {
    this.#context = context;
    this.#core = core;
  }

  /** What stays readable, if the session is closed. */
  get #closed(): Snapshot | undefined {
    return this.#core ? undefined : this.#snapshot;
  }

  get #open(): CoreSession {
    if (!this.#core) throw new SessionClosedError(this.#snapshot?.committed ? COMMITTED : undefined);
    if (this.#instance !== instance) throw new PanicError();
    return this.#core;
  }

  /** For calls that modify the session. A running operation has already taken its copy of the data. */
  get #idle(): CoreSession {
    const core = this.#open;
    if (this.#busy) throw new SessionBusyError();
    return core;
  }

  /** For calls that depend on the time: the session can be older than its request. */
  get #withClock(): CoreSession {
    const now = this.#context.clock(); // first: it is the user's code, and can close the session
    this.#try(() => this.#idle.setNow(now));
    return this.#idle;
  }

  // Static, so that no method of a session reaches them.

  /** Loads the session of a request. */
  static load<D extends object>(session: StoredSession<D>, cookieHeader: string): Promise<StoredSession<D>> {
    const { area, settings } = session.#context;
    return session.#run((core, now) => core.load(settings, area.write(cookieHeader), now), () => session);
  }

  /** Runs an operation that `start` starts to its end, and returns what `end` makes of it. */
  static start<D extends object, T>(
    session: StoredSession<D>,
    start: (core: CoreSession, now: number) => number,
    end: (core: CoreSession, area: Area) => T,
  ): Promise<T> {
    return session.#run(start, end);
  }

  /** Returns the public id of a session in the list of this user, or an empty text. */
  static idOf<D extends object>(session: StoredSession<D>, user: string): string {
    return session.#try(() => session.#open.idOf(user));
  }

  /** Runs an operation of this kind. */
  static run<D extends object, T>(session: StoredSession<D>, kind: OperationKind, end: (core: CoreSession) => T): Promise<T> {
    return session.#perform(kind, end);
  }

  /**
   * Commits the session, and closes it. Passes the `Set-Cookie` headers to `respond`, or undefined if the response does not depend on
   * the session. Returns its result.
   */
  static commit<D extends object, T>(
    session: StoredSession<D>,
    status: number,
    respond: (setCookies: string[] | undefined, clearsSiteData: boolean) => T,
  ): Promise<T> {
    session.#writeBack(false);
    return session.#run((core, now) => core.start(OperationKind.Commit, now, status), (_core, area) => {
      const flags = area.word(Word.Flags);
      let [text, readable] = ["", (flags & Flag.Accessed) !== 0];
      try {
        text = area.text();
      } catch {
        [text, readable] = [area.textToNul(), false]; // a value is not UTF-8
      }
      const end = text.indexOf("\0");
      const lines = (end < 0 ? text : text.slice(0, end)).split("\n");
      const loadReason = (lines.pop() || "new") as LoadReason;
      const sessionKey = lines.pop() || undefined;
      const data = readable && loadReason !== "unavailable" ? new CommittedData(end < 0 ? "" : text.slice(end), area, session.#lastRead) : undefined;
      const result = respond(flags & Flag.HasHeaders ? lines : undefined, (flags & Flag.ClearsSiteData) !== 0);
      session.#close({ sessionKey, flags, loadReason, committed: true, data });
      return result;
    });
  }

  /** Returns the last error of a failed load or save that a caller got. */
  static outage<D extends object>(session: StoredSession<D>): StoreUnavailableError | undefined {
    return session.#outage;
  }

  /** As the static `run`. esbuild would call a class that names itself `_StoredSession`. */
  #perform<T>(kind: OperationKind, end: (core: CoreSession) => T): Promise<T> {
    return this.#run((core, now) => core.start(kind, now, 0), end);
  }

  /** Runs the operation that `start` starts. The session is busy meanwhile. */
  async #run<T>(start: (core: CoreSession, now: number) => number, end: (core: CoreSession, area: Area) => T): Promise<T> {
    const core = this.#idle;
    const { area, clock, store } = this.#context;
    this.#busy = true;
    try {
      let request = this.#check(core, start(core, clock()));
      while (request !== IoRequest.Done) {
        let reply;
        try {
          reply = checkResult(request, await performIo(store, core, area, request, this.#lastReadKeys));
        } catch (error) {
          this.#storeError = error;
          reply = isOverloaded(error) ? IoResult.Overloaded : IoResult.Failed;
        }
        if (Array.isArray(reply)) this.#lastRead = reply;
        const now = clock();
        if (this.#instance !== instance) throw new PanicError();
        request = this.#check(core, completeIo(core, area, reply, now));
      }
      return end(core, area);
    } catch (error) {
      throw this.#toPublicError(error, this.#run);
    } finally {
      this.#busy = false;
      this.#dispatchEvents(core);
      if (!this.#core) this.#recycle(core); // it was closed meanwhile
    }
  }

  /** Throws the error of a call that returned a negative number. */
  #check(core: CoreSession, result: number): number {
    if (result < 0) throw core.takeError();
    return result;
  }

  #dispatchEvents(core: CoreSession): void {
    if (!this.#context.onEvent || this.#instance !== instance) return;
    for (let event = core.nextEvent(); event !== undefined; event = core.nextEvent()) {
      const [kind, session] = event.split(" ") as [SessionEvent["kind"], string];
      this.#dispatch({ kind, session });
    }
  }

  /** Calls the callback. An error that it throws is only logged. */
  #dispatch(event: SessionEvent): void {
    try {
      this.#context.onEvent?.(event);
    } catch (error) {
      console.error("edge-session: onEvent failed:", error);
    }
  }

  /** Reports a text that none of the secrets signed. If the session is busy, the event follows those of the running operation. */
  #reportBadSignature(): void {
    const core = this.#core;
    if (!core || this.#instance !== instance) return this.#dispatch({ kind: "bad-signature", session: "" });
    this.#try(() => core.report(ReportedEvent.BadSignature));
    if (!this.#busy) this.#dispatchEvents(core);
  }

  /** Returns the core's object for reuse, unless its instance is lost. */
  #recycle(core: CoreSession): void {
    if (this.#instance === instance) this.#try(() => this.#context.recycle(core));
  }

  #try<T>(call: () => T): T {
    try {
      return call();
    } catch (error) {
      throw this.#toPublicError(error);
    }
  }

  #toPublicError(error: unknown, call?: (...parameters: never[]) => unknown): unknown {
    const converted = toPublicError(error, this.#instance, this.#storeError, call);
    if (converted instanceof StoreUnavailableError) this.#outage = converted;
    return converted;
  }

  /** Returns a property that stays readable after the session was closed. */
  #flag(flag: Flag): boolean {
    const flags = this.#core ? this.#try(() => this.#open.flags()) : this.#snapshot?.flags ?? 0;
    return (flags & flag) !== 0;
  }

  /** Calls the core, whose result is a truth value, or a negative number for an error. */
  #call(core: CoreSession, call: (core: CoreSession, area: Area) => number): boolean {
    try {
      return this.#check(core, call(core, this.#context.area)) > 0;
    } catch (error) {
      throw this.#toPublicError(error);
    }
  }

  /**
   * Writes cached objects that changed to the core, if the session is modified or will be saved anyway. Leaves the flag `modified` as it
   * is.
   */
  #writeBack(willSave: boolean): void {
    if (!this.#objects) return;
    const flags = this.#try(() => this.#idle.flags());
    const modified = (flags & Flag.Modified) !== 0;
    if (!modified && !willSave && !(flags & Flag.SaveEveryRequest)) return this.#findUnsavedChanges();
    try {
      for (const [key, cached] of this.#objects) {
        const text = toJson(key, cached.value);
        if (text !== cached.text) this.#put(key, text); // mutation: js-changed-inside
        cached.text = text;
      }
    } finally {
      if (!modified && this.#core) this.#try(() => this.#open.setModified(false));
    }
  }

  /** Saves or reports objects that were changed in place, although the session is not modified. */
  #findUnsavedChanges(): void {
    const { unsavedChanges } = this.#context;
    if (unsavedChanges === "ignore" || !this.#objects) return;
    for (const [key, { value, text }] of this.#objects) {
      if (text === undefined) continue; // it was set, and `modified` became false later: nothing is to be saved
      try {
        const changed = toJson(key, value);
        if (changed === text || changed === toJson(key, fromJson(key, text))) continue; // another program can have written it with spaces
        if (unsavedChanges === "save") this.#put(key, changed);
        else this.#reportUnsavedChange(key);
      } catch (error) {
        if (unsavedChanges === "save") throw error;
        this.#reportUnsavedChange(key); // it was changed to something that JSON cannot represent, which would not be saved either
      }
    }
  }

  #reportUnsavedChange(key: string): void {
    this.#try(() => this.#open.report(ReportedEvent.UnsavedChange));
    console.error(
      `edge-session: the object under ${JSON.stringify(key)} was changed in place, which is not saved: set session.modified = true after the ` +
        "change, or the option trackChanges",
    );
  }

  get sessionKey(): string | undefined {
    return this.#core ? this.#try(() => this.#open.sessionKey()) : this.#snapshot?.sessionKey;
  }

  get accessed(): boolean {
    return this.#flag(Flag.Accessed);
  }

  get modified(): boolean {
    return this.#flag(Flag.Modified);
  }

  set modified(modified: boolean) {
    this.#try(() => this.#idle.setModified(Boolean(modified)));
  }

  get loadReason(): LoadReason {
    const closed = this.#closed;
    if (closed) return closed.loadReason;
    return this.#try(() => this.#open.loadReason()) as LoadReason;
  }

  item<K extends SessionKeyOf<Data>>(key: K): SessionValueOf<Data, K> {
    const value = this.get(key);
    if (value === undefined) throw missing(key);
    return value;
  }

  get<K extends SessionKeyOf<Data>>(key: K): SessionValueOf<Data, K> | undefined;
  get<K extends SessionKeyOf<Data>, F>(key: K, fallback: F): SessionValueOf<Data, K> | F;
  get<K extends SessionKeyOf<Data>>(key: K, fallback?: unknown): unknown {
    const cached = this.#cachedObject(key);
    if (cached !== undefined) return cached;
    const closed = this.#closed;
    if (closed) {
      const text = this.#members(closed).get(key);
      return text === undefined ? fallback : this.#parse(key, text);
    }
    return this.#call(this.#open, (core, area) => core.get(area.write(key)))
      ? this.#parse(key, decodeText(key, () => this.#context.area.text())) // mutation: js-get-default
      : fallback;
  }

  set<K extends SessionKeyOf<Data>>(key: K, value: SessionValueOf<Data, K>): this {
    checkKey(key);
    checkValue(key, value);
    this.#write(key, value);
    return this;
  }

  remove(key: SessionKeyOf<Data>): void {
    if (!this.delete(key)) throw missing(key);
  }

  delete(key: SessionKeyOf<Data>): boolean {
    checkKey(key);
    const existed = this.#call(this.#idle, (core, area) => core.discard(area.write(key)));
    this.#objects?.delete(key); // mutation: js-removed
    return existed;
  }

  has(key: SessionKeyOf<Data>): boolean {
    checkKey(key);
    const closed = this.#closed;
    if (closed) return this.#members(closed).has(key);
    return this.#call(this.#open, (core, area) => core.has(area.write(key)));
  }

  pop<K extends SessionKeyOf<Data>>(key: K): SessionValueOf<Data, K>;
  pop<K extends SessionKeyOf<Data>, F>(key: K, fallback: F): SessionValueOf<Data, K> | F;
  pop<K extends SessionKeyOf<Data>>(key: K, ...fallback: unknown[]): unknown {
    if (fallback.length > 0 && !this.has(key)) return fallback[0]; // mutation: js-pop-default
    const value = this.item(key);
    this.remove(key);
    return value;
  }

  setDefault<K extends SessionKeyOf<Data>>(key: K, value: SessionValueOf<Data, K>): SessionValueOf<Data, K> {
    if (this.has(key)) return this.item(key);
    this.set(key, value);
    return value;
  }

  update(values: Partial<Data> | SessionEntries<Data>): this;
  update<K extends SessionKeyOf<Data>>(
    key: K,
    change: (value: SessionValueOf<Data, K> | undefined) => SessionValueOf<Data, K>,
  ): this;
  update<K extends SessionKeyOf<Data>>(
    values: Partial<Data> | SessionEntries<Data> | K,
    change?: (value: SessionValueOf<Data, K> | undefined) => SessionValueOf<Data, K>,
  ): this {
    if (typeof values === "string") {
      if (typeof change !== "function") throw new ValueError(`update takes a function of the old value, not ${describe(change)}`);
      return this.set(values, change(this.get(values)));
    }
    const entries = definedEntries(values);
    for (const [key, value] of entries) {
      checkKey(key);
      checkValue(key, value);
    }
    // An update of no keys modifies the session as well, as in Django.
    if (entries.length === 0) this.#call(this.#idle, (core) => core.touchNothing());
    for (const [key, value] of entries) this.#write(key, value);
    return this;
  }

  flash<K extends SessionKeyOf<Data>>(key: K, value: SessionValueOf<Data, K>): this {
    checkKey(key);
    checkValue(key, value);
    this.#write(FLASH_PREFIX + key, value);
    this.#flashed ??= new Map();
    if (!this.#flashed.has(key)) this.#flashed.set(key, undefined); // what this request has read stays
    return this;
  }

  flashed<K extends SessionKeyOf<Data>>(key: K): SessionValueOf<Data, K> | undefined;
  flashed<K extends SessionKeyOf<Data>, F>(key: K, fallback: F): SessionValueOf<Data, K> | F;
  flashed<K extends SessionKeyOf<Data>>(key: K, fallback?: unknown): unknown {
    checkKey(key);
    if (!this.#flashed?.has(key)) {
      const value = (this.pop as (key: string, fallback: unknown) => unknown).call(this, FLASH_PREFIX + key, undefined);
      (this.#flashed ??= new Map()).set(key, value);
    }
    const value = this.#flashed.get(key);
    return value === undefined ? fallback : value;
  }

  keys(): SessionKeyOf<Data>[] {
    const closed = this.#closed;
    if (closed) return [...this.#members(closed).keys()] as SessionKeyOf<Data>[];
    return JSON.parse(this.#try(() => this.#open.keys())) as SessionKeyOf<Data>[];
  }

  values(): Data[SessionKeyOf<Data>][] {
    return this.keys().map((key) => this.item(key));
  }

  items(): [SessionKeyOf<Data>, Data[SessionKeyOf<Data>]][] {
    return this.keys().map((key) => [key, this.item(key)]);
  }

  [Symbol.iterator](): Iterator<[SessionKeyOf<Data>, Data[SessionKeyOf<Data>]]> {
    return this.items()[Symbol.iterator]();
  }

  clear(): void {
    this.#try(() => this.#idle.clear());
    this.#objects?.clear();
  }

  isEmpty(): boolean {
    const closed = this.#closed;
    if (closed) return this.#members(closed).size === 0 && this.sessionKey === undefined;
    return (this.#try(() => this.#open.flags()) & Flag.Empty) !== 0;
  }

  async flush(): Promise<void> {
    if (!this.#busy) this.#objects?.clear();
    await this.#perform(OperationKind.Flush, () => undefined);
  }

  async save(): Promise<SaveOutcome> {
    this.#writeBack(true); // mutation: js-explicit-save
    return this.#perform(OperationKind.Save, (core) => ({ oldRecordRemains: (core.flags() & Flag.OldRecordRemains) !== 0 }));
  }

  cycleKey(): void {
    this.#try(() => this.#withClock.cycleKey());
  }

  create(): void {
    this.#try(() => this.#withClock.create());
  }

  bindUser(user: string, { label = "" }: { label?: string | undefined } = {}): void {
    checkText("a user's id", user);
    checkText("a label", label);
    this.#try(() => this.#withClock.bindUser(user, label));
  }

  setTestCookie(): void {
    this.#write(TEST_COOKIE, WORKED);
  }

  testCookieWorked(): boolean {
    return (this.get as (key: string) => unknown).call(this, TEST_COOKIE) === WORKED;
  }

  deleteTestCookie(): void {
    (this.remove as (key: string) => void).call(this, TEST_COOKIE);
  }

  setExpiry(expiry: Expiry): void {
    const [kind, amount] = encodeExpiry(expiry);
    this.#try(() => this.#withClock.setExpiry(kind, amount)); // mutation: js-duration
    this.#objects?.delete(EXPIRY_KEY);
  }

  getExpiryAge(options?: ExpiryOptions): number {
    const expiry = this.#expiryArguments(options);
    return this.#try(() => this.#open.getExpiryAge(...expiry));
  }

  getExpiryDate(options: ExpiryOptions & { iso: true }): string;
  getExpiryDate(options?: ExpiryOptions): Date;
  getExpiryDate(options?: ExpiryOptions & { iso?: boolean }): Date | string {
    const expiry = this.#expiryArguments(options);
    const text = this.#try(() => this.#open.getExpiryDate(...expiry, !options?.iso));
    return options?.iso ? text : decodeDate(text);
  }

  getExpireAtBrowserClose(): boolean {
    return this.#try(() => this.#open.getExpireAtBrowserClose());
  }

  async encode(data: Partial<Data> | SessionEntries<Data>): Promise<string> {
    return this.#tryAsync(encode(this.#context.settings, toJsonObject(definedEntries(data)), this.#context.clock()));
  }

  async decode(text: string): Promise<Partial<Data>> {
    const object = await this.#tryAsync(decode(this.#context.settings, text));
    if (object === undefined) this.#reportBadSignature();
    return object === undefined ? {} : (fromJson(undefined, object) as Partial<Data>);
  }

  toJSON(): ReturnType<Session<Data>["toJSON"]> {
    const { accessed, modified } = this;
    const shown = { loadReason: undefined, accessed, modified, keys: undefined };
    try {
      return { ...shown, loadReason: this.loadReason, keys: accessed ? this.keys() : undefined }; // before, it would be an access
    } catch {
      return shown; // of a session that could not be read, or is lost
    }
  }

  /** What `console.log` shows in Node, Deno, Bun and workerd. */
  [Symbol.for("nodejs.util.inspect.custom")](_depth: number, options: object, inspect?: (value: object, options: object) => string): unknown {
    return inspect ? `Session ${inspect(this.toJSON(), options)}` : this.toJSON();
  }

  [Symbol.dispose](): void {
    const core = this.#core;
    if (!core) return;
    if (this.#instance !== instance) return this.#close(undefined);
    const loadReason = this.loadReason;
    this.#close(this.#try(() => ({ sessionKey: core.sessionKey(), flags: core.flags(), loadReason, committed: false, data: undefined })));
  }

  /** Closes the session. The content of the snapshot stays readable. */
  #close(snapshot: Snapshot | undefined): void {
    const core = this.#core;
    if (!core) return;
    this.#core = undefined;
    this.#lastRead = NONE;
    if (!snapshot?.data) this.#objects?.clear();
    this.#snapshot = snapshot;
    if (!this.#busy) this.#recycle(core);
  }

  async #tryAsync<T>(result: Promise<T>): Promise<T> {
    try {
      return await result;
    } catch (error) {
      throw toPublicError(error, this.#instance);
    }
  }

  #expiryArguments(options: ExpiryOptions | undefined): ReturnType<typeof encodeExpiryOptions> {
    const encoded = encodeExpiryOptions(options);
    const now = this.#context.clock();
    this.#try(() => this.#open.setNow(now));
    return encoded;
  }

  /** Returns the object that was read or set before. */
  #cachedObject<K extends SessionKeyOf<Data>>(key: K): SessionValueOf<Data, K> | undefined {
    checkKey(key);
    return this.#objects?.get(key)?.value as SessionValueOf<Data, K> | undefined;
  }

  /** Returns the JSON texts of a closed session, by key. */
  #members({ committed, flags, data }: Snapshot): ReadonlyMap<string, string> {
    const texts = data?.texts;
    if (!texts) throw new SessionClosedError(committed && !(flags & Flag.Accessed) ? UNUSED : committed ? COMMITTED : undefined);
    return texts;
  }

  /** Parses the JSON text of a value. */
  #parse<K extends SessionKeyOf<Data>>(key: K, text: string): SessionValueOf<Data, K> {
    const value = fromJson(key, text);
    if (isObject(value)) this.#cacheObject(key, value, text);
    return value as SessionValueOf<Data, K>;
  }

  #cacheObject(key: string, value: object, text: string | undefined): void {
    (this.#objects ??= new Map()).set(key, { value, text });
  }

  /** Sets a checked value. An object can still be changed: its text is written when the session is saved. Other values are written now. */
  #write(key: string, value: unknown): void {
    if (isObject(value) && key !== EXPIRY_KEY) {
      this.#call(this.#idle, (core, area) => core.touch(area.write(key))); // after the check: reading the value can run code that closes the session
      this.#cacheObject(key, value, undefined);
    } else {
      this.#put(key, toJson(key, value));
      this.#objects?.delete(key);
    }
  }

  #put(key: string, text: string): void {
    this.#call(this.#idle, (core, area) => area.writeBoth(text, key, (json, name) => core.set(json, name)));
  }
}

registerPublic(StoredSession);

// A session between its load and its commit: the core's object, and the values that were handed out.

import { type CoreMemory, type CoreSession, type CoreSettings, End, ExpiryKind, Fact, Next, Run } from "#core";
import { carryOut } from "./driver.js";
import { KeyError, PanicError, SessionBusyError, SessionClosedError, ValueError } from "./errors.js";
import { millisecondsIn } from "./realm.js";
import type { Expiry, ExpiryOptions, LoadReason, Saved, Session, SessionEntries, SessionEvent, SessionKeyOf, SessionValueOf } from "./session.js";
import { decode, encode } from "./signing.js";
import type { Store } from "./store.js";
import { instance, ofItsClass } from "./typed.js";
import { check, checkKey, fromJson, isPlain, kind, toJson } from "./value.js";

/** A text of more characters crosses into the wasm faster as bytes. */
const LONG = 128;

/** The data key under which the core keeps, and reads, the session's own expiry. */
const EXPIRY_KEY = "_session_expiry";

/** The data key and the value of Django's test cookie. */
const TEST_COOKIE = "testcookie";
const WORKED = "worked";

const encoder = new TextEncoder();

/** What the sessions of one store have in common. */
export interface Home {
  readonly store: Store;
  readonly memory: CoreMemory;
  readonly clock: () => number;
  readonly settings: CoreSettings;
  readonly onEvent: ((event: SessionEvent) => void) | undefined;
  /** Gets the core's object back when a session is closed. */
  readonly close: (core: CoreSession) => void;
}

export class OpenSession<Data extends object> implements Session<Data> {
  readonly #home: Home;
  readonly #instance = instance;
  #core: CoreSession | undefined;
  #busy = false;
  /** The storage keys that the core told last. */
  readonly #keys: string[] = [];
  /** What the store threw last: the cause of errors that say so. */
  #failure: unknown;
  /** The objects that were handed out or set, by their keys, with their text where the core has it. */
  #objects: Map<string, { value: object; text: string | undefined }> | undefined;
  /** What stays readable once the core's object is gone. */
  #left: { sessionKey: string | undefined; accessed: boolean; modified: boolean } | undefined;

  constructor(home: Home, core: CoreSession) {
    this.#home = home;
    this.#core = core;
  }

  get #open(): CoreSession {
    if (!this.#core) throw new SessionClosedError();
    if (this.#instance !== instance) throw new PanicError();
    return this.#core;
  }

  /** For calls that change something: not while a machine runs, which has taken its copy already. */
  get #idle(): CoreSession {
    const core = this.#open;
    if (this.#busy) throw new SessionBusyError();
    return core;
  }

  /** For calls whose result depends on the time: the session may be older than a request. */
  get #timed(): CoreSession {
    const now = this.#home.clock(); // first: it is not ours, and may close the session
    this.#try(() => this.#idle.setNow(now));
    return this.#idle;
  }

  /** Runs a machine of the core to its end, and gives what `end` makes of it; the session is busy meanwhile. */
  async run<T>(run: Run, end: (core: CoreSession) => T, status = 0): Promise<T> {
    const core = this.#idle;
    this.#busy = true;
    try {
      let next = core.start(run, this.#home.clock(), status);
      while (next !== Next.Done) {
        let reply: () => Next;
        try {
          reply = await carryOut(this.#home.store, core, next, this.#keys);
        } catch (error) {
          this.#failure = error;
          reply = () => core.ended(End.Failed);
        }
        const now = this.#home.clock();
        if (this.#instance !== instance) throw new PanicError();
        core.tick(now);
        next = reply();
      }
      return end(core);
    } catch (error) {
      throw ofItsClass(error, this.#instance, this.#failure);
    } finally {
      this.#busy = false;
      this.#tell(core);
      if (!this.#core) this.#release(core); // disposed of meanwhile
    }
  }

  /** Tells what happened. */
  #tell(core: CoreSession): void {
    if (!this.#home.onEvent || this.#instance !== instance) return;
    for (let event = core.event(); event !== undefined; event = core.event()) {
      const [kind, session] = event.split(" ") as [SessionEvent["kind"], string];
      this.#notify({ kind, session });
    }
  }

  /** Calls the hook. One that throws breaks nothing. */
  #notify(event: SessionEvent): void {
    try {
      this.#home.onEvent?.(event);
    } catch (error) {
      console.error("edge-session: onEvent failed:", error);
    }
  }

  /** Reports a text that none of the secrets signed. The event of a session that is busy follows those of its operation. */
  #reportBadSignature(): void {
    const core = this.#core;
    if (!core || this.#instance !== instance) return this.#notify({ kind: "bad-signature", session: "" });
    this.#try(() => core.reportBadSignature());
    if (!this.#busy) this.#tell(core);
  }

  /** Gives the core's object back, unless it went with its instance. */
  #release(core: CoreSession): void {
    if (this.#instance === instance) this.#try(() => this.#home.close(core));
  }

  #try<T>(call: () => T): T {
    try {
      return call();
    } catch (error) {
      throw ofItsClass(error, this.#instance, this.#failure);
    }
  }

  /**
   * Stores the objects that were set, and what was changed inside of those that were handed out: where the session is
   * modified, or is going to be saved all the same. The flag stays as it is.
   */
  keepChanges(saves: boolean): void {
    if (!this.#objects) return;
    const modified = this.#try(() => this.#idle.is(Fact.Modified));
    if (!modified && !saves && !this.#try(() => this.#idle.is(Fact.SavesEvery))) return;
    try {
      for (const [key, kept] of this.#objects) {
        const text = toJson(key, kept.value);
        if (text !== kept.text) this.#put(key, text); // mutation: js-changed-inside
        kept.text = text;
      }
    } finally {
      if (!modified && this.#core) this.#try(() => this.#open.setModified(false));
    }
  }

  get sessionKey(): string | undefined {
    return this.#core ? this.#try(() => this.#open.sessionKey()) : this.#left?.sessionKey;
  }

  get accessed(): boolean {
    return this.#core ? this.#try(() => this.#open.is(Fact.Accessed)) : this.#left?.accessed ?? false;
  }

  get modified(): boolean {
    return this.#core ? this.#try(() => this.#open.is(Fact.Modified)) : this.#left?.modified ?? false;
  }

  set modified(modified: boolean) {
    this.#try(() => this.#idle.setModified(Boolean(modified)));
  }

  get loadReason(): LoadReason {
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
    const known = this.#known(key);
    if (known !== undefined) return known;
    const text = this.#try(() => this.#open.get(key));
    return text === undefined ? fallback : this.#handOut(key, text); // mutation: js-get-default
  }

  set<K extends SessionKeyOf<Data>>(key: K, value: SessionValueOf<Data, K>): this {
    checkKey(key);
    check(key, value);
    this.#write(key, value);
    return this;
  }

  remove(key: SessionKeyOf<Data>): void {
    if (!this.delete(key)) throw missing(key);
  }

  delete(key: SessionKeyOf<Data>): boolean {
    checkKey(key);
    const there = this.#try(() => this.#idle.take(key));
    this.#objects?.delete(key); // mutation: js-removed
    return there;
  }

  has(key: SessionKeyOf<Data>): boolean {
    checkKey(key);
    return this.#try(() => this.#open.has(key));
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

  update(values: Partial<Data> | SessionEntries<Data>): this {
    const members = present(values);
    for (const [key, value] of members) {
      checkKey(key);
      check(key, value);
    }
    // Even an update with nothing is one.
    if (members.length === 0) this.#try(() => this.#idle.touch(undefined));
    for (const [key, value] of members) this.#write(key, value);
    return this;
  }

  keys(): SessionKeyOf<Data>[] {
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
    return this.#try(() => this.#open.is(Fact.Empty));
  }

  async flush(): Promise<void> {
    if (!this.#busy) this.#objects?.clear();
    await this.run(Run.Flush, () => undefined);
  }

  async save(): Promise<Saved> {
    this.keepChanges(true); // mutation: js-explicit-save
    return this.run(Run.Save, (core) => ({ oldRecordRemains: core.is(Fact.OldRecordRemains) }));
  }

  cycleKey(): void {
    this.#try(() => this.#timed.cycleKey());
  }

  create(): void {
    this.#try(() => this.#timed.create());
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
    const [kind, amount] = measure(expiry);
    this.#try(() => this.#timed.setExpiry(kind, amount)); // mutation: js-duration
    this.#objects?.delete(EXPIRY_KEY);
  }

  getExpiryAge(options?: ExpiryOptions): number {
    const reckoning = this.#reckon(options);
    return this.#try(() => this.#open.getExpiryAge(...reckoning));
  }

  getExpiryDate(options: ExpiryOptions & { iso: true }): string;
  getExpiryDate(options?: ExpiryOptions): Date;
  getExpiryDate(options?: ExpiryOptions & { iso?: boolean }): Date | string {
    const reckoning = this.#reckon(options);
    const text = this.#try(() => this.#open.getExpiryDate(...reckoning, !options?.iso));
    return options?.iso ? text : new Date(`${text.slice(0, text.length > 25 ? 23 : 19)}Z`);
  }

  getExpireAtBrowserClose(): boolean {
    return this.#try(() => this.#open.getExpireAtBrowserClose());
  }

  async encode(data: Partial<Data> | SessionEntries<Data>): Promise<string> {
    return this.#sign(encode(this.#home.settings, object(present(data)), this.#home.clock()));
  }

  async decode(text: string): Promise<Partial<Data>> {
    const object = await this.#sign(decode(this.#home.settings, text));
    if (object === undefined) this.#reportBadSignature();
    return object === undefined ? {} : (fromJson(undefined, object) as Partial<Data>);
  }

  [Symbol.dispose](): void {
    const core = this.#core;
    if (!core) return;
    this.#core = undefined;
    this.#objects?.clear();
    if (this.#instance !== instance) return;
    this.#try(() => {
      this.#left = { sessionKey: core.sessionKey(), accessed: core.is(Fact.Accessed), modified: core.is(Fact.Modified) };
    });
    if (!this.#busy) this.#release(core);
  }

  async #sign<T>(signed: Promise<T>): Promise<T> {
    try {
      return await signed;
    } catch (error) {
      throw ofItsClass(error, this.#instance);
    }
  }

  #reckon(options: ExpiryOptions | undefined): [string, ExpiryKind | undefined, string] {
    const { modification, expiry } = options ?? {};
    const [kind, amount] = expiry === undefined ? [undefined, ""] : measure(expiry);
    const from = modification ? iso(modification) : "";
    const now = this.#home.clock();
    this.#try(() => this.#open.setNow(now));
    return [from, kind, amount];
  }

  /** The object that was handed out or set before. */
  #known<K extends SessionKeyOf<Data>>(key: K): SessionValueOf<Data, K> | undefined {
    checkKey(key);
    return this.#core && (this.#objects?.get(key)?.value as SessionValueOf<Data, K> | undefined);
  }

  #handOut<K extends SessionKeyOf<Data>>(key: K, text: string): SessionValueOf<Data, K> {
    const value = fromJson(key, text);
    if (isObject(value)) this.#keep(key, value, text);
    return value as SessionValueOf<Data, K>;
  }

  #keep(key: string, value: object, text: string | undefined): void {
    (this.#objects ??= new Map()).set(key, { value, text });
  }

  /** Sets what was checked. An object may still be changed, and its text is stored when the session is; anything else is stored now. */
  #write(key: string, value: unknown): void {
    if (isObject(value) && key !== EXPIRY_KEY) {
      this.#try(() => this.#idle.touch(key)); // not before: what reads the value may run code that closes the session
      this.#keep(key, value, undefined);
    } else {
      this.#put(key, toJson(key, value));
      this.#objects?.delete(key);
    }
  }

  #put(key: string, text: string): void {
    this.#try(() => (text.length > LONG ? this.#idle.setBytes(key, encoder.encode(text)) : this.#idle.set(key, text)));
  }
}

function missing(key: string): KeyError {
  return new KeyError(`the session has no key ${JSON.stringify(key)}`);
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}

/** Many values with their keys; what is undefined is left out, as `Partial` has it. */
function present(values: object): [string, unknown][] {
  try {
    const pairs = isObject(values) && (Symbol.iterator in values ? [...(values as Iterable<unknown>)] : isPlain(values) && Object.entries(values));
    // mutation: js-order-of-update
    if (pairs && pairs.every(isPair)) return [...new Map(pairs)].filter(([, value]) => value !== undefined);
  } catch (cause) {
    throw new ValueError("the values could not be read", { cause });
  }
  throw new ValueError(`a plain object or pairs were expected, not ${kind(values)}`);
}

function isPair(pair: unknown): pair is [string, unknown] {
  return Array.isArray(pair) && pair.length === 2;
}

/** Their JSON object. */
function object(members: [string, unknown][]): string {
  const texts = members.map(([key, value]) => {
    checkKey(key);
    return `${JSON.stringify(key)}:${toJson(key, value)}`;
  });
  return `{${texts.join()}}`;
}

/** An expiry as it crosses into the core. */
function measure(expiry: Expiry): [ExpiryKind, string] {
  if (expiry === null) return [ExpiryKind.Policy, ""];
  if (typeof expiry === "number") {
    if (!Number.isSafeInteger(expiry)) throw new ValueError("an expiry in seconds is a whole number");
    return [ExpiryKind.Seconds, String(expiry)];
  }
  if (typeof expiry === "string" || millisecondsIn(expiry) !== undefined) return [ExpiryKind.At, iso(expiry)];
  const seconds = typeof expiry === "object" ? (expiry as { seconds?: unknown }).seconds : undefined;
  if (Number.isFinite(seconds)) return [ExpiryKind.In, String(Math.round(Number(seconds) * 1e6))];
  throw new ValueError(`an expiry is a number, a Date, an ISO text, { seconds } or null, not ${kind(expiry)}`);
}

/** A date as it crosses into the core. */
function iso(date: unknown): string {
  if (typeof date === "string") return date; // mutation: js-date-text
  const milliseconds = millisecondsIn(date) ?? NaN;
  if (Number.isNaN(milliseconds)) throw new ValueError(`a date is a valid Date or an ISO text, not ${kind(date)}`);
  return new Date(milliseconds).toISOString();
}

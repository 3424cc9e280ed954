// The model: its time, its faults, and the operations that are on their way.

import { CoreModel } from "#model";
import { Binding, type Location, type Operations } from "./binding.js";
import { type CrossingFault, crossing, toJson } from "./crossing.js";
import type { Fault, Operation, OperationKind } from "./fault.js";
import type { KvModelNamespace, KvModelPage } from "./namespace.js";
import type { KvModelChanges, KvModelOptions, OperationCounts } from "./options.js";
import { turn } from "./turn.js";

/** The age of what plain reads of KV take from a cache, in milliseconds. */
const CACHE_TTL = 60_000;

const kinds: unknown[] = ["get", "put", "delete", "list"] satisfies OperationKind[];

/** What waits for the answer to an operation. */
interface Waiting {
  answer(): void;
  reject(reason: unknown): void;
}

/**
 * A KV namespace that behaves as Workers KV does: each location has a cache, misses included, a write reaches the others
 * within a minute and is not always seen at once where it was made, a key takes one write a second, and operations fail.
 * All in virtual time, and from a seed: the same program gives the same history.
 *
 * Time passes while an operation or a `sleep` is waited for, and then at once. Before it goes on, everything else that was
 * promised goes as far as it can.
 *
 * @example
 * const model = new KvModel({ seed: 1 });
 * const [here, there] = [model.at("AMS"), model.at("SFO")];
 * await here.put("greeting", "hello");
 * await there.get("greeting"); // most often null: it is on its way
 * await model.sleep(model.stalenessBound);
 * await there.get("greeting"); // "hello"
 */
export class KvModel {
  readonly #core: CoreModel;
  readonly #waiting = new Map<number, Waiting>();
  readonly #next: { kind: OperationKind; fault: CrossingFault }[] = [];
  #hook: ((operation: Operation) => Fault | undefined | void) | undefined;
  #driven = false;

  constructor(options: KvModelOptions = {}) {
    const { hostile = false, cacheTtl = CACHE_TTL, start, ...others } = options;
    const begins = start && Number(start); // JSON would make a text of a date
    this.#core = checked(() => new CoreModel(Boolean(hostile), toJson({ cacheTtl, start: begins, ...others })));
  }

  /**
   * The namespace as it is seen from a location, by any name.
   *
   * @example
   * const env = { SESSIONS: model.at("AMS") };
   */
  at(location: string): KvModelNamespace {
    return new Binding(this, this.#operations, { core: this.#core.at(location), name: location });
  }

  /**
   * Virtual time, in milliseconds of Unix time.
   *
   * @example
   * const sessions = createSessions({ store, secrets, clock: () => model.now() });
   */
  now(): number {
    return this.#core.now();
  }

  /**
   * Waits for so many milliseconds of virtual time, in which everything goes on.
   *
   * @example
   * await model.sleep(30_000);
   */
  sleep(milliseconds: number): Promise<void> {
    return this.#begin(() => this.#core.sleep(milliseconds), () => {});
  }

  /**
   * From so many milliseconds after a write was acknowledged on, no plain read that begins gives what was there before:
   * propagation, the slowest read, and the cache that it filled.
   *
   * @example
   * await model.sleep(model.stalenessBound);
   */
  get stalenessBound(): number {
    return this.#core.stalenessBound();
  }

  /**
   * What goes wrong with the next operation of this kind, or after those that were told before.
   *
   * @example
   * model.failNext("put", { status: 429 });
   */
  failNext(kind: OperationKind, fault: Fault): void {
    if (!kinds.includes(kind)) throw new TypeError("an operation is a get, put, delete or list");
    this.#next.push({ kind, fault: crossing(fault) });
  }

  /**
   * Asks `hook` about each operation what goes wrong with it. Only what it lets pass can go wrong by chance. The hook of
   * before is forgotten.
   *
   * @example
   * model.onOperation(({ kind, location }) => (kind === "get" && location === "SFO" ? { slow: 5000 } : undefined));
   */
  onOperation(hook: ((operation: Operation) => Fault | undefined | void) | undefined): void {
    this.#hook = hook;
  }

  /**
   * Begins or ends an outage: what locations have in their caches is still read, all else fails with 503.
   *
   * @example
   * model.setOutage(true);
   */
  setOutage(out: boolean): void {
    this.#core.setOutage(Boolean(out));
  }

  /**
   * Has it behave otherwise from now on, in what is named.
   *
   * @example
   * model.changeOptions({ failingReads: 0.5 });
   */
  changeOptions(changes: KvModelChanges): void {
    checked(() => this.#core.changeOptions(toJson(changes)));
  }

  /**
   * No more faults by chance, to see where everything settles.
   *
   * @example
   * model.stopFaults();
   */
  stopFaults(): void {
    this.#core.stopFaults();
  }

  /**
   * How many operations were begun, those that failed too.
   *
   * @example
   * model.counts().puts; // 1
   */
  counts(): OperationCounts {
    const [gets = 0, puts = 0, deletes = 0, lists = 0] = this.#core.counts();
    return { gets, puts, deletes, lists };
  }

  /**
   * What the store holds in the end, wherever it can be seen already, by its keys.
   *
   * @example
   * for (const [key, bytes] of model.entries()) console.log(key, bytes.length);
   */
  entries(): [key: string, value: Uint8Array][] {
    return this.#core.entries().map((entry) => {
      const pair: [string, Uint8Array] = [entry.name, entry.value ?? new Uint8Array()];
      entry.free();
      return pair;
    });
  }

  readonly #operations: Operations = {
    get: (location, key, cacheTtl) => {
      return this.#operate("get", location, key, () => this.#core.get(location.core, key, cacheTtl), () => {
        const [entry] = this.#core.found();
        return entry;
      });
    },
    put: (location, key, value, ttl, metadata) => {
      return this.#operate("put", location, key, () => this.#core.put(location.core, key, value, ttl, metadata), () => {});
    },
    delete: (location, key) => {
      return this.#operate("delete", location, key, () => this.#core.delete(location.core, key), () => {});
    },
    list: (location, prefix, cursor, limit) => {
      return this.#operate("list", location, prefix, () => this.#core.list(location.core, prefix, cursor, limit), () => this.#page());
    },
  };

  #page(): KvModelPage {
    const keys = this.#core.found().map(({ name, expiration, metadata }) => ({
      name,
      ...(expiration !== undefined && { expiration }),
      ...(metadata !== undefined && { metadata: JSON.parse(metadata) as unknown }),
    }));
    const cursor = this.#core.cursor();
    return cursor === undefined ? { keys, list_complete: true } : { keys, list_complete: false, cursor };
  }

  /** Begins an operation with what goes wrong with it: what was told, or what the hook wants. */
  #operate<T>(kind: OperationKind, { name }: Location, key: string, start: () => number, answer: () => T): Promise<T> {
    const told = this.#next.findIndex((next) => next.kind === kind);
    const wanted = told < 0 ? this.#hook?.({ kind, location: name, key, at: this.now() }) : undefined;
    const fault = told < 0 ? wanted && crossing(wanted) : this.#next.splice(told, 1)[0]?.fault;
    return this.#begin(() => {
      if (fault) this.#core.fault(...fault);
      return start();
    }, answer);
  }

  #begin<T>(start: () => number, answer: () => T): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#waiting.set(start(), { answer: () => resolve(answer()), reject });
      this.#deliver();
      void this.#drive();
    });
  }

  /** Hands over the answers that are there. */
  #deliver(): void {
    for (let number = this.#core.answered(); number !== undefined; number = this.#core.answered()) {
      const waiting = this.#waiting.get(number);
      this.#waiting.delete(number);
      const failure = this.#core.failure();
      if (failure === undefined) waiting?.answer();
      else waiting?.reject(new Error(failure));
    }
  }

  /** Has time pass while somebody waits. */
  async #drive(): Promise<void> {
    if (this.#driven) return;
    this.#driven = true;
    try {
      for (;;) {
        await turn();
        if (this.#waiting.size === 0 || !this.#core.step()) return;
        this.#deliver();
      }
    } catch (error) {
      for (const { reject } of this.#waiting.values()) reject(error);
      this.#waiting.clear();
    } finally {
      this.#driven = false;
    }
  }
}

/** What the model refuses, it throws as a text. */
function checked<T>(call: () => T): T {
  try {
    return call();
  } catch (error) {
    throw typeof error === "string" ? new TypeError(error) : error;
  }
}

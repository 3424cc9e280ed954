// A model of Workers KV: its virtual time, its faults, and its running operations.

import { CoreFault, CoreModel } from "#model";
import { bytesIn } from "../realm.js";
import { nextTurn } from "./event-loop.js";
import type { Fault, Operation, OperationKind } from "./fault.js";
import { type Entry, KvBinding, type Location, type ModelOperations } from "./kv-binding.js";
import type { KvModelNamespace, KvModelPage } from "./namespace.js";
import type { KvModelChanges, KvModelOptions, OperationCounts } from "./options.js";

/** The default of KV for the time that a location caches reads, in milliseconds. */
const CACHE_TTL = 60_000;

const kinds: unknown[] = ["get", "put", "delete", "list"] satisfies OperationKind[];

/** The result of an operation. */
interface Answer {
  operation: number;
  failure?: string;
  entries: Entry[];
  /** The start of the next page of a list. */
  cursor?: string;
}

/** The caller of an operation that has not completed. */
interface Caller {
  resolve(answer: Answer): void;
  reject(reason: unknown): void;
}

/**
 * A KV namespace that behaves as Workers KV does. Each location has a cache, also for misses. A write reaches other locations within a
 * minute, and is not always visible at once at its own location. A key accepts one write per second. Operations can fail. Time is virtual,
 * and all random choices follow from a seed: the same program has the same history.
 *
 * Virtual time passes, without delay, while an operation or a `sleep` is awaited. Before it advances, all pending promise callbacks run.
 *
 * @example
 * const model = new KvModel({ seed: 1 });
 * const [here, there] = [model.at("AMS"), model.at("SFO")];
 * await here.put("greeting", "hello");
 * await there.get("greeting"); // mostly null: the write has not arrived yet
 * await model.sleep(model.stalenessBound);
 * await there.get("greeting"); // "hello"
 */
export class KvModel {
  readonly #core: CoreModel;
  readonly #callers = new Map<number, Caller>();
  readonly #nextFaults: { kind: OperationKind; fault: CoreFault }[] = [];
  #hook: ((operation: Operation) => Fault | undefined | void) | undefined;
  #isDriven = false;

  constructor(options: KvModelOptions = {}) {
    const { hostile = false, cacheTtl = CACHE_TTL, start, ...others } = options;
    const changes = { cacheTtl, start: start && Number(start), ...others };
    this.#core = rethrow(() => new CoreModel(Boolean(hostile), changes));
  }

  /**
   * Returns the namespace at a location of any name.
   *
   * @example
   * const env = { SESSIONS: model.at("AMS") };
   */
  at(location: string): KvModelNamespace {
    return new KvBinding(this, this.#operations, { core: this.#core.at(location), name: location });
  }

  /**
   * Returns the virtual time, in milliseconds of Unix time.
   *
   * @example
   * const sessions = createSessions({ store, secrets, clock: () => model.now() });
   */
  now(): number {
    return this.#core.now();
  }

  /**
   * Waits for this many milliseconds of virtual time, in which other operations continue.
   *
   * @example
   * await model.sleep(30_000);
   */
  sleep(milliseconds: number): Promise<void> {
    return this.#start(() => this.#core.sleep(milliseconds), () => {});
  }

  /**
   * The time after an acknowledged write from which no read without a `cacheTtl` returns an older value, in milliseconds: propagation, the
   * slowest read, and the lifetime of the cache entry that it fills.
   *
   * @example
   * await model.sleep(model.stalenessBound);
   */
  get stalenessBound(): number {
    return this.#core.stalenessBound();
  }

  /**
   * Sets the fault of the next operation of a kind. Several faults of one kind are used in the order of their calls.
   *
   * @example
   * model.failNext("put", { status: 429 });
   */
  failNext(kind: OperationKind, fault: Fault): void {
    if (!kinds.includes(kind)) throw new TypeError("the kind of an operation is get, put, delete or list");
    this.#nextFaults.push({ kind, fault: toCoreFault(fault) });
  }

  /**
   * Sets a callback that decides the fault of each operation. If it returns undefined, the operation can still have a random fault. Replaces
   * the callback of an earlier call.
   *
   * @example
   * model.onOperation(({ kind, location }) => (kind === "get" && location === "SFO" ? { slow: 5000 } : undefined));
   */
  onOperation(hook: ((operation: Operation) => Fault | undefined | void) | undefined): void {
    this.#hook = hook;
  }

  /**
   * Starts or ends an outage: reads from caches still succeed, all other operations fail with 503.
   *
   * @example
   * model.setOutage(true);
   */
  setOutage(out: boolean): void {
    this.#core.setOutage(Boolean(out));
  }

  /**
   * Changes options from now on.
   *
   * @example
   * model.changeOptions({ failingReads: 0.5 });
   */
  changeOptions(changes: KvModelChanges): void {
    rethrow(() => this.#core.changeOptions(changes));
  }

  /**
   * Disables random faults, to see whether everything converges.
   *
   * @example
   * model.stopFaults();
   */
  stopFaults(): void {
    this.#core.stopFaults();
  }

  /**
   * Returns the numbers of started operations, including failed ones.
   *
   * @example
   * model.counts().puts; // 1
   */
  counts(): OperationCounts {
    return this.#core.counts() as OperationCounts;
  }

  /**
   * Returns the newest keys and values, even if they are not visible at every location yet.
   *
   * @example
   * for (const [key, bytes] of model.entries()) console.log(key, bytes.length);
   */
  entries(): [key: string, value: Uint8Array][] {
    return (this.#core.entries() as Entry[]).map(({ name, value }) => [name, value ?? new Uint8Array()]);
  }

  readonly #operations: ModelOperations = {
    get: (location, key, cacheTtl) => {
      return this.#operate("get", location, key, () => this.#core.get(location.core, key, cacheTtl), ({ entries }) => entries[0]);
    },
    put: (location, key, value, ttl, metadata) => {
      return this.#operate("put", location, key, () => this.#core.put(location.core, key, value, ttl, metadata), () => {});
    },
    delete: (location, key) => {
      return this.#operate("delete", location, key, () => this.#core.delete(location.core, key), () => {});
    },
    list: (location, prefix, cursor, limit) => {
      return this.#operate("list", location, prefix, () => this.#core.list(location.core, prefix, cursor, limit), toPage);
    },
  };

  /** Starts an operation with its fault: one of `failNext`, or else that of the callback. */
  #operate<T>(kind: OperationKind, { name }: Location, key: string, start: () => number, result: (answer: Answer) => T): Promise<T> {
    const next = this.#nextFaults.findIndex((fault) => fault.kind === kind);
    const ofHook = next < 0 ? this.#hook?.({ kind, location: name, key, at: this.now() }) : undefined;
    const fault = next < 0 ? ofHook && toCoreFault(ofHook) : this.#nextFaults.splice(next, 1)[0]?.fault;
    return this.#start(() => {
      if (fault) this.#core.setFault(fault);
      return start();
    }, result);
  }

  #start<T>(start: () => number, result: (answer: Answer) => T): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#callers.set(start(), { resolve: (answer) => resolve(result(answer)), reject });
      this.#deliver();
      void this.#drive();
    });
  }

  /** Delivers available answers to their callers. */
  #deliver(): void {
    const next = () => this.#core.nextAnswer() as Answer | undefined;
    for (let answer = next(); answer !== undefined; answer = next()) {
      const caller = this.#callers.get(answer.operation);
      this.#callers.delete(answer.operation);
      if (answer.failure === undefined) caller?.resolve(answer);
      else caller?.reject(new Error(answer.failure));
    }
  }

  /** Advances virtual time while an operation is awaited. */
  async #drive(): Promise<void> {
    if (this.#isDriven) return;
    this.#isDriven = true;
    try {
      for (;;) {
        await nextTurn();
        if (this.#callers.size === 0 || !this.#core.step()) return;
        this.#deliver();
      }
    } catch (error) {
      for (const { reject } of this.#callers.values()) reject(error);
      this.#callers.clear();
    } finally {
      this.#isDriven = false;
    }
  }
}

function toPage({ entries, cursor }: Answer): KvModelPage {
  const keys = entries.map(({ name, expiration, metadata }) => ({
    name,
    ...(expiration !== undefined && { expiration }),
    ...(metadata !== undefined && { metadata: JSON.parse(metadata) as unknown }),
  }));
  return cursor === undefined ? { keys, list_complete: true } : { keys, list_complete: false, cursor };
}

/** Validates a fault. Its bytes cross as a `Uint8Array` of this realm. */
function toCoreFault(fault: Fault): CoreFault {
  const value = typeof fault === "object" && fault !== null && "replaced" in fault ? fault.replaced : undefined;
  const bytes = typeof value === "string" ? new TextEncoder().encode(value) : bytesIn(value);
  return rethrow(() => new CoreFault(bytes ? { ...(fault as object), replaced: bytes } : fault));
}

/** Rethrows an error of the core, which is a string, as a `TypeError`. */
function rethrow<T>(call: () => T): T {
  try {
    return call();
  } catch (error) {
    throw typeof error === "string" ? new TypeError(error) : error;
  }
}

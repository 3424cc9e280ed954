// The contract of a store, as tests that any runner can register.

import { bytesIn } from "../realm.js";
import type { PutOptions, Store } from "../store.js";

/** One test of the contract. */
export interface StoreContractTest {
  /** What the store must do. */
  readonly name: string;
  /** Runs the test. Rejects with an error that says what the store did instead. */
  run(): Promise<void>;
}

/** Options of `storeContract`: what cannot be tested, and how the rest is. */
export interface StoreContractOptions {
  /** False if `list` returns no keys because the platform cannot list them, as of Durable Objects. Default true. */
  lists?: boolean | undefined;
  /** Waits until the writes of an eventually consistent store are visible. Called after writes, before reads. Default: does not wait. */
  settle?: (() => Promise<void>) | undefined;
  /** The same kind of store above a database that fails at each call. Each of its calls has to throw. Default: not tested. */
  failing?: Store | undefined;
}

/** An hour, in seconds. */
const HOUR = 3600;

/** The number of concurrent puts of which one may apply. */
const WRITERS = 20;

/**
 * Returns the tests of the contract of `Store`, for authors of stores. The tests depend on what the store states: `consistency`,
 * `deleteExpired` and `expiresRecords`. Each test uses keys of its own and leaves none of its values, so others can use the store at the
 * same time.
 *
 * @example
 * for (const { name, run } of storeContract(myStore(client))) test(name, run); // vitest, node:test and others
 */
export function storeContract(store: Store, { lists = true, settle, failing }: StoreContractOptions = {}): StoreContractTest[] {
  const tests: StoreContractTest[] = [];
  const add = (name: string, body: (keys: Keys) => Promise<void>): void => {
    tests.push({ name, run: () => withKeys(store, body) });
  };
  const now = (): number => store.now?.() ?? Date.now();
  const options = (changes: Partial<PutOptions> = {}): PutOptions => {
    const deadline = (now() + HOUR * 1000) * 1000;
    return { ttl: HOUR, deadline, generation: 1, ifGeneration: undefined, ...changes };
  };
  const put = async (key: string, value: Uint8Array, changes?: Partial<PutOptions>): Promise<boolean> => {
    const stored = await store.put(key, value, options(changes));
    check(stored === undefined || typeof stored === "boolean", `put returned ${describe(stored)} instead of a boolean or undefined`);
    return stored !== false;
  };
  const get = async (key: string): Promise<Uint8Array | null> => {
    const value = await store.get(key);
    if (value === null) return null;
    const stored = bytesIn(value);
    check(stored !== undefined, `get returned ${describe(value)} instead of bytes or null`);
    return stored;
  };
  const expectValue = async (key: string, expected: Uint8Array | null): Promise<void> => {
    await settle?.();
    const stored = await get(key);
    check(areEqual(stored, expected), `get returned ${bytes(stored)} instead of ${bytes(expected)}`);
  };

  add("a missing key is null", async (keys) => {
    const stored = await store.get(keys.next());
    check(stored === null, `get returned ${describe(stored)} for a missing key`);
  });

  const all = Uint8Array.from({ length: 256 }, (_, byte) => byte);
  const large = Uint8Array.from({ length: 65_536 }, (_, index) => (index * 31 + (index >> 8)) & 255);
  const values = { "no bytes": new Uint8Array(), "every byte": all, "64 KB": large, text: text("a record") };
  for (const [what, value] of Object.entries(values)) {
    add(`${what}: a value is returned as it was put`, async (keys) => {
      const key = keys.next();
      check(await put(key, value), "an unconditional put returned false");
      await expectValue(key, value);
    });
  }

  add("a view on a larger buffer is stored without the rest of the buffer", async (keys) => {
    const key = keys.next();
    await put(key, all.subarray(16, 32));
    await expectValue(key, all.slice(16, 32));
  });

  add("the store keeps a copy of the bytes", async (keys) => {
    const key = keys.next();
    const value = text("a record");
    await put(key, value);
    value.fill(0);
    await expectValue(key, text("a record"));
    (await get(key))?.fill(0);
    await expectValue(key, text("a record"));
  });

  add("a put without a condition overwrites", async (keys) => {
    const key = keys.next();
    await put(key, text("the first value, which is longer"));
    await settle?.();
    check(await put(key, text("the second"), { generation: 2 }), "an unconditional put returned false");
    await expectValue(key, text("the second"));
  });

  add("a deleted key is null, and its deletion can be repeated", async (keys) => {
    const key = keys.next();
    await put(key, text("a record"));
    await settle?.();
    await store.delete(key);
    await expectValue(key, null);
    await store.delete(key);
  });

  add("the deletion of a missing key is no error", (keys) => store.delete(keys.next()));

  add("a short TTL is accepted", async (keys) => {
    const key = keys.next();
    check(await put(key, text("a record"), { ttl: 10, deadline: (now() + 10_000) * 1000 }), "an unconditional put returned false");
    if (!settle) await expectValue(key, text("a record"));
  });

  add("storage keys are compared byte by byte", async (keys) => {
    const names = ["a", "A", "a-", "a_", "a.b", "a.1", "a.10"].map((name) => keys.named(name));
    for (const name of names) await put(name, text(name));
    for (const name of names) await expectValue(name, text(name));
  });

  add("storage keys of the greatest length are kept apart", async (keys) => {
    const names = ["1", "2"].map((last) => keys.named(`${"k".repeat(40)}.6553${last}`, "p".repeat(64 - 17)));
    for (const name of names) await put(name, text(name));
    for (const name of names) await expectValue(name, text(name));
  });

  if (lists) {
    add("a list has each key with the prefix once, and its deadline", async (keys) => {
      const deadline = (now() + HOUR * 1000) * 1000;
      const names = Array.from({ length: 25 }, () => keys.next());
      await Promise.all(names.map((name) => put(name, text(name), { deadline })));
      await settle?.();
      const listed = await listAll(store, keys.prefix);
      check(new Set(listed.map(({ name }) => name)).size === listed.length, "list returned a key twice");
      const isComplete = listed.length === names.length && listed.every(({ name }) => names.includes(name));
      check(isComplete, `list returned ${listed.length} keys instead of ${names.length}`);
      for (const entry of listed) {
        const isOmitted = entry.deadline === undefined && store.expiresRecords;
        check(isOmitted || entry.deadline === deadline, `list returned the deadline ${entry.deadline} instead of ${deadline}`);
      }
    });

    add("a list has no key with another prefix, and no deleted one", async (keys) => {
      const [kept, deleted] = [keys.named("kept"), keys.named("deleted")];
      for (const key of [kept, deleted, keys.named("other", "x")]) await put(key, text(key));
      await settle?.();
      await store.delete(deleted);
      await settle?.();
      const listed = (await listAll(store, keys.prefix)).map(({ name }) => name);
      check(listed.length === 1 && listed[0] === kept, `list returned ${listed.length} keys instead of 1`);
      const none = await listAll(store, `${keys.prefix}none:`);
      check(none.length === 0, `list returned ${none.length} keys for a prefix that no key has`);
    });
  }

  if (store.consistency === "linearizable") {
    add("ifGeneration 0: a put applies if there is no value", async (keys) => {
      const key = keys.next();
      check(await put(key, text("the first"), { ifGeneration: 0 }), "put returned false although there was no value");
      check(!(await put(key, text("the second"), { generation: 2, ifGeneration: 0 })), "put applied although there was a value");
      await expectValue(key, text("the first"));
      await store.delete(key);
      check(await put(key, text("the third"), { ifGeneration: 0 }), "put returned false after a deletion");
      await expectValue(key, text("the third"));
    });

    add("ifGeneration n: a put applies if the stored value has this generation", async (keys) => {
      const key = keys.next();
      check(!(await put(key, text("none"), { generation: 2, ifGeneration: 1 })), "put applied although there was no value");
      await expectValue(key, null);
      await put(key, text("the first"));
      for (const ifGeneration of [2, 7, 2 ** 32 - 1]) {
        const stored = await put(key, text("other"), { generation: ifGeneration + 1, ifGeneration });
        check(!stored, `put applied for the generation ${ifGeneration}; the stored one was 1`);
      }
      await expectValue(key, text("the first"));
      check(await put(key, text("the second"), { generation: 5, ifGeneration: 1 }), "put returned false for the stored generation");
      check(!(await put(key, text("the third"), { generation: 6, ifGeneration: 1 })), "put applied for an older generation");
      check(await put(key, text("the fourth"), { generation: 6, ifGeneration: 5 }), "put returned false for the stored generation");
      await expectValue(key, text("the fourth"));
    });

    add("a put without a condition sets the generation", async (keys) => {
      const key = keys.next();
      await put(key, text("the first"), { generation: 3 });
      await put(key, text("the second"), { generation: 4 });
      check(!(await put(key, text("other"), { generation: 5, ifGeneration: 3 })), "put applied for an overwritten generation");
      const stored = await put(key, text("the third"), { generation: 2 ** 32 - 1, ifGeneration: 4 });
      check(stored, "put returned false for the stored generation");
      await expectValue(key, text("the third"));
    });

    add("a put with a condition does not restore a deleted value", async (keys) => {
      const key = keys.next();
      await put(key, text("a record"));
      await store.delete(key);
      check(!(await put(key, text("restored"), { generation: 2, ifGeneration: 1 })), "put applied although the value was deleted");
      await expectValue(key, null);
    });

    for (const ifGeneration of [0, 1]) {
      add(`of ${WRITERS} concurrent puts with ifGeneration ${ifGeneration}, one applies`, async (keys) => {
        const key = keys.next();
        if (ifGeneration) await put(key, text("before"), { generation: ifGeneration });
        const values = Array.from({ length: WRITERS }, (_, writer) => text(`writer ${writer}`));
        const outcomes = await Promise.all(values.map((value) => put(key, value, { generation: ifGeneration + 1, ifGeneration })));
        const winners = values.filter((_, writer) => outcomes[writer]);
        check(winners.length === 1, `${winners.length} of ${WRITERS} puts applied`);
        await expectValue(key, winners[0]!);
      });
    }

    add(`${WRITERS} writers that repeat a put after a conflict lose none of their writes`, async (keys) => {
      const key = keys.next();
      const append = async (writer: number): Promise<void> => {
        for (;;) {
          const stored = await get(key);
          const generation = stored?.length ?? 0;
          const value = Uint8Array.from([...(stored ?? []), writer]); // its length is its generation
          if (await put(key, value, { generation: generation + 1, ifGeneration: generation })) return;
        }
      };
      const writers = Array.from({ length: WRITERS }, (_, writer) => writer);
      await Promise.all(writers.map(append));
      const stored = (await get(key)) ?? [];
      check([...stored].sort((a, b) => a - b).join() === writers.join(), `${stored.length} of ${WRITERS} writes are stored`);
    });
  }

  add("the entries of a user's sessions are stored, listed and deleted one by one", async (keys) => {
    const [list, other] = [keys.list(), keys.list()];
    const deadline = (now() + HOUR * 1000) * 1000;
    const ids = Array.from({ length: 3 }, (_, number) => `${number}-_${"aZ09".repeat(5)}`.slice(0, 22));
    const entries = ids.map((id) => keys.known(list + id));
    await Promise.all([...entries, keys.known(other + ids[0]!)].map((key) => put(key, text(key), { deadline, ifGeneration: 0 })));
    await settle?.();
    const listed = await listAll(store, list);
    check(listed.map(({ name }) => name).sort().join() === entries.sort().join(), `list returned ${listed.length} entries instead of 3`);
    check(listed.every((entry) => entry.deadline === undefined || entry.deadline === deadline), "list returned another deadline");
    for (const key of entries) await expectValue(key, text(key));
    await store.delete(entries[0]!);
    await expectValue(entries[0]!, null);
    const left = (await listAll(store, list)).map(({ name }) => name).sort().join();
    check(left === entries.slice(1).join(), "list returned a deleted entry, or lacks another one");
    check((await listAll(store, keys.list())).length === 0, "list returned entries of another user");
  });

  const { deleteExpired } = store;
  if (deleteExpired) {
    add("deleteExpired deletes the expired values with the prefix, at most as many as its limit", async (keys) => {
      const before = now() * 1000;
      const expired = Array.from({ length: 5 }, () => keys.next());
      const live = keys.next();
      const other = keys.named("other", "x");
      for (const key of [...expired, other]) await put(key, text(key), { deadline: before - 1 });
      await put(live, text(live), { deadline: before });
      for (const count of [3, 2, 0]) {
        const deleted = await deleteExpired.call(store, keys.prefix, before, 3);
        check(deleted === count, `deleteExpired returned ${deleted} instead of ${count}`);
      }
      for (const key of expired) await expectValue(key, null);
      for (const key of [live, other]) await expectValue(key, text(key));
    });
  }

  if (failing) {
    const calls: [string, () => Promise<unknown>][] = [
      ["get", () => failing.get("edge-session:session:key")],
      ["put", () => failing.put("edge-session:session:key", text("a record"), options())],
      ["put with a condition", () => failing.put("edge-session:session:key", text("a record"), options({ ifGeneration: 0 }))],
      ["delete", () => failing.delete("edge-session:session:key")],
    ];
    if (lists) calls.push(["list", () => failing.list("edge-session:", undefined)]);
    if (failing.deleteExpired) calls.push(["deleteExpired", () => failing.deleteExpired!("edge-session:", 1, 1)]);
    for (const [name, call] of calls) {
      tests.push({ name: `a failed ${name} throws`, run: () => expectFailure(name, call) });
    }
  }
  return tests;
}

/** Keys of one test, by the grammar of storage keys: a prefix, the kind of entry, and base64url with a number behind a dot. */
class Keys {
  readonly #own: string;
  readonly #used = new Set<string>();
  #lists = 0;

  constructor() {
    const random = crypto.getRandomValues(new Uint8Array(8));
    this.#own = Array.from(random, (byte) => byte.toString(16).padStart(2, "0")).join("");
  }

  /** The beginning of all keys that have no other prefix. */
  get prefix(): string {
    return `${this.#own}:`;
  }

  /** All keys that the test used. */
  get used(): Iterable<string> {
    return this.#used;
  }

  /** Returns a key that no other call returns. */
  next(): string {
    return this.named(`${"AZaz09-_".repeat(4)}.${this.#used.size}`);
  }

  /** Returns the beginning of the keys of a user's entries. */
  list(): string {
    this.#lists++;
    return `${this.#own}:user:${`${this.#lists}${"Az09-_xy".repeat(4)}`.slice(0, 32)}:`;
  }

  /** Remembers a key that the test uses. */
  known(key: string): string {
    this.#used.add(key);
    return key;
  }

  /** Returns the key with this name, of the test's own prefix or of another one that begins with it. */
  named(name: string, more = ""): string {
    return this.known(`${this.#own}${more && `.${more}`}:session:${name}`);
  }
}

/** Runs a test, and deletes what it left. */
async function withKeys(store: Store, body: (keys: Keys) => Promise<void>): Promise<void> {
  const keys = new Keys();
  try {
    await body(keys);
  } finally {
    for (const key of keys.used) await store.delete(key);
  }
}

async function listAll(store: Store, prefix: string): Promise<{ name: string; deadline?: number | undefined }[]> {
  const found = [];
  let cursor: string | undefined;
  for (let page = 0; page < 1000; page++) {
    const listed = await store.list(prefix, cursor);
    found.push(...listed.keys);
    cursor = listed.cursor;
    if (!cursor) return found;
  }
  throw new Error("list returned a thousand pages and was not complete");
}

async function expectFailure(name: string, call: () => Promise<unknown>): Promise<void> {
  let result;
  try {
    result = await call();
  } catch {
    return;
  }
  throw new Error(`${name} returned ${describe(result)} instead of throwing, although the database failed`);
}

function check(holds: boolean, message: string): asserts holds {
  if (!holds) throw new Error(message);
}

const text = (value: string): Uint8Array => new TextEncoder().encode(value);

function areEqual(one: Uint8Array | null, other: Uint8Array | null): boolean {
  if (one === null || other === null) return one === other;
  return one.length === other.length && one.every((byte, index) => other[index] === byte);
}

/** Describes bytes by their number: they can be many. */
function bytes(value: Uint8Array | null): string {
  return value === null ? "null" : `${value.length} bytes (${value.slice(0, 16).join(" ")}${value.length > 16 ? " …" : ""})`;
}

function describe(value: unknown): string {
  return value === null || typeof value !== "object" ? String(value) : `a ${value.constructor?.name ?? "object"}`;
}

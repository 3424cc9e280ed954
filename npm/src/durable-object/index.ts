// The public API of `edge-session/durable-object`: the class of the Durable Objects, for the Worker that exports it.

import { DurableObject } from "cloudflare:workers";

/** What an object keeps of a record, or of an entry in the list of a user's sessions: one row. */
interface StoredRecord {
  value: ArrayBuffer;
  deadline: number;
  generation: number;
}

/** The name of the row of a record. */
const RECORD = "record";

/** The longest time until an alarm, in milliseconds: 10 years. The platform counts nanoseconds, which end in 2262. */
const MAX_ALARM = 10 * 365 * 86_400_000;

/**
 * The Durable Object of one storage key, or of the list of a user's sessions. Export it from your Worker, declare it under
 * `new_sqlite_classes` in a migration of wrangler.toml, and pass its namespace to `durableObjects`. The Rust crate uses the same class. It
 * deletes itself at the deadline of its last row.
 *
 * @example
 * export { SessionObject } from "edge-session/durable-object";
 * export default withSessions((env) => ({ store: durableObjects(env.SESSION_OBJECTS), secrets: [env.SESSION_SECRET] }), { fetch });
 */
export class SessionObject extends DurableObject {
  /**
   * Returns the record, or null if there is none. Stores nothing: an object that was never written costs no storage.
   *
   * @param entry The id of the entry in the list of a user's sessions. Without it, the object has one record.
   * @example
   * const record = await namespace.get(namespace.idFromName(storageKey)).read();
   */
  read(entry: string = RECORD): ArrayBuffer | null {
    return this.#row(entry)?.value ?? null;
  }

  /**
   * Stores a record if the stored one has the generation `ifGeneration`. Returns whether it did.
   *
   * @param value The record.
   * @param deadline The deadline of the record, in microseconds of Unix time. It is deleted soon after.
   * @param generation The generation of the record: a whole number above 0.
   * @param ifGeneration The generation that the stored record must have; 0 if there must be none; undefined for any.
   * @param entry As for `read`.
   * @example
   * const stored = await namespace.get(namespace.idFromName(storageKey)).write(record, deadline, 2, 1);
   */
  write(
    value: Uint8Array | ArrayBuffer,
    deadline: number,
    generation: number,
    ifGeneration: number | undefined,
    entry: string = RECORD,
  ): boolean {
    // Invariant: no await between the comparison and the put. Another request of the object could run there.
    const stored = this.#row(entry);
    if (ifGeneration !== undefined && (stored?.generation ?? 0) !== ifGeneration) return false;
    const record: StoredRecord = { value: ArrayBuffer.isView(value) ? value.slice().buffer : value, deadline, generation };
    this.ctx.storage.kv.put(entry, record);
    // A save that moves the deadline later leaves the alarm, since each move is billed as a row. The alarm itself looks at the deadlines.
    if (!stored || deadline < stored.deadline) void this.#setAlarm(entry === RECORD ? deadline : this.#earliest());
    return true;
  }

  /**
   * Deletes the record. The last one is deleted with the alarm: the object then costs no storage.
   *
   * @param entry As for `read`.
   * @example
   * await namespace.get(namespace.idFromName(storageKey)).remove();
   */
  async remove(entry: string = RECORD): Promise<void> {
    if (entry !== RECORD) this.ctx.storage.kv.delete(entry);
    if (entry === RECORD || this.#rows().length === 0) await this.#removeAll();
  }

  /**
   * Returns the ids and the deadlines of the entries in the list of a user's sessions.
   *
   * @example
   * const entries = await namespace.get(namespace.idFromName(name)).list();
   */
  list(): [entry: string, deadline: number][] {
    return this.#rows().map(([entry, { deadline }]) => [entry, deadline]);
  }

  /** Called by the platform: deletes what has expired, and sets the alarm again if there is more. */
  override async alarm(): Promise<void> {
    const now = Date.now() * 1000;
    for (const [entry, { deadline }] of this.#rows()) if (deadline <= now) this.ctx.storage.kv.delete(entry);
    await (this.#rows().length > 0 ? this.#setAlarm(this.#earliest()) : this.#removeAll());
  }

  #row(entry: string): StoredRecord | undefined {
    return this.ctx.storage.kv.get<StoredRecord>(entry);
  }

  #rows(): [string, StoredRecord][] {
    return [...this.ctx.storage.kv.list<StoredRecord>()];
  }

  #earliest(): number {
    return Math.min(...this.#rows().map(([, { deadline }]) => deadline));
  }

  #setAlarm(deadline: number): Promise<void> {
    return this.ctx.storage.setAlarm(Math.min(Math.ceil(deadline / 1000), Date.now() + MAX_ALARM));
  }

  async #removeAll(): Promise<void> {
    const { storage } = this.ctx;
    await Promise.all([storage.deleteAlarm(), storage.deleteAll()]); // both at once: no request runs between them
  }
}

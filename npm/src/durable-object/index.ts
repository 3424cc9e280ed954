// The public API of `edge-session/durable-object`: the class of the Durable Objects, for the Worker that exports it.

import { DurableObject } from "cloudflare:workers";

/** What an object keeps, in one row. */
interface StoredRecord {
  value: ArrayBuffer;
  deadline: number;
  generation: number;
}

/** The name of the only row. */
const RECORD = "record";

/** The longest time until an alarm, in milliseconds: 10 years. The platform counts nanoseconds, which end in 2262. */
const MAX_ALARM = 10 * 365 * 86_400_000;

/**
 * The Durable Object of one storage key. Export it from your Worker, declare it under `new_sqlite_classes` in a migration of
 * wrangler.toml, and pass its namespace to `durableObjects`. The Rust crate uses the same class. It deletes itself at the deadline of
 * its record.
 *
 * @example
 * export { SessionObject } from "edge-session/durable-object";
 * export default withSessions((env) => ({ store: durableObjects(env.SESSION_OBJECTS), secrets: [env.SESSION_SECRET] }), { fetch });
 */
export class SessionObject extends DurableObject {
  /**
   * Returns the record, or null if there is none. Stores nothing: an object that was never written costs no storage.
   *
   * @example
   * const record = await namespace.get(namespace.idFromName(storageKey)).read();
   */
  read(): ArrayBuffer | null {
    return this.#record()?.value ?? null;
  }

  /**
   * Stores a record if the stored one has the generation `ifGeneration`. Returns whether it did.
   *
   * @param value The record.
   * @param deadline The deadline of the record, in microseconds of Unix time. The object is empty soon after it.
   * @param generation The generation of the record: a whole number above 0.
   * @param ifGeneration The generation that the stored record must have; 0 if there must be none; undefined for any.
   * @example
   * const stored = await namespace.get(namespace.idFromName(storageKey)).write(record, deadline, 2, 1);
   */
  write(value: Uint8Array | ArrayBuffer, deadline: number, generation: number, ifGeneration: number | undefined): boolean {
    // Invariant: no await between the comparison and the put. Another request of the object could run there.
    const stored = this.#record();
    if (ifGeneration !== undefined && (stored?.generation ?? 0) !== ifGeneration) return false;
    const record: StoredRecord = { value: ArrayBuffer.isView(value) ? value.slice().buffer : value, deadline, generation };
    this.ctx.storage.kv.put(RECORD, record);
    // A save that moves the deadline later leaves the alarm, since each move is billed as a row. The alarm itself looks at the deadline.
    if (!stored || deadline < stored.deadline) void this.#setAlarm(deadline);
    return true;
  }

  /**
   * Deletes the record and the alarm. The object then costs no storage.
   *
   * @example
   * await namespace.get(namespace.idFromName(storageKey)).remove();
   */
  async remove(): Promise<void> {
    const { storage } = this.ctx;
    await Promise.all([storage.deleteAlarm(), storage.deleteAll()]); // both at once: no request runs between them
  }

  /** Called by the platform: deletes everything after the deadline, or sets the alarm again if a save moved the deadline. */
  override async alarm(): Promise<void> {
    const stored = this.#record();
    await (stored && stored.deadline > Date.now() * 1000 ? this.#setAlarm(stored.deadline) : this.remove());
  }

  #record(): StoredRecord | undefined {
    return this.ctx.storage.kv.get<StoredRecord>(RECORD);
  }

  #setAlarm(deadline: number): Promise<void> {
    return this.ctx.storage.setAlarm(Math.min(Math.ceil(deadline / 1000), Date.now() + MAX_ALARM));
  }
}

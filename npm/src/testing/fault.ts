// The faults of one operation, and the description of an operation that a callback receives.

/** The kind of an operation. */
export type OperationKind = "get" | "put" | "delete" | "list";

/** An operation that is about to start. */
export interface Operation {
  readonly kind: OperationKind;
  /** The location of the caller. */
  readonly location: string;
  /** The key, or the prefix of a list. */
  readonly key: string;
  /** The start in virtual time, in milliseconds of Unix time. */
  readonly at: number;
}

/**
 * A fault of one operation. A fault that does not apply to the kind of the operation has no effect.
 *
 * @example
 * model.failNext("put", { status: 429 });
 */
export type Fault =
  /** All kinds: fails with this HTTP status and is not applied. KV uses 400, 413, 414, 429, 500 and 503. */
  | { status: number }
  /** All kinds: never completes and is not applied. */
  | "hang"
  /** All kinds: takes this many milliseconds. */
  | { slow: number }
  /** Put and delete: is applied, but fails with this status. */
  | { appliedButFailed: number }
  /** Put and delete: fails, but is applied this many milliseconds later and overwrites the values written meanwhile. */
  | { late: number }
  /** Get: returns null. */
  | "missing"
  /** Get: returns the value from this many writes before the newest one, as far as the model keeps it. */
  | { stale: number }
  /** Get: returns the newest value even if it has expired. */
  | "expired"
  /** Get: returns only this many bytes of the value. */
  | { truncated: number }
  /** Get: returns the value with this bit flipped, counted from the beginning. */
  | { flippedBit: number }
  /** Get: returns this value instead. */
  | { replaced: string | Uint8Array }
  /** Get: returns the value of another key. */
  | { ofKey: string }
  /** List: returns a page without keys that is not the last one. */
  | "emptyPage";

// What can go wrong with one operation, and which operation it is.

/** What an operation does. */
export type OperationKind = "get" | "put" | "delete" | "list";

/** An operation that is about to begin. */
export interface Operation {
  readonly kind: OperationKind;
  /** The location that asks. */
  readonly location: string;
  /** The key, or the prefix of a list. */
  readonly key: string;
  /** When it begins: milliseconds of Unix time, of the model's. */
  readonly at: number;
}

/**
 * What goes wrong with an operation. One that does not fit the operation's kind changes nothing.
 *
 * @example
 * model.failNext("put", { status: 429 });
 */
export type Fault =
  /** Any: it fails with this HTTP status, and is not applied. KV's are 400, 413, 414, 429, 500 and 503. */
  | { status: number }
  /** Any: it is never answered, and not applied. */
  | "hang"
  /** Any: it takes so many milliseconds. */
  | { slow: number }
  /** Put and delete: it is applied, and fails with this status all the same. */
  | { appliedButFailed: number }
  /** Put and delete: it fails, and is applied so many milliseconds later, over whatever was written meanwhile. */
  | { late: number }
  /** Get: nothing is there. */
  | "missing"
  /** Get: the value that stood there so many writes before the newest one, as far as the model remembers. */
  | { stale: number }
  /** Get: the newest value, though it has expired. */
  | "expired"
  /** Get: only so many of the value's bytes. */
  | { truncated: number }
  /** Get: the value with this bit flipped, counted from its beginning. */
  | { flippedBit: number }
  /** Get: this instead. */
  | { replaced: string | Uint8Array }
  /** Get: the value of another key. */
  | { ofKey: string }
  /** List: a page without keys that is not the last. */
  | "emptyPage";

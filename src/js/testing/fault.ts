// What can go wrong with one operation, and which operation it is.

import { type CoreModel, Mishap } from "#model";

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

const mishaps: Record<string, Mishap> = {
  status: Mishap.Status,
  hang: Mishap.Hang,
  slow: Mishap.Slow,
  appliedButFailed: Mishap.AppliedButFailed,
  late: Mishap.Late,
  missing: Mishap.Missing,
  stale: Mishap.Stale,
  expired: Mishap.Expired,
  truncated: Mishap.Truncated,
  flippedBit: Mishap.FlippedBit,
  replaced: Mishap.Replaced,
  ofKey: Mishap.OfKey,
  emptyPage: Mishap.EmptyPage,
};

const plain: unknown[] = ["hang", "missing", "expired", "emptyPage"];
const told: unknown[] = ["replaced", "ofKey"];

/** A fault as it crosses into the model. */
export type CrossingFault = Parameters<CoreModel["fault"]>;

/** Checks a fault that somebody wants. */
export function crossing(fault: Fault): CrossingFault {
  const [name, amount, ...others]: unknown[] = typeof fault === "object" && fault !== null ? Object.entries(fault).flat() : [fault];
  const mishap = typeof name === "string" && Object.hasOwn(mishaps, name) ? mishaps[name] : undefined;
  if (mishap !== undefined && others.length === 0) {
    if (plain.includes(name) && fault === name) return [mishap, 0, new Uint8Array()];
    if (told.includes(name) && typeof amount === "string") return [mishap, 0, new TextEncoder().encode(amount)];
    if (name === "replaced" && amount instanceof Uint8Array) return [mishap, 0, amount];
    if (!plain.includes(name) && !told.includes(name) && typeof amount === "number" && amount >= 0) return [mishap, amount, new Uint8Array()];
  }
  throw new TypeError('a fault is one of those that the type Fault names, such as { status: 429 } or "hang"');
}

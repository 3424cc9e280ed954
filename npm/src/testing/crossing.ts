// Faults and options as they cross into the model.

import { type CoreModel, Mishap } from "#model";
import { bytesIn } from "../realm.js";
import type { Fault } from "./fault.js";

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

/** A fault there. */
export type CrossingFault = Parameters<CoreModel["fault"]>;

/** Checks a fault that somebody wants. */
export function crossing(fault: Fault): CrossingFault {
  const [name, amount, ...others]: unknown[] = typeof fault === "object" && fault !== null ? Object.entries(fault).flat() : [fault];
  const mishap = typeof name === "string" && Object.hasOwn(mishaps, name) ? mishaps[name] : undefined;
  if (mishap !== undefined && others.length === 0) {
    if (plain.includes(name) && fault === name) return [mishap, 0, new Uint8Array()];
    if (told.includes(name) && typeof amount === "string") return [mishap, 0, new TextEncoder().encode(amount)];
    const bytes = name === "replaced" ? bytesIn(amount) : undefined;
    if (bytes) return [mishap, 0, bytes];
    if (!plain.includes(name) && !told.includes(name) && typeof amount === "number" && amount >= 0) return [mishap, amount, new Uint8Array()];
  }
  throw new TypeError('a fault is one of those that the type Fault names, such as { status: 429 } or "hang"');
}

/** Options there. What JSON would drop or change becomes a text, for the model to refuse. */
export function toJson(options: object): string {
  return JSON.stringify(options, (_name, value: unknown) => {
    return typeof value === "bigint" || (typeof value === "number" && !Number.isFinite(value)) ? String(value) : value;
  });
}

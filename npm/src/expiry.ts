// Expiries and dates as the core takes and returns them: ISO text keeps microseconds and the offset.

import { ExpiryKind } from "#core";
import { ValueError } from "./errors.js";
import { millisecondsIn } from "./realm.js";
import type { Expiry, ExpiryOptions } from "./types.js";
import { describe } from "./value.js";

export function encodeExpiry(expiry: Expiry): [ExpiryKind, string] {
  if (expiry === null) return [ExpiryKind.Policy, ""];
  if (typeof expiry === "number") {
    if (!Number.isSafeInteger(expiry)) throw new ValueError("an expiry in seconds must be an integer");
    return [ExpiryKind.Seconds, String(expiry)];
  }
  if (typeof expiry === "string" || millisecondsIn(expiry) !== undefined) return [ExpiryKind.At, encodeDate(expiry)];
  const seconds = typeof expiry === "object" ? (expiry as { seconds?: unknown }).seconds : undefined;
  if (Number.isFinite(seconds)) return [ExpiryKind.In, String(Math.round(Number(seconds) * 1e6))];
  throw new ValueError(`an expiry must be a number, a Date, an ISO string, { seconds } or null, not ${describe(expiry)}`);
}

const NO_DATE = 'a date as text is an ISO date with an offset, such as "2030-01-01T00:00:00Z"; for a duration, pass a number of seconds or { seconds }';

/** Encodes the arguments of `getExpiryAge` and `getExpiryDate`. */
export function encodeExpiryOptions(options: ExpiryOptions | undefined): [string, ExpiryKind | undefined, string] {
  const { modification, expiry } = options ?? {};
  const [kind, amount] = expiry === undefined ? [undefined, ""] : encodeExpiry(expiry);
  return [modification ? encodeDate(modification) : "", kind, amount];
}

function encodeDate(date: unknown): string {
  if (typeof date === "string") {
    if (!/^[+-]?\d+-/.test(date)) throw new ValueError(NO_DATE);
    return date; // mutation: js-date-text
  }
  const milliseconds = millisecondsIn(date) ?? NaN;
  if (Number.isNaN(milliseconds)) throw new ValueError(`a date must be a valid Date or an ISO string, not ${describe(date)}`);
  return new Date(milliseconds).toISOString();
}

/** Converts an ISO date in UTC. A `Date` has milliseconds, so microseconds are cut. */
export function decodeDate(text: string): Date {
  return new Date(`${text.slice(0, text.length > 25 ? 23 : 19)}Z`);
}

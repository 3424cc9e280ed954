// Several keys and values at once: from an object or from pairs.

import { ValueError } from "./errors.js";
import { checkKey, describe, isObject, isPlain, toJson } from "./value.js";

/** Returns the keys and values of a plain object or of pairs. Omits undefined values, as `Partial` allows them. */
export function definedEntries(values: object): [string, unknown][] {
  try {
    const isIterable = isObject(values) && Symbol.iterator in values;
    const pairs = isIterable ? [...(values as Iterable<unknown>)] : isObject(values) && isPlain(values) && Object.entries(values);
    // mutation: js-order-of-update
    if (pairs && pairs.every(isPair)) return [...new Map(pairs)].filter(([, value]) => value !== undefined);
  } catch (cause) {
    throw new ValueError("the values could not be read", { cause });
  }
  throw new ValueError(`expected a plain object or pairs, not ${describe(values)}`);
}

function isPair(pair: unknown): pair is [string, unknown] {
  return Array.isArray(pair) && pair.length === 2;
}

/** Returns the JSON text of an object with these members. */
export function toJsonObject(entries: [string, unknown][]): string {
  const members = entries.map(([key, value]) => {
    checkKey(key);
    return `${JSON.stringify(key)}:${toJson(key, value)}`;
  });
  return `{${members.join()}}`;
}

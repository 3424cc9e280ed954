// Converts values to JSON text and back. A value that JSON cannot represent exactly is an error, with its path.

import { KeyError, ValueError } from "./errors.js";
import { millisecondsIn } from "./realm.js";

/** The nesting limit of arrays and objects: that of the core. */
const MAX_DEPTH = 64;

/** Throws a `ValueError` if JSON cannot represent a value exactly. `key` is its key in the session. */
export function checkValue(key: string, value: unknown): void {
  if (!passesFastCheck(value, true)) new Check(appendPath("session", key)).visit(value);
}

/** Returns the JSON text of the value under a key. Throws a `ValueError` if JSON cannot represent it exactly. */
export function toJson(key: string, value: unknown): string {
  const isFast = passesFastCheck(value, false);
  try {
    const text = isFast ? JSON.stringify(value) : undefined;
    // `JSON.stringify` escapes lone surrogates, so the text shows them.
    if (text !== undefined && !text.includes("\\ud")) return text;
    const check = new Check(appendPath("session", key));
    check.visit(value);
    return check.negativeZero ? write(value) : text ?? JSON.stringify(value);
  } catch (cause) {
    if (cause instanceof ValueError) throw cause;
    throw new ValueError(`${appendPath("session", key)} could not be read`, { cause });
  }
}

/** Parses the JSON text under a key. Without a key it is a text that Django signed: if it is not JSON, there are no data. */
export function fromJson(key: string | undefined, text: string): unknown {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    if (key === undefined) return {};
    throw corrupt(key);
  }
  // Other programs can write to the store. Without a key, the object itself is one more level around the values.
  const depth = key === undefined ? MAX_DEPTH + 1 : MAX_DEPTH;
  if (mayNestDeep(text) && isDeeper(value, depth)) throw new ValueError(`${pathOf(key)} nests deeper than ${MAX_DEPTH} levels`);
  if (hasLongNumber(text) && hasLargeNumber(value)) checkIntegers(pathOf(key), text);
  return value;
}

/** Returns the error for a stored value that is not JSON in UTF-8. It has no cause, which would quote the value. */
function corrupt(key: string): ValueError {
  return new ValueError(`${pathOf(key)} is corrupt in the store`);
}

/** Returns the text of a stored value, which is UTF-8. */
export function decodeText(key: string, read: () => string): string {
  try {
    return read();
  } catch {
    throw corrupt(key);
  }
}

/** Returns the error of a key that is not there. */
export function missing(key: string): KeyError {
  return new KeyError(`the session has no key ${JSON.stringify(key)}`);
}

function pathOf(key: string | undefined): string {
  return key === undefined ? "session" : appendPath("session", key);
}

/** Returns whether the text has more opening brackets than levels are allowed. */
function mayNestDeep(text: string): boolean {
  if (text.length <= 2 * MAX_DEPTH) return false;
  let count = 0;
  for (const bracket of "{[") {
    for (let at = text.indexOf(bracket); at >= 0; at = text.indexOf(bracket, at + 1)) if (++count > MAX_DEPTH) return true;
  }
  return false;
}

/** Returns whether a value that `JSON.parse` returned nests deeper. */
function isDeeper(value: unknown, depth: number): boolean {
  if (typeof value !== "object" || value === null) return false;
  if (depth === 0) return true;
  if (Array.isArray(value)) {
    for (let at = 0; at < value.length; at++) if (isDeeper(value[at], depth - 1)) return true;
  } else {
    for (const name in value) {
      const member = (value as Record<string, unknown>)[name];
      // Only its own properties count, since an application can extend `Object.prototype`.
      if (isObject(member) && Object.hasOwn(value, name) && isDeeper(member, depth - 1)) return true;
    }
  }
  return false;
}

/** Returns whether a value that `JSON.parse` returned contains a number beyond the safe integers. */
function hasLargeNumber(value: unknown): boolean {
  if (typeof value === "number") return value > Number.MAX_SAFE_INTEGER || value < Number.MIN_SAFE_INTEGER;
  return isObject(value) && Object.values(value).some(hasLargeNumber);
}

/** Returns whether the text has 16 digits in a row. They cover one of every sixteen places, and the place eight before or after it. */
function hasLongNumber(text: string): boolean {
  for (let at = 15; at < text.length; at += 16) {
    if (!isDigit(text.charCodeAt(at)) || !(isDigit(text.charCodeAt(at - 8)) || isDigit(text.charCodeAt(at + 8)))) continue;
    if (/\d{16}/.test(text.slice(at - 15, at + 16))) return true;
  }
  return false;
}

function isDigit(unit: number): boolean {
  return unit >= 48 && unit <= 57;
}

/**
 * Returns true if JSON can represent the value exactly: a fast check for the common case, which does not track the path. As in
 * `JSON.stringify`, the data of an object are its own enumerable properties with string keys, and those of an array its items.
 *
 * @param strings Whether to check strings and names for lone surrogates.
 */
function passesFastCheck(value: unknown, strings: boolean): boolean {
  try {
    return isExact(value, strings, MAX_DEPTH);
  } catch {
    return false; // code of the value threw. The full check finds the path
  }
}

function isExact(value: unknown, strings: boolean, depth: number): boolean {
  switch (typeof value) {
    case "string":
      return !strings || value.isWellFormed();
    case "boolean":
      return true;
    case "number":
      return Number.isFinite(value) && (value !== 0 || 1 / value > 0); // mutation: js-number
    case "object":
      return value === null || isExactObject(value, strings, depth);
    default:
      return false;
  }
}

function isExactObject(object: object, strings: boolean, depth: number): boolean {
  if (depth === 0 || (object as { toJSON?: unknown }).toJSON !== undefined) return false;
  if (Array.isArray(object)) {
    for (let at = 0; at < object.length; at++) if (!isExact(object[at], strings, depth - 1)) return false;
    return true;
  }
  const prototype: unknown = Object.getPrototypeOf(object);
  if (prototype !== Object.prototype && prototype !== null) return false;
  for (const name in object) {
    if ((strings && !name.isWellFormed()) || !isExact((object as Record<string, unknown>)[name], strings, depth - 1)) return false;
  }
  return true;
}

/** Checks that a key is a string without lone surrogates. In UTF-8, all lone surrogates would become the same character. */
export function checkKey(key: unknown): asserts key is string {
  if (typeof key !== "string") throw new ValueError(`a session's keys are strings, not ${describe(key)}`);
  if (!key.isWellFormed()) throw new ValueError("a session's key contains a lone surrogate");
}

/** Finds values that `JSON.stringify` would omit or convert. */
class Check {
  /** True if the value contains -0, the one finite number that `JSON.stringify` changes. */
  negativeZero = false;
  readonly #root: string;
  /** The path from the root to the current value: names and indices, and the objects and arrays around it. */
  readonly #steps: (string | number)[] = [];
  readonly #ancestors: object[] = [];

  constructor(root: string) {
    this.#root = root;
  }

  visit(value: unknown): void {
    switch (typeof value) {
      case "boolean":
        return;
      case "string":
        if (!value.isWellFormed()) this.#fail("contains a lone surrogate");
        return;
      case "number":
        if (!Number.isFinite(value)) this.#fail(`is ${value}, which JSON cannot represent`);
        if (Object.is(value, -0)) this.negativeZero = true;
        return;
      case "object":
        if (value !== null) this.#visitObject(value);
        return;
      default:
        this.#fail(`is ${describe(value)}${value === undefined ? "; leave it out" : ""}`);
    }
  }

  #visitObject(value: object): void {
    if (this.#ancestors.includes(value)) this.#fail("contains itself");
    if (this.#ancestors.length >= MAX_DEPTH) this.#fail(`nests deeper than ${MAX_DEPTH} levels`);
    this.#ancestors.push(value);
    try {
      if (Array.isArray(value)) this.#visitItems(value);
      else this.#visitMembers(value);
      // `JSON.stringify` would call it and store its result.
      if (typeof (value as { toJSON?: unknown }).toJSON === "function") this.#fail("has a toJSON method");
    } catch (error) {
      if (error instanceof ValueError) throw error;
      this.#fail("could not be read", error);
    }
    this.#ancestors.pop();
  }

  #visitItems(list: readonly unknown[]): void {
    for (let at = 0; at < list.length; at++) {
      this.#steps.push(at);
      const item = list[at];
      if (item === undefined && !(at in list)) this.#fail("is a hole");
      this.visit(item);
      this.#steps.pop();
    }
  }

  #visitMembers(value: object): void {
    if (!isPlain(value)) this.#fail(`is ${describe(value)}${remedy(value)}`);
    for (const name of Object.keys(value)) {
      if (!name.isWellFormed()) this.#fail("has a name that contains a lone surrogate");
      this.#steps.push(name);
      this.visit((value as Record<string, unknown>)[name]);
      this.#steps.pop();
    }
  }

  #fail(problem: string, cause?: unknown): never {
    throw new ValueError(`${this.#steps.reduce(appendPath, this.#root)} ${problem}`, cause === undefined ? undefined : { cause });
  }
}

/** Like `JSON.stringify`, but writes -0 as Python does: `-0.0`, since Python reads `-0` as an integer. */
function write(value: unknown): string {
  if (Object.is(value, -0)) return "-0.0";
  if (Array.isArray(value)) return `[${value.map(write).join()}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const members = Object.entries(value).map(([name, member]) => `${JSON.stringify(name)}:${write(member)}`);
  return `{${members.join()}}`;
}

/** Throws if the text contains an integer that JavaScript would round: Rust stores 64 bits. JavaScript's own integers are exact. */
function checkIntegers(path: string, text: string): void {
  let inString = false; // tracked here, since an expression for whole strings would overflow on a long one
  for (const [token] of text.matchAll(/\\.|"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/gs)) {
    if (token === '"') inString = !inString;
    const number = Number(token);
    if (!inString && /^-?\d{16,}$/.test(token) && String(number) !== token && BigInt(number) !== BigInt(token)) {
      throw new ValueError(`${path} contains an integer that JavaScript cannot represent`);
    }
  }
}

/** Returns whether an object has no class: its prototype is null or the end of the chain, in any realm. */
export function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

/** Appends an index or a name to a path: `[3]`, `.name`, or `["a name"]` if it is not an identifier. */
function appendPath(path: string, name: string | number): string {
  if (typeof name === "number") return `${path}[${name}]`;
  return /^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u.test(name) ? `${path}.${name}` : `${path}[${JSON.stringify(name)}]`;
}

/** Returns what to store instead of an object of a class. */
function remedy(value: object): string {
  if (millisecondsIn(value) !== undefined) return "; store date.toISOString()";
  return Symbol.iterator in value && !(value instanceof String) ? "; store an array, as [...value]" : "";
}

export function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}

/** Describes a value for a message: "a BigInt", "undefined", "a Date". Accepts any value, even a proxy that throws. */
export function describe(value: unknown): string {
  try {
    return typeName(value);
  } catch {
    return "an object that cannot be read";
  }
}

function typeName(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  const type = typeof value;
  if (type === "bigint") return "a BigInt";
  if (type !== "object") return `a ${type}`;
  if (Array.isArray(value)) return "an array";
  const constructor: unknown = (value as { constructor?: unknown }).constructor;
  const name = typeof constructor === "function" && constructor.name ? constructor.name : "object of a class";
  return `${/^[AEIOUaeiou]/.test(name) ? "an" : "a"} ${name}`;
}

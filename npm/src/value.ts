// From values to JSON text and back: only what JSON holds exactly. The rest is refused, with its path.

import { ValueError } from "./errors.js";

/** As deep as the core lets arrays and objects nest. */
const MAX_DEPTH = 64;

/** Refuses what JSON does not hold exactly. `key` is where the value is to stand in the session. */
export function check(key: string, value: unknown): void {
  if (!isSurelyExact(value)) new Check(step("session", key)).visit(value);
}

/** The JSON text of `value`, which stands under `key`. What JSON does not hold exactly is refused. */
export function toJson(key: string, value: unknown): string {
  const checked = isSurelyExact(value) ? undefined : new Check(step("session", key));
  checked?.visit(value);
  try {
    return checked?.negativeZero ? write(value) : JSON.stringify(value);
  } catch (cause) {
    throw new ValueError(`${step("session", key)} could not be read`, { cause });
  }
}

/** The value that `text`, found under `key`, stands for. Without a key it is what Django signed: no JSON is no data then. */
export function fromJson(key: string | undefined, text: string): unknown {
  const path = () => (key === undefined ? "session" : step("session", key));
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    if (key === undefined) return {};
    throw new ValueError(`${path()} is damaged in the store`);
  }
  // Somebody else may have written it. Django's object is a level of its own around values of the greatest depth.
  if (FAR.test(text) && isDeeper(value, key === undefined ? MAX_DEPTH + 1 : MAX_DEPTH)) {
    throw new ValueError(`${path()} nests deeper than ${MAX_DEPTH} levels`);
  }
  if (hasLongNumber(text)) checkIntegers(path(), text);
  return value;
}

/** Whether enough brackets open for something to nest too deep. */
const FAR = new RegExp(`^(?:[^[{]*[[{]){${MAX_DEPTH + 1}}`);

function isDeeper(value: unknown, depth: number): boolean {
  return typeof value === "object" && value !== null && (depth === 0 || Object.values(value).some((item) => isDeeper(item, depth - 1)));
}

/** Whether 16 digits follow one another: only every sixteenth place has to be looked at first. */
function hasLongNumber(text: string): boolean {
  for (let at = 15; at < text.length; at += 16) {
    if (isDigit(text.charCodeAt(at)) && /\d{16}/.test(text.slice(at - 15, at + 16))) return true;
  }
  return false;
}

function isDigit(unit: number): boolean {
  return unit >= 48 && unit <= 57;
}

/**
 * Whether JSON surely holds the value exactly: the common case, decided without noting where we are. The data of an object
 * are its own enumerable properties with names, those of an array its items, as for `JSON.stringify`.
 */
function isSurelyExact(value: unknown): boolean {
  try {
    return isExact(value, MAX_DEPTH);
  } catch {
    return false; // something of the value's own threw; the check says where
  }
}

function isExact(value: unknown, depth: number): boolean {
  switch (typeof value) {
    case "string":
      return value.isWellFormed();
    case "boolean":
      return true;
    case "number":
      return Number.isFinite(value) && (value !== 0 || 1 / value > 0); // mutation: js-number
    case "object":
      if (value === null) return true;
      if (depth === 0 || (value as { toJSON?: unknown }).toJSON !== undefined) return false;
      return Array.isArray(value) ? areExact(value, depth - 1) : isExactObject(value, depth - 1);
    default:
      return false;
  }
}

function areExact(list: readonly unknown[], depth: number): boolean {
  for (let at = 0; at < list.length; at++) if (!isExact(list[at], depth)) return false;
  return true;
}

function isExactObject(object: object, depth: number): boolean {
  const prototype: unknown = Object.getPrototypeOf(object);
  if (prototype !== Object.prototype && prototype !== null) return false;
  for (const name in object) {
    if (!name.isWellFormed() || !isExact((object as Record<string, unknown>)[name], depth)) return false;
  }
  return true;
}

/** Keys are texts, and lone surrogates have no UTF-8: they would all become the same key. */
export function checkKey(key: unknown): asserts key is string {
  if (typeof key !== "string") throw new ValueError(`a key of a session is a text, not ${kind(key)}`);
  if (!key.isWellFormed()) throw new ValueError("a key of a session holds a surrogate that stands alone");
}

/** Looks for what `JSON.stringify` would leave out, or turn into something else. */
class Check {
  /** The one number that `JSON.stringify` does not write as it is. */
  negativeZero = false;
  readonly #root: string;
  /** The way from the root to where we are: the names and places, and the objects and arrays that they are in. */
  readonly #steps: (string | number)[] = [];
  readonly #above: object[] = [];

  constructor(root: string) {
    this.#root = root;
  }

  visit(value: unknown): void {
    switch (typeof value) {
      case "boolean":
        return;
      case "string":
        if (!value.isWellFormed()) this.#refuse("holds a surrogate that stands alone");
        return;
      case "number":
        if (!Number.isFinite(value)) this.#refuse(`is ${value}, which JSON does not hold`);
        if (Object.is(value, -0)) this.negativeZero = true;
        return;
      case "object":
        if (value !== null) this.#inside(value);
        return;
      default:
        this.#refuse(`is ${kind(value)}`);
    }
  }

  #inside(value: object): void {
    if (this.#above.includes(value)) this.#refuse("contains itself");
    if (this.#above.length >= MAX_DEPTH) this.#refuse(`nests deeper than ${MAX_DEPTH} levels`);
    this.#above.push(value);
    try {
      if (Array.isArray(value)) this.#items(value);
      else this.#members(value);
      // `JSON.stringify` would call it, and store what it makes.
      if (typeof (value as { toJSON?: unknown }).toJSON === "function") this.#refuse("has a toJSON method");
    } catch (error) {
      if (error instanceof ValueError) throw error;
      this.#refuse("could not be read", error);
    }
    this.#above.pop();
  }

  #items(list: readonly unknown[]): void {
    for (let at = 0; at < list.length; at++) {
      this.#steps.push(at);
      const item = list[at];
      if (item === undefined && !(at in list)) this.#refuse("is a hole");
      this.visit(item);
      this.#steps.pop();
    }
  }

  #members(value: object): void {
    if (!isPlain(value)) this.#refuse(`is ${kind(value)}`);
    for (const name of Object.keys(value)) {
      if (!name.isWellFormed()) this.#refuse("has a name that holds a surrogate that stands alone");
      this.#steps.push(name);
      this.visit((value as Record<string, unknown>)[name]);
      this.#steps.pop();
    }
  }

  #refuse(what: string, cause?: unknown): never {
    throw new ValueError(`${this.#steps.reduce(step, this.#root)} ${what}`, cause === undefined ? undefined : { cause });
  }
}

/** As `JSON.stringify`, but -0 stays -0: as Python writes it, which reads `-0` as the integer. */
function write(value: unknown): string {
  if (Object.is(value, -0)) return "-0.0";
  if (Array.isArray(value)) return `[${value.map(write).join()}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const members = Object.entries(value).map(([name, member]) => `${JSON.stringify(name)}:${write(member)}`);
  return `{${members.join()}}`;
}

/** Rust stores integers of 64 bits; JavaScript would round those beyond 2⁵³ without a word. Its own are as it writes them. */
function checkIntegers(path: string, text: string): void {
  let inside = false; // a string: matched as a whole, a long one would be too much for the expression
  for (const [token] of text.matchAll(/\\.|"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/gs)) {
    if (token === '"') inside = !inside;
    const number = Number(token);
    if (!inside && /^-?\d{16,}$/.test(token) && String(number) !== token && BigInt(number) !== BigInt(token)) {
      throw new ValueError(`${path} holds an integer that JavaScript's numbers do not hold`);
    }
  }
}

/** An object of no class: its prototype, if any, is the end of the chain, in whatever realm it was made. */
export function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

/** One step down: `[3]`, `.name`, or `["a name"]` where that would not be JavaScript. */
export function step(path: string, name: string | number): string {
  if (typeof name === "number") return `${path}[${name}]`;
  return /^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u.test(name) ? `${path}.${name}` : `${path}[${JSON.stringify(name)}]`;
}

/** What a value is, for a message: "a BigInt", "undefined", "a Date". It can be anything, a proxy that throws too. */
export function kind(value: unknown): string {
  try {
    return named(value);
  } catch {
    return "an object that cannot be read";
  }
}

function named(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  const type = typeof value;
  if (type === "bigint") return "a BigInt";
  if (type !== "object") return `a ${type}`;
  if (Array.isArray(value)) return "an array";
  const constructor: unknown = (value as { constructor?: unknown }).constructor;
  const name = typeof constructor === "function" && constructor.name ? constructor.name : "object of a class";
  return `${/^[AEIOUaeiou]/.test(name) ? "an" : "a"} ${name}`;
}

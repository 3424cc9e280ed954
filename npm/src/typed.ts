// From what the core throws to the classes that users see.

import { sharedCacheHeaders, startAnew } from "#core";
import {
  ConfigError,
  type EdgeSessionError,
  EntropyError,
  KeyError,
  KeyTakenError,
  PanicError,
  SessionInterruptedError,
  InternalError,
  StaleError,
  StoreUnavailableError,
  SupersededError,
  TooLargeError,
  UsageError,
  ValueError,
} from "./errors.js";

const classes = new Map<string, new (message: string, options?: ErrorOptions) => EdgeSessionError>([
  ["ES_KEY_ERROR", KeyError],
  ["ES_VALUE", ValueError],
  ["ES_TOO_LARGE", TooLargeError],
  ["ES_CONFIG", ConfigError],
  ["ES_STORE_UNAVAILABLE", StoreUnavailableError],
  ["ES_SESSION_INTERRUPTED", SessionInterruptedError],
  ["ES_STALE", StaleError],
  ["ES_SUPERSEDED", SupersededError],
  ["ES_USAGE", UsageError],
  ["ES_INTERNAL", InternalError],
  ["ES_KEY_TAKEN", KeyTakenError],
  ["ES_ENTROPY", EntropyError],
]);

/** Which instance of the wasm runs: after a trap, the next one. What an earlier one made is lost. */
export let instance = 0;
let trapped = false;

/** Runs a call of the core, and makes what it throws an error of its class. */
export function typed<T>(call: () => T): T {
  try {
    return call();
  } catch (error) {
    throw ofItsClass(error, instance);
  }
}

/**
 * What an object that was `made` by this instance of the core threw, as an error of its class. The core throws a text: a code,
 * a space, and the message. Where the store failed, `failure` is the cause.
 */
export function ofItsClass(error: unknown, made: number, failure?: unknown): unknown {
  if (typeof error === "string") {
    const at = error.indexOf(" ");
    const Kind = classes.get(error.slice(0, at)) ?? ValueError;
    const options = Kind === StoreUnavailableError && failure !== undefined ? { cause: failure } : undefined;
    return new Kind(renamed(error.slice(at + 1)), options);
  }
  if (made === instance && !isTrap(error)) return error;
  if (made === instance) {
    instance++;
    trapped = true; // the stack may be full now: the next session begins anew
  }
  return error instanceof PanicError ? error : new PanicError(error);
}

function isTrap(error: unknown): boolean {
  return error instanceof WebAssembly.RuntimeError || (error instanceof RangeError && /call stack/.test(error.message));
}

/** Has the core begin anew after a trap: nobody can tell what its memory holds. */
export function recover(): void {
  if (!trapped) return;
  trapped = false;
  startAnew();
  sharedCacheHeaders(); // the call that begins anew: its arguments, if it had any, would go into the old memory
}

/** The core's messages name settings as Django does, `SESSION_COOKIE_AGE`; here they are called `cookieAge`. */
function renamed(message: string): string {
  return message
    .replace("SESSION_SECRET and each of SESSION_SECRET_FALLBACKS need", "Each of secrets needs")
    .replace(/\bSESSION_([A-Z]+(?:_[A-Z]+)*)\b/g, (_, name: string) => settings[name] ?? camelCase(name));
}

const settings: Record<string, string> = {
  SECRET: "secrets",
  COOKIE_HTTPONLY: "cookieHttpOnly",
  COOKIE_SAMESITE: "cookieSameSite",
};

function camelCase(name: string): string {
  return name.toLowerCase().replace(/_(.)/g, (_, letter: string) => letter.toUpperCase());
}

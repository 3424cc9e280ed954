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
  StoreUnavailableError,
  TooLargeError,
  ValueError,
} from "./errors.js";

const classes = new Map<string, new (message: string, options?: ErrorOptions) => EdgeSessionError>([
  ["ES_KEY_ERROR", KeyError],
  ["ES_VALUE", ValueError],
  ["ES_TOO_LARGE", TooLargeError],
  ["ES_CONFIG", ConfigError],
  ["ES_STORE_UNAVAILABLE", StoreUnavailableError],
  ["ES_SESSION_INTERRUPTED", SessionInterruptedError],
  ["ES_KEY_TAKEN", KeyTakenError],
  ["ES_ENTROPY", EntropyError],
]);

/** Which instance of the wasm runs: after a trap, the next one. What an earlier one made is lost. */
export let instance = 0;

/** Runs a call of the core, and makes what it throws an error of its class. */
export function typed<T>(call: () => T): T {
  try {
    return call();
  } catch (error) {
    throw ofItsClass(error);
  }
}

/** The core throws a text: a code, a space, and the message. Where the store failed, `failure` is the cause. */
export function ofItsClass(error: unknown, failure?: unknown): unknown {
  if (typeof error === "string") {
    const at = error.indexOf(" ");
    const Kind = classes.get(error.slice(0, at)) ?? ValueError;
    const options = Kind === StoreUnavailableError && failure !== undefined ? { cause: failure } : undefined;
    return new Kind(renamed(error.slice(at + 1)), options);
  }
  if (!(error instanceof WebAssembly.RuntimeError)) return error;
  instance++;
  startAnew();
  sharedCacheHeaders(); // the call that begins anew: its arguments, if it had any, would go into the old memory
  return new PanicError(error);
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

// Maps the errors of the core to the public error classes.

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
import { beginAtCall } from "./stack-trace.js";
import { abandonInstance, instance, isTrap } from "./wasm-instance.js";

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

/** Calls the core. Rethrows its errors as instances of the public classes. */
export function callCore<T>(call: () => T): T {
  try {
    return call();
  } catch (error) {
    throw toPublicError(error, instance);
  }
}

/**
 * Converts what the core threw to an error of a public class. The core throws a string: a code, a space, and the message.
 *
 * @param owner The instance of the wasm that the called object belongs to.
 * @param storeError The last error of the store: the `cause` of a `StoreUnavailableError`. A `ConfigError` is thrown as it is.
 * @param operation The function that ran the operation, which the stack trace leaves out.
 */
export function toPublicError(error: unknown, owner: number, storeError?: unknown, operation?: Function): unknown {
  if (typeof error === "string") {
    const at = error.indexOf(" ");
    const Kind = classes.get(error.slice(0, at)) ?? ValueError;
    const isOfStore = Kind === StoreUnavailableError && storeError !== undefined;
    if (isOfStore && storeError instanceof ConfigError) return storeError; // such as a missing table: not worth another try
    const options = isOfStore ? { cause: storeError } : undefined;
    return beginAtCall(new Kind(withOptionNames(error.slice(at + 1)), options), operation);
  }
  if (owner === instance && !isTrap(error)) return error;
  if (owner === instance) abandonInstance();
  return error instanceof PanicError ? error : new PanicError(error);
}

/** Replaces Django's names of settings, `SESSION_COOKIE_AGE`, by those of the options, `cookieAge`. */
function withOptionNames(message: string): string {
  return message
    .replace("SESSION_SECRET and each of SESSION_SECRET_FALLBACKS need", "Each of secrets needs")
    .replace(/\bSESSION_([A-Z]+(?:_[A-Z]+)*)\b/g, (_, name: string) => toOptionName(name));
}

function toOptionName(setting: string): string {
  return irregular[setting] ?? setting.toLowerCase().replace(/_(.)/g, (_, letter: string) => letter.toUpperCase());
}

const irregular: Record<string, string> = {
  SECRET: "secrets",
  COOKIE_HTTPONLY: "cookieHttpOnly",
  COOKIE_SAMESITE: "cookieSameSite",
};

// From what the core throws to the classes that users see.

import {
  ConfigError,
  EntropyError,
  KeyError,
  KeyTakenError,
  SessionInterruptedError,
  StoreUnavailableError,
  TooLargeError,
  ValueError,
} from "./errors.js";

const classes = [
  KeyError,
  ValueError,
  TooLargeError,
  ConfigError,
  StoreUnavailableError,
  SessionInterruptedError,
  KeyTakenError,
  EntropyError,
];

/** Runs a call of the core, and makes what it throws an error of its class. Where the store failed, `failure` is the cause. */
export function typed<T>(call: () => T, failure?: unknown): T {
  try {
    return call();
  } catch (error) {
    throw typeof error === "string" ? ofItsClass(error, failure) : error;
  }
}

/** The core throws a text: a code, a space, and the message. */
function ofItsClass(thrown: string, failure: unknown): Error {
  const at = thrown.indexOf(" ");
  const [code, message] = [thrown.slice(0, at), renamed(thrown.slice(at + 1))];
  const Kind = classes.find((kind) => kind.code === code) ?? ValueError;
  return new Kind(message, Kind === StoreUnavailableError && failure !== undefined ? { cause: failure } : undefined);
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

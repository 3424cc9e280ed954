// From what the core throws to the classes that users see.

import {
  ConfigError,
  EdgeSessionError,
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

/** Runs a call of the core, and makes what it throws an error of its class. */
export function typed<T>(call: () => T): T {
  try {
    return call();
  } catch (error) {
    if (!(error instanceof Error) || error instanceof EdgeSessionError) throw error;
    const { code, message, cause } = error as Error & { code?: unknown };
    const Kind = classes.find((kind) => kind.code === code);
    throw Kind ? new Kind(renamed(message), cause === undefined ? undefined : { cause }) : error;
  }
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

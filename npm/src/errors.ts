// The error classes: one for each error kind of the core, and three for errors of the JavaScript binding.

import { beginAtCall } from "./stack-trace.js";

/** The codes of the errors. They are stable. */
export type ErrorCode =
  | "ES_KEY_ERROR"
  | "ES_VALUE"
  | "ES_TOO_LARGE"
  | "ES_CONFIG"
  | "ES_STORE_UNAVAILABLE"
  | "ES_SESSION_INTERRUPTED"
  | "ES_STALE"
  | "ES_SUPERSEDED"
  | "ES_USAGE"
  | "ES_INTERNAL"
  | "ES_KEY_TAKEN"
  | "ES_ENTROPY"
  | "ES_SESSION_CLOSED"
  | "ES_SESSION_BUSY"
  | "ES_PANIC";

/**
 * Base class of all errors of this package. No message contains a session key, a token, a secret or a stored value.
 *
 * @example
 * try {
 *   session.item("user");
 * } catch (error) {
 *   if (error instanceof EdgeSessionError) console.log(error.code); // "ES_KEY_ERROR"
 * }
 */
export abstract class EdgeSessionError extends Error {
  /** Identifies the error in code. */
  abstract readonly code: ErrorCode;

  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    beginAtCall(this);
  }

  /** The HTTP status of a response to a request that fails with this error: 400, 409, 413 or 503; undefined for an error of the program. */
  get status(): number | undefined {
    return STATUS[this.code];
  }

  /** The same as `status`, under the name that Express, Fastify and h3 read. */
  get statusCode(): number | undefined {
    return this.status;
  }
}

/** The statuses of the errors that correct code can meet. */
const STATUS: Partial<Record<ErrorCode, number>> = {
  ES_STORE_UNAVAILABLE: 503,
  ES_SESSION_INTERRUPTED: 400,
  ES_STALE: 409,
  ES_SUPERSEDED: 409,
  ES_TOO_LARGE: 413,
};

/**
 * The session has no such key (Django's `KeyError`).
 *
 * @example
 * session.pop("missing"); // throws a KeyError
 */
export class KeyError extends EdgeSessionError {
  override readonly name = "KeyError"; // a literal, since bundlers shorten the names of classes
  readonly code = "ES_KEY_ERROR";
}

/**
 * JSON cannot represent a value exactly, or an argument has the wrong type. The message contains the path of the value.
 *
 * @example
 * session.set("cart", [{ added: 1n }]); // ValueError: session.cart[0].added is a BigInt
 */
export class ValueError extends EdgeSessionError {
  override readonly name = "ValueError"; // a literal, since bundlers shorten the names of classes
  readonly code = "ES_VALUE";
}

/**
 * The record of the session would exceed `maxRecordBytes`.
 *
 * @example
 * session.set("book", "x".repeat(100_000));
 * await session.save(); // throws a TooLargeError
 */
export class TooLargeError extends EdgeSessionError {
  override readonly name = "TooLargeError"; // a literal, since bundlers shorten the names of classes
  readonly code = "ES_TOO_LARGE";
}

/**
 * A setting is missing, invalid, or contradicts another setting.
 *
 * @example
 * createSessions({ store: memory(), secrets: ["short"] }); // throws a ConfigError
 */
export class ConfigError extends EdgeSessionError {
  override readonly name = "ConfigError"; // a literal, since bundlers shorten the names of classes
  readonly code = "ES_CONFIG";
}

/**
 * An operation of the store failed. Its error is the `cause`. A failed load throws at the first use of the session, not in `load`.
 *
 * @example
 * try {
 *   return new Response(`Hello ${session.get("user")}`);
 * } catch (error) {
 *   if (error instanceof StoreUnavailableError) return new Response("Hello");
 *   throw error;
 * }
 */
export class StoreUnavailableError extends EdgeSessionError {
  override readonly name = "StoreUnavailableError"; // a literal, since bundlers shorten the names of classes
  readonly code = "ES_STORE_UNAVAILABLE";
}

/**
 * The record was deleted while the request ran, by a logout for example (Django's `SessionInterrupted`).
 *
 * @example
 * await session.save(); // throws a SessionInterruptedError if another request logged out meanwhile
 */
export class SessionInterruptedError extends EdgeSessionError {
  override readonly name = "SessionInterruptedError"; // a literal, since bundlers shorten the names of classes
  readonly code = "ES_SESSION_INTERRUPTED";
}

/**
 * A concurrent request just replaced the session key, as a login does, so nothing was saved under the old key. The next request of the
 * browser uses the new key.
 *
 * @example
 * await sessions.commit(session, response); // throws a SupersededError: another tab logged in meanwhile
 */
export class SupersededError extends EdgeSessionError {
  override readonly name = "SupersededError"; // a literal, since bundlers shorten the names of classes
  readonly code = "ES_SUPERSEDED";
}

/**
 * The call is not allowed on this session.
 *
 * @example
 * await sessions.commit(await sessions.open(key), response); // throws a UsageError: it is another visitor's session
 */
export class UsageError extends EdgeSessionError {
  override readonly name = "UsageError"; // a literal, since bundlers shorten the names of classes
  readonly code = "ES_USAGE";
}

/**
 * The core received a reply that does not match its last request: a bug in this package.
 *
 * @example
 * if (error instanceof InternalError) report(error);
 */
export class InternalError extends EdgeSessionError {
  override readonly name = "InternalError"; // a literal, since bundlers shorten the names of classes
  readonly code = "ES_INTERNAL";
}

/**
 * The store returned an older record than this browser has saved, and the missing save cannot be restored, so nothing was overwritten. The
 * save becomes visible within about a minute.
 *
 * @example
 * await session.save(); // throws a StaleError if the browser has just saved at another location
 */
export class StaleError extends EdgeSessionError {
  override readonly name = "StaleError"; // a literal, since bundlers shorten the names of classes
  readonly code = "ES_STALE";
}

/**
 * The new session key is already in use (Django's `CreateError`).
 *
 * @example
 * await session.save(); // throws a KeyTakenError if `put` with `ifGeneration: 0` returned false
 */
export class KeyTakenError extends EdgeSessionError {
  override readonly name = "KeyTakenError"; // a literal, since bundlers shorten the names of classes
  readonly code = "ES_KEY_TAKEN";
}

/**
 * The platform or the option `entropy` did not return 32 random bytes.
 *
 * @example
 * createSessions({ store, secrets, entropy: () => new Uint8Array(8) }).load(""); // rejects with an EntropyError
 */
export class EntropyError extends EdgeSessionError {
  override readonly name = "EntropyError"; // a literal, since bundlers shorten the names of classes
  readonly code = "ES_ENTROPY";
}

/**
 * The session was committed or disposed of. After a commit its data stay readable, if the session was used before. To change them, save before
 * the response with `save`, or later with `sessions.open(session.sessionKey)`.
 *
 * @example
 * await sessions.commit(session, response);
 * session.set("user", "alice"); // throws a SessionClosedError
 */
export class SessionClosedError extends EdgeSessionError {
  override readonly name = "SessionClosedError"; // a literal, since bundlers shorten the names of classes
  readonly code = "ES_SESSION_CLOSED";

  constructor(message = "the session is closed: it was disposed of without a commit") {
    super(message);
  }
}

/**
 * The session is being saved, flushed or committed. Await that call before the next write.
 *
 * @example
 * const saving = session.save();
 * session.set("page", 2); // throws a SessionBusyError
 * await saving;
 */
export class SessionBusyError extends EdgeSessionError {
  override readonly name = "SessionBusyError"; // a literal, since bundlers shorten the names of classes
  readonly code = "ES_SESSION_BUSY";

  constructor(message = "the session is being saved, flushed or committed; await that first") {
    super(message);
  }
}

/**
 * The core crashed and was restarted. Open sessions are lost; the next requests work again. This is a bug: please report it with the
 * `cause`.
 *
 * @example
 * session.get("user"); // throws a PanicError; the next request works again
 */
export class PanicError extends EdgeSessionError {
  override readonly name = "PanicError"; // a literal, since bundlers shorten the names of classes
  readonly code = "ES_PANIC";

  constructor(cause?: unknown) {
    super("edge-session's core failed and was restarted; this session is lost", { cause });
  }
}

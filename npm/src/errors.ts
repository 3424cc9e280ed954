// What can go wrong: one class for each of the core's kinds, with its stable code, and two of the door's own.

/** The stable code that each error carries. */
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
 * What all errors of this package are. No message holds a session key, a token, a secret or a stored value.
 *
 * @example
 * try {
 *   session.item("user");
 * } catch (error) {
 *   if (error instanceof EdgeSessionError) console.log(error.code); // "ES_KEY_ERROR"
 * }
 */
export abstract class EdgeSessionError extends Error {
  /** What went wrong, for a program to decide on. */
  abstract readonly code: ErrorCode;
}

/**
 * The session has no such key (Django's `KeyError`).
 *
 * @example
 * session.pop("missing"); // throws a KeyError
 */
export class KeyError extends EdgeSessionError {
  override readonly name = "KeyError"; // not the class's own: bundlers shorten it
  readonly code = "ES_KEY_ERROR";
}

/**
 * A value that JSON does not hold exactly, or an argument of another kind than the call takes. The message names the path.
 *
 * @example
 * session.set("cart", [{ added: 1n }]); // ValueError: session.cart[0].added is a BigInt
 */
export class ValueError extends EdgeSessionError {
  override readonly name = "ValueError"; // not the class's own: bundlers shorten it
  readonly code = "ES_VALUE";
}

/**
 * The session's record would be larger than `maxRecordBytes` allows.
 *
 * @example
 * session.set("book", "x".repeat(100_000));
 * await session.save(); // throws a TooLargeError
 */
export class TooLargeError extends EdgeSessionError {
  override readonly name = "TooLargeError"; // not the class's own: bundlers shorten it
  readonly code = "ES_TOO_LARGE";
}

/**
 * A setting is missing, malformed, or contradicts another one.
 *
 * @example
 * createSessions({ store: memory(), secrets: ["short"] }); // throws a ConfigError
 */
export class ConfigError extends EdgeSessionError {
  override readonly name = "ConfigError"; // not the class's own: bundlers shorten it
  readonly code = "ES_CONFIG";
}

/**
 * The store could not be reached, or refused. What it threw is the `cause`. Thrown at a session's first use, not at `load`.
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
  override readonly name = "StoreUnavailableError"; // not the class's own: bundlers shorten it
  readonly code = "ES_STORE_UNAVAILABLE";
}

/**
 * The record was deleted while the request ran, by a logout for example (Django's `SessionInterrupted`).
 *
 * @example
 * await session.save(); // throws a SessionInterruptedError where another request logged out meanwhile
 */
export class SessionInterruptedError extends EdgeSessionError {
  override readonly name = "SessionInterruptedError"; // not the class's own: bundlers shorten it
  readonly code = "ES_SESSION_INTERRUPTED";
}

/**
 * A concurrent request changed the session's key a moment ago, as a login does: nothing was saved under the old one. The next
 * request carries the new key.
 *
 * @example
 * await sessions.commit(session, response); // throws a SupersededError: another tab logged in meanwhile
 */
export class SupersededError extends EdgeSessionError {
  override readonly name = "SupersededError"; // not the class's own: bundlers shorten it
  readonly code = "ES_SUPERSEDED";
}

/**
 * The call is not allowed on this session.
 *
 * @example
 * await sessions.commit(await sessions.open(key), response); // throws a UsageError: it is another visitor's session
 */
export class UsageError extends EdgeSessionError {
  override readonly name = "UsageError"; // not the class's own: bundlers shorten it
  readonly code = "ES_USAGE";
}

/**
 * An operation got a reply that does not answer its last step: a bug in this package.
 *
 * @example
 * if (error instanceof InternalError) report(error);
 */
export class InternalError extends EdgeSessionError {
  override readonly name = "InternalError"; // not the class's own: bundlers shorten it
  readonly code = "ES_INTERNAL";
}

/**
 * The store shows an older record than the one that this browser knows of, and what is missing cannot be put back: nothing was
 * written over it. It will be there in a minute.
 *
 * @example
 * await session.save(); // throws a StaleError where the browser saved elsewhere a moment ago
 */
export class StaleError extends EdgeSessionError {
  override readonly name = "StaleError"; // not the class's own: bundlers shorten it
  readonly code = "ES_STALE";
}

/**
 * A record stands under the key that was to be created (Django's `CreateError`).
 *
 * @example
 * await session.save(); // throws a KeyTakenError where a store's `put` found something with `ifAbsent`
 */
export class KeyTakenError extends EdgeSessionError {
  override readonly name = "KeyTakenError"; // not the class's own: bundlers shorten it
  readonly code = "ES_KEY_TAKEN";
}

/**
 * The platform, or the `entropy` setting, did not give 32 random bytes.
 *
 * @example
 * createSessions({ store, secrets, entropy: () => new Uint8Array(8) }).load(""); // rejects with an EntropyError
 */
export class EntropyError extends EdgeSessionError {
  override readonly name = "EntropyError"; // not the class's own: bundlers shorten it
  readonly code = "ES_ENTROPY";
}

/**
 * The session was committed or disposed of; its data can no longer be read or written.
 *
 * @example
 * await sessions.commit(session, response);
 * session.set("user", "alice"); // throws a SessionClosedError
 */
export class SessionClosedError extends EdgeSessionError {
  override readonly name = "SessionClosedError"; // not the class's own: bundlers shorten it
  readonly code = "ES_SESSION_CLOSED";

  constructor(message = "the session is closed: it was committed or disposed of") {
    super(message);
  }
}

/**
 * The session is being saved, flushed or committed; await that before the next write.
 *
 * @example
 * const saving = session.save();
 * session.set("page", 2); // throws a SessionBusyError
 * await saving;
 */
export class SessionBusyError extends EdgeSessionError {
  override readonly name = "SessionBusyError"; // not the class's own: bundlers shorten it
  readonly code = "ES_SESSION_BUSY";

  constructor(message = "the session is being saved, flushed or committed; await that first") {
    super(message);
  }
}

/**
 * The core failed in a way that it never should, and began anew. The sessions that were open are lost, those of the next
 * requests are not. Please report it, with the `cause`.
 *
 * @example
 * session.get("user"); // throws a PanicError; the next request works again
 */
export class PanicError extends EdgeSessionError {
  override readonly name = "PanicError"; // not the class's own: bundlers shorten it
  readonly code = "ES_PANIC";

  constructor(cause?: unknown) {
    super("edge-session's core failed and began anew; this session is lost", { cause });
  }
}

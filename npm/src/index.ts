// The public API of the package.

export { cookieStore } from "./cookie-store.js";
export { d1 } from "./d1.js";
export type { D1Database, D1Statement } from "./d1.js";
export { durableObjects } from "./durable-objects.js";
export type { DurableObjectsOptions, SessionObjectNamespace, SessionObjectStub } from "./durable-objects.js";
export * from "./errors.js";
export { migrate } from "./migrate.js";
export type { MigrateOptions } from "./migrate.js";
export type { RunOptions, SessionOptions } from "./options.js";
export type { SessionCookie, SessionCookieOptions } from "./session-cookie.js";
export { createSessions } from "./sessions.js";
export type { ClearExpiredOptions, CookieSource, Sessions, SweepOutcome } from "./sessions.js";
export { sessionsFor } from "./sessions-for.js";
export { kv, memory } from "./store.js";
export type { KvNamespace, KvPage, MemoryOptions, MemoryRecord, MemoryStore, PutOptions, Store, StorePage } from "./store.js";
export type {
  Expiry,
  ExpiryOptions,
  LoadReason,
  ReadonlySession,
  SaveOutcome,
  Session,
  SessionData,
  SessionEntries,
  SessionEvent,
  SessionKeyOf,
  SessionValueOf,
  UserSession,
} from "./types.js";
export { withSessions } from "./with-sessions.js";
export type { SessionHandler, SessionsWorker, WorkerContext } from "./with-sessions.js";

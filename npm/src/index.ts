// What the package exports.

export * from "./errors.js";
export type { Expiry, ExpiryOptions, LoadReason, Saved, Session, SessionEntries, SessionEvent, SessionKeyOf, SessionValueOf } from "./session.js";
export { createSessions } from "./sessions.js";
export type { ClearExpiredOptions, CookieSource, SessionOptions, Sessions, Swept } from "./sessions.js";
export { kv, memory } from "./store.js";
export type { KvNamespace, KvPage, MemoryStore, PutOptions, Store, StorePage } from "./store.js";
export { withSessions } from "./with-sessions.js";
export type { SessionHandler, SessionsWorker } from "./with-sessions.js";

// What the package exports.

export * from "./errors.js";
export type { Expiry, ExpiryOptions, Key, LoadReason, Pairs, Saved, Session, SessionEvent, Value } from "./session.js";
export { createSessions } from "./sessions.js";
export type { ClearExpiredOptions, From, Options, Sessions, Swept } from "./sessions.js";
export { kv, memory } from "./store.js";
export type { KvNamespace, KvPage, MemoryStore, Page, PutOptions, Store } from "./store.js";
export { withSessions } from "./with-sessions.js";
export type { Handler, SessionsWorker } from "./with-sessions.js";

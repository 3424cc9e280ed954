// The settings of sessions.

import type { EdgeSessionError } from "./errors.js";
import type { Store } from "./store.js";
import type { SessionEvent } from "./types.js";

/**
 * The settings of sessions and their cookie: Django's settings in camelCase. `createSessions` validates them.
 *
 * @example
 * const options: SessionOptions = { store: kv(env.SESSIONS), secrets: [env.SESSION_SECRET], cookieAge: 86_400 };
 */
export interface SessionOptions {
  /** The store of the records: `kv(namespace)`, `memory()`, or your own. */
  store: Store;
  /** Secrets of at least 32 bytes each. The first one signs, all of them verify. To rotate, add a new one in front of the old ones. */
  secrets: readonly (string | Uint8Array)[];
  /** The lifetime of a session after its last save, in seconds. Default 1 209 600 (14 days). */
  cookieAge?: number | undefined;
  /**
   * Default `__Host-sessionid`; `__Secure-sessionid` with a domain or a path; `sessionid` if the cookie is not Secure. With the prefix
   * `__Host-Http-`, which newer browsers know, no script can set such a cookie either.
   */
  cookieName?: string | undefined;
  /** A domain whose subdomains also receive the cookie. Default: this host only. */
  cookieDomain?: string | undefined;
  /** Default `/`. */
  cookiePath?: string | undefined;
  /** Default true. Chromium and Firefox also accept such a cookie on `http://localhost`, Safari does not. */
  cookieSecure?: boolean | undefined;
  /** Default true: scripts of the page cannot read the cookie. */
  cookieHttpOnly?: boolean | undefined;
  /** Default `Lax`. Upper and lower case are equal, as in the cookie itself (RFC 6265bis, section 5.6.7). */
  cookieSameSite?: "Strict" | "Lax" | "None" | "strict" | "lax" | "none" | undefined;
  /**
   * True to let the browser keep a cookie of its own for each site that embeds this one (CHIPS): a page in a frame also needs `cookieSameSite`
   * `None`. Default false.
   */
  cookiePartitioned?: boolean | undefined;
  /** True to let the cookie end when the browser closes, unless the session has its own expiry. Default false. */
  expireAtBrowserClose?: boolean | undefined;
  /** True to renew the session with each request, not only when it changed. Default false. */
  saveEveryRequest?: boolean | undefined;
  /** The maximum lifetime of a session in seconds, even if it is saved. Default 34 560 000 (400 days). */
  absoluteAge?: number | undefined;
  /** The maximum size of a record, in bytes. Default 65 536. */
  maxRecordBytes?: number | undefined;
  /** The prefix of all keys in the store. Default `edge-session`. */
  keyPrefix?: string | undefined;
  /**
   * True if a load also checks whether the session was revoked. Default true. False saves one read per request, but a logout then only
   * deletes the record: a slow request can restore it, and caches can still return it.
   */
  checkEnded?: boolean | undefined;
  /**
   * True to save even if the store does not show a recent save of this browser from another location, which can then be overwritten.
   * Default false: such a save throws a `StaleError`.
   */
  mergeStale?: boolean | undefined;
  /**
   * The largest journal in the cookie, in bytes: the recent writes that repair a stale record. From 0 to 4096. Default 1024. A save that
   * writes more is not carried.
   */
  journalBytes?: number | undefined;
  /**
   * True to encrypt the records in the store, with a key from the secret and the session key. Who reads the store then reads no session, and who
   * writes it can neither change one nor put it under another key. Switching it on or off ends all sessions. Default false.
   */
  seal?: boolean | undefined;
  /**
   * True to add `Clear-Site-Data: "cache", "storage"` to the response to a logout, so that the browser also removes what scripts and its cache
   * have kept of this site. Default false.
   */
  clearSiteData?: boolean | undefined;
  /**
   * True to save an object of the session that was changed in place, without `session.modified = true`. Each object that was read is then compared
   * at the commit. False to leave such a change unsaved, as Django does. By default it is unsaved as well; in development, where
   * `process.env.NODE_ENV` is `"development"`, it is also the event `unsaved-change` and a warning.
   */
  trackChanges?: boolean | undefined;
  /** Callback invoked for every session event, for logs and counters. An error that it throws is logged and ignored. */
  onEvent?: ((event: SessionEvent) => void) | undefined;
  /** Returns the time in milliseconds of Unix time, for tests. Default: that of the store, or `Date.now`. */
  clock?: (() => number) | undefined;
  /** Returns 32 unpredictable bytes for each session, for reproducible tests. Default: the platform's random source. */
  entropy?: (() => Uint8Array) | undefined;
}

/** Options of `run`. */
export interface RunOptions {
  /**
   * Creates the response to an error with a status, of the session or its store. By default, or if it returns undefined, the response is
   * `{"error":{"code","message"}}` with the status of the error. `run` adds the headers of the session.
   */
  onError?: ((error: EdgeSessionError) => Response | undefined | Promise<Response | undefined>) | undefined;
}

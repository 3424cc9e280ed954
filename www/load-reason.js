// Descriptions of the load outcome: `loadReason` in the response to `GET /session`.

/**
 * The style of the label: `stored` if the data are those of the session, `warned` if data are missing or a change would be
 * refused, `plain` without a session. `next` is the advice. `values` and `cookie` replace the page's usual texts for an
 * empty table and for the cookie; only a session that exists and cannot be read has `values`. Backticks enclose code.
 * @typedef {{
 *   label: string, badge: "stored" | "warned" | "plain", meaning: string, next?: string, values?: string, cookie?: string,
 * }} LoadReason
 */

const STARTS_NEW = "The next change or login starts a new session.";
const KEPT = "The browser keeps its cookie.";

/** @type {Record<string, LoadReason>} */
export const LOAD_REASONS = {
  "new": {
    label: "New",
    badge: "plain",
    meaning: "This browser has no session yet.",
  },
  "live": {
    label: "Stored",
    badge: "stored",
    meaning: "The server found this browser’s session by its cookie.",
  },
  "stale-repaired": {
    label: "Repaired",
    badge: "stored",
    meaning: "KV showed an older record. The server added this browser’s latest changes from its cookie.",
    next: "Nothing. The values on this page include those changes, and the next save stores them together.",
  },
  "stale": {
    label: "Stale",
    badge: "warned",
    meaning: "KV shows an older record that lacks changes of this browser.",
    next: "Wait a minute, then read again. Until then a change is refused with 409 (`ES_STALE`), unless the site sets `SESSION_MERGE_STALE`.",
  },
  "not-yet-visible": {
    label: "Not yet visible",
    badge: "warned",
    meaning: "The session was saved moments ago, and KV does not show it at this location yet.",
    next: "Wait a minute, then read again. Until then the session reads as empty, and a change is refused with 409 (`ES_STALE`).",
    values: "The values are stored, but KV does not show them here yet.",
    cookie: KEPT,
  },
  "lost": {
    label: "Change lost",
    badge: "warned",
    meaning: "A save at another location or in another instance of the Worker has overwritten a change of this browser.",
    next: "Compare the values on this page with what you set, and set again what is missing.",
  },
  "superseded": {
    label: "Superseded",
    badge: "warned",
    meaning: "A login has replaced the key in this browser’s cookie within the last 100 seconds. Under the old key the session reads as empty.",
    next: "Read again: the browser then sends the cookie of that login. With the old cookie a change is refused with 409 (`ES_SUPERSEDED`). A login is accepted.",
    values: "The values are stored under the new key.",
    cookie: "The browser sent the cookie from before the login. The server leaves it alone.",
  },
  "revoked": {
    label: "Revoked",
    badge: "plain",
    meaning: "The key in this browser’s cookie has ended: by a logout, or by a login more than 100 seconds ago.",
    next: STARTS_NEW,
    cookie: "The browser still has the cookie of the session that has ended. The server leaves it alone: a newer one may be on its way.",
  },
  "expired": {
    label: "Expired",
    badge: "plain",
    meaning: "The session in this browser’s cookie has expired.",
    next: STARTS_NEW,
    cookie: "The browser sent the cookie of the expired session. This answer deletes it.",
  },
  "unknown": {
    label: "Unknown",
    badge: "plain",
    meaning: "Nothing is stored under the key in this browser’s cookie: the session has expired or was deleted.",
    next: STARTS_NEW,
    cookie: "The browser sent the cookie of a session that is not stored. This answer deletes it.",
  },
  "malformed": {
    label: "Not verified",
    badge: "plain",
    meaning: "This browser’s cookie was changed, or was sealed with another secret.",
    next: STARTS_NEW,
    cookie: "The browser sent a cookie that this server did not sign. This answer deletes it.",
  },
  "other-settings": {
    label: "Other settings",
    badge: "warned",
    meaning: "The session was made under another `SESSION_KEY_PREFIX`, or is larger than `SESSION_MAX_RECORD_BYTES` allows now.",
    next: "Restore the setting, then read again. A change starts a new session, whose cookie replaces this one.",
    values: "The values cannot be read under the present settings.",
    cookie: KEPT,
  },
  "newer-version": {
    label: "Newer version",
    badge: "warned",
    meaning: "A newer version of edge-session has written the record.",
    next: "Complete the deployment, then read again. A change starts a new session, whose cookie replaces this one.",
    values: "This version cannot read the values.",
    cookie: KEPT,
  },
  "corrupt": {
    label: "Unreadable",
    badge: "warned",
    meaning: "What is stored under the session’s key is not a session record.",
    next: "Look at the record in the store: something else has changed it. The next change starts a new session.",
    values: "The values cannot be read.",
    cookie: "The browser sent the cookie of the unreadable session. This answer deletes it.",
  },
  "unavailable": {
    label: "Unavailable",
    badge: "warned",
    meaning: "The store did not answer, so the page shows the session as it was before.",
    next: "Read again in some seconds. Nothing was changed, and the browser keeps its cookie.",
  },
};

/**
 * Describes a load outcome. An unknown one is shown by its name.
 *
 * @param {string} reason
 * @returns {LoadReason}
 */
export function describeLoad(reason) {
  return LOAD_REASONS[reason] ?? { label: reason, badge: "warned", meaning: "This page does not know this load outcome." };
}

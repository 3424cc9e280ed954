// The cost of a request: parses and describes the server's `Server-Timing` header.

/**
 * @typedef {import("./session.js").Exchange} Exchange
 *
 * The store's operations, and the milliseconds that the Worker waited for them; the result of the cookie's check, and the response's effect
 * on it.
 * @typedef {{
 *   reads: number, writes: number, deletes: number, milliseconds: number,
 *   cookie: "none" | "verified" | "refused" | "unread",
 *   setCookie: "none" | "given" | "deleted",
 * }} Cost
 *
 * One step of a request: `quiet` without an effect, `loss` for a deletion, and
 * last the whole `trip`.
 * @typedef {{ label: string, value: string, mood: "quiet" | "done" | "loss" | "trip" }} Station
 */

const ENTRY = /([\w-]+);(?:dur|desc)=(?:"[^"]*"|([\w.-]+))/g;
const COOKIE = { none: "no cookie", verified: "cookie verified", refused: "cookie refused", unread: "cookie not looked at" };
const SET_COOKIE = { none: "no Set-Cookie", given: "new cookie", deleted: "cookie deleted" };

/**
 * Parses the header; entries of others are ignored.
 *
 * @param {string | null} header
 * @returns {Cost | undefined} undefined, if the response did not come from the Worker
 */
export function readCost(header) {
  const entries = new Map(Array.from((header ?? "").matchAll(ENTRY), ([, name, value]) => [name, value]));
  const number = (/** @type {string} */ name) => Number(entries.get(name));
  const [cookie, setCookie] = [entries.get("request-cookie"), entries.get("set-cookie")];
  if (!isIn(COOKIE, cookie) || !isIn(SET_COOKIE, setCookie)) return undefined;
  const [reads, writes, deletes] = [number("store-read"), number("store-write"), number("store-delete")];
  return { reads, writes, deletes, milliseconds: number("store"), cookie, setCookie };
}

/**
 * The steps of a request, from its cookie to the response.
 *
 * @param {Exchange} exchange
 * @returns {Station[]}
 */
export function stations({ cost, milliseconds }) {
  const trip = /** @type {const} */ ({ label: "Round trip", value: `${milliseconds} ms`, mood: "trip" });
  if (!cost) return [trip];
  const { reads, writes, deletes, cookie, setCookie } = cost;
  const written = [writes && counted(writes, "write"), deletes && counted(deletes, "delete")].filter(Boolean).join(", ");
  return [
    { label: "Request", value: COOKIE[cookie], mood: cookie === "verified" ? "done" : cookie === "refused" ? "loss" : "quiet" },
    { label: "Store", value: reads ? counted(reads, "read") : "nothing read", mood: reads ? "done" : "quiet" },
    { label: "Store", value: written || "nothing written", mood: deletes && !writes ? "loss" : writes ? "done" : "quiet" },
    { label: "Response", value: SET_COOKIE[setCookie], mood: setCookie === "given" ? "done" : setCookie === "deleted" ? "loss" : "quiet" },
    trip,
  ];
}

/** The effect of the response on the cookie. @param {Cost} cost */
export function setCookie(cost) {
  return SET_COOKIE[cost.setCookie];
}

/**
 * Explains the cost of a request.
 *
 * @param {Exchange} exchange
 * @returns {string} empty without an explanation
 */
export function reason({ method, path, status, cost }) {
  if (!cost || status >= 500) return "";
  const { reads, writes, deletes, cookie, setCookie } = cost;
  if (cookie === "unread") return "The request was refused before its cookie was read.";
  if (cookie === "refused") return "The cookie was not signed by this server, so the store was not read.";
  if (status >= 400 && !writes && !deletes) return "A refused request changes nothing.";
  if (path === "/session/flush" && writes) return "A tombstone ends the session’s keys, its record is deleted, and the browser deletes its cookies.";
  if (path === "/session/flush" && deletes) return "The record is deleted, which ends all keys of the session, and the browser deletes its cookies.";
  if (path === "/session/cycle-key" && writes) return "The data were stored under a new key, and the cookie names it. The old key was ended, if there was one.";
  if (deletes && !writes) return "The session had expired when it was saved, so the record was deleted.";
  if (writes && !reads) return "A new session is written without a read.";
  if (writes && reads > 2) return "A save reads the current record once more and writes a new one. That moves the deadline.";
  if (writes && reads === 2) return "The load has just read the current record, so a save writes a new one at once. That moves the deadline.";
  if (writes) return "A save writes a new record, if the stored one is still the one that was read. That moves the deadline.";
  if (setCookie === "given" && !writes && !reads) return "The cookie contains the session, so no store was called.";
  if (setCookie === "deleted") return "The session had ended, so the response deletes the cookie.";
  if (cookie === "none") return "The request had no cookie, so the store was not read.";
  if (method === "GET") return "A read writes nothing, so the deadline did not move.";
  return "The data equal the stored ones, so nothing was written.";
}

/** A number and its noun. @param {number} number @param {string} noun */
export function counted(number, noun) {
  return `${number} ${noun}${number === 1 ? "" : "s"}`;
}

/**
 * @template {object} T
 * @param {T} names
 * @param {string | undefined} name
 * @returns {name is keyof T & string}
 */
function isIn(names, name) {
  return name !== undefined && Object.hasOwn(names, name);
}

// What a request cost: the server's `Server-Timing` header, read and put into words.

/**
 * @typedef {import("./session.js").Exchange} Exchange
 *
 * KV's operations, and the milliseconds that the Worker waited for them; what the request's cookie was worth, and what the answer
 * did to it.
 * @typedef {{
 *   reads: number, writes: number, deletes: number, milliseconds: number,
 *   cookie: "none" | "verified" | "refused" | "unread",
 *   setCookie: "none" | "given" | "deleted",
 * }} Cost
 *
 * One step of a request's way: `quiet` where nothing was done, `loss` where something went, and
 * last the `trip` as a whole.
 * @typedef {{ label: string, value: string, mood: "quiet" | "done" | "loss" | "trip" }} Station
 */

const ENTRY = /([\w-]+);(?:dur|desc)=(?:"[^"]*"|([\w.-]+))/g;
const COOKIE = { none: "no cookie", verified: "cookie verified", refused: "cookie refused", unread: "cookie not looked at" };
const SET_COOKIE = { none: "no Set-Cookie", given: "new cookie", deleted: "cookie deleted" };

/**
 * Reads the header; entries that others add to it are none of ours.
 *
 * @param {string | null} header
 * @returns {Cost | undefined} nothing, if the answer did not come from the Worker
 */
export function readCost(header) {
  const entries = new Map(Array.from((header ?? "").matchAll(ENTRY), ([, name, value]) => [name, value]));
  const number = (/** @type {string} */ name) => Number(entries.get(name));
  const [cookie, setCookie] = [entries.get("request-cookie"), entries.get("set-cookie")];
  if (!isIn(COOKIE, cookie) || !isIn(SET_COOKIE, setCookie)) return undefined;
  const [reads, writes, deletes] = [number("kv-read"), number("kv-write"), number("kv-delete")];
  return { reads, writes, deletes, milliseconds: number("kv"), cookie, setCookie };
}

/**
 * The way that a request took, from its cookie to the answer.
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
    { label: "KV", value: reads ? counted(reads, "read") : "nothing read", mood: reads ? "done" : "quiet" },
    { label: "KV", value: written || "nothing written", mood: deletes && !writes ? "loss" : writes ? "done" : "quiet" },
    { label: "Response", value: SET_COOKIE[setCookie], mood: setCookie === "given" ? "done" : setCookie === "deleted" ? "loss" : "quiet" },
    trip,
  ];
}

/** What the answer did to the cookie. @param {Cost} cost */
export function setCookie(cost) {
  return SET_COOKIE[cost.setCookie];
}

/**
 * Why it cost that.
 *
 * @param {Exchange} exchange
 * @returns {string} empty where there is nothing to explain
 */
export function reason({ method, path, status, cost }) {
  if (!cost || status >= 500) return "";
  const { reads, writes, deletes, cookie, setCookie } = cost;
  if (cookie === "unread") return "The request was refused before its cookie was looked at.";
  if (cookie === "refused") return "The cookie is not one that this server signed, so KV was not asked.";
  if (status >= 400 && !writes && !deletes) return "What is refused changes nothing.";
  if (path === "/session/flush" && writes) return "A tombstone ends the session’s keys, its record is deleted, and the browser deletes its cookies.";
  if (path === "/session/cycle-key" && writes) return "The data were stored under a new key, and the cookie names it. A tombstone ends the old key, if there was one.";
  if (deletes && !writes) return "Its end had come when it was saved, so the record was deleted instead.";
  if (writes && !reads) return "A new session is written without looking first.";
  if (writes) return "A save reads once more what is there now, and writes on top of it. That moves the end.";
  if (setCookie === "deleted") return "The session had ended, so the browser is told to drop its cookie.";
  if (cookie === "none") return "No cookie came, so KV was not asked.";
  if (method === "GET") return "Reading writes nothing, so the end stays where it was.";
  return "Nothing differs from what is stored, so nothing was written.";
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

// The session's routes: one request, its answer, and what it cost.

import { readCost } from "./cost.js";
import { members } from "./json-text.js";

const PATIENCE = 15_000; // milliseconds

/**
 * A request to the server. `body` is JSON text.
 * @typedef {{ method: string, path: string, body?: string | undefined }} Question
 *
 * Its outcome; without a response, `status` is 0. `milliseconds` is the round trip as this browser measured it.
 * @typedef {Question & {
 *   status: number, milliseconds: number, text: string, error?: string, cost?: import("./cost.js").Cost | undefined,
 * }} Exchange
 *
 * @typedef {{ age: number, date: string, atBrowserClose: boolean }} Expiry
 * @typedef {{ deadline: string, absoluteDeadline: string | null }} Stored
 * @typedef {{
 *   name: string, anonymousName: string, loginName: string, domain: string | null, path: string, secure: boolean, httpOnly: boolean, sameSite: "Strict" | "Lax" | "None",
 *   issued: string | null, expires: string | null,
 * }} Cookie
 * @typedef {{
 *   data: [key: string, text: string][], isNew: boolean, loadReason: string, expiry: Expiry, stored: Stored | null, cookie: Cookie,
 *   engine: string, saveEveryRequest: boolean, now: string,
 * }} Session
 */

/**
 * Sends a request. It never throws: a missing response is an outcome, too.
 *
 * @param {Question} question
 * @returns {Promise<Exchange>}
 */
export async function send(question) {
  const { method, path, body = null } = question;
  /** @type {HeadersInit} */
  const headers = body === null ? {} : { "Content-Type": "application/json" };
  const began = performance.now();
  /** @type {Exchange} */
  const exchange = { ...question, status: 0, milliseconds: 0, text: "" };
  try {
    const signal = AbortSignal.timeout(PATIENCE);
    const response = await fetch(path, { method, body, headers, cache: "no-store", signal });
    exchange.text = await response.text();
    exchange.status = response.status;
    exchange.cost = readCost(response.headers.get("Server-Timing"));
    if (!response.ok) {
      exchange.error = message(exchange.text);
    } else if (response.status !== 204 && response.headers.get("Content-Type") !== "application/json") {
      exchange.error = "Something else answered in the server’s place, a login page of this network perhaps.";
    }
  } catch (error) {
    exchange.error = error instanceof DOMException && error.name === "TimeoutError"
      ? `No answer in ${PATIENCE / 1000} seconds. Whether the server did it is not known.`
      : "The server could not be reached. Is it running, and is this device online?";
  }
  exchange.milliseconds = Math.round(performance.now() - began);
  return exchange;
}

/**
 * Reads the answer of `GET /session`. The data stay text.
 *
 * @param {string} text
 * @returns {Session}
 */
export function parseSession(text) {
  const data = new Map(members(text)).get("data") ?? "{}";
  return { ...JSON.parse(text), data: members(data) };
}

/**
 * The request that sets one value.
 *
 * @param {string} key
 * @param {string} text JSON
 * @returns {Question}
 */
export function setting(key, text) {
  return { method: "PUT", path: itemPath(key), body: text };
}

/** @param {string} key */
export function itemPath(key) {
  return `/session/data/${encodeURIComponent(key)}`;
}

/**
 * Whether a path can name the key: browsers resolve "." and ".." even if they are encoded, and an empty key leaves no path at all. The
 * routes set no such key; one that the application has set is shown.
 *
 * @param {string} key
 */
export function hasPath(key) {
  return !["", ".", ".."].includes(key);
}

/**
 * The server's error message, `{ "error": { "message" } }`, or the response of an intermediary.
 *
 * @param {string} text
 * @returns {string}
 */
function message(text) {
  try {
    return JSON.parse(text).error.message;
  } catch {
    return text.slice(0, 200) || "The answer was empty.";
  }
}

// What a control does: one request, its outcome in the dock, and then a reading of the session. Requests are sent one after the other,
// so that each reading shows what the request before it did.

import { tell } from "./dock.js";
import { parseSession, send } from "./session.js";

/**
 * @typedef {import("./session.js").Exchange} Exchange
 * @typedef {import("./session.js").Question} Question
 * @typedef {import("./session.js").Session} Session
 */

/** @type {((session: Session) => void)[]} */
const readers = [];
/** @type {((exchange: Exchange, following: boolean) => void)[]} */
const watchers = [];
/** @type {Promise<unknown>} */
let queue = Promise.resolve();

/**
 * Calls `show` with the session whenever it was read.
 *
 * @param {(session: Session) => void} show
 */
export function whenRead(show) {
  readers.push(show);
}

/**
 * Calls `show` with every request and what came of it; `following` are those that only read the session after another one.
 *
 * @param {(exchange: Exchange, following: boolean) => void} show
 */
export function whenSent(show) {
  watchers.push(show);
}

/**
 * Runs `work` when a button is clicked or a form is sent, and ignores the control until it has ended.
 *
 * @param {HTMLElement} control
 * @param {(event: Event) => unknown} work
 */
export function whenUsed(control, work) {
  let running = false;
  control.addEventListener(control instanceof HTMLFormElement ? "submit" : "click", async (event) => {
    event.preventDefault();
    if (running) return;
    running = true;
    try {
      await work(event);
    } finally {
      running = false;
    }
  });
}

// The server is often done before the second click of a double click, which may by then hit the row that moved up.
document.addEventListener("click", (event) => {
  if (event.detail > 1 && isOn(event, "button")) stop(event);
}, true);
document.addEventListener("keydown", (event) => {
  if (event.repeat && event.key === "Enter" && isOn(event, "button, input")) stop(event);
}, true);

/** @param {Event} event @param {string} selector */
function isOn(event, selector) {
  return event.target instanceof Element && event.target.closest(selector) !== null;
}

/** @param {Event} event */
function stop(event) {
  event.preventDefault();
  event.stopPropagation();
}

/**
 * Sends a request, says what happened, and reads the session again.
 *
 * @param {Question} question
 * @param {string | ((exchange: Exchange) => string)} outcome what to say if it went well
 * @returns {Promise<Exchange | undefined>} the answer, if it went well
 */
export function perform(question, outcome) {
  return inTurn(async () => {
    const exchange = await exchangeWith(question);
    const said = exchange.error ?? (typeof outcome === "string" ? outcome : outcome(exchange));
    await refresh(said, exchange);
    return exchange.error === undefined ? exchange : undefined;
  });
}

/**
 * Reads the session.
 *
 * @param {string} [outcome] what to say if it went well
 */
export function read(outcome = "This is the session now.") {
  return inTurn(() => refresh(outcome));
}

/** Says something that no request has to do with. @param {string} text */
export function explain(text) {
  tell(text, true);
}

/**
 * @template T
 * @param {() => Promise<T>} work
 * @returns {Promise<T>}
 */
function inTurn(work) {
  const done = queue.then(work);
  queue = done.catch(() => {});
  return done;
}

/**
 * Reads the session. After another exchange, that one is what the dock is about, unless only the reading failed.
 *
 * @param {string} said
 * @param {Exchange} [after]
 */
async function refresh(said, after) {
  const exchange = await exchangeWith({ method: "GET", path: "/session" }, after !== undefined);
  if (exchange.error === undefined) {
    const session = parseSession(exchange.text);
    for (const show of readers) show(session);
  }
  if (after === undefined) {
    tell(exchange.error ?? said, exchange.error !== undefined, exchange);
  } else if (after.error === undefined && exchange.error !== undefined) {
    tell(`${said} But the session could not be read again: ${exchange.error}`, true, after);
  } else {
    tell(said, after.error !== undefined, after);
  }
}

/** @param {Question} question @param {boolean} following */
async function exchangeWith(question, following = false) {
  document.body.ariaBusy = "true";
  const exchange = await send(question);
  document.body.ariaBusy = "false";
  for (const show of watchers) show(exchange, following);
  return exchange;
}

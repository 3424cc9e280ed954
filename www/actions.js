// The effect of a control: one request, its outcome in the dock, and then a read of the session. Requests are sent in turn,
// so that each read shows the effect of the request before it.

import { showOutcome } from "./dock.js";
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
 * Calls `show` with every request and its response; `following` requests only read the session after another one.
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
 * Sends a request, shows its outcome, and reads the session again.
 *
 * @param {Question} question
 * @param {string | ((exchange: Exchange) => string)} outcome the message of a success
 * @returns {Promise<Exchange | undefined>} the exchange, if it succeeded
 */
export function perform(question, outcome) {
  return inTurn(async () => {
    const exchange = await exchangeWith(question);
    const message = exchange.error ?? (typeof outcome === "string" ? outcome : outcome(exchange));
    await refresh(message, exchange);
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

/** Shows a message without a request. @param {string} text */
export function explain(text) {
  showOutcome(text, true);
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
 * Reads the session. After another exchange the dock shows that one, unless only the read failed.
 *
 * @param {string} message
 * @param {Exchange} [after]
 */
async function refresh(message, after) {
  const exchange = await exchangeWith({ method: "GET", path: "/session" }, after !== undefined);
  if (exchange.error === undefined) {
    const session = parseSession(exchange.text);
    for (const show of readers) show(session);
  }
  if (after === undefined) {
    showOutcome(exchange.error ?? message, exchange.error !== undefined, exchange);
  } else if (after.error === undefined && exchange.error !== undefined) {
    showOutcome(`${message} But the session could not be read again: ${exchange.error}`, true, after);
  } else {
    showOutcome(message, after.error !== undefined, after);
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

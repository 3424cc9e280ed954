// What a control does: one request, said in the status line, and then the session as it stands now. Requests go out one after
// the other, because two writes at once would each start from the session as it was before the other.

import { parseSession, send } from "./session.js";

/** @typedef {import("./session.js").Exchange} Exchange */

const LISTED = 12;
const status = document.querySelector("#status");
const requests = document.querySelector("#requests");
const listeners = [];
let queue = Promise.resolve();

/**
 * Calls `show` with the session whenever it was read.
 *
 * @param {(session: import("./session.js").Session) => void} show
 */
export function whenRead(show) {
  listeners.push(show);
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
  if (event.detail > 1 && event.target.closest("button")) stop(event);
}, true);
document.addEventListener("keydown", (event) => {
  if (event.repeat && event.key === "Enter" && event.target.closest("button, input")) stop(event);
}, true);

/** @param {Event} event */
function stop(event) {
  event.preventDefault();
  event.stopPropagation();
}

/**
 * Sends a request, says what happened, and reads the session again.
 *
 * @param {import("./session.js").Question} question
 * @param {string | ((exchange: Exchange) => string)} outcome what to say if it went well
 * @returns {Promise<Exchange | undefined>} the answer, if it went well
 */
export function perform(question, outcome) {
  return inTurn(async () => {
    const exchange = await exchangeWith(question);
    const said = exchange.error ?? (typeof outcome === "string" ? outcome : outcome(exchange));
    await refresh(exchange, said);
    return exchange.error === undefined ? exchange : undefined;
  });
}

/** Reads the session. */
export function read() {
  return inTurn(() => refresh());
}

/** Says something that no request has to do with. @param {string} text */
export function explain(text) {
  write(text, true);
}

function inTurn(work) {
  const done = queue.then(work);
  queue = done.catch(() => {});
  return done;
}

/** Reads the session. After another exchange, that one is what the status line is about, unless only the reading failed. */
async function refresh(after, said) {
  const exchange = await exchangeWith({ method: "GET", path: "/session" });
  if (exchange.error === undefined) {
    const session = parseSession(exchange.text);
    for (const show of listeners) show(session);
  }
  if (after === undefined) {
    write(exchange.error ?? "This is the session now.", exchange.error !== undefined, exchange);
  } else if (after.error === undefined && exchange.error !== undefined) {
    write(`${said} But the session could not be read again: ${exchange.error}`, true, after);
  } else {
    write(said, after.error !== undefined, after);
  }
}

async function exchangeWith(question) {
  document.body.ariaBusy = "true";
  const exchange = await send(question);
  document.body.ariaBusy = "false";
  const item = document.createElement("li");
  item.append(...summary(exchange));
  item.classList.toggle("failed", exchange.error !== undefined);
  requests.prepend(item);
  requests.children[LISTED]?.remove();
  return exchange;
}

/** @param {string} said @param {boolean} failed @param {Exchange} [exchange] */
function write(said, failed, exchange) {
  const text = document.createElement("span");
  text.className = "said";
  text.textContent = said;
  const about = document.createElement("span");
  if (exchange) about.append(" ", ...summary(exchange));
  status.replaceChildren(text, about);
  status.classList.toggle("failed", failed);
}

/** Method, path, status and milliseconds. @param {Exchange} exchange */
function summary({ method, path, status, milliseconds }) {
  const route = document.createElement("code");
  route.textContent = `${method} ${path}`;
  const figures = document.createElement("span");
  figures.className = "figures";
  figures.textContent = `${status || "no answer"} · ${milliseconds} ms`;
  return [route, " ", figures];
}

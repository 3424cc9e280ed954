// The dock at the lower edge: the outcome of the visitor's last action, and the steps of its request.

import { reason, stations } from "./cost.js";
import { element, part, show } from "./page.js";

/** @typedef {import("./session.js").Exchange} Exchange */

const status = part("#status", HTMLElement);
const trace = part("#trace", HTMLElement);

/**
 * Shows an outcome. Only the message is announced by screen readers, not the steps of the request.
 *
 * @param {string} message
 * @param {boolean} failed
 * @param {Exchange} [exchange]
 */
export function showOutcome(message, failed, exchange) {
  const text = element("span", message);
  text.className = "message";
  const about = element("span");
  if (exchange) about.append(" ", ...summary(exchange));
  status.replaceChildren(text, about);
  status.classList.toggle("failed", failed);
  if (exchange) draw(exchange);
}

/** @param {Exchange} exchange */
function draw(exchange) {
  trace.replaceChildren(...stations(exchange).map(({ label, value, mood }) => {
    const name = element("span", label);
    name.className = "label";
    const station = element("li", name, " ", element("span", value));
    station.className = mood;
    return station;
  }));
  trace.hidden = false;
  show("#reason", reason(exchange));
}

/**
 * Method, path, status and milliseconds.
 *
 * @param {Exchange} exchange
 */
function summary({ method, path, status, milliseconds }) {
  const figures = element("span", `${status || "no answer"} · ${milliseconds} ms`);
  figures.className = "figures";
  return [element("code", `${method} ${path}`), " ", figures];
}

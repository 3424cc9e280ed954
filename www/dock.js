// The dock at the lower edge: what came of the last thing that the visitor did, and the way that its request took.

import { reason, stations } from "./cost.js";
import { element, part, show } from "./page.js";

/** @typedef {import("./session.js").Exchange} Exchange */

const status = part("#status", HTMLElement);
const trace = part("#trace", HTMLElement);

/**
 * Says what happened. Only the sentence is announced; the way of the request is there to be read.
 *
 * @param {string} said
 * @param {boolean} failed
 * @param {Exchange} [exchange]
 */
export function tell(said, failed, exchange) {
  const text = element("span", said);
  text.className = "said";
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

// When the session ends: Django's get_expiry_age, get_expiry_date and get_expire_at_browser_close, and set_expiry.

import { perform, whenRead, whenUsed } from "./actions.js";

const seconds = document.querySelector("#seconds");
const date = document.querySelector("#date");

whenRead(({ expiry }) => {
  show("#age", `${expiry.age} s`, inWords(expiry.age));
  show("#ends", expiry.date, new Date(expiry.date).toLocaleString());
  show("#at-browser-close", expiry.atBrowserClose ? "yes" : "no");
});

whenUsed(seconds, () => set(seconds.elements.namedItem("seconds").valueAsNumber, "The lifetime is set."));
whenUsed(date, () => set(withOffset(date.elements.namedItem("date").value), "The end is set."));
whenUsed(document.querySelector("#browser-close"), () => set(0, "The session ends when the browser closes."));
whenUsed(document.querySelector("#policy"), () => set(null, "The settings decide again."));

/** @param {number | string | null} value @param {string} outcome */
function set(value, outcome) {
  return perform({ method: "PUT", path: "/session/expiry", body: JSON.stringify({ value }) }, outcome);
}

/**
 * The moment that a `datetime-local` field names, with the offset that holds at that moment where the visitor is.
 *
 * @param {string} local
 * @returns {string} for example `2030-07-01T09:00+02:00`
 */
function withOffset(local) {
  const east = -new Date(local).getTimezoneOffset();
  const minutes = Math.abs(east);
  const two = (number) => String(number).padStart(2, "0");
  return `${local}${east < 0 ? "-" : "+"}${two(Math.floor(minutes / 60))}:${two(minutes % 60)}`;
}

/** A number of seconds in the largest unit that it fills. @param {number} seconds */
function inWords(seconds) {
  const units = [["day", 86_400], ["hour", 3_600], ["minute", 60]];
  const [unit, size] = units.find(([, size]) => Math.abs(seconds) >= size) ?? [];
  if (unit === undefined) return "";
  const format = new Intl.NumberFormat("en", { style: "unit", unit, unitDisplay: "long", maximumFractionDigits: 1 });
  return format.format(seconds / size);
}

/** @param {string} selector @param {string} text @param {string} [note] */
function show(selector, text, note = "") {
  const small = document.createElement("small");
  small.textContent = note;
  document.querySelector(selector).replaceChildren(text, " ", small);
}

// Spans of time and moments, in words.

import { element } from "./page.js";

/** @type {[name: string, seconds: number][]} */
const UNITS = [["day", 86_400], ["hour", 3_600], ["minute", 60], ["second", 1]];

/**
 * Whole days, hours, minutes and seconds.
 *
 * @param {number} seconds
 * @example split(90_061) // [1, 1, 1, 1]
 */
export function split(seconds) {
  let left = seconds;
  return UNITS.map(([, size]) => {
    const whole = Math.floor(left / size);
    left -= whole * size;
    return whole;
  });
}

/**
 * A span in the largest unit that it fills, to a tenth.
 *
 * @param {number} seconds
 * @example inWords(5_400) // "1.5 hours"
 */
export function inWords(seconds) {
  const [unit, size] = UNITS.find(([, size]) => Math.abs(seconds) >= size) ?? ["second", 1];
  const format = new Intl.NumberFormat("en", { style: "unit", unit, unitDisplay: "long", maximumFractionDigits: 1 });
  return format.format(seconds / size);
}

/**
 * A moment as the visitor writes dates, with the exact one for programs.
 *
 * @param {string} iso
 */
export function moment(iso) {
  const time = element("time", new Date(iso).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "medium" }));
  time.dateTime = iso;
  return time;
}

/**
 * The moment that a `datetime-local` field names, with the offset that holds at that moment where the visitor is.
 *
 * @param {string} local
 * @returns {string} for example `2030-07-01T09:00+02:00`
 */
export function withOffset(local) {
  const east = -new Date(local).getTimezoneOffset();
  const minutes = Math.abs(east);
  return `${local}${east < 0 ? "-" : "+"}${two(Math.floor(minutes / 60))}:${two(minutes % 60)}`;
}

/** At least two digits. @param {number} number */
export function two(number) {
  return String(number).padStart(2, "0");
}

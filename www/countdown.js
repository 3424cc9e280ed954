// The remaining life of the stored session: counted down by the server's clock, to the deadline of the last save.

import { read, whenRead } from "./actions.js";
import { describeLoad } from "./load-reason.js";
import { part, show } from "./page.js";
import { inWords, moment, split, two } from "./time.js";

/** @typedef {import("./session.js").Session} Session */

const digits = [...document.querySelectorAll("#countdown b")];
const life = part("#life", HTMLProgressElement);

/**
 * When the session ends and when its life began, in this browser's milliseconds: its clock may be wrong by any amount, which the
 * server's `now` shows.
 * @type {{ began: number, end: number } | undefined}
 */
let span;
/** @type {string | null | undefined} The deadline before the last reading; undefined before the first one. */
let deadline;
/** @type {ReturnType<typeof setTimeout> | undefined} */
let tick;

whenRead((session) => {
  const { stored, cookie, now } = session;
  const behind = Date.now() - Date.parse(now);
  span = stored ? { began: Date.parse(cookie.issued ?? now) + behind, end: Date.parse(stored.deadline) + behind } : undefined;
  const isUnreadable = describeLoad(session.loadReason).values !== undefined;
  show("#movement", isUnreadable ? "The end of the session cannot be read now." : movement(deadline, stored?.deadline ?? null));
  deadline = stored?.deadline ?? null;
  show("#saved", cookie.issued ? moment(cookie.issued) : "–");
  show("#deadline", stored ? moment(stored.deadline) : "–");
  show("#absolute", stored?.absoluteDeadline ? moment(stored.absoluteDeadline) : "–");
  part("#reading-is-no-activity", HTMLElement).hidden = session.saveEveryRequest;
  part("#reading-renews", HTMLElement).hidden = !session.saveEveryRequest;
  part(".hero", HTMLElement).classList.toggle("stored", stored !== null);
  run();
});

// A hidden page does not count. When it is visible again, the remaining time is computed anew.
document.addEventListener("visibilitychange", run);

/** Shows the remaining time, and runs again after the next second. */
function run() {
  clearTimeout(tick);
  if (document.hidden) return;
  if (!span) {
    for (const digit of digits) digit.textContent = "–";
    life.value = 0;
    return;
  }
  const left = Math.max(0, span.end - Date.now());
  const seconds = Math.ceil(left / 1000);
  split(seconds).forEach((number, index) => {
    const digit = digits[index];
    if (digit) digit.textContent = index === 0 ? String(number) : two(number);
  });
  life.value = Math.min(1, left / Math.max(1, span.end - span.began));
  if (left > 0) {
    tick = setTimeout(run, left - (seconds - 1) * 1000);
  } else {
    span = undefined; // asks once
    read("Time is up: the session has ended.");
  }
}

/**
 * The effect of the last request on the deadline.
 *
 * @param {string | null | undefined} before
 * @param {string | null} after
 */
function movement(before, after) {
  if (after === null) return before ? "It has ended; nothing is stored any more." : "Nothing is stored yet, so nothing runs out.";
  if (before === undefined) return "It runs since the last save.";
  if (before === null) return "The first save started it.";
  const moved = (Date.parse(after) - Date.parse(before)) / 1000;
  if (moved === 0) return "The last request has not moved the end.";
  return `The last save moved the end by ${moved > 0 ? "+" : ""}${inWords(moved)}.`;
}

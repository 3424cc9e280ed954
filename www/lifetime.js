// The lifetime that a save sets: Django's get_expiry_age, get_expiry_date, get_expire_at_browser_close and set_expiry.

import { perform, whenRead, whenUsed } from "./actions.js";
import { element, field, part, show } from "./page.js";
import { inWords, moment, withOffset } from "./time.js";

const seconds = part("#seconds", HTMLFormElement);
const date = part("#date", HTMLFormElement);

whenRead(({ expiry }) => {
  noted("#age", inWords(expiry.age), `${expiry.age} s`);
  noted("#ends", moment(expiry.date), expiry.date);
  show("#at-browser-close", expiry.atBrowserClose ? "yes" : "no");
});

whenUsed(seconds, () => set(Number(field(seconds, "seconds").value), "The lifetime is set."));
whenUsed(date, () => set(withOffset(field(date, "date").value), "The end is set."));
whenUsed(part("#browser-close", HTMLElement), () => set(0, "The session ends when the browser closes."));
whenUsed(part("#policy", HTMLElement), () => set(null, "The settings decide again."));
whenUsed(part("#ten-seconds", HTMLElement), () => set(10, "Ten seconds from now, unless something changes."));

/** @param {number | string | null} value @param {string} outcome */
function set(value, outcome) {
  return perform({ method: "PUT", path: "/session/expiry", body: JSON.stringify({ value }) }, outcome);
}

/** @param {string} selector @param {string | Node} text @param {string} exactly */
function noted(selector, text, exactly) {
  show(selector, text, " ", element("small", exactly));
}

// A field for JSON. A plain word gets a hint about JSON, and can be stored as text.

import { flaw, members } from "./json-text.js";
import { copy, field, part } from "./page.js";

/**
 * The JSON text in a form's `value` field. If it is not JSON, the form says so, the field is focused, and nothing is returned.
 *
 * @param {HTMLFormElement} form with a textarea called `value` and a `.correction`
 * @param {{ object?: boolean }} [wanted] whether it has to be an object
 * @returns {string | undefined}
 */
export function readValue(form, { object = false } = {}) {
  const text = field(form, "value").value.trim();
  if (object) {
    try {
      members(text);
    } catch (error) {
      return correct(form, `${/** @type {SyntaxError} */ (error).message} An object looks like {"theme": "dark", "visits": 3}.`);
    }
  } else if (text === "") {
    return correct(form, 'A value is missing. Empty text is "", nothing is null.');
  } else if (flaw(text) !== undefined) {
    return correct(form, hint(text), text);
  }
  forgive(form);
  return text;
}

/** Takes a correction back. @param {HTMLFormElement} form */
export function forgive(form) {
  const value = field(form, "value");
  value.removeAttribute("aria-invalid");
  value.removeAttribute("aria-describedby");
  part(".correction", HTMLElement, form).hidden = true;
}

/** @param {string} text */
function hint(text) {
  const quoted = JSON.stringify(text);
  if (!/^[[{"]/.test(text)) return `Text needs quotes in JSON: ${quoted}`;
  return `This is not JSON. ${flaw(text)}`;
}

/**
 * @param {HTMLFormElement} form
 * @param {string} message
 * @param {string} [text] to offer for storing as it is
 * @returns {undefined}
 */
function correct(form, message, text) {
  const value = field(form, "value");
  const correction = part(".correction", HTMLElement, form);
  correction.replaceChildren(copy("#correction"));
  correction.id ||= `correction-${crypto.randomUUID()}`;
  correction.hidden = false;
  part("p", HTMLElement, correction).textContent = message;
  const button = part("button", HTMLElement, correction);
  if (text === undefined) {
    button.remove();
  } else {
    button.addEventListener("click", () => {
      value.value = JSON.stringify(text);
      form.requestSubmit();
    });
  }
  value.setAttribute("aria-invalid", "true");
  value.setAttribute("aria-describedby", correction.id);
  value.addEventListener("input", () => forgive(form), { once: true });
  value.focus();
}

// A field for JSON. Who types a plain word is told what JSON wants, and may have it stored as text.

import { flaw, members } from "./json-text.js";

/**
 * The JSON text in a form's `value` field. If it is not JSON, the form says so, the field is focused, and nothing is returned.
 *
 * @param {HTMLFormElement} form with a textarea called `value` and a `.correction`
 * @param {{ object?: boolean }} [wanted] whether it has to be an object
 * @returns {string | undefined}
 */
export function readValue(form, { object = false } = {}) {
  const field = form.elements.namedItem("value");
  const text = field.value.trim();
  if (object) {
    try {
      members(text);
    } catch (error) {
      return correct(form, `${error.message} An object looks like {"theme": "dark", "visits": 3}.`);
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
  const field = form.elements.namedItem("value");
  field.removeAttribute("aria-invalid");
  field.removeAttribute("aria-describedby");
  form.querySelector(".correction").hidden = true;
}

/** @param {string} text */
function hint(text) {
  const quoted = JSON.stringify(text);
  if (!/^[[{"]/.test(text)) return `Text needs quotes in JSON: ${quoted}`;
  return `This is not JSON. ${flaw(text)}`;
}

/** @param {HTMLFormElement} form @param {string} message @param {string} [text] to offer for storing as it is */
function correct(form, message, text) {
  const field = form.elements.namedItem("value");
  const correction = form.querySelector(".correction");
  correction.replaceChildren(document.querySelector("#correction").content.cloneNode(true));
  correction.id ||= `correction-${crypto.randomUUID()}`;
  correction.hidden = false;
  correction.querySelector("p").textContent = message;
  const button = correction.querySelector("button");
  if (text === undefined) {
    button.remove();
  } else {
    button.addEventListener("click", () => {
      field.value = JSON.stringify(text);
      form.requestSubmit();
    });
  }
  field.setAttribute("aria-invalid", "true");
  field.setAttribute("aria-describedby", correction.id);
  field.addEventListener("input", () => forgive(form), { once: true });
  field.focus();
}

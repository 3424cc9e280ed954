// The elements of the page. A missing element, or one of another type, is an error in the markup and throws.

/**
 * The first element that a selector names.
 *
 * @template {Element} T
 * @param {string} selector
 * @param {new () => T} type
 * @param {ParentNode} within
 * @returns {T}
 */
export function part(selector, type, within = document) {
  const found = within.querySelector(selector);
  if (found instanceof type) return found;
  throw new TypeError(`The page has no ${type.name} ${selector}.`);
}

/**
 * A form's field.
 *
 * @param {HTMLFormElement} form
 * @param {string} name
 */
export function field(form, name) {
  const found = form.elements.namedItem(name);
  if (found instanceof HTMLInputElement || found instanceof HTMLTextAreaElement) return found;
  throw new TypeError(`The form #${form.id} has no field ${name}.`);
}

/**
 * A new copy of a template's content.
 *
 * @param {string} selector
 */
export function copy(selector) {
  return /** @type {DocumentFragment} */ (part(selector, HTMLTemplateElement).content.cloneNode(true));
}

/**
 * A new element with texts and elements in it.
 *
 * @template {keyof HTMLElementTagNameMap} N
 * @param {N} name
 * @param {...(string | Node)} content
 */
export function element(name, ...content) {
  const made = document.createElement(name);
  made.append(...content);
  return made;
}

/**
 * A text as nodes: what is enclosed in backticks becomes code.
 *
 * @param {string} text
 * @returns {(string | Node)[]}
 */
export function prose(text) {
  return text.split("`").map((part, index) => (index % 2 ? element("code", part) : part));
}

/**
 * Puts texts and elements into the element that a selector names.
 *
 * @param {string} selector
 * @param {...(string | Node)} content
 */
export function show(selector, ...content) {
  part(selector, HTMLElement).replaceChildren(...content);
}

/**
 * Shows the route of a button on it, and sets it as the description for screen readers.
 *
 * @param {HTMLElement} button
 * @param {string} [route] what is written there already if left out
 */
export function showRoute(button, route) {
  const code = part("code", HTMLElement, button);
  if (route !== undefined) code.textContent = route;
  button.setAttribute("aria-description", code.textContent ?? "");
}

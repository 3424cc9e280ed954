// JSON as text. JSON.parse would round 9007199254740993, write 1.50 as 1.5 and move keys like "10" to the front; the page shows
// what the server sent, so it only cuts the text into members.

const TOKEN = /"[^"\\]*(?:\\.[^"\\]*)*"|[{}[\],:]|[^\s"{}[\],:]+/g;

/**
 * The members of a JSON object, in order: the key, and the unchanged text of the value.
 *
 * @param {string} text
 * @returns {[key: string, text: string][]}
 * @throws {SyntaxError} if the text is not a JSON object
 * @example members('{"b": 1.50, "10": [1]}') // [["b", "1.50"], ["10", "[1]"]]
 */
export function members(text) {
  if (!isObject(JSON.parse(text))) throw new SyntaxError("This is JSON, but not an object in braces.");
  /** @type {[key: string, text: string][]} */
  const found = [];
  let depth = 0;
  let start = 0;
  /** @type {string | undefined} */
  let key;
  for (const { 0: token, index } of text.matchAll(TOKEN)) {
    if (depth === 1 && key === undefined && token.startsWith('"')) {
      key = JSON.parse(token);
      start = 0;
    } else if (depth === 1 && start === 0 && token === ":") {
      start = index + 1;
    } else if (depth === 1 && key !== undefined && (token === "," || token === "}")) {
      found.push([key, text.slice(start, index).trim()]);
      key = undefined;
    }
    if (token === "{" || token === "[") depth += 1;
    if (token === "}" || token === "]") depth -= 1;
  }
  return found;
}

/**
 * The reason why a text is not JSON, or `undefined` if it is.
 *
 * @param {string} text
 * @returns {string | undefined}
 */
export function flaw(text) {
  try {
    JSON.parse(text);
  } catch (error) {
    return /** @type {SyntaxError} */ (error).message;
  }
}

/** @param {unknown} value */
function isObject(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

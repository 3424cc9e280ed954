// Whether a response can be sent, found out before anything is saved.

import { ValueError } from "./errors.js";
import { kind } from "./value.js";

/**
 * Returns a response like `response` whose headers can be changed. Throws a `ValueError` for values that no platform can send: a value
 * that is not a response, a body that was read or is locked, and `Response.error()`.
 */
export function mutable(response: unknown): Response {
  if (!isResponse(response)) throw new ValueError(`commit takes a Response, not ${kind(response)}; return one from every branch of the handler`);
  try {
    if (response.status === 0) throw new TypeError("its status is 0, as that of Response.error(); give it one from 200 to 599");
    if (response.bodyUsed || response.body?.locked) throw new TypeError("its body was read or is locked; read, or cache, response.clone() instead");
    return new Response(response.body, response);
  } catch (cause) {
    throw new ValueError(`nothing was saved, since the response cannot be sent: ${reason(cause)}`, { cause });
  }
}

/** The message of an error, of whatever realm. */
function reason(error: unknown): string {
  try {
    return String((error as Error).message ?? kind(error));
  } catch {
    return kind(error);
  }
}

/** Whether `value` has what is used of a response, of whatever realm or library it is. */
function isResponse(value: unknown): value is Response {
  try {
    const { status, bodyUsed, headers } = value as Partial<Response>;
    return typeof status === "number" && typeof bodyUsed === "boolean" && typeof headers?.get === "function";
  } catch {
    return false; // null and undefined have no members, and another value's can throw
  }
}

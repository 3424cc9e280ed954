// Checks that a response can be sent, before anything is saved.

import { ValueError } from "./errors.js";
import { describe } from "./value.js";

/**
 * Returns a copy of `response` with headers that can be changed. Throws a `ValueError` if no platform can send it: a value that is not a
 * response, a body that was read or is locked, or `Response.error()`.
 */
export function toMutable(response: unknown): Response {
  if (!isResponse(response)) throw new ValueError(`commit takes a Response, not ${describe(response)}; return one from every branch of the handler`);
  try {
    if (response.status === 0) throw new TypeError("its status is 0, as of Response.error(); use one from 200 to 599");
    if (response.bodyUsed || response.body?.locked) throw new TypeError("its body was read or is locked; read, or cache, response.clone() instead");
    return new Response(response.body, response);
  } catch (cause) {
    throw new ValueError(`nothing was saved, since the response cannot be sent: ${reason(cause)}`, { cause });
  }
}

/** Returns the message of an error of any realm. */
function reason(error: unknown): string {
  try {
    return String((error as Error).message ?? describe(error));
  } catch {
    return describe(error);
  }
}

/** Returns whether `value` has the members of a response that are used here. It can be of any realm or library. */
export function isResponse(value: unknown): value is Response {
  try {
    const { status, bodyUsed, headers } = value as Partial<Response>;
    return typeof status === "number" && typeof bodyUsed === "boolean" && typeof headers?.get === "function";
  } catch {
    return false; // of null and undefined, or thrown by the value's own code
  }
}

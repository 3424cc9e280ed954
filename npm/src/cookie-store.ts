// Sessions in their cookies.

import { UsageError } from "./errors.js";
import type { Store } from "./store.js";

/**
 * Returns no real store: the cookie contains the session, as with Django's `signed_cookies`, but sealed, so that a browser cannot read it.
 *
 * It costs no I/O. A session can have about 2.8 KB of data: a larger one throws a `TooLargeError`. A logout deletes the cookie in the browser,
 * but **does not reach a copy**, which opens the session until that expires, and an older cookie brings older data back. `open`,
 * `exists` and `delete` throw a `UsageError`.
 *
 * @example
 * const sessions = createSessions({ store: cookieStore(), secrets: [env.SESSION_SECRET] });
 */
export function cookieStore(): Store {
  return {
    consistency: "cookie",
    expiresRecords: true,
    get: refuse,
    put: refuse,
    delete: refuse,
    list: async () => ({ keys: [] }),
  };
}

async function refuse(): Promise<never> {
  throw new UsageError("sessions that are in their cookies have no store");
}

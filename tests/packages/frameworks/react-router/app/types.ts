// The session has the type of the data.

import { getSession } from "./session.server";
import type { Route } from "./+types/root";

export function changes({ context }: Route.LoaderArgs): void {
  getSession(context).set("visits", 1);
  // @ts-expect-error: not a number
  getSession(context).set("visits", "one");
}

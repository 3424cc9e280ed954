// `context.session` has the type of the data.

import type { H3Event } from "h3";

export function changes({ context }: H3Event): void {
  context.session.set("visits", 1);
  // @ts-expect-error: not a number
  context.session.set("visits", "one");
}

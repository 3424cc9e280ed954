// `context.session` has the type of the data.

import { createMiddleware, createServerFn } from "@tanstack/react-start";

export const change = createServerFn().handler(({ context }) => {
  context.session.set("visits", 1);
  // @ts-expect-error: not a number
  context.session.set("visits", "one");
});

export const middleware = createMiddleware().server(({ context, next }) => {
  context.session.set("visits", 1);
  // @ts-expect-error: not a number
  context.session.set("visits", "one");
  return next();
});

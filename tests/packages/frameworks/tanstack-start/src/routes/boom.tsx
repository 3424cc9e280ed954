import { createFileRoute } from "@tanstack/react-router";
import { createServerFn } from "@tanstack/react-start";

const fail = createServerFn().handler(({ context }) => {
  context.session.set("message", "boom");
  throw new Error("boom");
});

export const Route = createFileRoute("/boom")({ loader: () => fail() });

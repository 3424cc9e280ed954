import { createFileRoute } from "@tanstack/react-router";
import { createServerFn } from "@tanstack/react-start";

/** A session that is too large to be saved. */
const save = createServerFn().handler(({ context }): string => {
  context.session.set("essay", "x".repeat(70_000));
  return "saved";
});

export const Route = createFileRoute("/large")({
  loader: () => save(),
  component: () => <p>{Route.useLoaderData()}</p>,
});

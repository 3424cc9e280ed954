import { createFileRoute } from "@tanstack/react-router";
import { createServerFn } from "@tanstack/react-start";
import { home } from "../../../pages.mjs";

const visit = createServerFn().handler(({ context }): string => home(context.session));

export const Route = createFileRoute("/")({
  loader: () => visit(),
  component: () => <p>{Route.useLoaderData()}</p>,
});

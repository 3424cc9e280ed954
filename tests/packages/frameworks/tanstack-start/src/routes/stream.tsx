import { Await, createFileRoute } from "@tanstack/react-router";
import { createServerFn } from "@tanstack/react-start";
import { Suspense } from "react";

const begin = createServerFn().handler(({ context }): boolean => context.session.has("user"));

const report = createServerFn().handler(async ({ context }): Promise<string> => {
  await new Promise((resolve) => setTimeout(resolve, 1000));
  return `user=${context.session.get("user", "-")}`;
});

export const Route = createFileRoute("/stream")({
  loader: async () => {
    await begin(); // uses the session before the headers, so that they have `Vary: Cookie`
    return { report: report() };
  },
  component: () => (
    <>
      <p>began</p>
      <Suspense fallback={<p>waiting</p>}>
        <Await promise={Route.useLoaderData().report}>{(text) => <p>{text}</p>}</Await>
      </Suspense>
    </>
  ),
});

import { createRouter } from "@tanstack/react-router";
import { routeTree } from "./routeTree.gen";

export const getRouter = () =>
  createRouter({
    routeTree,
    defaultErrorComponent: ({ error }) => <h1>{String(error)}</h1>,
    defaultNotFoundComponent: () => <h1>not found</h1>,
  });

declare module "@tanstack/react-router" {
  interface Register {
    router: ReturnType<typeof getRouter>;
  }
}

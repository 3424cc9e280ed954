import { createFileRoute } from "@tanstack/react-router";

export const Route = createFileRoute("/large")({
  server: {
    handlers: {
      GET: ({ context }) => {
        context.session.set("essay", "x".repeat(70_000));
        return new Response("saved");
      },
    },
  },
});

import { createFileRoute } from "@tanstack/react-router";

const home = { status: 303, headers: { Location: "/" } };

export const Route = createFileRoute("/logout")({
  server: {
    handlers: {
      GET: async ({ context }) => {
        await context.session.flush();
        return new Response(null, home);
      },
    },
  },
});

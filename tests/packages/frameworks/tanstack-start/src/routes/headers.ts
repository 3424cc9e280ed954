import { createFileRoute } from "@tanstack/react-router";
import { setResponseHeader } from "@tanstack/react-start/server";

/** One response for all visitors, and headers that Start sets after all middleware. */
const constant = new Response(null, { status: 204 });

export const Route = createFileRoute("/headers")({
  server: {
    handlers: {
      GET: ({ context }) => {
        context.session.set("visits", context.session.get("visits", 0) + 1);
        setResponseHeader("Vary", "Accept");
        setResponseHeader("Cache-Control", "public, max-age=60");
        return constant;
      },
      POST: ({ context }) => {
        context.session.set("visits", context.session.get("visits", 0) + 1);
        return constant;
      },
    },
  },
});

import { env } from "cloudflare:workers";
import { server } from "./instance.js";

const ready = server.init({ env });

export default {
  async fetch(request) {
    await ready;
    return server.respond(request, { getClientAddress: () => request.headers.get("CF-Connecting-IP") });
  },
};

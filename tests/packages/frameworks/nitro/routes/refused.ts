import { defineHandler, HTTPError } from "nitro/h3";

export default defineHandler(({ context }) => {
  context.session.set("message", "refused");
  throw new HTTPError({ status: 403, message: "not you" });
});

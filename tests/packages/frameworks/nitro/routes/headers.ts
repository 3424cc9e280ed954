import { defineHandler } from "nitro/h3";

export default defineHandler((event) => {
  event.context.session.has("user");
  event.res.headers.set("Vary", "Accept");
  event.res.headers.set("Cache-Control", "public, max-age=60");
  return "headers";
});

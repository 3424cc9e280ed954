import { defineHandler, iterable } from "nitro/h3";
import { parts } from "../../pages.mjs";

export default defineHandler((event) => {
  event.context.session.has("user"); // or a shared cache could keep the page
  return iterable(parts(event.context.session));
});

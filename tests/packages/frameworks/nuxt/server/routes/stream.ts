import { parts } from "../../../pages.mjs";

export default defineEventHandler((event) => {
  event.context.session.has("user"); // or a shared cache could keep the page
  return sendIterable(event, parts(event.context.session));
});

export default defineEventHandler((event) => {
  event.context.session.has("user");
  setResponseHeaders(event, { Vary: "Accept", "Cache-Control": "public, max-age=60" });
  return "headers";
});

export default defineEventHandler(({ context }) => {
  context.session.set("message", "refused");
  throw createError({ statusCode: 403, message: "not you" });
});

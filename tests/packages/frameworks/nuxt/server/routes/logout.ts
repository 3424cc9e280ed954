export default defineEventHandler(async (event) => {
  await event.context.session.flush();
  return sendRedirect(event, "/", 303);
});

export default defineEventHandler((event) => {
  const { session } = event.context;
  session.cycleKey(); // a new key, which no one can know from before the login
  session.set("user", "alice").flash("message", "Welcome"); // a message for the next page
  return sendRedirect(event, "/", 303);
});

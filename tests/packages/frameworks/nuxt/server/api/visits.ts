export default defineEventHandler(({ context: { session } }) => {
  session.update("visits", (visits = 0) => visits + 1);
  return { visits: session.get("visits", 0) };
});

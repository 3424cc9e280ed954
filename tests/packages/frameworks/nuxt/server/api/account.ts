export default defineEventHandler(({ context: { session } }) => {
  session.set("visits", session.get("visits", 0) + 1);
  return `account of ${session.get("user", "-")}, ${session.get("message", "-")}`;
});

export default defineEventHandler(({ context: { session } }) => {
  session.set("user", "mallory").set("essay", 1n as never);
  return "saved";
});

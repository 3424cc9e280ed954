export default defineEventHandler(({ context }) => {
  context.session.set("essay", "x".repeat(70_000));
  return "saved";
});

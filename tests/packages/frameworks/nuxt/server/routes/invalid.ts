export default defineEventHandler(({ context: { session } }) => {
  session.set("user", "mallory").set("essay", {} as never);
  Object.assign(session.get("essay", ""), { total: 1n }); // only the commit notices it
  return "saved";
});

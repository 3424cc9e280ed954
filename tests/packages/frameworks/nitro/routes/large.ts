import { defineHandler } from "nitro/h3";

export default defineHandler(({ context }) => {
  context.session.set("essay", "x".repeat(70_000));
  return "saved";
});

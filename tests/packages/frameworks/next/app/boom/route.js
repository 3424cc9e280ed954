import { withSession } from "../../session.js";

export const GET = withSession((session) => {
  session.set("message", "boom");
  throw new Error("boom");
});

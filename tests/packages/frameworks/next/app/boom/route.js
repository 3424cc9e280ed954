import { withSession } from "../../session";

export const GET = withSession((session) => {
  session.set("message", "boom");
  throw new Error("boom");
});

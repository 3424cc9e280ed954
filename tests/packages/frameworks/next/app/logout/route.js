import { redirect } from "next/navigation";
import { withSession } from "../../session.js";

export const GET = withSession(async (session) => {
  await session.flush();
  redirect("/");
});

import { redirect } from "next/navigation";
import { withSession } from "../../session";

export const GET = withSession(async (session) => {
  await session.flush();
  redirect("/");
});

import { cookies } from "next/headers";
import { redirect } from "next/navigation";
import { logIn } from "../../../pages.mjs";
import { withSession } from "../../session";

export const GET = withSession(async (session) => {
  logIn(session);
  (await cookies()).set("seen", "1");
  redirect("/");
});

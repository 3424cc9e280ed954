import { redirect } from "@sveltejs/kit";
import { logIn } from "../../../../pages.mjs";

export const load = ({ cookies, locals }) => {
  logIn(locals.session);
  cookies.set("seen", "1", { path: "/", secure: false });
  redirect(303, "/");
};

import type { APIRoute } from "astro";
import { logIn } from "../../../pages.mjs";

export const GET: APIRoute = ({ cookies, locals, redirect }) => {
  logIn(locals.session);
  cookies.set("seen", "1");
  return redirect("/", 303);
};

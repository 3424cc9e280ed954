import { defineHandler, redirect, setCookie } from "nitro/h3";
import { logIn } from "../../pages.mjs";

export default defineHandler((event) => {
  logIn(event.context.session);
  setCookie(event, "seen", "1");
  return redirect("/", 303);
});

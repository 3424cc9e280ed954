import { defineHandler, redirect } from "nitro/h3";

export default defineHandler(async (event) => {
  await event.context.session.flush();
  return redirect("/", 303);
});

import { command, getRequestEvent } from "$app/server";

export const write = command(() => {
  getRequestEvent().locals.session.set("message", "written");
  return "written";
});

export const writeAndFail = command(() => {
  getRequestEvent().locals.session.set("message", "failed");
  throw new Error("boom");
});

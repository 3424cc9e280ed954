"use server";

import { redirect } from "next/navigation";
import { withSession } from "../../session";

export const logIn = withSession((session, form: FormData) => {
  session.cycleKey();
  session.set("user", String(form.get("user")));
  redirect("/form");
});

export const count = withSession((session) => {
  session.set("visits", session.get("visits", 0) + 1);
});

export const fail = withSession((session): void => {
  session.set("user", "mallory");
  throw new Error("boom");
});

export const leave = withSession(async (session): Promise<void> => {
  await session.flush();
  throw new Error("boom");
});

// What the pages of the projects do with a session.

export { options } from "#options";

/** Counts the visit, and takes the message. Returns the page. */
export function home(session) {
  session.set("visits", session.get("visits", 0) + 1);
  return `visits=${session.get("visits")} user=${session.get("user", "-")} message=${session.pop("message", "-")}`;
}

export function logIn(session) {
  session.cycleKey();
  session.update({ user: "alice", message: "welcome" });
}

/** The parts of a page, of which the second is ready later. */
export async function* parts(session) {
  yield "began ";
  await new Promise((resolve) => setTimeout(resolve, 50));
  yield `user=${session.get("user", "-")}`;
}

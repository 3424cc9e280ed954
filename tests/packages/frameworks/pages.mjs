// The options of the sessions of the projects, and what their pages do with a session.

import { memory } from "edge-session";

const fail = async () => {
  throw new Error("the store is down");
};

/** The store of the servers: in memory, or, with OUTAGE=1, one that fails. */
const store = process.env.OUTAGE ? { ...memory(), get: fail, put: fail, delete: fail, list: fail } : memory();

export const options = { store, secrets: ["the secret of the test projects, of more than 32 bytes"] };

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

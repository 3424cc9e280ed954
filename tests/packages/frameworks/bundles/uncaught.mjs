// A program with an error that nothing catches, in a handler of `run`.

import { createSessions, memory } from "edge-session";

const sessions = createSessions({ store: memory(), secrets: ["a secret of at least thirty-two bytes"] });

await sessions.run("", (session) => {
  session.set("cart", { items: [{ added: new Date() }] });
  return new Response();
});

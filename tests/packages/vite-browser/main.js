import { createSessions, memory } from "edge-session";

const sessions = createSessions({ store: memory(), secrets: ["a secret of at least thirty-two bytes"] });
const session = await sessions.open();
session.set("user", "alice");
await session.save();

const again = await sessions.open(session.sessionKey);
document.querySelector("output").textContent = `Hello ${again.get("user")}`;

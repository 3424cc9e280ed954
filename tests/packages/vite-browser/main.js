import { createSessions, kv } from "edge-session";
import { KvModel } from "edge-session/testing";

const model = new KvModel({ locallyInvisible: 0 });
const sessions = createSessions({ store: kv(model.at("here")), secrets: ["a secret of at least thirty-two bytes"] });
const session = await sessions.open();
session.set("user", "alice");
await session.save();

const again = await sessions.open(session.sessionKey);
document.querySelector("output").textContent = `Hello ${again.get("user")}`;

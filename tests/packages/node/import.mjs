import { createSessions, KeyError, memory } from "edge-session";
import { KvModel } from "edge-session/testing";

const sessions = createSessions({ store: memory(), secrets: ["a secret of at least thirty-two bytes"] });
const session = await sessions.load(null);
session.cycleKey();
session.set("user", "alice");
const headers = new Headers(await sessions.commitHeaders(session, 200));

const again = await sessions.load(headers.get("Set-Cookie").split(";")[0]);
console.log(again.item("user"));
try {
  again.item("cart");
} catch (error) {
  console.log(error instanceof KeyError, error.code);
}

const model = new KvModel();
model.failNext("put", { status: 429 });
await model.at("AMS").put("key", "value").catch((error) => console.log(error.message));

// A program that bundlers put into files of their own: two visits, an error, and the model of KV.

import { createSessions, KeyError, memory } from "edge-session";
import { session as middleware } from "edge-session/hono";
import { KvModel } from "edge-session/testing";

async function main() {
  const sessions = createSessions({ store: memory(), secrets: ["a secret of at least thirty-two bytes"] });
  let cookie = "";
  for (let visit = 1; visit <= 2; visit++) {
    const session = await sessions.load(cookie);
    session.set("visits", session.get("visits", 0) + 1);
    console.log(`visits=${session.get("visits")}`);
    cookie = new Headers(await sessions.commitHeaders(session, 200)).get("Set-Cookie").split(";")[0];
  }
  const session = await sessions.load(cookie);
  try {
    session.item("user");
  } catch (error) {
    console.log(error instanceof KeyError, error.code, typeof middleware(sessions));
  }
  const model = new KvModel();
  model.failNext("put", { status: 429 });
  await model.at("AMS").put("key", "value").catch((error) => console.log(error.message));
}

main();

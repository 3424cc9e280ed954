// The same site with the middleware of this package. It takes over the sessions of express-session.

import { promisify } from "node:util";
import { unsign } from "cookie-signature";
import { session } from "edge-session/node";
import express from "express";
import { oldStore, secret, store } from "./stores.mjs";

const app = express();

app.use(session({ store, secrets: ["the secret of the migrated site, of more than 32 bytes"] }));

const [get, destroy] = [oldStore.get, oldStore.destroy].map((method) => promisify(method));

app.use(async (request, response, next) => {
  const [, signed = ""] = /(?:^|; )connect\.sid=s%3A([^;]*)/.exec(request.headers.cookie ?? "") ?? [];
  const id = unsign(decodeURIComponent(signed), secret);
  const old = id && (await get(id));
  if (old) {
    request.session.cycleKey();
    request.session.update({ visits: old.visits, user: old.user, message: old.message });
    await request.session.save(); // before the old session ends
    await destroy(id);
  }
  if (signed) response.clearCookie("connect.sid");
  next();
});

app.get("/", ({ session }, response) => {
  session.set("visits", session.get("visits", 0) + 1);
  response.send(`visits=${session.get("visits")} user=${session.get("user", "-")} message=${session.pop("message", "-")}`);
});

app.get("/logout", async ({ session }, response) => {
  await session.flush();
  response.redirect(303, "/");
});

app.listen(process.env.PORT, process.env.HOST);

// A site with express-session, whose sessions are in a store of this package.

import { promisify } from "node:util";
import express from "express";
import expressSession from "express-session";
import { oldStore, secret } from "./stores.mjs";

const app = express();

app.use(expressSession({ store: oldStore, secret, resave: false, saveUninitialized: false, cookie: { maxAge: 3_600_000 } }));

app.get("/", ({ session }, response) => {
  session.visits = (session.visits ?? 0) + 1;
  const { visits, user = "-", message = "-" } = session;
  delete session.message;
  response.send(`visits=${visits} user=${user} message=${message}`);
});

app.get("/login", async (request, response) => {
  const { visits } = request.session;
  await promisify(request.session.regenerate).call(request.session);
  Object.assign(request.session, { visits, user: "alice", message: "welcome" });
  response.cookie("seen", "1").redirect(303, "/");
});

app.get("/logout", async ({ session }, response) => {
  await promisify(session.destroy).call(session);
  response.redirect(303, "/");
});

app.get("/user", ({ session }, response) => response.send(`user=${session.user ?? "-"}`));

app.listen(process.env.PORT, process.env.HOST);

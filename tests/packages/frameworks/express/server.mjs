import { pipeline } from "node:stream/promises";
import { session } from "edge-session/node";
import express from "express";
import { home, logIn, options, parts } from "../pages.mjs";

const app = express();

app.use(session(options));

app.get("/", ({ session }, response) => response.send(home(session)));

app.get("/login", ({ session }, response) => {
  logIn(session);
  response.cookie("seen", "1").redirect(303, "/");
});

app.get("/logout", async ({ session }, response) => {
  await session.flush();
  response.redirect(303, "/");
});

app.get("/boom", ({ session }) => {
  session.set("message", "boom");
  throw new Error("boom");
});

app.get("/stream", async ({ session }, response) => {
  session.has("user"); // or a shared cache could keep the page
  await pipeline(parts(session), response);
});

app.get("/events", async ({ session }, response) => {
  session.has("user");
  response.type("text/event-stream").flushHeaders();
  for await (const part of parts(session)) response.write(`data: ${part}\n\n`);
  response.end();
});

app.listen(process.env.PORT, process.env.HOST);

import { Readable } from "node:stream";
import { session } from "edge-session/fastify";
import fastify from "fastify";
import { home, logIn, options, parts } from "../pages.mjs";

const app = fastify();

app.register(session, options);

app.get("/", async ({ session }) => home(session));

app.get("/login", ({ session }, reply) => {
  logIn(session);
  return reply.header("Set-Cookie", "seen=1").redirect("/", 303);
});

app.get("/logout", async ({ session }, reply) => {
  await session.flush();
  return reply.redirect("/", 303);
});

app.get("/boom", async ({ session }) => {
  session.set("message", "boom");
  throw new Error("boom");
});

app.get("/stream", ({ session }, reply) => {
  session.has("user"); // or a shared cache could keep the page
  return reply.send(Readable.from(parts(session)));
});

app.get("/events", async ({ session }, reply) => {
  session.has("user");
  reply.hijack();
  reply.raw.writeHead(200, { "Content-Type": "text/event-stream" });
  for await (const part of parts(session)) reply.raw.write(`data: ${part}\n\n`);
  reply.raw.end();
});

app.listen({ port: Number(process.env.PORT), host: process.env.HOST });

import { createSessions } from "edge-session";
import { home, logIn, options, parts } from "../pages.mjs";

const sessions = createSessions(options);
const toHome = (headers) => new Response(null, { status: 303, headers: { Location: "/", ...headers } });

/** Responds to a request with its session. */
async function respond(path, session) {
  switch (path) {
    case "/":
      return new Response(home(session));
    case "/login":
      logIn(session);
      return toHome({ "Set-Cookie": "seen=1" });
    case "/logout":
      await session.flush();
      return toHome();
    case "/boom":
      session.set("message", "boom");
      throw new Error("boom");
    case "/stream":
      session.has("user"); // or a shared cache could keep the page
      return new Response(ReadableStream.from(parts(session)).pipeThrough(new TextEncoderStream()));
    default:
      return new Response("not found", { status: 404 });
  }
}

export default {
  port: process.env.PORT,
  hostname: process.env.HOST,
  fetch: (request) => sessions.run(request, (session) => respond(new URL(request.url).pathname, session)),
};

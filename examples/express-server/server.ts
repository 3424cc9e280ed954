import { setTimeout as sleep } from "node:timers/promises";
import { memory, type Session } from "edge-session";
import { session } from "edge-session/node";
import express, { type ErrorRequestHandler } from "express";

type Data = { visits: number; user: string; message: string };

declare module "express-serve-static-core" {
  interface Request {
    session: Session<Data>;
  }
}

const app = express();

app.use(express.urlencoded({ extended: false }));

// For one process. Several processes share a store, such as fromUnstorage(…) of edge-session/unstorage.
app.use(session<Data>({ store: memory(), secrets: [process.env.SESSION_SECRET!] }));

app.get("/", ({ session }, response) => {
  session.update("visits", (visits = 0) => visits + 1);
  const user = session.get("user");
  const form = user === undefined
    ? '<form method="post" action="/login"><input name="user" value="alice"><button>Log in</button></form>'
    : '<form method="post" action="/logout"><button>Log out</button></form><a href="/report">Report</a>';
  response.send(`<p>${escape(session.flashed("message", ""))}</p><p>Visit number ${session.get("visits")}</p>${form}`);
});

app.post("/login", ({ body, session }, response) => {
  const user = String(body?.user ?? ""); // check a password here
  session.cycleKey(); // a new key, which no one can know from before the login
  session.set("user", user).flash("message", `Welcome, ${user}`);
  response.redirect(303, "/");
});

app.post("/logout", async ({ session }, response) => {
  await session.flush();
  response.redirect(303, "/");
});

// The session is saved before the first part is sent, and can be read until the last one.
app.get("/report", async ({ session }, response) => {
  if (!session.has("user")) return response.redirect(303, "/");
  response.type("html").write("<p>One moment…</p>");
  await sleep(500);
  response.end(`<p>The report of ${escape(session.get("user", ""))}</p>`);
});

const onError: ErrorRequestHandler = (error, request, response, next) => {
  if (response.headersSent) return next(error);
  response.status(error.status ?? 500).send("<p>Please try again</p>"); // 503 if the store failed
};
app.use(onError);

function escape(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}

const server = app.listen(Number(process.env.PORT), "localhost", () => {
  const address = server.address();
  if (typeof address === "object" && address) console.log(`http://localhost:${address.port}`);
});

import { after } from "next/server";
import { notFound, permanentRedirect, redirect } from "next/navigation";
import { getSession, withSession } from "../../../session";

const set = withSession((session, key, value) => void session.set(key, value));
const user = async () => (await getSession()).get("user", "-");

/** Handlers by the name in the path. */
const handlers = {
  "not-found"(session) {
    session.set("user", "alice");
    notFound();
  },
  permanent(session) {
    session.set("user", "alice");
    permanentRedirect("/?a=1;b=2");
  },
  form(session) {
    session.set("user", "alice");
    redirect("/");
  },
  unavailable(session) {
    session.set("user", "mallory");
    return new Response("unavailable", { status: 500 });
  },
  async flushed(session) {
    await session.flush();
    session.set("book", "x".repeat(100_000));
    await session.save();
  },
  large: (session) => new Response(session.set("book", "x".repeat(100_000)).get("book")),
  kept(session) {
    globalThis.kept = session;
    throw new Error("boom");
  },
  async nested(session) {
    await set("user", "alice");
    return new Response(`${session.get("user")} ${await user()}`);
  },
  shared(session) {
    return Response.json({ visits: session.get("visits", 0) }, { headers: { Vary: "Accept", "Cache-Control": "public, max-age=60" } });
  },
  nothing: () => undefined,
};

const run = withSession(async (session, request, { params }) => handlers[(await params).name](session));

export async function GET(request, context) {
  const { name } = await context.params;
  // Handlers that are not wrapped: each function that they call saves on its own.
  if (name === "twice") {
    const before = await user();
    await set("user", "alice");
    const between = await user();
    await set("visits", 7);
    return new Response(`${before} ${between} ${await user()}`);
  }
  if (name === "together") {
    await Promise.all([set("user", "alice"), set("visits", 7)]);
    return new Response("together");
  }
  if (name === "after") {
    after(() => set("user", "mallory").catch(({ code, message }) => console.log(`after: ${code}: ${message}`)));
    return new Response("after");
  }
  if (name === "late") {
    globalThis.kept.set("user", "mallory");
  }
  return run(request, context);
}

export { run as POST, run as PUT };

// "Your devices": where a user is signed in, and a button that signs a device out.

import { durableObjects, withSessions, type Session, type SessionObjectNamespace } from "edge-session";
import { isCrossSite } from "edge-session/csrf";
import { deviceName } from "./device-name.js";
import { devicesPage, messagePage, signInPage, type Html } from "./pages.js";

export { SessionObject } from "edge-session/durable-object";

type Data = { user: string };
type Env = { SESSION_OBJECTS: SessionObjectNamespace; SESSION_SECRET: string };

// On Durable Objects, a device that is signed out can do nothing more with its session, from the moment of the response.
const options = (env: Env) => ({ store: durableObjects(env.SESSION_OBJECTS), secrets: [env.SESSION_SECRET] });

export default withSessions<Data, Env>(options, {
  async fetch(request, env, context, session, sessions) {
    const { pathname, searchParams } = new URL(request.url);
    if (isCrossSite(request)) {
      return page(403, messagePage("Not allowed", "A page of another site sent this form. Nothing has changed."));
    }

    const user = session.get("user");
    const route = `${request.method} ${pathname}`;
    if (route === "GET /sign-in") return user === undefined ? page(200, signInPage({ ended: searchParams.has("ended") })) : redirect("/");
    if (route === "POST /sign-in") return signIn(request, session);
    // Apart from `new`, each outcome is that of a request with a session cookie. That session is over.
    if (user === undefined) return redirect(session.loadReason === "new" ? "/sign-in" : "/sign-in?ended");

    switch (route) {
      case "GET /": {
        const devices = await sessions.list(user, session);
        return page(200, devicesPage({ user, devices, signedOut: numberIn(searchParams.get("signed-out")) }));
      }
      case "POST /sign-out":
        await session.flush();
        return redirect("/sign-in");
      case "POST /sign-out-device":
        // False for an id that this user does not have, whether or not another user has it.
        if (await sessions.revoke(user, await field(request, "id"))) return redirect("/?signed-out=1");
        return page(404, messagePage("No such device", "You are not signed in on a device with this id. It may have been signed out already."));
      case "POST /sign-out-others":
        return redirect(`/?signed-out=${await sessions.revokeOthers(session)}`);
      default:
        return page(404, messagePage("No such page", "There is no page at this address."));
    }
  },
});

/**
 * Signs a user in under any name. THIS EXAMPLE CHECKS NO PASSWORD: where the comment says so, check one, or whatever else proves who the
 * visitor is.
 */
async function signIn(request: Request, session: Session<Data>): Promise<Response> {
  const user = await field(request, "user");
  if (user === "" || user.length > 64) return page(422, signInPage({ user, problem: "Enter a name of 1 to 64 characters." }));

  // Your check of the password goes here. Continue only if it is the password of this user.

  if (session.get("user", user) !== user) await session.flush(); // nothing of another user's session is kept
  session.cycleKey(); // a new key, which no one can know from before the login
  session.set("user", user);
  // The first argument is your own id of the user: one that never changes, such as the primary key of the account.
  session.bindUser(user, { label: deviceName(request.headers.get("User-Agent")) });
  return redirect("/");
}

/** Returns a field of a form, without spaces around it; empty if the form has none. */
async function field(request: Request, name: string): Promise<string> {
  const form = await request.formData().catch(() => undefined); // the body is no form
  const value = form?.get(name);
  return typeof value === "string" ? value.trim() : "";
}

/** Returns the number of devices that a redirect reports, or undefined. */
function numberIn(text: string | null): number | undefined {
  return /^\d{1,4}$/.test(text ?? "") ? Number(text) : undefined;
}

/** After a form, the browser gets the next page by itself: a reload does not send the form again. */
function redirect(location: string): Response {
  return new Response(null, { status: 303, headers: { Location: location } });
}

/** Own styles and forms, no scripts, and no frame: another site could place the buttons of a frame under a click. */
const CONTENT_SECURITY_POLICY =
  "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

function page(status: number, { text }: Html): Response {
  const headers = {
    "Content-Type": "text/html; charset=utf-8",
    // Not even the browser keeps a page: its back button would show it after the sign-out.
    "Cache-Control": "no-store",
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
  };
  return new Response(text, { status, headers });
}

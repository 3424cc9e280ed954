// A Worker that is made with the npm package, with those of the Rust Worker's routes that the tests ask of both.

import { kv, withSessions } from "../../dist/workerd.js";

const settings = (env) => ({
  store: kv(env.SESSIONS),
  secrets: [env.SESSION_SECRET],
  cookieAge: env.SESSION_COOKIE_AGE,
  saveEveryRequest: env.SESSION_SAVE_EVERY_REQUEST,
  absoluteAge: env.SESSION_ABSOLUTE_AGE,
});

const routes = {
  "GET /session": (session) => Response.json({ data: Object.fromEntries(session.items()), reason: session.loadReason, isNew: session.sessionKey === undefined }),
  "PUT /session/data": async (session, request, key) => {
    session.set(key, await request.json());
    return new Response(null, { status: 204 });
  },
  "PUT /session/expiry": async (session, request) => {
    session.setExpiry((await request.json()).value);
    return Response.json({ age: session.getExpiryAge() });
  },
  "POST /session/cycle-key": (session) => {
    session.cycleKey();
    return new Response(null, { status: 204 });
  },
  "POST /session/flush": async (session) => {
    await session.flush();
    return new Response(null, { status: 204 });
  },
};

const worker = withSessions(settings, {
  fetch(request, env, context, session) {
    const [, path, key] = new URL(request.url).pathname.match(/^(\/session(?:\/(?!data\/)[^/]+|\/data)?)(?:\/(.+))?$/);
    return routes[`${request.method} ${path}`](session, request, key);
  },
});

export default class PackageWorker {
  constructor(context, env) {
    Object.assign(this, { context, env });
  }

  fetch(request) {
    return worker.fetch(request, this.env, this.context);
  }
}

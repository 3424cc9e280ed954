// A Worker with the npm package.

import { createSessions, kv } from "../../../dist/node.js";

let sessions;

export default {
  async fetch(request, { SESSIONS, SESSION_SECRET }) {
    sessions ??= createSessions({ store: kv(SESSIONS), secrets: [SESSION_SECRET] });
    const session = await sessions.load(request);
    const visits = session.get("visits", 0) + 1;
    session.set("visits", visits);
    return sessions.commit(session, Response.json({ visits }));
  },
};
